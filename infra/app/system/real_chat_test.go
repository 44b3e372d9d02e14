package system

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"lishi/events"
)

var whole = flag.Bool("whole", false, "real chat: all of it, not only its beginning")

// realChat gives the files of real chat, and skips the test where they are not.
func realChat(t *testing.T) (group, pairs string) {
	t.Helper()
	shared := os.Getenv("LISHI_SHARED")
	if shared == "" {
		shared = "../../../../shared"
	}
	group, pairs = filepath.Join(shared, "data", "group-chat-en.jsonl.gz"), filepath.Join(shared, "data", "pair-chat-zh.jsonl.gz")
	for _, f := range []string{group, pairs} {
		if _, err := os.Stat(f); errors.Is(err, os.ErrNotExist) {
			t.Skipf("the sample chat is not here: no %s (set LISHI_SHARED)", f)
		}
	}
	return group, pairs
}

// talker is one of the people, on a socket of their own.
type talker struct {
	user, token string
	conn        *websocket.Conn
	results     chan<- answer

	mu       sync.Mutex
	received []said
	failed   error
}

// said is one message, as sent or as received.
type said struct {
	at            events.Position
	from, content string
}

func (x *talker) read() {
	for {
		_, raw, err := x.conn.Read(context.Background())
		if err != nil {
			x.mu.Lock()
			x.failed = err
			x.mu.Unlock()
			return
		}
		var f struct {
			MsgType string
			Code    any
			Obj     object
			Data    struct{ Position, SendUserID, MessageContent string }
		}
		if err := json.Unmarshal(raw, &f); err != nil {
			panic(err)
		}
		switch {
		case f.MsgType == "":
			x.results <- answer{Code: f.Code, Obj: f.Obj, Raw: string(raw)}
		case f.MsgType == "8":
			x.results <- answer{MsgType: "8", Raw: string(raw)}
		case f.MsgType == "1" || f.MsgType == "2":
			at, err := events.ParsePosition(f.Data.Position)
			if err != nil {
				panic(string(raw))
			}
			x.mu.Lock()
			x.received = append(x.received, said{at, f.Data.SendUserID, f.Data.MessageContent})
			x.mu.Unlock()
		}
	}
}

func (x *talker) send(url string, params object) error {
	params["token"] = x.token
	b, err := json.Marshal(object{"url": url, "params": params})
	if err != nil {
		return err
	}
	return x.conn.Write(context.Background(), websocket.MessageText, b)
}

// gathering is a part of the files: who says what, and what it comes to.
type gathering struct {
	s       *server
	t       *testing.T
	people  map[string]*talker
	results chan answer
	group   string // empty: one to one
	sent    []said // in log order
}

// gather logs everybody in who says or hears something.
func gather(s *server, lines []map[string]string) *gathering {
	k := &gathering{s: s, t: s.t, people: map[string]*talker{}, results: make(chan answer, 1<<12)}
	for _, l := range lines {
		for _, user := range []string{l["from"], l["to"]} {
			if user == "" || k.people[user] != nil {
				continue
			}
			conn, _, err := websocket.Dial(s.t.Context(), "ws://"+s.addr+"/ws", nil)
			if err != nil {
				s.t.Fatal(err)
			}
			conn.SetReadLimit(1 << 20)
			x := &talker{user: user, token: token(s.t, user), conn: conn, results: k.results}
			k.people[user] = x
			s.t.Cleanup(func() { conn.CloseNow() })
			go x.read()
			if err := x.send("/chat/login", object{}); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	for range k.people {
		if a := k.next(); !strings.Contains(a.Raw, `"200"`) {
			s.t.Fatal(a.Raw)
		}
	}
	return k
}

func (k *gathering) next() answer {
	k.t.Helper()
	select {
	case a := <-k.results:
		return a
	case <-time.After(time.Minute):
		k.t.Fatal("no answer in a minute")
	}
	return answer{}
}

// atOnce sends requests, and gives their answers by uniqueNo.
func (k *gathering) atOnce(n int, send func(i int, uniqueNo string) error) map[string]answer {
	k.t.Helper()
	answers := map[string]answer{}
	for i := range n {
		if err := send(i, fmt.Sprint(i)); err != nil {
			k.t.Fatal(err)
		}
	}
	for range n {
		a := k.next()
		answers[a.str("uniqueNo")] = a
	}
	return answers
}

const atATime = 50

// say has the lines said by their own people, 50 at a time, each person's in order.
func (k *gathering) say(lines []map[string]string) {
	k.t.Helper()
	for part := range slices.Chunk(lines, atATime) {
		var came []said
		last := map[string]int64{}
		base := len(k.sent)
		answers := k.atOnce(len(part), func(i int, no string) error {
			l := part[i]
			params := object{"uniqueNo": fmt.Sprint(base, "-", no), "messageContent": l["text"]}
			if k.group != "" {
				params["groupId"] = k.group
				return k.people[l["from"]].send("/chat/sendGroupMessage", params)
			}
			params["receiveUserId"] = l["to"]
			return k.people[l["from"]].send("/chat/sendMessage", params)
		})
		for i, l := range part {
			a := answers[fmt.Sprint(base, "-", i)]
			if l["text"] == "" {
				if a.reason() != "bad_request" {
					k.t.Fatalf("nothing was said, and answered by %s", a.Raw)
				}
				continue
			}
			at, err := events.ParsePosition(a.str("position"))
			if err != nil {
				k.t.Fatalf("%q by %s: %s", l["text"], l["from"], a.Raw)
			}
			who := l["from"] + " " + at.Partition.String()
			if at.Offset <= last[who] {
				k.t.Errorf("%s said %q later, its position is earlier", l["from"], l["text"])
			}
			last[who] = at.Offset
			came = append(came, said{at, l["from"], l["text"]})
		}
		slices.SortStableFunc(came, func(a, b said) int { return int(a.at.Offset - b.at.Offset) })
		k.sent = append(k.sent, came...)
	}
}

// of lists in log order what was sent of which each is true.
func (k *gathering) of(each func(said) bool) (all []said) {
	for _, m := range k.sent {
		if each(m) {
			all = append(all, m)
		}
	}
	return all
}

// heard checks that each of the people got what is theirs: everything once, in
// order, byte for byte. It gives how many messages that were.
func (k *gathering) heard(want func(user string) []said) (n int) {
	k.t.Helper()
	for user, x := range k.people {
		w := want(user)
		wait(k.t, "messages to "+user, time.Minute, func() bool {
			x.mu.Lock()
			defer x.mu.Unlock()
			return len(x.received) >= len(w) || x.failed != nil
		})
		x.mu.Lock()
		got := x.received
		x.received = nil
		x.mu.Unlock()
		if byPartition(w); !slices.Equal(byPartition(got), w) {
			k.t.Errorf("%s was told %d messages, not the %d that are theirs in their order (%v)", user, len(got), len(w), x.failed)
		}
		n += len(w)
	}
	return n
}

// byPartition parts messages by the partitions of the log, where alone they have
// an order, and leaves each part as it came.
func byPartition(all []said) []said {
	slices.SortStableFunc(all, func(a, b said) int { return int(a.at.Number) - int(b.at.Number) })
	return all
}

// history reads a conversation by pages of a size, backwards or forwards.
func (k *gathering) history(caller, url string, params object, size int, forwards bool) (all []said) {
	k.t.Helper()
	params["limit"] = size
	if forwards {
		params["after"] = events.Position{Partition: k.sent[0].at.Partition, Offset: 0}.String()
	}
	for {
		page := k.s.must(caller, url, params).list()
		var rows []said
		for _, r := range page {
			at, err := events.ParsePosition(r["position"].(string))
			if err != nil {
				k.t.Fatal(err)
			}
			rows = append(rows, said{at, r["sendUserId"].(string), r["talkContent"].(string)})
		}
		if len(rows) == 0 {
			return all
		}
		if forwards {
			all = append(all, rows...)
			params["after"] = page[len(page)-1]["position"]
		} else {
			all = append(rows, all...)
			params["before"] = page[0]["position"]
		}
	}
}

// remembered checks a conversation's history, by several page sizes and both ways.
func (k *gathering) remembered(caller, url string, params object, want []said, sizes ...int) {
	k.t.Helper()
	for _, size := range sizes {
		for _, forwards := range []bool{false, true} {
			if got := k.history(caller, url, maps.Clone(params), size, forwards); !slices.Equal(got, want) {
				k.t.Errorf("%s reads %d messages by pages of %d (forwards: %v), %d were sent", caller, len(got), size, forwards, len(want))
			}
		}
	}
}

// found checks that search finds what a scan of the messages finds, for some words.
func (k *gathering) found(rnd *rand.Rand, caller string, params object, messages []said, words int) {
	k.t.Helper()
	for range words {
		word := wordOf(rnd, messages[rnd.IntN(len(messages))].content)
		if word == "" {
			continue
		}
		var want []string
		for _, m := range slices.Backward(messages) {
			if strings.Contains(strings.ToLower(m.content), strings.ToLower(word)) && len(want) < 400 {
				want = append(want, m.content)
			}
		}
		p := object{"text": word, "limit": 200}
		for name, v := range params {
			p[name] = v
		}
		if got := k.s.search(caller, p, 400); !slices.Equal(got, want) {
			k.t.Errorf("%s looks for %q: %d messages, a scan finds %d", caller, word, len(got), len(want))
		}
	}
}

// Real chat, if it is there, said again by its own people over sockets of their own,
// 50 messages at a time: each receiver gets each message exactly once, in order, byte
// for byte; history is what was sent, by pages of several sizes and both ways; search
// finds what a scan finds, for 200 words. -whole says all of it: the group's chat
// by rooms of 1 500 messages, since one of all 4 400 people would be 264 million pushes.
func TestRealChatOverSockets(t *testing.T) {
	groupFile, pairFile := realChat(t)
	begun, messages, told := time.Now(), 0, 0
	s := serve(t, t.TempDir())
	var inGroup, inPairs []map[string]string
	each(t, groupFile, func(l map[string]string) { inGroup = append(inGroup, l) })
	each(t, pairFile, func(l map[string]string) { inPairs = append(inPairs, l) })
	if !*whole {
		inGroup, inPairs = inGroup[:700], inPairs[:1500]
	}
	rnd := rand.New(rand.NewPCG(3, 4))

	rooms := slices.Collect(slices.Chunk(inGroup, 1500))
	for i, lines := range rooms {
		t.Run(fmt.Sprint("room ", i), func(t *testing.T) {
			k := gather(s.on(t), lines)
			owner := lines[0]["from"]
			k.group = s.must(owner, "/group/addGroup", object{"uniqueNo": fmt.Sprint("room-", i), "groupName": fmt.Sprint("#ubuntu ", i), "joinMode": "9"}).str("groupId")
			var others []string
			for user := range k.people {
				if user != owner {
					others = append(others, user)
				}
			}
			for no, a := range k.atOnce(len(others), func(i int, no string) error {
				return k.people[others[i]].send("/group/applyGroup", object{"uniqueNo": no, "groupId": k.group})
			}) {
				if !a.ok() {
					t.Fatalf("%s: %s", no, a.Raw)
				}
			}
			k.say(lines)
			told += k.heard(func(user string) []said { return k.of(func(m said) bool { return m.from != user }) })
			messages += len(k.sent)
			sizes := []int{200, 64, 7}
			if *whole {
				sizes = []int{200, 137}
			}
			k.remembered(owner, "/group/loadMoreMessage", object{"groupId": k.group}, k.sent, sizes...)
			k.found(rnd, owner, object{"groupId": k.group}, k.sent, 100/len(rooms)+1)
			k.part()
		})
	}

	t.Run("pairs", func(t *testing.T) {
		k := gather(s.on(t), inPairs)
		pairs := map[string][2]string{}
		for _, l := range inPairs {
			key := events.PairStream(l["from"], l["to"]).Key()
			pairs[key] = [2]string{l["from"], l["to"]}
		}
		var all [][2]string
		for _, p := range pairs {
			all = append(all, p)
		}
		applied := k.atOnce(len(all), func(i int, no string) error {
			return k.people[all[i][0]].send("/friend/applyFriend", object{"uniqueNo": no, "userId": all[i][1]})
		})
		for no, a := range k.atOnce(len(all), func(i int, no string) error {
			return k.people[all[i][1]].send("/friend/verifyFriend", object{"uniqueNo": no, "applyFriendId": applied[no].str("applyFriendId"), "applyState": "9"})
		}) {
			if !a.ok() {
				t.Fatalf("%s: %s", no, a.Raw)
			}
		}
		k.say(inPairs)
		partner := map[string]map[string]bool{}
		for _, p := range all {
			for i := range p {
				if partner[p[i]] == nil {
					partner[p[i]] = map[string]bool{}
				}
				partner[p[i]][p[1-i]] = true
			}
		}
		stream := map[string][]said{} // by conversation
		to := map[string][]said{}
		for _, m := range k.sent {
			for other := range partner[m.from] {
				if len(partner[m.from]) > 1 {
					t.Fatalf("%s talks to several people", m.from)
				}
				stream[events.PairStream(m.from, other).Key()] = append(stream[events.PairStream(m.from, other).Key()], m)
				to[other] = append(to[other], m)
			}
		}
		told += k.heard(func(user string) []said { return to[user] })
		messages += len(k.sent)
		for n, p := range all {
			sizes := []int{200}
			if n%10 == 0 {
				sizes = []int{200, 5}
			}
			messages := stream[events.PairStream(p[0], p[1]).Key()]
			one := *k
			one.sent = messages
			one.remembered(p[n%2], "/friend/loadMoreMessage", object{"userId": p[1-n%2]}, messages, sizes...)
			if n < 100 {
				one.found(rnd, p[n%2], nil, messages, 1+99/len(all))
			}
		}
		k.part()
	})
	t.Logf("%d messages, %d at a time, heard %d times, in %v", messages, atATime, told, time.Since(begun).Round(time.Second))
}

// part lets everybody go.
func (k *gathering) part() {
	for _, x := range k.people {
		x.conn.CloseNow()
	}
}
