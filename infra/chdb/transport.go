package chdb

import (
	"context"
	"io"
	"net/http"
)

// Transport is an http.RoundTripper that asks the engine in this process: the
// same handler as on a port, without a port.
func (e *Engine) Transport() http.RoundTripper { return transport{e.Handler()} }

type transport struct{ handler http.Handler }

// RoundTrip returns when the answer begins, or when the request's context ends;
// the statement is then killed behind its back.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	read, write := io.Pipe()
	w := &answer{request: r, header: make(http.Header), read: read, write: write, begun: make(chan *http.Response, 1)}
	go func() {
		defer r.Body.Close()
		defer func() {
			switch p := recover(); {
			case p == nil:
			case p != http.ErrAbortHandler:
				panic(p)
			case r.Context().Err() != nil:
				write.CloseWithError(r.Context().Err())
			default:
				write.CloseWithError(io.ErrUnexpectedEOF)
			}
		}()
		t.handler.ServeHTTP(w, r)
		w.begin(http.StatusOK, 0)
		write.CloseWithError(r.Context().Err()) // nil: a whole answer
	}()
	select {
	case response := <-w.begun:
		return response, nil
	case <-r.Context().Done():
		read.CloseWithError(context.Cause(r.Context()))
		return nil, context.Cause(r.Context())
	}
}

// answer is the http.ResponseWriter of one request; it hands the response over
// as soon as its first byte is there.
type answer struct {
	request *http.Request
	header  http.Header
	read    *io.PipeReader
	write   *io.PipeWriter
	begun   chan *http.Response
	has     bool
}

func (w *answer) Header() http.Header { return w.header }

func (w *answer) WriteHeader(status int) { w.begin(status, -1) }

func (w *answer) Write(p []byte) (int, error) {
	w.begin(http.StatusOK, -1)
	return w.write.Write(p)
}

// begin hands the response over, once. The length is -1 where it is not known;
// clickhouse-go takes an answer of length 0 for one without rows.
func (w *answer) begin(status int, length int64) {
	if w.has {
		return
	}
	w.has = true
	w.begun <- &http.Response{
		Status: http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: w.read, ContentLength: length, Request: w.request,
	}
}
