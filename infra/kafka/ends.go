package kafka

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"lishi/events"
)

// A leader that was deposed while it stood still (a stopped process, a cut-off
// network) does not know it at first, and names an end that its successor has
// passed. So an end counts only if the leader's epoch is confirmed by so many
// other replicas, asked after the question came, that at least one of them is in
// any set of replicas that could have acknowledged something under a later epoch:
// of r replicas with min.insync.replicas m these are r - m. A replica that has
// acknowledged something knows the epoch it did so in. With three replicas and
// m = 2 one is enough, so that the end can be had with any one broker away.

// Versions before the flexible ones, that Kafka 4 speaks and that tell epochs:
// https://kafka.apache.org/protocol#The_Messages_ListOffsets and …_Metadata.
const (
	listOffsetsVersion = 5
	metadataVersion    = 8
)

// endsPatience is how long brokers may be silent before the question is put anew,
// to those who lead by then.
const endsPatience = 2 * time.Second

// confirmedEnds are the ends of these partitions, as of a moment after the call.
// It asks until it has them or ctx ends.
func (l *Log) confirmedEnds(ctx context.Context, ps []events.Partition) (events.Cursor, error) {
	for attempt := 0; ; attempt++ {
		c, err := l.askEnds(ctx, ps)
		if err == nil {
			return c, nil
		}
		if sleep(ctx, backoff(attempt)) != nil {
			return nil, fmt.Errorf("the log's end: %w", err)
		}
	}
}

// claim is what is known of one partition's end.
type claim struct {
	place    topicPartition
	leader   int32
	needed   int // confirmations
	replicas []int32
	answered bool
	end      int64
	epoch    int32
	others   map[int32]int32 // epochs that other replicas know
}

// confirmed tells whether the end counts; an error that it never will.
func (c *claim) confirmed() (bool, error) {
	if !c.answered {
		return false, nil
	}
	agree := 0
	for _, epoch := range c.others {
		switch {
		case epoch > c.epoch:
			return false, fmt.Errorf("%s: its leader was deposed", c.place)
		case epoch == c.epoch:
			agree++
		}
	}
	return agree >= c.needed, nil
}

// askEnds asks the leaders for the ends and, at the same time, every broker for
// the epochs it knows. It returns as soon as all ends are confirmed.
func (l *Log) askEnds(ctx context.Context, ps []events.Partition) (events.Cursor, error) {
	ctx, cancel := context.WithTimeout(ctx, min(endsPatience, l.conn.timeout))
	defer cancel()
	claims, err := l.claims(ctx, ps)
	if err != nil {
		return nil, err
	}
	leaders, witnesses := map[int32][]*claim{}, map[int32][]*claim{}
	for _, c := range claims {
		leaders[c.leader] = append(leaders[c.leader], c)
		if c.needed == 0 {
			continue
		}
		for _, id := range c.replicas {
			if id != c.leader {
				witnesses[id] = append(witnesses[id], c)
			}
		}
	}
	// A broker's answer is a function that writes it into the claims.
	answers := make(chan func() error, len(leaders)+len(witnesses))
	for id, cs := range leaders {
		go func() { answers <- l.conn.askOffsets(ctx, id, cs) }()
	}
	for id, cs := range witnesses {
		go func() { answers <- l.conn.askEpochs(ctx, id, cs) }()
	}
	var silent error
	for range cap(answers) {
		if err := (<-answers)(); err != nil {
			silent = err // others may be enough
		}
		all := true
		for _, c := range claims {
			ok, err := c.confirmed()
			if err != nil {
				return nil, err
			}
			all = all && ok
		}
		if all {
			ends := events.Cursor{}
			for p, c := range claims {
				ends[p] = c.end - 1
			}
			return ends, nil
		}
	}
	return nil, fmt.Errorf("too few replicas agree on who leads: %w", silent)
}

// claims says who leads these partitions, by the client's metadata.
func (l *Log) claims(ctx context.Context, ps []events.Partition) (map[events.Partition]*claim, error) {
	found, err := l.conn.metadata(ctx, l.topics())
	if err != nil {
		return nil, err
	}
	claims := map[events.Partition]*claim{}
	for _, t := range found.Topics {
		for _, p := range t.Partitions {
			i := slices.IndexFunc(ps, func(q events.Partition) bool { return l.place(q) == topicPartition{t.Name, p.PartitionIndex} })
			if i < 0 {
				continue
			}
			if p.LeaderID < 0 {
				return nil, fmt.Errorf("%s: %w", ps[i], kafka.LeaderNotAvailable)
			}
			claims[ps[i]] = &claim{
				place: l.place(ps[i]), leader: p.LeaderID, replicas: p.ReplicaNodes,
				needed: max(0, len(p.ReplicaNodes)-l.inSync[t.Name]), others: map[int32]int32{},
			}
		}
	}
	if len(claims) != len(ps) {
		return nil, fmt.Errorf("the cluster knows %d of %d partitions", len(claims), len(ps))
	}
	return claims, nil
}

// askOffsets asks a leader where its partitions end.
func (c *connection) askOffsets(ctx context.Context, id int32, claims []*claim) func() error {
	r := newRaw(broker(id), protocol.ListOffsets, listOffsetsVersion, clientID)
	r.uint32(0xffffffff) // not a replica
	r.uint8(0)           // read uncommitted
	byTopic := map[string][]*claim{}
	for _, cl := range claims {
		byTopic[cl.place.topic] = append(byTopic[cl.place.topic], cl)
	}
	r.uint32(uint32(len(byTopic)))
	for topic, cs := range byTopic {
		r.string(topic)
		r.uint32(uint32(len(cs)))
		for _, cl := range cs {
			r.uint32(uint32(cl.place.partition))
			r.uint32(0xffffffff) // of whatever epoch
			r.uint64(^uint64(0)) // the end
		}
	}
	body, err := c.raw(ctx, r)
	return func() error {
		if err != nil {
			return err
		}
		return parseOffsets(body, claims)
	}
}

func parseOffsets(body []byte, claims []*claim) (err error) {
	d := wire{b: body}
	d.skip(4) // throttle time
	d.each(func() {
		topic := d.string()
		d.each(func() {
			place := topicPartition{topic, int32(d.uint32())}
			code := int16(d.uint16())
			d.skip(8) // timestamp
			end, epoch := int64(d.uint64()), int32(d.uint32())
			if code != 0 {
				err = fmt.Errorf("%s: %w", place, kafka.Error(code))
			}
			for _, c := range claims {
				if c.place == place && code == 0 && !d.bad {
					c.end, c.epoch, c.answered = end, epoch, true
				}
			}
		})
	})
	if d.bad {
		return fmt.Errorf("offsets: the answer is cut short")
	}
	return err
}

// askEpochs asks a broker which epochs it knows of partitions that it follows.
func (c *connection) askEpochs(ctx context.Context, id int32, claims []*claim) func() error {
	r := newRaw(broker(id), protocol.Metadata, metadataVersion, clientID)
	topics := map[string]bool{}
	for _, cl := range claims {
		topics[cl.place.topic] = true
	}
	r.uint32(uint32(len(topics)))
	for topic := range topics {
		r.string(topic)
	}
	r.uint8(0) // make no topics
	r.uint8(0) // no authorized operations, of the cluster and of the topics
	r.uint8(0)
	body, err := c.raw(ctx, r)
	return func() error {
		if err != nil {
			return err
		}
		return parseEpochs(body, id, claims)
	}
}

func parseEpochs(body []byte, id int32, claims []*claim) error {
	d := wire{b: body}
	d.skip(4)       // throttle time
	d.each(func() { // brokers
		d.skip(4)  // id
		d.string() // host
		d.skip(4)  // port
		d.string() // rack
	})
	d.string() // cluster id
	d.skip(4)  // controller
	d.each(func() {
		d.skip(2) // error code
		topic := d.string()
		d.skip(1) // internal
		d.each(func() {
			d.skip(2) // error code: that a leader is away is no error here
			place := topicPartition{topic, int32(d.uint32())}
			d.skip(4) // leader
			epoch := int32(d.uint32())
			for range 3 { // replicas, those in sync, those offline
				d.each(func() { d.skip(4) })
			}
			for _, c := range claims {
				if c.place == place && !d.bad {
					c.others[id] = epoch
				}
			}
		})
		d.skip(4) // authorized operations
	})
	if d.bad {
		return fmt.Errorf("metadata: the answer is cut short")
	}
	return nil
}
