package exports

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

// vector is a message, and a signature of it that may be wrong.
type vector struct {
	Message, Key, Signature string
	holds                   bool
}

// The page's own SHA-256, SHA-512 and Ed25519 against Go's, at every length
// around the blocks, and the test vectors of RFC 8032, section 7.1.
func TestThePagesCryptography(t *testing.T) {
	vectors := []vector{
		{"", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b", true},
		{"72", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00", true},
		{"af82", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a", true},
	}
	r := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	for n := range 140 {
		key := ed25519.NewKeyFromSeed(random(32))
		public, message := []byte(key.Public().(ed25519.PublicKey)), random(n)
		sig := ed25519.Sign(key, message)
		switch n % 4 {
		case 1:
			sig[n%64] ^= 1 << (n % 8)
		case 2: // S and S+L would both fit: only the smaller is a signature
			s := new(bytes.Buffer)
			s.Write(sig[:32])
			carry := 0
			order, _ := hex.DecodeString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
			for i := range 32 {
				carry += int(sig[32+i]) + int(order[i])
				s.WriteByte(byte(carry))
				carry >>= 8
			}
			sig = s.Bytes()
		case 3:
			public = random(32) // half of these are no points
		}
		vectors = append(vectors, vector{hex.EncodeToString(message), hex.EncodeToString(public), hex.EncodeToString(sig), ed25519.Verify(public, message, sig)})
	}
	in, err := json.Marshal(vectors)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "page/node_test.mjs", "--vectors")
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(out))
	for i, v := range vectors {
		var got [3]any
		if err := d.Decode(&got); err != nil {
			t.Fatal(err)
		}
		message, _ := hex.DecodeString(v.Message)
		a, b := sha256.Sum256(message), sha512.Sum512(message)
		if want := [3]any{hex.EncodeToString(a[:]), hex.EncodeToString(b[:]), v.holds}; got != want {
			t.Errorf("vector %d: %v, want %v", i, got, want)
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Error("more answers than vectors")
	}
}

// What others are to review needs nothing but Go's standard library.
func TestTheSmallProgramNeedsNothing(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "lishi/cmd/lishi-verify").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(out)); len(got) != 2 || got[0] != "lishi/cmd/lishi-verify/verify" || got[1] != "lishi/cmd/lishi-verify" {
		t.Errorf("it needs %v", got)
	}
}

// The page asks the network for nothing, by its own policy.
func TestThePageIsOnePiece(t *testing.T) {
	page := string(Page())
	for _, wants := range []string{`default-src 'none'`, "function ed25519Verify", "async function verifyPackage", "addEventListener('drop'"} {
		if !strings.Contains(page, wants) {
			t.Errorf("it lacks %s", wants)
		}
	}
	for _, not := range []string{"src=\"", "href=\"http", "/* scripts */", "fetch(", "XMLHttpRequest"} {
		if strings.Contains(page, not) {
			t.Errorf("it has %s", not)
		}
	}
}
