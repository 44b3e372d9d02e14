package verify

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"
)

// openNote gives the text of a signed note (c2sp.org/signed-note) that the key
// has signed under a name. Every line after the empty one must be a signature;
// those of others are left aside.
func openNote(note []byte, name string, key ed25519.PublicKey) (text string, err error) {
	cut := bytes.LastIndex(note, []byte("\n\n"))
	if cut < 0 || !utf8.Valid(note) {
		return "", errors.New("it is not a signed note")
	}
	text = string(note[:cut+1])
	lines, whole := strings.CutSuffix(string(note[cut+2:]), "\n")
	if !whole {
		return "", errors.New("its last line is cut")
	}
	signed := false
	for _, line := range strings.Split(lines, "\n") {
		rest, ok := strings.CutPrefix(line, "— ")
		who, encoded, two := strings.Cut(rest, " ")
		sig, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if !ok || !two || who == "" || err != nil || len(sig) < 5 || strings.Contains(encoded, "\r") {
			return "", errors.New("a line of it is not a signature")
		}
		if who != name || !bytes.Equal(sig[:4], keyHash(name, key)) {
			continue
		}
		if len(sig) != 4+ed25519.SignatureSize || !ed25519.Verify(key, []byte(text), sig[4:]) {
			return "", errors.New("its signature is wrong")
		}
		signed = true
	}
	if !signed {
		return "", errors.New("the key has not signed it")
	}
	return text, nil
}

func keyHash(name string, key ed25519.PublicKey) []byte {
	h := sha256.Sum256(append([]byte(name+"\n\x01"), key...))
	return h[:4]
}
