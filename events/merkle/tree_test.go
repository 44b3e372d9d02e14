package merkle

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"lishi/events"
)

// storage keeps what Append returned, as a file would.
type storage []events.Hash

func (s storage) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, n := range at {
		out[i] = tlog.Hash(s[n])
	}
	return out, nil
}

func leaf(data []byte) events.Hash { return sha256.Sum256(append([]byte{0}, data...)) }

// root is RFC 6962's definition, section 2.1, word by word.
func root(leaves []events.Hash) events.Hash {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	default:
		k := 1
		for k*2 < n {
			k *= 2
		}
		return node(root(leaves[:k]), root(leaves[k:]))
	}
}

// The leaves and roots with which implementations of Certificate Transparency
// check themselves.
func TestKnownRoots(t *testing.T) {
	roots := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	leaves := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	var tree Tree
	for i, want := range roots {
		if got := tree.Root(); hex.EncodeToString(got[:]) != want {
			t.Errorf("of %d leaves the root is %x", i, got)
		}
		if i < len(leaves) {
			data, _ := hex.DecodeString(leaves[i])
			tree.Append(nil, leaf(data))
		}
	}
}

func TestTreeIsTheOneOfTheRFCAndOfTlog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tree Tree
		var stored storage
		var leaves []events.Hash
		for range rapid.IntRange(0, 70).Draw(t, "leaves") {
			h := leaf(rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "data"))
			want, err := tlog.StoredHashesForRecordHash(tree.Size(), tlog.Hash(h), stored)
			if err != nil {
				t.Fatal(err)
			}
			before := len(stored)
			stored = tree.Append(stored, h)
			if got := stored[before:]; len(got) != len(want) {
				t.Fatalf("%d hashes are stored, tlog stores %d", len(got), len(want))
			}
			for i := range want {
				if stored[before+i] != events.Hash(want[i]) {
					t.Fatalf("stored hash %d differs from tlog's", before+i)
				}
			}
			leaves = append(leaves, h)
		}
		got := tree.Root()
		if got != root(leaves) {
			t.Fatalf("of %d leaves the root is %x, the RFC's is %x", len(leaves), got, root(leaves))
		}
		if h, err := tlog.TreeHash(tree.Size(), stored); err != nil || events.Hash(h) != got {
			t.Fatalf("of %d leaves the root is %x, tlog's is %x (%v)", len(leaves), got, h, err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	b.ReportAllocs()
	var tree Tree
	var dst []events.Hash
	h := leaf([]byte("x"))
	for b.Loop() {
		dst = tree.Append(dst[:0], h)
	}
}
