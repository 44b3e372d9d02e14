package tokens

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

func keys(t *testing.T) *Keys {
	t.Helper()
	k, err := New(Options{Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSignedIsVerified(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	want := Claims{UserID: "小明|1", Name: "小明", Role: "auditor", Expires: now.Add(time.Hour)}
	token, err := keys(t).Sign(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := keys(t).Verify(token, now)
	if err != nil || got.UserID != want.UserID || got.Name != want.Name || got.Role != want.Role || !got.Expires.Equal(want.Expires) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestRefusedTokens(t *testing.T) {
	k, now := keys(t), time.Unix(1_700_000_000, 0)
	sign := func(m jwt.SigningMethod, key any, c jwt.Claims) string {
		s, err := jwt.NewWithClaims(m, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	ok := jwt.RegisteredClaims{Subject: "a"}
	good := sign(jwt.SigningMethodHS256, secret, ok)
	parts := strings.Split(good, ".")
	other := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"b"}`))
	for name, tc := range map[string]struct{ token, want string }{
		"none sent":      {"", "none was sent"},
		"garbage":        {"abc", "not a JWT"},
		"huge":           {strings.Repeat("a", 9000), "8 KiB"},
		"alg none":       {sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, ok), "algorithm"},
		"other alg":      {sign(jwt.SigningMethodHS512, secret, ok), "algorithm"},
		"other key":      {sign(jwt.SigningMethodHS256, []byte("ffffffffffffffffffffffffffffffff"), ok), "signature"},
		"changed claims": {parts[0] + "." + other + "." + parts[2], "signature"},
		"no signature":   {parts[0] + "." + parts[1] + ".", "signature"},
		"no sub":         {sign(jwt.SigningMethodHS256, secret, jwt.RegisteredClaims{}), "no sub"},
		"expired":        {sign(jwt.SigningMethodHS256, secret, jwt.RegisteredClaims{Subject: "a", ExpiresAt: jwt.NewNumericDate(now)}), "expired"},
		"not yet":        {sign(jwt.SigningMethodHS256, secret, jwt.RegisteredClaims{Subject: "a", NotBefore: jwt.NewNumericDate(now.Add(time.Minute))}), "not valid yet"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := k.Verify(tc.token, now)
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
		})
	}
	if _, err := k.Verify(good, now); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	if _, err := New(Options{Secret: []byte("short")}); err == nil {
		t.Fatal("a short secret was taken")
	}
}

func TestFileIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	a, err := File(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := File(dir)
	if err != nil || string(a) != string(b) || len(a) < 32 {
		t.Fatalf("%q, %q, %v", a, b, err)
	}
	info, err := os.Stat(filepath.Join(dir, "token.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
}
