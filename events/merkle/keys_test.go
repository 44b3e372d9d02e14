package merkle

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"lishi/events"
)

// Keys hand over to one another, and none signs more than it did until then.
func TestKeysHandOver(t *testing.T) {
	p := newPartition(c3, 20)
	part := events.Partition{Topic: events.Conversations, Number: 3}
	change := func(n int, old, next Key, size int64) []byte {
		signed, err := SignChange(Change{LogID: "7c2f", Number: n, Sizes: map[events.Partition]int64{part: size}}, old, next)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	sign := func(size int, k Key) []byte {
		signed, err := Sign(p.heads[size], k)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	root := Trust(key(1).Public())
	keys, err := root.Follow(change(1, key(1), key(2), 7))
	if err != nil {
		t.Fatal(err)
	}
	if keys, err = keys.Follow(change(2, key(2), key(3), 12)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		size, key int
		ok        bool
	}{{7, 1, true}, {8, 1, false}, {8, 2, true}, {12, 2, true}, {13, 2, false}, {20, 3, true}, {5, 4, false}, {3, 2, true}} {
		c, err := keys.Open(sign(tc.size, key(byte(tc.key))))
		if tc.ok && (err != nil || c != p.heads[tc.size]) || !tc.ok && !errors.Is(err, ErrKey) {
			t.Errorf("size %d by key %d: %v", tc.size, tc.key, err)
		}
	}
	if c, err := keys.Open(mustSign(t, p.heads[9], key(1), key(2))); err != nil || c.Size != 9 {
		t.Errorf("signed by both: %v", err)
	}
	if keys.Signs(key(2).Public()) || !keys.Signs(key(3).Public()) || keys.Signs(key(9).Public()) {
		t.Error("the newest key signs, and no other")
	}
	if again, err := keys.Follow(change(1, key(1), key(2), 7)); err != nil || len(again.Changes()) != 2 {
		t.Errorf("the same change again: %v", err)
	}
	late, err := Trust(key(3).Public()).FollowAll([][]byte{change(1, key(1), key(2), 7), change(2, key(2), key(3), 12)})
	if err != nil {
		t.Fatal(err)
	}
	for size, k := range map[int]byte{7: 1, 12: 2, 20: 3} {
		if _, err := late.Open(sign(size, key(k))); err != nil {
			t.Errorf("who trusts the newest key alone: %v", err)
		}
	}
	if _, err := late.Open(sign(8, key(1))); !errors.Is(err, ErrKey) {
		t.Errorf("%v", err)
	}
	for name, bad := range map[string][]byte{
		"by a stranger":         change(3, key(8), key(9), 20),
		"to another":            change(1, key(1), key(9), 7),
		"the same, other sizes": change(1, key(1), key(2), 8),
		"a checkpoint":          sign(5, key(3)),
		"nothing":               nil,
		"without the old":       withoutLine(change(3, key(3), key(4), 20), -3),
		"without the new":       withoutLine(change(3, key(3), key(4), 20), -2),
	} {
		if _, err := keys.Follow(bad); !errors.Is(err, ErrKey) {
			t.Errorf("a change %s is followed: %v", name, err)
		}
	}
	good := change(3, key(3), key(4), 20)
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 1
		if k, err := keys.Follow(b); err == nil && !k.Signs(key(4).Public()) {
			t.Fatalf("with byte %d altered something else is followed", i)
		}
		if i < bytes.Index(good, []byte("\n\n")) {
			if _, err := keys.Follow(b); err == nil {
				t.Fatalf("with byte %d of its text altered a change is followed", i)
			}
		}
	}
}

func mustSign(t *testing.T, c Checkpoint, keys ...Key) []byte {
	t.Helper()
	signed, err := Sign(c, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func withoutLine(text []byte, n int) []byte {
	lines := strings.SplitAfter(string(text), "\n")
	n += len(lines)
	return []byte(strings.Join(append(lines[:n:n], lines[n+1:]...), ""))
}

// A tree goes on from its stored hashes as if it had never stopped.
func TestLoad(t *testing.T) {
	p := newPartition(c3, 70)
	for size := range int64(70) {
		tree, err := Load(size, p.stored)
		if err != nil {
			t.Fatal(err)
		}
		if root, err := Root(size, p.stored); err != nil || root != p.heads[size].Root {
			t.Fatalf("size %d: %v", size, err)
		}
		for i := size; i < 70; i++ {
			r, _ := events.ParseRecord(p.records[i])
			tree.Append(nil, events.LeafHash(r))
		}
		if tree.Root() != p.heads[70].Root || tree.Size() != 70 {
			t.Fatalf("continued from %d it is another", size)
		}
	}
}

func FuzzChange(f *testing.F) {
	signed, _ := SignChange(Change{LogID: "7c2f", Number: 1, Sizes: map[events.Partition]int64{{Topic: events.Users}: 9}}, key(1), key(2))
	f.Add(signed)
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := ParseChange(text); err == nil && !strings.HasPrefix(string(text), c.String()+"\n") {
			t.Fatalf("%q is read as %q", text, c)
		}
	})
}
