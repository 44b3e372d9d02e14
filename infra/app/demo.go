package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"lishi/commands"
	"lishi/events"
	"lishi/infra/tokens"
)

// person is one of the demo's people.
type person struct {
	ID   string `json:"userId"`
	Name string `json:"nickName"`
}

// The five live in the Grand View Garden of the novel 红楼梦.
var (
	daiyu    = person{"daiyu", "林黛玉"}
	baoyu    = person{"baoyu", "贾宝玉"}
	baochai  = person{"baochai", "薛宝钗"}
	xifeng   = person{"xifeng", "王熙凤"}
	xiangyun = person{"xiangyun", "史湘云"}
	people   = []person{daiyu, baoyu, baochai, xifeng, xiangyun}
)

// demo makes the people's first state by real commands, once: the group is made
// last but for its members, and its id follows from its request, so its presence
// tells that the rest is there.
type demo struct {
	n   *node
	ctx context.Context
	err error
}

func (n *node) makeDemo(ctx context.Context) error {
	group := events.NewID(events.UserStream(xifeng.ID).Key(), xifeng.ID, "demo-group")
	stream := events.GroupStream(group.String())
	if g, ok := n.tail.Book().Relations(stream).Group(stream); ok && g.Members > 1 {
		return nil
	}
	d := &demo{n: n, ctx: ctx}
	for _, p := range people {
		if err := n.handler.Register(ctx, commands.Actor{ID: p.ID, Name: p.Name}); err != nil {
			return err
		}
	}
	d.befriend(baoyu, daiyu, "林妹妹，今日园中海棠开了，一同去看可好？")
	d.befriend(baoyu, baochai, "宝姐姐，我是宝玉。")
	d.befriend(daiyu, baochai, "姐姐，问你借一本诗集。")
	d.befriend(xifeng, baoyu, "宝兄弟，有事只管找我。")
	d.say(baoyu, daiyu, "妹妹今日可好些了？")
	d.say(daiyu, baoyu, "不过是老样子，倒劳你天天来问。")
	d.say(baoyu, daiyu, "诗社明日开社，题目是咏海棠，你可一定要来。🌸")
	d.say(baochai, daiyu, "诗集我已叫莺儿送去了。")
	d.do(xiangyun, "demo-waiting", &commands.ApplyFriend{UserID: baoyu.ID, Note: "爱哥哥，是我，湘云！"})
	created := d.do(xifeng, "demo-group", &commands.AddGroup{GroupName: "海棠诗社", UserIDs: []string{daiyu.ID, baoyu.ID, baochai.ID}})
	if d.err != nil {
		return d.err
	}
	body, ok := created.Body.(events.GroupCreated)
	if !ok {
		return fmt.Errorf("the demo's group was answered by %T", created.Body)
	}
	for _, inv := range body.Invitations {
		d.do(person{ID: inv.UserID}, "demo-join", &commands.UserVerify{ApplyGroupID: inv.ID.String(), ApplyState: events.Agreed})
	}
	d.sayIn(group.String(), xifeng, "我不会作诗，只管出银子办螃蟹宴。🦀")
	d.sayIn(group.String(), baochai, "珍重芳姿昼掩门，自携手瓮灌苔盆。")
	d.sayIn(group.String(), daiyu, "半卷湘帘半掩门，碾冰为土玉为盆。")
	return d.err
}

// do carries out one command under a fixed uniqueNo, so that doing it again does
// nothing. What was done by hand meanwhile is no error.
func (d *demo) do(p person, no string, c commands.Command) events.Recorded {
	if d.err != nil {
		return events.Recorded{}
	}
	done := make(chan commands.Outcome, 1)
	d.n.handler.Submit(d.ctx, commands.Request{
		URL: "demo", Command: c, UniqueNo: no, Time: time.Now(),
		Actor:       commands.Actor{ID: p.ID, Name: p.Name},
		Fingerprint: commands.Fingerprint("demo", c),
	}, func(o commands.Outcome) { done <- o })
	select {
	case o := <-done:
		var r *commands.Refusal
		if errors.As(o.Err, &r) && (r.Reason == commands.Unavailable || r.Reason == commands.Unknown) {
			d.err = o.Err
		}
		return o.Event
	case <-d.ctx.Done():
		d.err = d.ctx.Err()
	}
	return events.Recorded{}
}

func (d *demo) befriend(a, b person, note string) {
	no := "demo-" + a.ID + "-" + b.ID
	applied := d.do(a, no, &commands.ApplyFriend{UserID: b.ID, Note: note})
	d.do(b, no, &commands.VerifyFriend{ApplyFriendID: applied.ID.String(), ApplyState: events.Agreed})
}

func (d *demo) say(from, to person, text string) {
	d.do(from, "demo-"+events.NewID("", from.ID, text).String(), &commands.SendMessage{ReceiveUserID: to.ID, Content: text})
}

func (d *demo) sayIn(group string, from person, text string) {
	d.do(from, "demo-"+events.NewID("", from.ID, text).String(), &commands.SendGroupMessage{GroupID: group, Content: text})
}

// demoPeople gives the page who can be played, with their tokens.
func demoPeople(k *tokens.Keys) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		type card struct {
			person
			Token string `json:"token"`
		}
		var cards []card
		for _, p := range people {
			token, err := k.Sign(tokens.Claims{UserID: p.ID, Name: p.Name, Expires: time.Now().Add(30 * 24 * time.Hour)})
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			cards = append(cards, card{p, token})
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		json.NewEncoder(w).Encode(cards)
	})
}
