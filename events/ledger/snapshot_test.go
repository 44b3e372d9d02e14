package ledger

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"lishi/events"
)

// full is a ledger that has something of everything.
func full(t testing.TB) *script {
	s := grouped(t, W)
	s.do(club, "adam", events.GroupMemberMuted{UserID: "mia", MutedUntil: s.now.Add(time.Hour).UnixMilli()})
	s.do(club, "eve", events.GroupApplied{Note: "me"})
	s.do(club, "max", events.GroupMemberQuit{})
	s.do(club, "max", events.GroupJoined{})
	s.do(duo, "an", events.FriendApplied{Remark: "b|o%", ExpiresAt: 9})
	s.do(duo, "an", events.FriendAgreed{})
	s.do(duo, "bo", events.FriendViewChanged{Remark: "安", FriendGroupID: "f"})
	s.do(duo, "bo", events.FriendBlocked{})
	s.do(events.UserStream("an"), "an", events.UserRegistered{NickName: "安"})
	s.do(events.UserStream("an"), "an", events.FolderCreated{Name: "同学"})
	s.do(events.UserStream("an"), "an", events.FolderCreated{Name: ""})
	s.want(Valid, events.Event{ID: events.NewID("r", "an", "1"), Stream: events.UserStream("an"), Actor: "an", Body: events.ConversationRead{
		Conversation: "g|club", Read: events.Position{Partition: c0, Offset: 3},
	}})
	said := s.say(Valid, club, "olga")
	s.want(Valid, s.message(club, "adam", events.MessageRecalled{Message: said, Sender: "olga"}))
	s.say(Blocked, duo, "an")
	stale := s.relation(duo, "an", events.FriendRemoved{})
	stale.Revision, stale.Prev = 1, events.ID{}
	s.want(Stale, stale)
	s.pass(1)
	s.say(Valid, club, "olga")
	return s
}

func TestSnapshotRoundTrip(t *testing.T) {
	s := full(t)
	var b bytes.Buffer
	if _, err := s.l.Snapshot(&b); err != nil {
		t.Fatal(err)
	}
	l, err := Restore(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if l.Folded() != s.l.Folded() || !l.At().Equal(s.l.At()) || l.Partition() != c0 {
		t.Fatalf("restored at %d, %s", l.Folded(), l.At())
	}
	again, err := l.snapshot() // also of a ledger that admitted nothing since
	if err != nil || !bytes.Equal(again, b.Bytes()) {
		t.Fatalf("the restored ledger has another snapshot (%v)", err)
	}

	last := s.records[len(s.records)-1]
	if err := l.Continues(last); err != nil {
		t.Fatal(err)
	}
	if err := s.l.Continues(last); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*events.Recorded){
		"another position": func(r *events.Recorded) { r.Position.Offset-- },
		"another id":       func(r *events.Recorded) { r.ID[0]++ },
		"another text":     func(r *events.Recorded) { r.Body = sent("ho") },
		"another time":     func(r *events.Recorded) { r.Time = r.Time.Add(time.Second) },
		"recorded later":   func(r *events.Recorded) { r.At = r.At.Add(time.Second) },
		"a foreign one":    func(r *events.Recorded) { r.Body = events.Foreign{} },
		"no event":         func(r *events.Recorded) { r.ID = events.ID{} },
	} {
		r := last
		change(&r)
		if l.Continues(r) == nil {
			t.Errorf("%s continues", name)
		}
	}
}

// A snapshot is of the moment it began, however much is admitted while it is
// made: everything that a record can change, at every point.
func TestSnapshotWhileAdmitting(t *testing.T) {
	whole := full(t)
	eve := events.PairStream("an", "eve")
	asked := whole.do(eve, "eve", events.FriendApplied{Note: "again"})
	whole.do(eve, "an", events.FriendRefused{Application: asked})
	for begin := range whole.records {
		before, now := newLedger(c0, 8), newLedger(c0, 8)
		for _, r := range whole.records[:begin] {
			admit(t, before, r)
			admit(t, now, r)
		}
		want, err := before.snapshot()
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		rest := whole.records[begin:]
		folded, err := now.snapshotTo(writerFunc(func(b []byte) (int, error) {
			if len(rest) > 0 {
				admit(t, now, rest[0])
				rest = rest[1:]
			}
			return got.Write(b)
		}), 1)
		if err != nil || folded != int64(begin-1) || !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("a snapshot begun after %d records is another one (%v)", begin, err)
		}
	}
}

func admit(t testing.TB, l *Ledger, r events.Recorded) {
	t.Helper()
	if _, err := l.Admit(r); err != nil {
		t.Fatal(err)
	}
}

func TestSnapshotOfNothingAndOfForeign(t *testing.T) {
	for _, records := range []int{0, 1} {
		l := New(c0)
		foreign := events.Recorded{Event: events.Event{Body: events.Foreign{}}, Position: events.Position{Partition: c0}}
		for range records {
			if _, err := l.Admit(foreign); err != nil {
				t.Fatal(err)
			}
		}
		b, err := l.snapshot()
		if err != nil {
			t.Fatal(err)
		}
		restored, err := Restore(bytes.NewReader(b))
		if err != nil || restored.Folded() != int64(records-1) || !restored.At().IsZero() {
			t.Fatalf("%v", err)
		}
		if records == 1 && restored.Continues(foreign) != nil {
			t.Fatal("does not continue")
		}
	}
}

func TestRestoreRefusesWhatIsInDoubt(t *testing.T) {
	b := []byte(full(t).bytes())
	refused := func(name string, b []byte) {
		t.Helper()
		if l, err := Restore(bytes.NewReader(b)); !errors.Is(err, ErrSnapshot) || l != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range len(b) {
		refused("cut", b[:n])
	}
	for i := range b {
		flipped := bytes.Clone(b)
		flipped[i] ^= 1 << (i % 8)
		refused("flipped bit", flipped)
	}
	refused("something after it", append(bytes.Clone(b), 0))
	refused("nothing", nil)

	sealed := func(change func(string) string) []byte {
		body := []byte(change(string(b[:len(b)-sha256.Size])))
		sum := sha256.Sum256(body)
		return append(body, sum[:]...)
	}
	refused("other magic", sealed(func(s string) string { return "L" + s[1:] }))
	refused("other rules", sealed(func(s string) string { return s[:len(snapshotMagic)] + "\x01" + s[len(snapshotMagic)+1:] }))
	refused("a byte more", sealed(func(s string) string { return s + "\x00" }))
	refused("a topic that is none", sealed(func(s string) string { return strings.Replace(s, "c0", "x0", 1) }))
	if _, err := Restore(bytes.NewReader(sealed(func(s string) string { return s }))); err != nil {
		t.Fatal(err)
	}
	if _, err := restore(bytes.NewReader(b), W/2); !errors.Is(err, ErrSnapshot) {
		t.Errorf("other width: %v", err)
	}
	if _, err := Restore(iotest.ErrReader(errors.New("disk"))); !errors.Is(err, ErrSnapshot) {
		t.Errorf("unreadable: %v", err)
	}
}

func TestSnapshotTellsOfAFullDisk(t *testing.T) {
	disk := errors.New("disk full")
	if _, err := full(t).l.Snapshot(writerFunc(func([]byte) (int, error) { return 0, disk })); !errors.Is(err, disk) {
		t.Fatal(err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// Whatever the bytes under the checksum are, reading them ends in a ledger or an
// error; and a ledger that was read is written the same again.
func FuzzParseSnapshot(f *testing.F) {
	for _, s := range []*script{full(f), newScript(f, W), befriended(f, W)} {
		b := []byte(s.bytes())
		f.Add(b[:len(b)-sha256.Size])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseSnapshot(b, W)
		if err != nil {
			return
		}
		one, err := l.snapshot()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Restore(bytes.NewReader(one))
		if err != nil {
			t.Fatal(err)
		}
		if two, err := again.snapshot(); err != nil || !bytes.Equal(one, two) {
			t.Fatalf("two snapshots of one ledger differ (%v)", err)
		}
		view(l, events.Now, true)
	})
}
