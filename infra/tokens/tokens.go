// Package tokens checks and makes the JWTs that authorise requests. Every key has
// exactly one algorithm, fixed where it is configured: a token says which key it
// was signed with, never how it is to be checked, nor where a key is to be found.
package tokens

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Claims are what lishi reads of a token.
type Claims struct {
	UserID  string
	Name    string
	Role    string    // "", auditor, analyst, admin, groups or figures
	Groups  []string  // of the role groups: the groups that it may read of
	Expires time.Time // zero: never
}

// Options say which tokens are taken. There must be a secret, a JWKS, or both.
type Options struct {
	Secret   []byte // the HS256 key, at least 32 bytes (RFC 7518, 3.2); the one that signs
	JWKS     string // path or url of a key set (RFC 7517)
	Issuer   string // if set, what every token's iss must be, to the letter
	Audience string // if set, what every token's aud must be or hold, to the letter
	// Changed is called, on a goroutine of its own, whenever the JWKS is another
	// one than before: what was verified may not be valid any more.
	Changed func()
	Logger  *slog.Logger
}

// Keys verifies and signs. It is safe for concurrent use.
type Keys struct {
	secret   *key
	set      *source // nil without a JWKS
	issuer   string
	audience string
	parser   *jwt.Parser
}

// ErrInvalid is every reason to refuse a token; the text names the reason and
// never the token.
var ErrInvalid = errors.New("token refused")

// ErrNoSecret says that tokens are only checked here: a JWKS holds no key to sign with.
var ErrNoSecret = errors.New("no HS256 key is configured")

// New makes keys. A JWKS file is read, and must be usable; a url is fetched by
// Run, so that a node starts, and serves the tokens of its other keys, while the
// issuer is away.
func New(o Options) (*Keys, error) {
	k := &Keys{issuer: o.Issuer, audience: o.Audience, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{hs256, rs256, es256, edDSA}),
		jwt.WithStrictDecoding(),
		jwt.WithoutClaimsValidation(), // done in Verify, against the caller's clock
	)}
	if len(o.Secret) == 0 && o.JWKS == "" {
		return nil, errors.New("tokens: neither a secret nor a JWKS")
	}
	if len(o.Secret) > 0 {
		if len(o.Secret) < minSecret {
			return nil, fmt.Errorf("tokens: the secret has %d bytes, HS256 wants at least %d", len(o.Secret), minSecret)
		}
		k.secret = &key{hs256, o.Secret}
	}
	if o.JWKS != "" {
		var err error
		if k.set, err = open(o.JWKS, o.Logger); err != nil {
			return nil, err
		}
		k.set.change = o.Changed
	}
	return k, nil
}

// Run keeps the JWKS up to date until ctx ends.
func (k *Keys) Run(ctx context.Context) {
	if k.set != nil {
		k.set.run(ctx)
	}
}

// Ready tells whether tokens of all configured keys can be checked. The text says
// why not, or that the last good keys hold while newer ones can't be had.
func (k *Keys) Ready() (bool, string) {
	if k.set == nil {
		return true, ""
	}
	return k.set.ready()
}

// refusal is one reason to refuse a token.
type refusal string

func (r refusal) Error() string { return string(r) }

const (
	notJWT         refusal = "not a JWT"
	wrongSignature refusal = "wrong signature or algorithm"
	unknownKey     refusal = "signed with a key that is not known here"
	critical       refusal = "it asks for extensions (crit), which are not supported"
	otherType      refusal = "its typ is another one than JWT or at+jwt"
	notKid         refusal = "its kid is not a name"
)

// clockSkew is how far an issuer's clock may be ahead of ours: a token is often
// used within the second it is valid from. Expiry knows no such grace.
const clockSkew = 30 * time.Second

// Verify checks signature, expiry, not-before, and issuer and audience if they
// are configured, at a time. While the keys come from a url, a token of an unknown
// key may wait for them to be fetched once more, five seconds at most.
func (k *Keys) Verify(token string, now time.Time) (Claims, error) {
	if token == "" {
		return Claims{}, fmt.Errorf("%w: none was sent", ErrInvalid)
	}
	if len(token) > 8<<10 {
		return Claims{}, fmt.Errorf("%w: longer than 8 KiB", ErrInvalid)
	}
	if strings.ContainsAny(token, "\r\n") { // encoding/base64 passes over them
		return Claims{}, fmt.Errorf("%w: %w", ErrInvalid, notJWT)
	}
	var c claims
	if _, err := k.parser.ParseWithClaims(token, &c, k.choose); err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrInvalid, plain(err))
	}
	if bad := c.check(now, k.issuer, k.audience); bad != "" {
		return Claims{}, fmt.Errorf("%w: %w", ErrInvalid, bad)
	}
	out := Claims{UserID: c.Subject, Name: c.Name, Role: c.Role, Groups: c.Groups}
	if c.ExpiresAt != nil {
		out.Expires = c.ExpiresAt.Time
	}
	return out, nil
}

// choose gives the key that a token's header names, if the header's algorithm is
// that key's. Keys and places of keys in the header (jwk, x5c, jku, x5u) are never
// looked at. An extension that must be understood is not (RFC 7515, 4.1.11), and
// tokens made for something else than access say so (RFC 8725, 3.11).
func (k *Keys) choose(t *jwt.Token) (any, error) {
	if _, ok := t.Header["crit"]; ok {
		return nil, critical
	}
	if !accessType(t.Header["typ"]) {
		return nil, otherType
	}
	name := ""
	if v, ok := t.Header["kid"]; ok {
		if name, ok = v.(string); !ok || name == "" {
			return nil, notKid
		}
	}
	found, err := k.pick(name, t.Method.Alg())
	if err == unknownKey && k.set != nil {
		k.set.again()
		found, err = k.pick(name, t.Method.Alg())
	}
	if err != nil {
		return nil, err
	}
	return found.material, nil
}

// pick: a name means the key of the set with that name; no name the set's key
// without one. The secret has no name, and checks HS256 tokens that name none of
// the set's keys, so that an issuer may name it, and move on to a set.
func (k *Keys) pick(name, algorithm string) (*key, error) {
	found, ok := k.set.find(name)
	switch {
	case ok && found.algorithm == algorithm:
		return found, nil
	case (!ok || name == "") && k.secret != nil && k.secret.algorithm == algorithm:
		return k.secret, nil
	case ok:
		return nil, wrongSignature
	}
	return nil, unknownKey
}

func plain(err error) error {
	var r refusal
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return wrongSignature
	}
	return notJWT
}

// Sign makes a token of the secret, with the configured issuer and audience;
// Expires may be zero. Without a secret it gives ErrNoSecret.
func (k *Keys) Sign(c Claims) (string, error) {
	if k.secret == nil {
		return "", ErrNoSecret
	}
	rc := jwt.RegisteredClaims{Subject: c.UserID, Issuer: k.issuer}
	if k.audience != "" {
		rc.Audience = jwt.ClaimStrings{k.audience}
	}
	if !c.Expires.IsZero() {
		rc.ExpiresAt = jwt.NewNumericDate(c.Expires)
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims{Name: c.Name, Role: c.Role, Groups: c.Groups, RegisteredClaims: rc}).SignedString(k.secret.material)
}
