package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// Lishi is a lishi server, started with --rate 0.
type Lishi struct {
	Addr  string // host:port
	Token func(user string) (string, error)
}

type result struct {
	Code int `json:"code"`
	Obj  struct {
		UniqueNo      string `json:"uniqueNo"`
		ApplyFriendID string `json:"applyFriendId"`
		GroupID       string `json:"groupId"`
		Reason        string `json:"reason"`
		Detail        string `json:"detail"`
	} `json:"obj"`
	MsgType string `json:"msgType"`
	Data    struct {
		Code     string `json:"code"`
		Msg      string `json:"msg"`
		Cursor   string `json:"cursor"`
		Complete bool   `json:"complete"`
	} `json:"data"`
}

// Dial implements Server.
func (l Lishi) Dial(ctx context.Context, person string) (*Conn, error) {
	c, _, err := l.login(ctx, person, "")
	return c, err
}

// login also gives the cursor. One that is given is resumed from; what follows
// then is the backlog.
func (l Lishi) login(ctx context.Context, person, cursor string) (*Conn, string, error) {
	token, err := l.Token(person)
	if err != nil {
		return nil, "", err
	}
	c, err := Open(ctx, "ws://"+l.Addr+"/ws", person)
	if err != nil {
		return nil, "", err
	}
	c.Deadline(time.Now().Add(2 * time.Minute))
	defer c.Deadline(time.Time{})
	params := map[string]string{"token": token}
	if cursor != "" {
		params["cursor"] = cursor
	}
	r, err := l.ask(c, "/chat/login", params, func(r *result) bool { return r.MsgType == "8" })
	if err == nil && r.Data.Code != "200" {
		err = fmt.Errorf("%s", r.Data.Msg)
	}
	if err != nil {
		c.Close()
		return nil, "", fmt.Errorf("login of %s: %w", person, err)
	}
	return c, r.Data.Cursor, nil
}

// ask sends a request and reads until the answer comes.
func (l Lishi) ask(c *Conn, url string, params any, is func(*result) bool) (r result, err error) {
	b, err := json.Marshal(map[string]any{"url": url, "params": params})
	if err != nil {
		return r, err
	}
	if err := c.Send(string(b)); err != nil {
		return r, err
	}
	for {
		frame, err := c.Frame()
		if err != nil {
			return r, err
		}
		r = result{}
		if err := json.Unmarshal(frame, &r); err != nil {
			return r, err
		}
		if is(&r) {
			return r, nil
		}
	}
}

var serial atomic.Int64

// call sends one command and waits for its result; pushes are passed over.
func (l Lishi) call(c *Conn, url string, params map[string]string) (result, error) {
	token, err := l.Token(c.Person)
	if err != nil {
		return result{}, err
	}
	unique := fmt.Sprintf("call-%d", serial.Add(1))
	params["token"], params["uniqueNo"] = token, unique
	c.Deadline(time.Now().Add(time.Minute))
	defer c.Deadline(time.Time{})
	r, err := l.ask(c, url, params, func(r *result) bool { return r.MsgType == "" && r.Obj.UniqueNo == unique })
	if err == nil && r.Code != 200 {
		err = fmt.Errorf("%s: %s", r.Obj.Reason, r.Obj.Detail)
	}
	if err != nil {
		err = fmt.Errorf("%s of %s: %w", url, c.Person, err)
	}
	return r, err
}

// Pair implements Server: the two become friends.
func (l Lishi) Pair(_ context.Context, from, to *Conn) (Writer, error) {
	applied, err := l.call(from, "/friend/applyFriend", map[string]string{"userId": to.Person})
	if err != nil {
		return nil, err
	}
	if _, err := l.call(to, "/friend/verifyFriend", map[string]string{"applyFriendId": applied.Obj.ApplyFriendID, "applyState": "9"}); err != nil {
		return nil, err
	}
	return l.writer("/chat/sendMessage", "receiveUserId", to.Person, from)
}

// Group implements Server: all become members of a new open group.
func (l Lishi) Group(_ context.Context, from *Conn, to []*Conn) (Writer, error) {
	made, err := l.call(from, "/group/addGroup", map[string]string{"groupName": "bench", "joinMode": "9"})
	if err != nil {
		return nil, err
	}
	err = each(len(to), func(i int) error {
		_, err := l.call(to[i], "/group/applyGroup", map[string]string{"groupId": made.Obj.GroupID})
		return err
	})
	if err != nil {
		return nil, err
	}
	return l.writer("/chat/sendGroupMessage", "groupId", made.Obj.GroupID, from)
}

// lishiWriter is what stands before a message's number.
type lishiWriter string

func (l Lishi) writer(url, param, value string, from *Conn) (Writer, error) {
	token, err := l.Token(from.Person)
	return lishiWriter(`{"url":"` + url + `","params":{"token":"` + token + `","` + param + `":"` + value + `","uniqueNo":"`), err
}

// Append implements Writer. Content must need no escaping.
func (w lishiWriter) Append(b []byte, n int64, content []byte) []byte {
	b = append(b, w...)
	b = strconv.AppendInt(b, n, 10)
	b = append(b, `","messageContent":"`...)
	b = append(b, content...)
	return append(b, `"}}`...)
}

var taken, refused = []byte(`{"code":200`), []byte(`{"code":`)

// Next implements Server.
func (l Lishi) Next(frame []byte) (said Said, rest []byte, err error) {
	switch {
	case bytes.HasPrefix(frame, taken):
		n, err := strconv.ParseInt(string(Field(frame, "uniqueNo")), 10, 64)
		if err != nil {
			return Said{}, nil, nil // the answer to what was asked before the load
		}
		return Said{Kind: Answered, N: n}, nil, nil
	case bytes.HasPrefix(frame, refused):
		return Said{}, nil, fmt.Errorf("refused: %s", frame)
	}
	if content := Field(frame, "messageContent"); content != nil {
		return Said{Kind: Pushed, Content: content}, nil, nil
	}
	return Said{}, nil, nil
}
