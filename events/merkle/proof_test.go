package merkle

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"lishi/events"
)

// partition is a log of records with its tree.
type partition struct {
	origin  string
	records [][]byte
	stored  storage
	heads   []Checkpoint // by size
}

func newPartition(origin string, n int) *partition {
	p := &partition{origin: origin}
	var tree Tree
	p.heads = append(p.heads, Checkpoint{origin, 0, tree.Root()})
	for i := range n {
		r := events.Record{Key: []byte("g|x"), Value: fmt.Appendf(nil, `{"n":%d}`, i)}
		p.records = append(p.records, events.AppendRecord(nil, r))
		p.stored = tree.Append(p.stored, events.LeafHash(r))
		p.heads = append(p.heads, Checkpoint{origin, tree.Size(), tree.Root()})
	}
	return p
}

func (p *partition) inclusion(t fatal, size, offset int, keys ...Key) Inclusion {
	path, err := ProveInclusion(int64(size), int64(offset), p.stored)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := Sign(p.heads[size], keys...)
	if err != nil {
		t.Fatal(err)
	}
	return Inclusion{p.records[offset], int64(offset), path, signed}
}

func (p *partition) consistency(t fatal, size, old int, keys ...Key) Consistency {
	path, err := ProveConsistency(int64(size), int64(old), p.stored)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := Sign(p.heads[size], keys...)
	if err != nil {
		t.Fatal(err)
	}
	return Consistency{int64(old), path, signed}
}

type fatal interface{ Fatal(...any) }

func key(b byte) Key {
	k, err := NewKey(bytes.Repeat([]byte{b}, ed25519.SeedSize))
	if err != nil {
		panic(err)
	}
	return k
}

var c3 = Origin("7c2f", events.Partition{Topic: events.Conversations, Number: 3})

// Every record of every tree is proved, and the proof proves nothing else.
func TestInclusion(t *testing.T) {
	p := newPartition(c3, 33)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 33).Draw(t, "size")
		offset := rapid.IntRange(0, size-1).Draw(t, "offset")
		proof := p.inclusion(t, size, offset, key(1))
		if _, err := proof.Verify(p.heads[size]); err != nil {
			t.Fatal(err)
		}
		other := rapid.IntRange(0, 33).Draw(t, "other size")
		if other != size {
			if _, err := proof.Verify(p.heads[other]); !errors.Is(err, ErrProof) {
				t.Fatalf("it holds under the root of size %d as well: %v", other, err)
			}
		}
		for name, wrong := range alteredInclusions(t, p, proof, size) {
			if _, err := wrong.Verify(p.heads[size]); !errors.Is(err, ErrProof) {
				t.Fatalf("%s, and it holds: %v", name, err)
			}
		}
	})
}

func alteredInclusions(t *rapid.T, p *partition, proof Inclusion, size int) map[string]Inclusion {
	wrong := map[string]Inclusion{}
	flip := func(name string, change func(*Inclusion)) {
		q := proof
		q.Record, q.Path = bytes.Clone(proof.Record), append([]events.Hash(nil), proof.Path...)
		change(&q)
		wrong[name] = q
	}
	bit := byte(1) << rapid.IntRange(0, 7).Draw(t, "bit")
	flip("a bit of the record is flipped", func(q *Inclusion) { q.Record[rapid.IntRange(0, len(q.Record)-1).Draw(t, "byte")] ^= bit })
	flip("the offset is another", func(q *Inclusion) {
		q.Offset = (q.Offset + int64(rapid.IntRange(1, 40).Draw(t, "off by"))) % 64
	})
	flip("a hash is too much", func(q *Inclusion) { q.Path = append(q.Path, events.Hash{}) })
	if len(proof.Path) > 0 {
		flip("a bit of the path is flipped", func(q *Inclusion) {
			q.Path[rapid.IntRange(0, len(q.Path)-1).Draw(t, "hash")][rapid.IntRange(0, 31).Draw(t, "hash's byte")] ^= bit
		})
		flip("a hash is missing", func(q *Inclusion) { q.Path = q.Path[1:] })
	}
	return wrong
}

// A tree extends what it was, and nothing that was changed passes for it.
func TestConsistency(t *testing.T) {
	p, forked, elsewhere := newPartition(c3, 33), newPartition(c3, 33), newPartition(c3+"9", 33)
	forked.records[0], forked.stored, forked.heads = nil, nil, nil
	other := newFork(p, 5)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 33).Draw(t, "size")
		old := rapid.IntRange(0, size).Draw(t, "old")
		proof := p.consistency(t, size, old, key(1))
		if err := proof.Verify(p.heads[old], p.heads[size]); err != nil {
			t.Fatal(err)
		}
		if old > 5 {
			if err := proof.Verify(other.heads[old], p.heads[size]); !errors.Is(err, ErrProof) {
				t.Fatalf("a fork passes: %v", err)
			}
		}
		if err := proof.Verify(elsewhere.heads[old], p.heads[size]); !errors.Is(err, ErrProof) {
			t.Fatalf("another partition passes: %v", err)
		}
		if old < size {
			back := Consistency{int64(size), proof.Path, nil}
			if err := back.Verify(p.heads[size], p.heads[old]); !errors.Is(err, ErrProof) || !strings.Contains(err.Error(), "rolled back") {
				t.Fatalf("a rollback passes: %v", err)
			}
		}
		if n := len(proof.Path); n > 0 {
			q := proof
			q.Path = append([]events.Hash(nil), proof.Path...)
			q.Path[rapid.IntRange(0, n-1).Draw(t, "hash")][0] ^= 1
			if err := q.Verify(p.heads[old], p.heads[size]); !errors.Is(err, ErrProof) {
				t.Fatalf("an altered path passes: %v", err)
			}
		}
		q := proof
		q.Old++
		if err := q.Verify(p.heads[old], p.heads[size]); !errors.Is(err, ErrProof) {
			t.Fatalf("another old size passes: %v", err)
		}
	})
}

// newFork is p with another record at an offset.
func newFork(p *partition, at int) *partition {
	f := &partition{origin: p.origin, records: append([][]byte(nil), p.records...)}
	f.records[at] = events.AppendRecord(nil, events.Record{Key: []byte("g|x"), Value: []byte("another")})
	var tree Tree
	f.heads = append(f.heads, Checkpoint{p.origin, 0, tree.Root()})
	for _, b := range f.records {
		r, _ := events.ParseRecord(b)
		f.stored = tree.Append(f.stored, events.LeafHash(r))
		f.heads = append(f.heads, Checkpoint{p.origin, tree.Size(), tree.Root()})
	}
	return f
}

func TestSignatures(t *testing.T) {
	p := newPartition(c3, 7)
	signed, err := Sign(p.heads[7], key(1), key(2))
	if err != nil {
		t.Fatal(err)
	}
	for _, trusted := range [][]ed25519.PublicKey{{key(1).Public()}, {key(2).Public()}, {key(9).Public(), key(2).Public()}} {
		if c, err := Open(signed, trusted...); err != nil || c != p.heads[7] {
			t.Errorf("%v %v", c, err)
		}
	}
	if _, err := Open(signed, key(9).Public()); err == nil {
		t.Error("a checkpoint of unknown keys is believed")
	}
	if _, err := Open(signed); err == nil {
		t.Error("a checkpoint is believed with no key at all")
	}
	for i := range signed {
		b := bytes.Clone(signed)
		b[i] ^= 1
		if c, err := Open(b, key(1).Public()); err == nil && (c != p.heads[7] || i < len(p.heads[7].String())) {
			t.Fatalf("with byte %d altered it says %v", i, c)
		}
	}
	// Signed for one partition, it says nothing of another.
	elsewhere := strings.Replace(string(signed), "/c3\n", "/c4\n", 1)
	if _, err := Open([]byte(elsewhere), key(1).Public()); err == nil {
		t.Error("a checkpoint of c3 passes for c4")
	}
}

func TestTextsAreReadAsTheyAreWritten(t *testing.T) {
	p := newPartition(c3, 20)
	in := p.inclusion(t, 20, 11, key(1))
	text, _ := in.MarshalText()
	var back Inclusion
	if err := back.UnmarshalText(text); err != nil {
		t.Fatal(err)
	}
	c, err := Open(back.Checkpoint, key(1).Public())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := back.Verify(c); err != nil {
		t.Fatal(err)
	}
	co := p.consistency(t, 20, 11, key(1))
	text, _ = co.MarshalText()
	var backCo Consistency
	if err := backCo.UnmarshalText(text); err != nil {
		t.Fatal(err)
	}
	if err := backCo.Verify(p.heads[11], p.heads[20]); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "x\n\ny", "c2sp.org/tlog-proof@v1\n\n", "c2sp.org/tlog-proof@v1\nindex 0\n\n",
		"c2sp.org/tlog-proof@v1\nextra AA==\nindex 01\n\n", "c2sp.org/tlog-proof@v1\nextra AA\nindex 1\n\n",
		"c2sp.org/tlog-proof@v1\nextra AA==\nindex 1\nAAAA\n\n", "lishi consistency v1\nold -1\n\n", "lishi consistency v1\n\n"} {
		if (&Inclusion{}).UnmarshalText([]byte(bad)) == nil || (&Consistency{}).UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// Other people's tools come to the same conclusion.
func TestTorchwoodAndNoteReadThem(t *testing.T) {
	p := newPartition(c3, 100)
	proof := p.inclusion(t, 100, 42, key(1))
	vkey, err := VerifierKey(c3, key(1).Public())
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := note.Open(proof.Checkpoint, note.VerifierList(v)); err != nil || len(n.Sigs) != 1 {
		t.Fatalf("%+v %v", n, err)
	}
	policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(c3), torchwood.SingleVerifierPolicy(v))
	text, _ := proof.MarshalText()
	leaf := tlog.RecordHash(proof.Record)
	if err := torchwood.VerifyProof(policy, leaf, text); err != nil {
		t.Fatal(err)
	}
	leaf[0] ^= 1
	if torchwood.VerifyProof(policy, leaf, text) == nil {
		t.Fatal("torchwood accepts another record")
	}
	c, _, err := torchwood.VerifyCheckpoint(proof.Checkpoint, policy)
	if err != nil || c.N != 100 || events.Hash(c.Hash) != p.heads[100].Root {
		t.Fatalf("%+v %v", c, err)
	}
}

func TestOrigin(t *testing.T) {
	for _, p := range []events.Partition{{Topic: events.Conversations, Number: 0}, {Topic: events.Users, Number: 12}} {
		id, back, err := ParseOrigin(Origin("ab", p))
		if err != nil || id != "ab" || back != p {
			t.Errorf("%v %v %v", id, back, err)
		}
	}
	for _, bad := range []string{"", "lishi.log/", "lishi.log/ab", "lishi.log//c3", "lishi.log/ab/c03", "lishi.log/ab/x3", "lishi.log/ab/c3-1", "other/ab/c3"} {
		if _, _, err := ParseOrigin(bad); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func FuzzProofs(f *testing.F) {
	p := newPartition(c3, 9)
	in, co := p.inclusion(f, 9, 4, key(1)), p.consistency(f, 9, 4, key(1))
	a, _ := in.MarshalText()
	b, _ := co.MarshalText()
	f.Add(a)
	f.Add(b)
	f.Add(in.Checkpoint)
	f.Add([]byte("lishi consistency v1\nold 0\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var in Inclusion
		if in.UnmarshalText(text) == nil {
			if again, _ := in.MarshalText(); !bytes.Equal(again, text) {
				t.Fatalf("%q is written %q", text, again)
			}
		}
		var co Consistency
		if co.UnmarshalText(text) == nil {
			if again, _ := co.MarshalText(); !bytes.Equal(again, text) {
				t.Fatalf("%q is written %q", text, again)
			}
		}
		if c, err := ParseCheckpoint(string(text)); err == nil && c.String() != string(text) {
			t.Fatalf("%q is written %q", text, c)
		}
		if c, err := Open(text, key(1).Public()); err == nil && c != p.heads[9] {
			t.Fatalf("a checkpoint that nobody signed: %v", c)
		}
	})
}

// One pass over the leaves gives the proofs that the whole tree gives.
func TestProver(t *testing.T) {
	p := newPartition(c3, 33)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 33).Draw(t, "size")
		offsets := rapid.SliceOf(rapid.Int64Range(0, int64(size)-1)).Draw(t, "offsets")
		olds := rapid.SliceOf(rapid.Int64Range(0, int64(size))).Draw(t, "olds")
		prover, err := NewProver(int64(size), offsets, olds)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range p.records[:size] {
			r, _ := events.ParseRecord(b)
			prover.Append(events.LeafHash(r))
		}
		for _, o := range offsets {
			path, err := prover.Inclusion(o)
			if err != nil {
				t.Fatal(err)
			}
			proof := Inclusion{Record: p.records[o], Offset: o, Path: path}
			if _, err := proof.Verify(p.heads[size]); err != nil {
				t.Fatal(err)
			}
		}
		for _, o := range olds {
			path, err := prover.Consistency(o)
			if err != nil {
				t.Fatal(err)
			}
			if err := (&Consistency{Old: o, Path: path}).Verify(p.heads[o], p.heads[size]); err != nil {
				t.Fatal(err)
			}
		}
	})
	if _, err := NewProver(5, []int64{5}, nil); err == nil {
		t.Error("a record behind the end is to be proved")
	}
	if _, err := NewProver(5, nil, []int64{6}); err == nil {
		t.Error("a later tree is to be the beginning")
	}
	half, _ := NewProver(5, []int64{1}, nil)
	half.Append(events.Hash{})
	if _, err := half.Inclusion(1); err == nil {
		t.Error("a proof of a tree that was not read whole")
	}
}
