package model

import (
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"lishi/infra/torture/history"
)

// read puts a history together, one line an op:
//
//	from-to user url [word=value…] → answer
//
// where the answer is a position's offset, a reason, or "lost"; several attempts
// are parted by commas, and share the time evenly.
func read(t *testing.T, stream, text string) *history.History {
	t.Helper()
	h := &history.History{Devices: []string{"ann", "bob", "cat", "dee"}}
	urls := map[string]string{
		"send": SendMessage, "say": SendGroupMessage, "edit": EditMessage, "recall": RecallMessage, "apply": ApplyFriend, "verify": VerifyFriend,
		"delete": DeleteFriend, "block": BlockFriend, "unblock": UnblockFriend, "make": AddGroup, "join": ApplyGroup, "invite": InvitationGroup,
		"admit": GroupVerify, "accept": UserVerify, "remove": RemoveUserGroup, "quit": QuitGroup, "transfer": TransferGroup,
		"role": SetGroupRole, "mute": MuteMember, "end": DeleteGroup,
	}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		words, answers, ok := strings.Cut(strings.TrimSpace(line), " → ")
		f := strings.Fields(words)
		from, to, _ := strings.Cut(f[0], "-")
		number := func(s string) time.Duration {
			d, err := time.ParseDuration(s + "s")
			if err != nil || !ok {
				t.Fatalf("%q: %v", line, err)
			}
			return d
		}
		o := &history.Op{N: len(h.Ops), User: f[1], URL: urls[f[2]], Stream: stream, UniqueNo: f[0]}
		made := ""
		for _, w := range f[3:] {
			name, value, _ := strings.Cut(w, "=")
			switch name {
			case "to":
				o.Target = value
			case "id":
				o.Application = value
			case "of":
				o.Applicant = value
			case "state":
				o.State = value
			case "minutes":
				o.Minutes = len(value)
			case "message":
				o.Message = value
			case "by":
				o.Author = value
			case "makes":
				made = value
			case "pushed": // to somebody, who can't tell whose it was
				h.Frames = append(h.Frames, history.Frame{Type: value, Position: "c0-99"})
			}
		}
		if o.URL == "" {
			t.Fatalf("%q: no such command", line)
		}
		call, end := number(from), number(to)
		all := strings.Split(answers, ",")
		for i, answer := range all {
			a := history.Attempt{
				Call: call + (end-call)*time.Duration(i)/time.Duration(len(all)), Return: call + (end-call)*time.Duration(i+1)/time.Duration(len(all)),
				Reason: answer, Application: made,
			}
			if answer[0] >= '0' && answer[0] <= '9' {
				a.Reason, a.Position = "", "c0-"+answer
			}
			o.Attempts = append(o.Attempts, a)
		}
		h.Ops = append(h.Ops, o)
	}
	return h
}

func fits(t *testing.T, h *history.History) bool {
	t.Helper()
	vs := Check(h, time.Minute)
	if len(vs) != 1 || vs[0].Result == porcupine.Unknown {
		t.Fatalf("%+v", vs)
	}
	return vs[0].Result == porcupine.Ok
}

const friends = `
0-1 ann apply to=bob makes=A → 1
1-2 bob verify id=A of=ann state=9 → 2
`

func TestPairs(t *testing.T) {
	for name, c := range map[string]struct {
		fits bool
		text string
	}{
		"nothing":                            {true, "0-1 ann send to=bob → not_friend"},
		"stranger's message":                 {false, "0-1 ann send to=bob → 1"},
		"friends":                            {true, friends + "3-4 ann send to=bob → 3\n3-4 bob send to=ann → 4"},
		"refused although friends":           {false, friends + "3-4 ann send to=bob → not_friend"},
		"refused for another reason":         {false, "0-1 ann send to=bob → blocked"},
		"positions run backwards":            {false, friends + "3-4 ann send to=bob → 4\n5-6 bob send to=ann → 3"},
		"positions of concurrent ones":       {true, friends + "3-6 ann send to=bob → 4\n4-7 bob send to=ann → 3"},
		"two at one position":                {false, friends + "3-4 ann send to=bob → 3\n4-5 ann send to=bob → 3"},
		"crossing":                           {true, "0-1 ann apply to=bob makes=A → 1\n2-3 bob apply to=ann makes=A → 2\n4-5 ann send to=bob → 3"},
		"crossing another":                   {false, "0-1 ann apply to=bob makes=A → 1\n2-3 bob apply to=ann makes=B → 2"},
		"both first":                         {false, "0-2 ann apply to=bob makes=A → 1\n1-3 bob apply to=ann makes=B → 2"},
		"applied twice":                      {true, "0-1 ann apply to=bob makes=A → 1\n2-3 ann apply to=bob → conflict"},
		"applied twice, both taken":          {false, "0-1 ann apply to=bob makes=A → 1\n2-3 ann apply to=bob makes=B → 2"},
		"verified twice at once":             {true, "0-1 ann apply to=bob makes=A → 1\n2-5 bob verify id=A of=ann state=9 → 2\n3-4 bob verify id=A of=ann state=0 → conflict"},
		"verified by the applicant":          {true, "0-1 ann apply to=bob makes=A → 1\n2-5 ann verify id=A of=ann state=9 → forbidden"},
		"agreed while blocked":               {true, "0-1 ann apply to=bob makes=A → 1\n1-2 ann block to=bob → 2\n3-4 bob verify id=A of=ann state=9 → blocked"},
		"sent through a block":               {false, friends + "3-4 bob block to=ann → 3\n5-6 ann send to=bob → 4"},
		"sent while it is blocked":           {true, friends + "3-6 bob block to=ann → 4\n4-5 ann send to=bob → 3"},
		"unblocked by the other":             {true, friends + "3-4 bob block to=ann → 3\n5-6 ann unblock to=bob → conflict"},
		"stale refusal":                      {false, friends + "3-4 ann delete to=bob → 3\n4.1-5 ann apply to=bob makes=B → 4\n5.1-6 bob verify id=B of=ann state=9 → 5\n7-8 ann send to=bob → not_friend"},
		"old application":                    {true, friends + "3-4 bob verify id=A of=ann state=9 → conflict"},
		"lost, then done":                    {true, friends + "3-9 ann delete to=bob → lost,3\n4-5 ann send to=bob → not_friend"},
		"lost, then done, of no effect":      {false, friends + "3-4 ann delete to=bob → lost,3\n5-6 ann send to=bob → 4"},
		"in doubt, and happened":             {true, friends + "3-4 ann delete to=bob pushed=6 → lost\n5-6 ann send to=bob → not_friend"},
		"in doubt, and did not":              {true, friends + "3-4 ann delete to=bob → lost\n5-6 ann send to=bob → 3"},
		"in doubt, seen by nobody":           {false, friends + "3-4 ann delete to=bob → lost\n5-6 ann send to=bob → not_friend"},
		"in doubt, happened and did not":     {false, friends + "3-4 ann delete to=bob pushed=6 → lost\n5-6 ann send to=bob → not_friend\n7-8 ann send to=bob → 3"},
		"in doubt, happened later":           {true, friends + "3-4 ann delete to=bob pushed=6 → lost\n5-6 ann send to=bob → 3\n7-8 ann send to=bob → not_friend"},
		"refused after doubt, happened":      {true, friends + "3-4 ann block to=bob → lost,conflict\n5-6 bob send to=ann → blocked"},
		"unavailable did nothing":            {true, friends + "3-4 ann delete to=bob → unavailable\n5-6 ann send to=bob → 3"},
		"unavailable did something":          {false, friends + "3-4 ann delete to=bob → unavailable\n5-6 ann send to=bob → not_friend"},
		"unavailable, then done":             {true, friends + "3-4 ann delete to=bob → unavailable,3\n5-6 ann send to=bob → not_friend"},
		"recalled twice":                     {false, friends + "3-4 ann send to=bob → 3\n4-5 ann recall message=c0-3 by=ann → 4\n5-6 ann recall message=c0-3 by=ann → 5"},
		"edited when recalled":               {false, friends + "3-4 ann send to=bob → 3\n4-5 ann recall message=c0-3 by=ann → 4\n5-6 ann edit message=c0-3 by=ann → 5"},
		"edited before it was recalled":      {true, friends + "3-4 ann send to=bob → 3\n4-7 ann recall message=c0-3 by=ann → 5\n5-6 ann edit message=c0-3 by=ann → 4"},
		"another message of almost its name": {true, friends + "3-4 ann recall message=c0-31 by=ann → 3\n5-6 ann recall message=c0-3 by=ann → 4"},
		"edited by the other":                {true, friends + "3-4 ann send to=bob → 3\n4-5 bob edit message=c0-3 by=ann → forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fits(t, read(t, "p|ann|bob", c.text)); got != c.fits {
				t.Errorf("fits: %t", got)
			}
		})
	}
}

const club = `
0-1 ann make state=1 → 1
1-2 bob join makes=B → 2
2-3 ann admit id=B of=bob state=9 → 3
`

func TestGroups(t *testing.T) {
	for name, c := range map[string]struct {
		fits bool
		text string
	}{
		"members speak":              {true, club + "4-5 bob say → 4\n4-5 ann say → 5"},
		"outsiders don't":            {true, club + "4-5 cat say → not_member"},
		"an outsider speaks":         {false, club + "4-5 cat say → 4"},
		"removed":                    {true, club + "4-5 ann remove to=bob → 4\n6-7 bob say → not_member"},
		"removed, but speaks":        {false, club + "4-5 ann remove to=bob → 4\n6-7 bob say → 5"},
		"speaks while removed":       {true, club + "4-7 ann remove to=bob → 5\n5-6 bob say → 4"},
		"open":                       {true, "0-1 ann make state=9 → 1\n1-2 bob join → 2\n2-3 bob say → 3"},
		"applied is no member":       {false, "0-1 ann make state=1 → 1\n1-2 bob join makes=B → 2\n2-3 bob say → 3"},
		"admitted by two at once":    {false, club + "4-5 ann role to=bob state=5 → 4\n5-6 cat join makes=C → 5\n6-8 ann admit id=C of=cat state=9 → 6\n6-8 bob admit id=C of=cat state=9 → 7"},
		"admitted once of two":       {true, club + "4-5 ann role to=bob state=5 → 4\n5-6 cat join makes=C → 5\n6-8 ann admit id=C of=cat state=9 → 6\n6-8 bob admit id=C of=cat state=0 → conflict"},
		"invited":                    {true, club + "4-5 ann invite to=cat makes=I → 4\n5-6 cat accept id=I of=cat state=9 → 5\n6-7 cat say → 6"},
		"invited again":              {true, "0-1 ann make state=9 → 1\n1-2 ann invite to=bob makes=I → 2\n2-3 bob join → 3\n3-4 bob quit → 4\n4-5 bob accept id=I of=bob state=9 → conflict\n5-6 ann invite to=bob makes=J → 5\n6-7 bob accept id=J of=bob state=9 → 6"},
		"invited by a member":        {true, club + "4-5 bob invite to=cat → forbidden"},
		"invited although applied":   {true, club + "4-5 cat join makes=C → 4\n5-6 ann invite to=cat → conflict"},
		"another's invitation":       {true, club + "4-5 ann invite to=cat makes=I → 4\n5-6 bob accept id=I of=cat state=9 → forbidden"},
		"an application is no other": {true, club + "4-5 cat join makes=C → 4\n5-6 cat accept id=C of=cat state=9 → conflict"},
		"muted":                      {true, club + "4-5 ann mute to=bob minutes=many → 4\n5-6 bob say → muted\n6-7 ann mute to=bob → 5\n7-8 bob say → 6"},
		"muted through leaving":      {true, club + "4-5 ann mute to=bob minutes=many → 4\n5-6 bob quit → 5\n6-7 bob join makes=C → 6\n7-8 ann admit id=C of=bob state=9 → 7\n8-9 bob say → muted"},
		"the owner can't quit":       {true, club + "4-5 ann quit → forbidden"},
		"transferred":                {true, club + "4-5 ann transfer to=bob → 4\n5-6 ann quit → 5\n6-7 bob quit → forbidden"},
		"two owners":                 {false, club + "4-6 ann transfer to=bob → 4\n7-8 ann role to=bob state=1 → 5"},
		"ended":                      {true, club + "4-5 ann end → 4\n5-6 bob say → not_found"},
		"speaks after the end":       {false, club + "4-5 ann end → 4\n5-6 bob say → 5"},
		"an admin removes an admin":  {true, club + "4-5 cat join makes=C → 4\n5-6 ann admit id=C of=cat state=9 → 5\n6-7 ann role to=bob state=5 → 6\n7-8 ann role to=cat state=5 → 7\n8-9 bob remove to=cat → forbidden"},
		"an admin recalls":           {true, club + "4-5 ann say → 4\n5-6 ann role to=bob state=5 → 5\n6-7 bob recall message=c0-4 by=ann → 6"},
		"a member recalls another's": {false, club + "4-5 ann say → 4\n6-7 bob recall message=c0-4 by=ann → 6"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fits(t, read(t, "g|club", c.text)); got != c.fits {
				t.Errorf("fits: %t", got)
			}
		})
	}
}

// What is shown when all is over must be what came of it.
func TestShown(t *testing.T) {
	pair := func(friends, blocked bool) *history.Relations {
		return &history.Relations{Call: 9e9, Return: 10e9, User: "ann", Stream: "p|ann|bob", Friends: friends, Blocked: blocked}
	}
	group := func(user, reason string, members map[string]string) *history.Relations {
		return &history.Relations{Call: 9e9, Return: 10e9, User: user, Stream: "g|club", Reason: reason, Members: members}
	}
	for name, c := range map[string]struct {
		fits  bool
		text  string
		shown *history.Relations
	}{
		"friends":            {true, friends, pair(true, false)},
		"not friends":        {false, friends, pair(false, false)},
		"blocked":            {true, friends + "3-4 ann block to=bob → 3", pair(true, true)},
		"not blocked":        {false, friends + "3-4 ann block to=bob → 3", pair(true, false)},
		"removal in doubt":   {true, friends + "3-4 ann delete to=bob → lost", pair(true, false)},
		"removal, in doubt":  {true, friends + "3-4 ann delete to=bob pushed=6 → lost", pair(false, false)},
		"members":            {true, club, group("ann", "", map[string]string{"ann": "9", "bob": "1"})},
		"a member too few":   {false, club, group("ann", "", map[string]string{"ann": "9"})},
		"a member too many":  {false, club, group("ann", "", map[string]string{"ann": "9", "bob": "1", "cat": "1"})},
		"another role":       {false, club, group("ann", "", map[string]string{"ann": "9", "bob": "5"})},
		"seen by a stranger": {true, club, group("cat", "not_member", nil)},
		"shown to a foreign": {false, club, group("cat", "", map[string]string{"ann": "9", "bob": "1"})},
	} {
		t.Run(name, func(t *testing.T) {
			h := read(t, c.shown.Stream, c.text)
			h.Relations = append(h.Relations, *c.shown)
			if got := fits(t, h); got != c.fits {
				t.Errorf("fits: %t", got)
			}
		})
	}
}
