package merkle

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"lishi/events"
)

// Prover makes proofs of a tree of known size in one pass over its leaves: it
// keeps the hashes that they need, and no others. Memory grows with the number
// of proofs, not with the tree.
type Prover struct {
	Tree
	final  int64
	next   int64 // how many hashes were final so far
	hashes needed
	buf    []events.Hash
}

// NewProver makes a prover for the inclusion of the records at some offsets, and
// for the consistency with some older sizes, in the tree of the given size.
func NewProver(size int64, offsets, olds []int64) (*Prover, error) {
	p := &Prover{final: size, hashes: needed{}}
	for _, o := range offsets {
		if o < 0 || o >= size {
			return nil, fmt.Errorf("merkle: offset %d is not in a tree of %d", o, size)
		}
		if _, err := ProveInclusion(size, o, noting(p.hashes)); !errors.Is(err, errNoted) && err != nil {
			return nil, err
		}
	}
	for _, o := range olds {
		if o < 0 || o > size {
			return nil, fmt.Errorf("merkle: a tree of %d was never one of %d", size, o)
		}
		if _, err := ProveConsistency(size, o, noting(p.hashes)); !errors.Is(err, errNoted) && err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Append takes the next leaf.
func (p *Prover) Append(leaf events.Hash) {
	p.buf = p.Tree.Append(p.buf[:0], leaf)
	for i, h := range p.buf {
		if _, ok := p.hashes[p.next+int64(i)]; ok {
			p.hashes[p.next+int64(i)] = h
		}
	}
	p.next += int64(len(p.buf))
}

// Inclusion is the path of a record that NewProver was told of, once all leaves
// were appended.
func (p *Prover) Inclusion(offset int64) ([]events.Hash, error) {
	if err := p.whole(); err != nil {
		return nil, err
	}
	return ProveInclusion(p.final, offset, p.hashes)
}

// Consistency is the path from a size that NewProver was told of.
func (p *Prover) Consistency(old int64) ([]events.Hash, error) {
	if err := p.whole(); err != nil {
		return nil, err
	}
	return ProveConsistency(p.final, old, p.hashes)
}

func (p *Prover) whole() error {
	if p.Size() != p.final {
		return fmt.Errorf("merkle: %d of %d leaves were appended", p.Size(), p.final)
	}
	return nil
}

// needed are stored hashes by their number.
type needed map[int64]events.Hash

func (n needed) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, number := range at {
		h, ok := n[number]
		if !ok {
			return nil, fmt.Errorf("merkle: the prover was not told of this proof")
		}
		out[i] = tlog.Hash(h)
	}
	return out, nil
}

// noting makes a note of each hash that a proof asks for, and gives none.
type noting needed

var errNoted = errors.New("noted")

func (n noting) ReadHashes(at []int64) ([]tlog.Hash, error) {
	for _, number := range at {
		n[number] = events.Hash{}
	}
	return nil, errNoted
}
