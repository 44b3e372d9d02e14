package chdb

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
)

// answer runs a statement that answers.
func (e *Engine) answer(w http.ResponseWriter, r *http.Request, q request) {
	var summary atomic.Pointer[Progress]
	watcher := WatcherOf(r.Context())
	ctx := Watch(r.Context(), Watcher{Every: watcher.Every, Told: func(p Progress) {
		summary.Store(&p)
		if watcher.Told != nil {
			watcher.Told(p)
		}
	}})
	var out io.WriteCloser // once the answer has begun
	begin := func() {
		if out != nil {
			return
		}
		describe(w.Header(), q.format)
		w.Header().Set("X-ClickHouse-Exception-Tag", exceptionTag)
		if p := summary.Load(); p != nil {
			w.Header().Set("X-ClickHouse-Summary", p.Header())
		}
		out = compressed(w, r)
	}
	held := held{most: firstHeld}
	if strings.Contains(q.format, "WithProgress") {
		held.most = 0 // its lines are wanted as they come
	}
	if on(r.URL.Query().Get("wait_end_of_query")) {
		held.most = maxHeld
	}
	err := e.Query(ctx, q.session, q.sql, q.format, q.params, func(chunk []byte) error {
		if out == nil && held.takes(chunk) {
			return nil
		}
		begin()
		if err := held.release(out); err != nil {
			return err
		}
		_, err := out.Write(chunk)
		return err
	})
	if err != nil && out == nil {
		refuse(w, err)
		return
	}
	if err == nil && len(held.bytes) > 0 {
		begin()
		err = held.release(out)
	}
	switch {
	case out == nil: // an answer without a byte
		if word := strings.ToUpper(opening(q.sql)); slices.Contains(openers, word) {
			describe(w.Header(), q.format) // of rows, of which there are none
		}
		if p := summary.Load(); p != nil {
			w.Header().Set("X-ClickHouse-Summary", p.Header())
		}
	case err != nil:
		breakOff(out, err)
		out.Close()
		// As ClickHouse does it: what broke off has no end, so that clients that don't
		// look for an exception don't take a part, and its text, for the whole.
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	default:
		out.Close()
	}
}

// describe says what the answer is in.
func describe(h http.Header, format string) {
	h.Set("Content-Type", contentType(format))
	h.Set("X-ClickHouse-Format", format)
}

// firstHeld is how much of an answer waits for more of it, or for its end: a
// statement that is refused after no more than the names of its columns went out
// is refused with a status, and in the engine's words.
const firstHeld = 4 << 10

// maxHeld is how much of an answer waits for its end where that is asked for; of a
// longer one the beginning goes out before.
const maxHeld = 8 << 20

// held is the beginning of an answer that waits for its end.
type held struct {
	bytes []byte
	most  int
}

func (h *held) takes(chunk []byte) bool {
	if len(h.bytes)+len(chunk) > h.most {
		return false
	}
	h.bytes = append(h.bytes, chunk...)
	return true
}

func (h *held) release(to io.Writer) error {
	b := h.bytes
	h.bytes, h.most = nil, 0
	if len(b) == 0 {
		return nil
	}
	_, err := to.Write(b)
	return err
}
