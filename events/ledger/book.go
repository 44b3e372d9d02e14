package ledger

import (
	"fmt"

	"lishi/events"
)

// Book is the ledgers of all partitions of a log. It is safe for any goroutine
// once no ledger is replaced any more.
type Book struct {
	layout  events.Layout
	ledgers map[events.Partition]*Ledger
}

// NewBook has seen nothing of a log with this layout.
func NewBook(layout events.Layout) *Book {
	b := &Book{layout: layout, ledgers: map[events.Partition]*Ledger{}}
	for _, p := range layout.Partitions() {
		b.ledgers[p] = New(p)
	}
	return b
}

// Layout is the log's.
func (b *Book) Layout() events.Layout { return b.layout }

// Ledger is a partition's; nil if the log has no such partition.
func (b *Book) Ledger(p events.Partition) *Ledger { return b.ledgers[p] }

// Replace puts a restored ledger in its partition's place, before the book is
// shared.
func (b *Book) Replace(l *Ledger) error {
	if b.ledgers[l.partition] == nil {
		return fmt.Errorf("ledger: the log has no partition %s", l.partition)
	}
	b.ledgers[l.partition] = l
	return nil
}

// Of is the ledger of the partition that a stream lives in.
func (b *Book) Of(s events.Stream) *Ledger { return b.ledgers[b.layout.Partition(s)] }

// Relations are those of the partition that a stream lives in.
func (b *Book) Relations(s events.Stream) *Relations { return b.Of(s).Relations() }

// Application finds an application or invitation wherever it is.
func (b *Book) Application(id events.ID) (Application, bool) {
	for n := range b.layout.Conversations {
		if a, ok := b.ledgers[events.Partition{Topic: events.Conversations, Number: n}].Relations().Application(id); ok {
			return a, true
		}
	}
	return Application{}, false
}

// User is a person's profile, if the person is registered.
func (b *Book) User(id string) (User, bool) { return b.Relations(events.UserStream(id)).User(id) }

// Mark is how far a reader has read a conversation, named by its stream's key.
func (b *Book) Mark(reader, conversation string) (events.Position, bool) {
	return b.Relations(events.UserStream(reader)).Mark(reader, conversation)
}
