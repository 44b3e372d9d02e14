package merkle

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Key signs checkpoints (Ed25519, C2SP signed-note). One key serves all
// partitions of a log, under each one's origin as its name, as tlog-checkpoint
// recommends; so that nobody is told to trust "some key of lishi" for any tree.
type Key struct{ private ed25519.PrivateKey }

// NewKey makes the key of a seed of 32 random bytes (RFC 8032).
func NewKey(seed []byte) (Key, error) {
	if len(seed) != ed25519.SeedSize {
		return Key{}, fmt.Errorf("merkle: a key's seed has %d bytes, not %d", ed25519.SeedSize, len(seed))
	}
	return Key{ed25519.NewKeyFromSeed(seed)}, nil
}

// Public is the half that may be known.
func (k Key) Public() ed25519.PublicKey { return k.private.Public().(ed25519.PublicKey) }

// Sign makes a checkpoint a signed note, with the signatures of all keys: the
// old and the new one while a key is being replaced. Signing two checkpoints of
// one origin that don't extend one another is the one thing that a log must
// never do; the caller knows what was signed before.
func Sign(c Checkpoint, keys ...Key) ([]byte, error) {
	return SignText(c.Origin, c.String(), keys...)
}

// SignText makes a text, which ends with a newline, a signed note of keys that
// are known by that name.
func SignText(name, text string, keys ...Key) ([]byte, error) {
	signers := make([]note.Signer, len(keys))
	for i, k := range keys {
		v, err := verifier(name, k.Public())
		if err != nil {
			return nil, err
		}
		signers[i] = signer{v, k.private}
	}
	return note.Sign(&note.Note{Text: text}, signers...)
}

type signer struct {
	note.Verifier // for the name and the key's hash
	private       ed25519.PrivateKey
}

func (s signer) Sign(text []byte) ([]byte, error) { return ed25519.Sign(s.private, text), nil }

// VerifierKey is how a public key is told to other people's tools for one origin:
// origin+hash+key (C2SP signed-note).
func VerifierKey(origin string, key ed25519.PublicKey) (string, error) {
	if origin == "" || strings.ContainsAny(origin, " +\n") {
		return "", fmt.Errorf("merkle: %q can't name a key", origin)
	}
	return note.NewEd25519VerifierKey(origin, key)
}

func verifier(origin string, key ed25519.PublicKey) (note.Verifier, error) {
	s, err := VerifierKey(origin, key)
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(s)
}

// Open checks a signed checkpoint: one of the keys trusted must have signed it
// under its own origin. Signatures of others (of witnesses, of keys not known
// here) are left aside, as the note format asks.
func Open(signed []byte, trusted ...ed25519.PublicKey) (Checkpoint, error) {
	origin, _, _ := strings.Cut(string(signed), "\n")
	verifiers := make([]note.Verifier, len(trusted))
	for i, k := range trusted {
		v, err := verifier(origin, k)
		if err != nil {
			return Checkpoint{}, err
		}
		verifiers[i] = v
	}
	n, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("merkle: checkpoint of %.200q: %w", origin, err)
	}
	for _, s := range append(n.Sigs, n.UnverifiedSigs...) { // else one signature could be written in four ways
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return Checkpoint{}, fmt.Errorf("merkle: checkpoint of %.200q: signature of %.200q: %w", origin, s.Name, err)
		}
	}
	return ParseCheckpoint(n.Text)
}
