package sql

import (
	"bytes"
	"io"
)

// whole reads an answer and finds the exception that ClickHouse writes behind
// what has gone out already, so that nobody takes a part for the whole:
//
//	\r\n__exception__\r\n<tag>\r\n<text>\n<length> <tag>\r\n__exception__\r\n
//
// It holds back as many bytes as the mark has.
type whole struct {
	io.ReadCloser
	tag   string
	held  []byte // what was read and not given yet
	chunk []byte
	end   error
}

func (w *whole) Read(p []byte) (int, error) {
	mark := []byte("\r\n__exception__\r\n" + w.tag + "\r\n")
	for w.end == nil && len(w.held) <= len(mark) {
		if w.chunk == nil {
			w.chunk = make([]byte, 64<<10)
		}
		n, err := w.ReadCloser.Read(w.chunk)
		w.held = append(w.held, w.chunk[:n]...)
		w.end = err
	}
	if w.tag != "" {
		if i := bytes.Index(w.held, mark); i >= 0 {
			if i == 0 {
				return 0, w.exception(len(mark))
			}
			n := copy(p, w.held[:i])
			w.held = w.held[n:]
			return n, nil
		}
	}
	if w.end != nil {
		n := copy(p, w.held)
		w.held = w.held[n:]
		if n == 0 {
			return 0, w.end
		}
		return n, nil
	}
	n := copy(p, w.held[:len(w.held)-len(mark)])
	w.held = w.held[n:]
	return n, nil
}

// exception reads the rest of the answer, which is the engine's refusal.
func (w *whole) exception(mark int) error {
	rest, _ := io.ReadAll(io.LimitReader(w.ReadCloser, 64<<10))
	text := append(w.held[mark:], rest...)
	if i := bytes.LastIndex(text, []byte("\r\n__exception__")); i >= 0 {
		text = text[:i]
	}
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	m := coded.FindStringSubmatch(string(text))
	e := &Error{Text: m[2], Name: m[3], Status: 500}
	for _, d := range m[1] {
		e.Code = 10*e.Code + int(d-'0')
	}
	w.end = e
	w.held = nil
	return e
}
