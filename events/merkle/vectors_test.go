package merkle

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"lishi/events"
)

// vectors are the records of the test vectors in docs/audit.md.
func vectors() []events.Record {
	return []events.Record{
		{},
		{Key: []byte("g|x"), Value: []byte("{}")},
		{Key: []byte("p|a|b"), Headers: []events.Header{{Key: "ce_id", Value: []byte("7")}, {Key: "e"}}, Value: []byte(`{"content":{"plain":"你好"}}`)},
	}
}

// Others implement what the page says, so it must say what the program does.
func TestDocumentedVectors(t *testing.T) {
	page, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	says := func(what, text string) {
		t.Helper()
		if !strings.Contains(string(page), text) {
			t.Errorf("docs/audit.md does not have the %s %s", what, text)
		}
	}
	var tree Tree
	for _, r := range vectors() {
		leaf := events.LeafHash(r)
		tree.Append(nil, leaf)
		root := tree.Root()
		says("encoding", hex.EncodeToString(events.AppendRecord(nil, r)))
		says("leaf", hex.EncodeToString(leaf[:]))
		says("root", hex.EncodeToString(root[:]))
	}
	signed, err := Sign(Checkpoint{c3, tree.Size(), tree.Root()}, key(7))
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := VerifierKey(c3, key(7).Public())
	if err != nil {
		t.Fatal(err)
	}
	says("checkpoint", string(signed))
	says("verifier key", vkey)
	says("public key", base64.RawURLEncoding.EncodeToString(key(7).Public()))
}

// The change of the key in docs/audit.md is what is signed.
func TestDocsHoldAChange(t *testing.T) {
	sizes := map[events.Partition]int64{{Topic: events.Conversations, Number: 3}: 3, {Topic: events.Users}: 12}
	signed, err := SignChange(Change{LogID: "7c2f", Number: 1, Sizes: sizes}, key(7), key(8))
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(docs), "```\n"+string(signed)+"```\n") {
		t.Errorf("docs/audit.md lacks\n%s", signed)
	}
}
