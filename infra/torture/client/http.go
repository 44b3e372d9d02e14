package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"lishi/infra/torture/history"
)

// Reader asks queries of one node over HTTP, as of everything that was seen.
type Reader struct {
	Addr        string
	User, Token string
	Seen        history.Cursor
}

var patient = &http.Client{Timeout: 20 * time.Second}

// ask gives the rows, or the refusal's reason. It asks again while the read models
// lag, until the deadline.
func (r *Reader) ask(url string, params map[string]any, rows any, deadline time.Time) (string, error) {
	params["seen"] = r.Seen.String()
	body, err := json.Marshal(params)
	if err != nil {
		return "", err
	}
	for {
		reason, err := r.once(url, body, rows)
		if err == nil && reason != history.Unavailable {
			return reason, nil
		}
		if time.Now().After(deadline) {
			if err == nil {
				err = fmt.Errorf("%s of %s at %s: %s for too long", url, r.User, r.Addr, reason)
			}
			return reason, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (r *Reader) once(url string, body []byte, rows any) (string, error) {
	req, err := http.NewRequest("POST", "http://"+r.Addr+url, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+r.Token)
	resp, err := patient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return "", fmt.Errorf("%s: %w: %s", url, err, raw)
	}
	if a.Code != 200 {
		return a.Obj.Reason, nil
	}
	return "", json.Unmarshal(a.Obj.List, rows)
}

// row is a message as history has it.
type row struct {
	ChatMessageID string `json:"chatMessageId"`
	SendUserID    string `json:"sendUserId"`
	TalkContent   string `json:"talkContent"`
	Position      string `json:"position"`
	Edited        bool   `json:"edited"`
	Recalled      bool   `json:"recalled"`
}

func rowsOf(list []row) []history.Row {
	out := make([]history.Row, len(list))
	for i, r := range list {
		out[i] = history.Row{
			Position: r.Position, MessageID: r.ChatMessageID, Sender: r.SendUserID, Text: r.TalkContent, Edited: r.Edited, Recalled: r.Recalled,
		}
	}
	return out
}

// loadMore is the query of a conversation's messages.
func loadMore(user, stream string) (url string, params map[string]any) {
	if g := history.GroupID(stream); g != "" {
		return "/group/loadMoreMessage", map[string]any{"groupId": g}
	}
	a, b := history.Two(stream)
	if a == user {
		a = b
	}
	return "/friend/loadMoreMessage", map[string]any{"userId": a}
}

// Page asks for the newest messages of a conversation over the device's own
// connection, and enters what came.
func (d *Device) Page(h *history.History, node int, no, stream string, limit int) {
	p := history.Page{User: d.User, Device: d.Number, Connection: d.Connection(), Node: node, Stream: stream, Limit: limit, Call: h.Now()}
	url, params := loadMore(d.User, stream)
	params["limit"] = limit
	o := d.Call(url, no, params)
	if o == nil {
		return
	}
	p.Return, p.Reason = h.Now(), o.Reason
	if o.Reason == "" {
		var list []row
		if err := json.Unmarshal(o.List, &list); err != nil {
			h.Notef("%s: %v: %s", url, err, o.List)
			return
		}
		p.Rows = rowsOf(list)
	}
	h.Read(p)
}

// History enters all messages of a conversation, page by page.
func (r *Reader) History(h *history.History, node int, stream string, deadline time.Time) error {
	p := history.Page{User: r.User, Device: -1, Node: node, Stream: stream, Call: h.Now()}
	const limit = 200
	for before := ""; ; {
		url, params := loadMore(r.User, stream)
		params["limit"] = limit
		if before != "" {
			params["before"] = before
		}
		var list []row
		reason, err := r.ask(url, params, &list, deadline)
		if err != nil {
			return err
		}
		p.Reason = reason
		p.Rows = append(rowsOf(list), p.Rows...)
		if len(list) < limit {
			p.Return = h.Now()
			h.Read(p)
			return nil
		}
		before = list[0].Position
	}
}

// Relations enters what the user sees of a stream: whether the other one is a
// friend, or who is in the group.
func (r *Reader) Relations(h *history.History, node int, stream string, deadline time.Time) error {
	out := history.Relations{User: r.User, Node: node, Stream: stream, Call: h.Now()}
	if g := history.GroupID(stream); g != "" {
		var list []struct{ UserID, Role string }
		reason, err := r.ask("/group/getGroupUsers", map[string]any{"groupId": g, "limit": 200}, &list, deadline)
		if err != nil {
			return err
		}
		out.Reason, out.Members = reason, map[string]string{}
		for _, m := range list {
			out.Members[m.UserID] = m.Role
		}
	} else {
		other, b := history.Two(stream)
		if other == r.User {
			other = b
		}
		var list []struct {
			FriendLists []struct {
				FriendID string
				Blocked  bool
			}
		}
		reason, err := r.ask("/friend/myFriendList", map[string]any{}, &list, deadline)
		if err != nil {
			return err
		}
		out.Reason = reason
		for _, folder := range list {
			for _, f := range folder.FriendLists {
				if f.FriendID == other {
					out.Friends, out.Blocked = true, f.Blocked
				}
			}
		}
	}
	out.Return = h.Now()
	h.Related(out)
	return nil
}
