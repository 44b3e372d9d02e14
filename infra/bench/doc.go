// Package bench loads a running chat server over its sockets and measures. A run
// in which a message was lost, repeated, changed or out of order gives no figure.
//
// The generator shares the machine with what it measures, so it is lean: frames
// are made in one buffer and written together, whatever one read brought is
// looked at before anything is written, and nothing is allocated a message.
package bench

import "context"

// Server is what a load is put on: lishi, or another chat server that is to be
// compared with it.
type Server interface {
	// Dial connects and logs a person in.
	Dial(ctx context.Context, person string) (*Conn, error)
	// Pair lets one write to the other.
	Pair(ctx context.Context, from, to *Conn) (Writer, error)
	// Group lets the first write to all others.
	Group(ctx context.Context, from *Conn, to []*Conn) (Writer, error)
	// Next splits the first thing said off a frame. Its Kind is Nothing where the
	// load has no use for it.
	Next(frame []byte) (said Said, rest []byte, err error)
}

// Writer writes one conversation's messages. Append adds the text of the nth of
// them to a frame; n counts from 1.
type Writer interface {
	Append(frame []byte, n int64, content []byte) []byte
}

// Kind is what a server says.
type Kind byte

// The kinds.
const (
	Nothing  Kind = iota
	Answered      // the sender's nth message was taken
	Pushed        // the content came to a receiver
)

// Said is one thing that a server says; Content lies in the frame.
type Said struct {
	Kind    Kind
	N       int64
	Content []byte
}
