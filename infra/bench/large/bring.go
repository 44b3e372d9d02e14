package large

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"lishi/infra/bench"
)

// brought is written into the data directory once everything is in it.
const brought = "large.json"

// bring makes the messages, imports them, has the read models filled, and then
// has people edit, answer and recall.
func (r *run) bring(ctx context.Context) error {
	r.section = "Bringing in"
	if _, err := os.Stat(filepath.Join(r.data, brought)); err == nil {
		r.say("what is in %s is used again", r.data)
		return nil
	}
	file := filepath.Join(r.scratch, "chat.jsonl")
	r.say("making them")
	if err := r.write(ctx, file); err != nil {
		return err
	}
	r.say("importing")
	u, err := r.server.lishi(ctx, "import", "--json", "--data", r.data, file)
	if err != nil {
		return err
	}
	var sum struct {
		PerSecond                      float64 `json:"messagesPerSecond"`
		Users, Groups, Joined, Friends float64
	}
	if err := json.Unmarshal(u.out, &sum); err != nil {
		return err
	}
	r.add("users", sum.Users, "")
	r.add("groups", sum.Groups, "")
	r.add("memberships", sum.Joined, "")
	r.add("friendships", sum.Friends, "")
	r.add("import", sum.PerSecond, "messages/s")
	r.add("import, processor a message", u.processor/float64(r.n)*1e6, "µs")
	r.add("import, resident memory", float64(u.memory)/1e6, "MB")
	if err := os.Remove(file); err != nil {
		return err
	}
	r.say("filling the read models")
	took, err := r.server.start(ctx)
	if err != nil {
		return err
	}
	r.add("read models filled from nothing", took.Seconds(), "s")
	r.add("read models filled from nothing, a second", float64(r.n)/took.Seconds(), "messages/s")
	r.memory("filling, resident memory", r.server.status("VmHWM"))
	r.say("editing, answering, recalling")
	if err := r.change(ctx); err != nil {
		return err
	}
	begun := time.Now()
	if err := r.server.settle(ctx); err != nil {
		return err
	}
	r.add("until nothing is merged any more", time.Since(begun).Seconds(), "s")
	return os.WriteFile(filepath.Join(r.data, brought), []byte("{}\n"), 0o600)
}

// memory notes bytes of memory, where they are known.
func (r *run) memory(what string, bytes int64) {
	if bytes > 0 {
		r.add(what, float64(bytes)/1e6, "MB")
	}
}

func (r *run) write(ctx context.Context, file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriterSize(f, 1<<20)
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	n := 0
	if err := r.copies.Lines(r.n, func(l bench.Line) error {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		return e.Encode(l)
	}); err != nil {
		return err
	}
	return out.Flush()
}

// changed is of how many messages one is edited, answered, or answered by one that
// is recalled.
const changed = 200

// change has the senders of messages spread over everything edit them, answer
// them, and recall their answer, by turns.
func (r *run) change(ctx context.Context) error {
	var list []struct{ Position, Sender, Receiver, Kind, Content string }
	err := r.rows(ctx, fmt.Sprintf(`SELECT position, sender, receiver, kind, content FROM messages
		WHERE cityHash64(position) %% %d = 0 AND content != '' FORMAT JSONEachRow`, changed), func(line []byte) error {
		list = append(list, struct{ Position, Sender, Receiver, Kind, Content string }{})
		return json.Unmarshal(line, &list[len(list)-1])
	})
	if err != nil {
		return err
	}
	begun := time.Now()
	var people errgroup.Group
	people.SetLimit(32)
	for i, m := range list {
		if ctx.Err() != nil {
			break
		}
		people.Go(func() error {
			say := func(url string, params map[string]any) (string, error) {
				params["uniqueNo"] = fmt.Sprint("large-", i, url)
				token, err := r.tokenOf(m.Sender)
				if err != nil {
					return "", err
				}
				return bench.Command(ctx, r.server.chat, token, url, params)
			}
			if i%3 == 0 {
				_, err := say("/chat/editMessage", map[string]any{"position": m.Position, "messageContent": m.Content + " (edited)"})
				return err
			}
			url, answer := "/chat/sendMessage", map[string]any{"messageContent": m.Content, "replyTo": m.Position, "receiveUserId": m.Receiver}
			if m.Kind == "group" {
				delete(answer, "receiveUserId")
				url, answer["groupId"] = "/chat/sendGroupMessage", m.Receiver
			}
			at, err := say(url, answer)
			if err == nil && i%3 == 1 {
				_, err = say("/chat/recallMessage", map[string]any{"position": at})
			}
			return err
		})
	}
	if err := errors.Join(people.Wait(), ctx.Err()); err != nil {
		return err
	}
	r.add("edits, answers, recalls over HTTP", float64(len(list)+len(list)/3)/time.Since(begun).Seconds(), "commands/s")
	return nil
}

// size is how many bytes the files of a folder have.
func size(folder string) (bytes int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) { // merged away meanwhile
			return nil
		}
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}
