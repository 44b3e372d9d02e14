package kafka

import "testing"

// An end counts if as many other replicas confirm its epoch as it takes.
func TestConfirmedEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		claim   claim
		counts  bool
		deposed bool
	}{
		"nobody answered":               {claim{needed: 1}, false, false},
		"the leader alone":              {claim{needed: 1, answered: true, epoch: 4}, false, false},
		"no other replica is needed":    {claim{needed: 0, answered: true, epoch: 4}, true, false},
		"another confirms":              {claim{needed: 1, answered: true, epoch: 4, others: map[int32]int32{2: 4}}, true, false},
		"another only, not the leader":  {claim{needed: 1, epoch: 0, others: map[int32]int32{2: 0}}, false, false},
		"another knows a later epoch":   {claim{needed: 1, answered: true, epoch: 4, others: map[int32]int32{2: 5}}, false, true},
		"one confirms, one knows later": {claim{needed: 1, answered: true, epoch: 4, others: map[int32]int32{2: 4, 3: 5}}, false, true},
		"another is behind":             {claim{needed: 1, answered: true, epoch: 4, others: map[int32]int32{2: 3}}, false, false},
		"one of two":                    {claim{needed: 2, answered: true, epoch: 4, others: map[int32]int32{2: 4, 3: 3}}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			counts, err := tc.claim.confirmed()
			if counts != tc.counts || (err != nil) != tc.deposed {
				t.Errorf("got %v, %v", counts, err)
			}
		})
	}
}

const (
	offsetsAnswer = "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01t\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x04"
	epochsAnswer  = "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x01h\x00\x00\x23\x84\xff\xff\x00\x01c\x00\x00\x00\x01" +
		"\x00\x00\x00\x01\x00\x00\x00\x01t\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x04" +
		"\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00" + "\x80\x00\x00\x00\x80\x00\x00\x00"
)

func FuzzParseEnds(f *testing.F) {
	f.Add([]byte(offsetsAnswer))
	f.Add([]byte(epochsAnswer))
	f.Fuzz(func(t *testing.T, body []byte) {
		c := &claim{place: topicPartition{topic: "t"}, others: map[int32]int32{}}
		parseOffsets(body, []*claim{c})
		parseEpochs(body, 2, []*claim{c})
		switch string(body) {
		case offsetsAnswer:
			if !c.answered || c.end != 9 || c.epoch != 4 {
				t.Errorf("%+v", c)
			}
		case epochsAnswer:
			if c.others[2] != 4 {
				t.Errorf("%+v", c)
			}
		}
	})
}
