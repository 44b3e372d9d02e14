package verify

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// events reads events.jsonl once, beside it messages.csv and the proofs: each
// line must be its record's, the records must be leaves at their offsets under
// the checkpoints, and each message's row must say what its record says.
func (v *verifier) events() error {
	in, err := v.open("events.jsonl")
	if err != nil {
		return err
	}
	defer in.Close()
	table, err := v.open("messages.csv")
	if err != nil {
		return err
	}
	defer table.Close()
	e := eventReader{verifier: v, rows: NewRows(table), counts: map[string]int64{}}
	if e.chain, err = newChain(v.m.Query); err != nil {
		return err
	}
	header, err := e.rows.Next()
	if err != nil || len(header) < len(MessageColumns) || !slices.Equal(header[:len(MessageColumns)], MessageColumns) {
		return broken("message", "messages.csv", "its header is not that of messages")
	}
	e.width = len(header)
	total := int64(0)
	for _, n := range v.m.Events {
		total += n
	}
	err = lines(in, func(line []byte) error {
		if e.read++; e.read%1000 == 0 {
			v.o.Progress("verifying", e.read, total)
		}
		return e.line(line)
	})
	var b *Broken
	if err != nil && !errors.As(err, &b) {
		err = broken("event", "events.jsonl", "%v", err)
	}
	if err != nil {
		return err
	}
	v.chained = e.chain.held
	return e.end()
}

type eventReader struct {
	*verifier
	rows   *Rows
	width  int
	read   int64
	texts  int64 // rows of messages.csv
	counts map[string]int64
	next   int // of the manifest's partitions
	part   *Partition
	tree   tree
	file   io.Closer // of the partition's proof
	proof  *bufio.Reader
	found  int64
	made   []byte
	chain  *chain
}

func (e *eventReader) line(line []byte) error {
	where := "events.jsonl, line " + strconv.FormatInt(e.read, 10)
	says := struct{ LishiPosition, LishiRecord string }{}
	if err := json.Unmarshal(line, &says); err != nil {
		return broken("event", where, "%v", err)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(says.LishiRecord)
	if err != nil {
		return broken("event", where, "its record: %v", err)
	}
	r, err := ParseRecord(raw)
	if err != nil {
		return broken("event", where, "%v", err)
	}
	if e.made = AppendLine(e.made[:0], says.LishiPosition, r); !bytes.Equal(e.made, line) {
		return broken("event", where, "it does not say what its record says")
	}
	partition, digits, _ := strings.Cut(says.LishiPosition, "-")
	offset, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || strconv.FormatInt(offset, 10) != digits {
		return broken("event", where, "%q is not a position", says.LishiPosition)
	}
	if err := e.leaf(partition, offset, raw); err != nil {
		return err
	}
	if err := e.chain.add(says.LishiPosition, &r); err != nil {
		return err
	}
	e.counts[r.Type()]++
	return e.row(says.LishiPosition, r)
}

// leaf puts a record in its partition's tree.
func (e *eventReader) leaf(partition string, offset int64, raw []byte) error {
	at := partition + "-" + strconv.FormatInt(offset, 10)
	if e.part == nil || e.part.Partition != partition {
		if err := e.finish(); err != nil {
			return err
		}
		for ; e.next < len(e.m.Partitions) && e.m.Partitions[e.next].Partition != partition; e.next++ {
			if e.m.Partitions[e.next].Selected != 0 {
				return broken("counts", "events.jsonl", "it lacks the events of %s", e.m.Partitions[e.next].Partition)
			}
		}
		if e.next == len(e.m.Partitions) {
			return broken("proof", at, "no partition of the manifest is next in order")
		}
		if err := e.begin(&e.m.Partitions[e.next]); err != nil {
			return err
		}
		e.next++
		if offset != e.part.FirstFound {
			return broken("counts", at, "the manifest says that %d is the first", e.part.FirstFound)
		}
	}
	if offset < e.tree.size || offset >= e.part.Size {
		return broken("proof", at, "it is out of order or out of range")
	}
	if err := e.tree.fill(offset); err != nil {
		return broken("proof", at, "%v", err)
	}
	e.tree.add(0, leafHash(raw))
	e.found++
	return nil
}

func (e *eventReader) begin(p *Partition) error {
	name := "proofs/" + p.Partition + ".proof"
	f, err := e.open(name)
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(f, 1<<16)
	e.part, e.file, e.proof, e.found = p, f, in, 0
	e.chain.next()
	e.tree = tree{proof: func() (hash, error) {
		line, err := in.ReadString('\n')
		b, bad := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(line, "\n"))
		if err != nil || bad != nil || len(b) != sha256.Size || len(line) != 45 {
			return hash{}, errors.New("its proof lacks a hash")
		}
		return hash(b), nil
	}}
	if line, err := in.ReadString('\n'); err != nil || line != ProofFormat+"\n" {
		return broken("proof", name, "it does not begin with %q", ProofFormat)
	}
	return nil
}

// finish holds the partition's root against the checkpoint's.
func (e *eventReader) finish() error {
	p := e.part
	if p == nil {
		return nil
	}
	defer e.file.Close()
	where := "events.jsonl, " + p.Partition
	if e.found != p.Selected || e.tree.size-1 != p.LastFound {
		return broken("counts", where, "there are %d events up to offset %d, the manifest says %d up to %d", e.found, e.tree.size-1, p.Selected, p.LastFound)
	}
	if err := e.tree.fill(p.Size); err != nil {
		return broken("proof", where, "%v", err)
	}
	if _, err := e.proof.Peek(1); !errors.Is(err, io.EOF) {
		return broken("proof", where, "its proof has a hash too many")
	}
	root, err := e.tree.root()
	if err != nil || base64.StdEncoding.EncodeToString(root[:]) != p.Root {
		return broken("proof", where, "these records are not at these offsets under the checkpoint's root")
	}
	e.part = nil
	return nil
}

// row compares the next row of messages.csv with a message's record.
func (e *eventReader) row(position string, r Record) error {
	want, err := Row(position, r)
	if err != nil {
		return broken("message", position, "%v", err)
	}
	if want == nil {
		return nil
	}
	row, err := e.rows.Next()
	if err != nil || len(row) != e.width {
		return broken("message", "messages.csv, "+position, "there is no row of it")
	}
	for i, field := range want {
		if row[i] != field {
			return broken("message", "messages.csv, "+position, "%s is not what the record says", MessageColumns[i])
		}
	}
	e.texts++
	return nil
}

func (e *eventReader) end() error {
	if err := e.finish(); err != nil {
		return err
	}
	for _, p := range e.m.Partitions[e.next:] {
		if p.Selected != 0 {
			return broken("counts", "events.jsonl", "it lacks the events of %s", p.Partition)
		}
	}
	if _, err := e.rows.Next(); !errors.Is(err, io.EOF) {
		return broken("message", "messages.csv", "it has a row of which there is no record")
	}
	if !maps.Equal(e.counts, e.m.Events) || e.texts != e.m.Rows["messages.csv"] {
		return broken("counts", "manifest.json", "it counts other events than there are")
	}
	return nil
}
