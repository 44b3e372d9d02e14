package ws

import (
	"context"
	"fmt"
	"sync"

	"lishi/commands"
)

// traffic is what the others do: friends who talk, and people who come to and go
// from a group.
type traffic struct {
	w      *world
	n      int
	group  string
	length int
	sure   bool // nothing of it may be refused
	wait   sync.WaitGroup
}

func (x *traffic) do(actor string, c commands.Command, url string) {
	x.n++
	x.wait.Add(1)
	x.w.handler.Submit(context.Background(), commands.Request{
		URL: url, Command: c, Actor: commands.Actor{ID: actor, Name: actor}, UniqueNo: fmt.Sprint("t", x.n),
		Fingerprint: commands.Fingerprint(url, c), Time: x.w.server.o.Now(),
	}, func(o commands.Outcome) {
		if x.sure && o.Err != nil {
			x.w.t.Errorf("%s of %s: %v", url, actor, o.Err)
		}
		x.wait.Done()
	})
}

func (x *traffic) step(kind int, user string) {
	text := fmt.Sprintf("%0*d", x.length, x.n)
	switch kind {
	case 0, 1:
		x.do("friend", &commands.SendMessage{ReceiveUserID: user, Content: text}, "m")
	case 2:
		x.do("owner", &commands.SendGroupMessage{GroupID: x.group, Content: text}, "g")
	case 3:
		x.do("guest", &commands.ApplyGroup{GroupID: x.group}, "j")
	case 4:
		x.do("guest", &commands.QuitGroup{GroupID: x.group}, "q")
	case 5:
		x.do("owner", &commands.RemoveUserGroup{GroupID: x.group, RemoveUserID: user}, "r")
	case 6:
		x.do(user, &commands.ApplyGroup{GroupID: x.group}, "j") // without a connection
	case 7:
		x.do("guest", &commands.ApplyFriend{UserID: user}, "f")
	case 8:
		x.do(user, &commands.SendMessage{ReceiveUserID: "friend", Content: text}, "m")
	case 9:
		x.do("friend", &commands.SendMessage{ReceiveUserID: "owner", Content: text}, "m") // nothing to do with user
	}
}
