package merkle

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"lishi/events"
)

// Change says that another key signs from now on: the checkpoints that the old
// one signed are those up to Sizes, and no others. It is a note under the origin
// "lishi.log/<log id>/keys", signed by the old key, which hands over, and by the
// new one, which shows that it is there.
type Change struct {
	LogID    string
	Number   int // 1 for the first
	Old, New ed25519.PublicKey
	Sizes    map[events.Partition]int64
}

// keysStream is the place of a partition in the origin of changes.
const keysStream = "keys"

func (c Change) origin() string { return originPrefix + c.LogID + "/" + keysStream }

// String is the change's text: what is signed.
func (c Change) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d\n%s\n%s\n", c.origin(), c.Number, PublicText(c.Old), PublicText(c.New))
	var ps []events.Partition
	for p := range c.Sizes {
		ps = append(ps, p)
	}
	slices.SortFunc(ps, func(p, q events.Partition) int {
		if p.Topic != q.Topic {
			return int(p.Topic) - int(q.Topic)
		}
		return int(p.Number) - int(q.Number)
	})
	for _, p := range ps {
		fmt.Fprintf(&b, "%s %d\n", p, c.Sizes[p])
	}
	return b.String()
}

// PublicText is how a public key is told to people: URL-safe base64 without
// padding.
func PublicText(k ed25519.PublicKey) string { return base64.RawURLEncoding.EncodeToString(k) }

// ParsePublic reads what PublicText wrote.
func ParsePublic(s string) (ed25519.PublicKey, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("merkle: %.60q is not a public key", s)
	}
	return b, nil
}

// SignChange makes a change a signed note. c.Old and c.New are those of the keys.
func SignChange(c Change, old, next Key) ([]byte, error) {
	c.Old, c.New = old.Public(), next.Public()
	if bytes.Equal(c.Old, c.New) {
		return nil, errors.New("merkle: a key can't follow itself")
	}
	signers := make([]note.Signer, 2)
	for i, k := range []Key{old, next} {
		v, err := verifier(c.origin(), k.Public())
		if err != nil {
			return nil, err
		}
		signers[i] = signer{v, k.private}
	}
	return note.Sign(&note.Note{Text: c.String()}, signers...)
}

var errChange = errors.New("merkle: not a change of the key")

// ParseChange reads a signed change and checks both signatures. Whether its old
// key is one to be trusted is not asked here: see Keys.
func ParseChange(signed []byte) (Change, error) {
	lines := strings.Split(string(signed), "\n")
	if len(lines) < 5 {
		return Change{}, errChange
	}
	id, ok := strings.CutPrefix(lines[0], originPrefix)
	id, ends := strings.CutSuffix(id, "/"+keysStream)
	number, err := strconv.Atoi(lines[1])
	if !ok || !ends || id == "" || err != nil || number < 1 {
		return Change{}, errChange
	}
	c := Change{LogID: id, Number: number, Sizes: map[events.Partition]int64{}}
	if c.Old, err = ParsePublic(lines[2]); err != nil {
		return Change{}, err
	}
	if c.New, err = ParsePublic(lines[3]); err != nil {
		return Change{}, err
	}
	for _, line := range lines[4:] {
		if line == "" {
			break
		}
		name, size, _ := strings.Cut(line, " ")
		p, err := events.ParsePosition(name + "-" + size)
		if err != nil {
			return Change{}, fmt.Errorf("%w: %.60q", errChange, line)
		}
		c.Sizes[p.Partition] = p.Offset
	}
	for _, k := range []ed25519.PublicKey{c.Old, c.New} {
		v, err := verifier(c.origin(), k)
		if err != nil {
			return Change{}, err
		}
		n, err := note.Open(signed, note.VerifierList(v))
		if err != nil {
			return Change{}, fmt.Errorf("merkle: change %d of the key: %s has not signed it: %w", number, PublicText(k), err)
		}
		if n.Text != c.String() {
			return Change{}, fmt.Errorf("%w: it would be written otherwise", errChange)
		}
	}
	return c, nil
}

// ErrKey means that something was signed by a key that may not sign it.
var ErrKey = errors.New("merkle: not signed by a key that may")

// Keys are the public keys that may sign a log's checkpoints: those trusted from
// the beginning, and those that they handed over to. It is not changed by Follow,
// so it may be shared.
type Keys struct {
	eras    []era
	changes []Change
}

// era is a key, and what it has signed if it was changed.
type era struct {
	key     ed25519.PublicKey
	retired *Change
}

// Trust makes the keys of those that somebody trusts.
func Trust(roots ...ed25519.PublicKey) Keys {
	var k Keys
	for _, r := range roots {
		k.eras = append(k.eras, era{key: r})
	}
	return k
}

// Public lists all keys, the newest last.
func (k Keys) Public() []ed25519.PublicKey {
	var all []ed25519.PublicKey
	for _, e := range k.eras {
		all = append(all, e.key)
	}
	return all
}

// Changes lists the changes followed so far.
func (k Keys) Changes() []Change { return k.changes }

// Signs tells whether a key may sign new checkpoints.
func (k Keys) Signs(key ed25519.PublicKey) bool {
	for _, e := range k.eras {
		if bytes.Equal(e.key, key) {
			return e.retired == nil
		}
	}
	return false
}

// Follow adds the key that a change hands over to, or the one that handed over to
// a key that is trusted. ErrKey: neither is trusted, or the old one handed over
// to another already. A change that was followed before changes nothing.
func (k Keys) Follow(signed []byte) (Keys, error) {
	c, err := ParseChange(signed)
	if err != nil {
		return k, fmt.Errorf("%w: %w", ErrKey, err)
	}
	next := Keys{slices.Clone(k.eras), append(slices.Clone(k.changes), c)}
	for i := range next.eras {
		e := &next.eras[i]
		switch {
		case !bytes.Equal(e.key, c.Old):
			continue
		case e.retired != nil && e.retired.String() == c.String():
			return k, nil
		case e.retired != nil:
			return k, fmt.Errorf("%w: %s handed over to %s already, and now to %s", ErrKey, PublicText(c.Old), PublicText(e.retired.New), PublicText(c.New))
		}
		e.retired = &c
		if !slices.ContainsFunc(next.eras, func(o era) bool { return bytes.Equal(o.key, c.New) }) {
			next.eras = append(next.eras, era{key: c.New})
		}
		return next, nil
	}
	if slices.ContainsFunc(k.eras, func(e era) bool { return bytes.Equal(e.key, c.New) }) {
		next.eras = append([]era{{c.Old, &c}}, next.eras...)
		return next, nil
	}
	return k, fmt.Errorf("%w: %s, which hands over, is not trusted", ErrKey, PublicText(c.Old))
}

// FollowAll follows changes in whatever order they can be: who trusts only a
// later key learns of those before it, since that key has signed for them.
func (k Keys) FollowAll(changes [][]byte) (Keys, error) {
	for len(changes) > 0 {
		var left [][]byte
		var last error
		for _, c := range changes {
			next, err := k.Follow(c)
			if err != nil {
				left, last = append(left, c), err
				continue
			}
			k = next
		}
		if len(left) == len(changes) {
			return k, last
		}
		changes = left
	}
	return k, nil
}

// Open checks a signed checkpoint: one of the keys must have signed it, and not
// after it had handed over. ErrKey: none has.
func (k Keys) Open(signed []byte) (Checkpoint, error) {
	c, err := Open(signed, k.Public()...)
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrKey, err)
	}
	_, p, err := ParseOrigin(c.Origin)
	if err != nil {
		return c, err
	}
	for _, e := range k.eras {
		if e.retired != nil && c.Size > e.retired.Sizes[p] {
			continue
		}
		if _, err := Open(signed, e.key); err == nil {
			return c, nil
		}
	}
	return c, fmt.Errorf("%w: %s of %d records was signed by a key that had handed over before", ErrKey, c.Origin, c.Size)
}
