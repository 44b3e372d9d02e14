package exports

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"

	"lishi/cmd/lishi-verify/verify"
	"lishi/events"
	"lishi/events/merkle"
)

// messageColumns are those of messages.csv: what the record says, then what the
// log says of it.
var messageColumns = append(append([]string(nil), verify.MessageColumns...),
	"valid", "void", "edited_by", "edited_at", "edited_position", "recalled_by", "recalled_at", "recalled_position", "audience", "audience_ids")

// writer is the second pass over a partition: it writes the selected records, and
// for what lies between them the roots of perfect subtrees.
type writer struct {
	*scan
	to        *output
	audiences audiences
	proof     *file
	gap       gap
	record    []byte
	line      []byte
}

// write goes on from an offset behind which everything is written.
func (w *writer) write(ctx context.Context, log Log, from int64, saved func(next int64) error) error {
	w.audiences = audiences{w.scan, map[events.Stream]audience{}}
	w.gap = gap{scan: w.scan}
	sinceSaved := 0
	return log.Records(ctx, w.partition, from, w.size, func(offset int64, r events.Record) error {
		if !w.selected.has(offset) {
			for _, h := range w.gap.add(offset, events.LeafHash(r)) {
				w.line = append(base64.StdEncoding.AppendEncode(w.line[:0], h[:]), '\n')
				if err := w.proof.write(w.line); err != nil {
					return err
				}
			}
			return nil
		}
		if err := w.event(offset, r); err != nil {
			return fmt.Errorf("%s: %w", w.position(offset), err)
		}
		if sinceSaved++; sinceSaved == saveEvery {
			sinceSaved = 0
			return saved(offset + 1)
		}
		return nil
	})
}

// saveEvery is after how many events it is made sure that a restart need not
// write them again. Tests take fewer.
var saveEvery = 20_000

func (w *writer) event(offset int64, raw events.Record) error {
	at := w.position(offset)
	w.record = events.AppendRecord(w.record[:0], raw)
	r, err := verify.ParseRecord(w.record)
	if err != nil {
		return err
	}
	w.line = append(verify.AppendLine(w.line[:0], at, r), '\n')
	if err := w.to.events.write(w.line); err != nil {
		return err
	}
	w.to.count(r.Type(), w.void[offset].Void())
	row, err := verify.Row(at, r)
	if err != nil || row == nil {
		return err
	}
	stream, err := events.ParseKey(r.Key)
	if err != nil {
		return err
	}
	w.line = verify.AppendRow(w.line[:0], append(row, w.log(stream, offset, row)...)...)
	return w.to.messages.row(w.line)
}

// log is what the log says of a message's version: whether it counts, what became
// of it, who could see it.
func (w *writer) log(stream events.Stream, offset int64, row []string) []string {
	verdict := w.void[offset]
	out := []string{strconv.FormatBool(!verdict.Void()), "", "", "", "", "", "", "", "0", "[]"}
	if verdict.Void() {
		out[1] = verdict.String()
		return out // nobody was shown it
	}
	said := offset
	if message, err := events.ParsePosition(row[1]); err == nil {
		said = message.Offset
	}
	if row[2] != "recall" {
		edit, recall := w.versionOf(said, offset)
		if edit != nil {
			copy(out[2:], []string{edit.by, isoTime(edit.said), w.position(edit.offset)})
		}
		if recall != nil {
			copy(out[5:], []string{recall.by, isoTime(recall.said), w.position(recall.offset)})
		}
	}
	out[8], out[9] = w.audiences.of(stream, row[4], offset, said)
	return out
}

// gap folds the leaves between two selected records to the subtrees that cover
// them.
type gap struct {
	*scan
	pieces []piece
	tree   merkle.Tree
	final  []events.Hash
	done   []events.Hash
}

type piece struct {
	from   int64
	height int
}

// add takes the next leaf, and gives the roots that it completes: one or none.
func (g *gap) add(offset int64, leaf events.Hash) []events.Hash {
	if len(g.pieces) == 0 {
		for from, height := range merkle.Cover(offset, g.selected.next(offset, g.size)) {
			g.pieces = append(g.pieces, piece{from, height})
		}
	}
	g.final = g.tree.Append(g.final[:0], leaf)
	if g.tree.Size() < 1<<g.pieces[0].height {
		return nil
	}
	g.done = append(g.done[:0], g.tree.Root())
	g.pieces, g.tree = g.pieces[1:], merkle.Tree{}
	return g.done
}
