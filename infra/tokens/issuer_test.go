package tokens

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var at = time.Unix(1_700_000_000, 0)

// pairs are an issuer's private keys, one of each algorithm, made once: RSA takes long.
var pairs = sync.OnceValue(func() map[string]any { return newPairs() })

func newPairs() map[string]any {
	r, err1 := rsa.GenerateKey(rand.Reader, 2048)
	e, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, o, err3 := ed25519.GenerateKey(rand.Reader)
	if err1 != nil || err2 != nil || err3 != nil {
		panic("no keys")
	}
	return map[string]any{rs256: r, es256: e, edDSA: o, hs256: []byte(rand.Text() + rand.Text())}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// public is the JWK of a private key, under a name unless that is "".
func public(name string, private any) jwk {
	var j jwk
	switch k := private.(type) {
	case *rsa.PrivateKey:
		j = jwk{"kty": "RSA", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
	case *ecdsa.PrivateKey:
		point, err := k.PublicKey.Bytes()
		if err != nil {
			panic(err)
		}
		size := (len(point) - 1) / 2
		j = jwk{"kty": "EC", "crv": k.Curve.Params().Name, "x": b64(point[1 : 1+size]), "y": b64(point[1+size:])}
	case ed25519.PrivateKey:
		j = jwk{"kty": "OKP", "crv": "Ed25519", "x": b64(k.Public().(ed25519.PublicKey))}
	case []byte:
		j = jwk{"kty": "oct", "k": b64(k)}
	}
	if name != "" {
		j["kid"] = name
	}
	return j
}

// with is a JWK with members changed; nil takes one out.
func (j jwk) with(members jwk) jwk {
	out := jwk{}
	for name, v := range j {
		out[name] = v
	}
	for name, v := range members {
		if out[name] = v; v == nil {
			delete(out, name)
		}
	}
	return out
}

func document(keys ...jwk) []byte {
	if keys == nil {
		keys = []jwk{}
	}
	b, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return b
}

// everyKey is a set with one key of each algorithm, each named after it.
func everyKey() []byte {
	var keys []jwk
	for algorithm, private := range pairs() {
		keys = append(keys, public(algorithm, private))
	}
	return document(keys...)
}

// sign makes a token by hand: any header, any key.
func sign(t testing.TB, algorithm string, key any, header, claims map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), jwt.MapClaims(claims))
	for name, v := range header {
		if token.Header[name] = v; v == nil {
			delete(token.Header, name)
		}
	}
	s, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type object = map[string]any

// good is a token of a key of the issuer, under a name.
func good(t testing.TB, algorithm, name string) string {
	t.Helper()
	return sign(t, algorithm, pairs()[algorithm], object{"kid": name}, object{"sub": "a"})
}

// write puts a JWKS in place as deployments do, by renaming.
func write(t testing.TB, path string, raw []byte) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

// fromFile makes keys of a JWKS file.
func fromFile(t testing.TB, raw []byte, o Options) *Keys {
	t.Helper()
	o.JWKS = filepath.Join(t.TempDir(), "keys.json")
	write(t, o.JWKS, raw)
	k, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
