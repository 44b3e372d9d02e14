// Package tokens checks and makes the JWTs that authorise requests. One
// algorithm, HS256, is fixed for the one configured key: a token never chooses.
package tokens

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Claims are what lishi reads of a token.
type Claims struct {
	UserID  string
	Name    string
	Role    string    // "", auditor, analyst or admin
	Expires time.Time // zero: never
}

// Keys verifies and signs. It is safe for concurrent use.
type Keys struct {
	secret []byte
	parser *jwt.Parser
}

// ErrInvalid is every reason to refuse a token; the text names the reason and
// never the token.
var ErrInvalid = errors.New("token refused")

// New makes keys from an HS256 secret of at least 32 bytes (RFC 7518, 3.2).
func New(secret []byte) (*Keys, error) {
	if len(secret) < 32 {
		return nil, fmt.Errorf("tokens: the secret has %d bytes, HS256 wants at least 32", len(secret))
	}
	return &Keys{secret: secret, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{"HS256"}),
		jwt.WithoutClaimsValidation(), // done in Verify, against the caller's clock
	)}, nil
}

type claims struct {
	Name string `json:"name,omitempty"`
	Role string `json:"role,omitempty"`
	jwt.RegisteredClaims
}

// Verify checks signature, expiry and not-before at a time.
func (k *Keys) Verify(token string, now time.Time) (Claims, error) {
	if token == "" {
		return Claims{}, fmt.Errorf("%w: none was sent", ErrInvalid)
	}
	if len(token) > 8<<10 {
		return Claims{}, fmt.Errorf("%w: longer than 8 KiB", ErrInvalid)
	}
	var c claims
	_, err := k.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return k.secret, nil })
	if err != nil {
		return Claims{}, fmt.Errorf("%w: %s", ErrInvalid, plain(err))
	}
	if c.Subject == "" {
		return Claims{}, fmt.Errorf("%w: no sub", ErrInvalid)
	}
	out := Claims{UserID: c.Subject, Name: c.Name, Role: c.Role}
	if c.ExpiresAt != nil {
		out.Expires = c.ExpiresAt.Time
		if !now.Before(out.Expires) {
			return Claims{}, fmt.Errorf("%w: expired", ErrInvalid)
		}
	}
	if c.NotBefore != nil && now.Before(c.NotBefore.Time) {
		return Claims{}, fmt.Errorf("%w: not valid yet", ErrInvalid)
	}
	return out, nil
}

func plain(err error) string {
	switch {
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return "wrong signature or algorithm"
	case errors.Is(err, jwt.ErrTokenMalformed):
		return "not a JWT"
	}
	return "not usable"
}

// Sign makes a token; expires may be zero.
func (k *Keys) Sign(c Claims) (string, error) {
	rc := jwt.RegisteredClaims{Subject: c.UserID}
	if !c.Expires.IsZero() {
		rc.ExpiresAt = jwt.NewNumericDate(c.Expires)
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims{Name: c.Name, Role: c.Role, RegisteredClaims: rc}).SignedString(k.secret)
}

// File reads the secret kept in the data directory, or makes one, mode 0600. Two
// processes that make it at once end with the same.
func File(dir string) ([]byte, error) {
	path := filepath.Join(dir, "token.key")
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := create(dir, path); err != nil {
			return nil, err
		}
		raw, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("token key: %w", err)
	}
	return []byte(strings.TrimSpace(string(raw))), nil
}

func create(dir, path string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("token key: %w", err)
	}
	var secret [32]byte
	rand.Read(secret[:])
	f, err := os.CreateTemp(dir, ".token.key-*") // 0600
	if err != nil {
		return fmt.Errorf("token key: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(base64.RawURLEncoding.EncodeToString(secret[:]) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("token key: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("token key: %w", err)
	}
	return nil
}
