package tokens

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

// The keys that RFC 7517, A.1 and RFC 8037, A.2 give as examples.
const fromRFCs = `{"keys":[
 {"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},
 {"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","kid":"2"},
 {"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"},
 {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"ed"}]}`

func TestKeysOfTheRFCs(t *testing.T) {
	keys, unused, err := readSet([]byte(fromRFCs))
	if err != nil || len(unused) != 1 || !strings.Contains(unused[0].Error(), `key 1 ("1"): it is not for signatures`) {
		t.Fatalf("%v, %v", unused, err)
	}
	for name, want := range map[string]string{"2": es256, "2011-04-29": rs256, "ed": edDSA} {
		if keys[name] == nil || keys[name].algorithm != want {
			t.Errorf("%s: %+v, want %s", name, keys[name], want)
		}
	}
	if e := keys["2011-04-29"].material.(*rsa.PublicKey).E; e != 65537 {
		t.Errorf("exponent %d", e)
	}
}

func TestKeysThatAreNotUsed(t *testing.T) {
	p := pairs()
	r, e, o, s := public("k", p[rs256]), public("k", p[es256]), public("k", p[edDSA]), public("k", p[hs256])
	big384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	number := func(bits uint) string {
		return b64(new(big.Int).SetBit(big.NewInt(1), int(bits)-1, 1).Bytes())
	}
	for name, tc := range map[string]struct {
		key  jwk
		want string // "" if it is used
	}{
		"RSA":                   {r.with(jwk{"alg": rs256, "use": "sig", "key_ops": []string{"verify"}, "x5t": "?"}), ""},
		"EC":                    {e.with(jwk{"alg": es256}), ""},
		"OKP":                   {o.with(jwk{"alg": edDSA}), ""},
		"oct":                   {s.with(jwk{"alg": hs256, "key_ops": []string{"sign", "verify"}}), ""},
		"RSA of 8192 bits":      {r.with(jwk{"n": number(8192)}), ""},
		"RSA exponent 3":        {r.with(jwk{"e": b64([]byte{3})}), ""},
		"no type":               {r.with(jwk{"kty": nil}), "kty"},
		"unknown type":          {r.with(jwk{"kty": "AKP"}), "kty"},
		"type in other case":    {r.with(jwk{"kty": "rsa"}), "kty"},
		"type is a list":        {r.with(jwk{"kty": []string{"RSA"}}), "kty"},
		"type under Kty":        {r.with(jwk{"kty": nil, "Kty": "RSA"}), "kty"},
		"kid is a number":       {r.with(jwk{"kid": 1}), "kid"},
		"kid is empty":          {r.with(jwk{"kid": ""}), "kid"},
		"for encryption":        {r.with(jwk{"use": "enc"}), "signatures"},
		"use is a list":         {r.with(jwk{"use": []string{"sig"}}), "signatures"},
		"for signing alone":     {r.with(jwk{"key_ops": []string{"sign"}}), "verifying"},
		"key_ops is a string":   {r.with(jwk{"key_ops": "verify"}), "verifying"},
		"private":               {e.with(jwk{"d": "AA"}), "private"},
		"RS512":                 {r.with(jwk{"alg": "RS512"}), "alg is not RS256"},
		"PS256":                 {r.with(jwk{"alg": "PS256"}), "alg is not RS256"},
		"RSA as HS256":          {r.with(jwk{"alg": hs256}), "alg is not RS256"},
		"RSA as none":           {r.with(jwk{"alg": "none"}), "alg is not RS256"},
		"RSA alg empty":         {r.with(jwk{"alg": ""}), "alg is not RS256"},
		"RSA alg null":          {r.with(jwk{"alg": json.RawMessage("null")}), "alg is not RS256"},
		"EC as EdDSA":           {e.with(jwk{"alg": edDSA}), "alg is not ES256"},
		"oct as HS512":          {s.with(jwk{"alg": "HS512"}), "alg is not HS256"},
		"RSA of 2047 bits":      {r.with(jwk{"n": number(2047)}), "2047 bits"},
		"RSA of 8193 bits":      {r.with(jwk{"n": number(8193)}), "8193 bits"},
		"RSA of zeros":          {r.with(jwk{"n": b64(make([]byte, 256))}), "0 bits"},
		"RSA even":              {r.with(jwk{"n": b64(append(bytes.Repeat([]byte{255}, 255), 254))}), "even"},
		"RSA without n":         {r.with(jwk{"n": nil}), "n is missing"},
		"RSA without e":         {r.with(jwk{"e": nil}), "e is missing"},
		"RSA n is a number":     {r.with(jwk{"n": 5}), "n is missing"},
		"RSA n padded":          {r.with(jwk{"n": r["n"].(string) + "=="}), "not base64url"},
		"RSA exponent 1":        {r.with(jwk{"e": b64([]byte{1})}), "exponent"},
		"RSA exponent even":     {r.with(jwk{"e": b64([]byte{4})}), "exponent"},
		"RSA exponent 2^31+1":   {r.with(jwk{"e": b64([]byte{128, 0, 0, 1})}), "exponent"},
		"P-384":                 {public("k", big384), "crv"},
		"P-384 as P-256":        {public("k", big384).with(jwk{"crv": "P-256"}), "32 bytes"},
		"EC without crv":        {e.with(jwk{"crv": nil}), "crv"},
		"EC without y":          {e.with(jwk{"y": nil}), "y is missing"},
		"EC not on the curve":   {e.with(jwk{"y": e["x"]}), "point"},
		"EC at infinity":        {e.with(jwk{"x": b64(make([]byte, 32)), "y": b64(make([]byte, 32))}), "point"},
		"EC x too short":        {e.with(jwk{"x": b64(make([]byte, 31))}), "32 bytes"},
		"X25519":                {o.with(jwk{"crv": "X25519"}), "crv"},
		"Ed25519 too short":     {o.with(jwk{"x": b64(make([]byte, 31))}), "32 bytes"},
		"Ed25519 without x":     {o.with(jwk{"x": nil}), "x is missing"},
		"oct too short":         {s.with(jwk{"k": b64(make([]byte, 31))}), "31 bytes"},
		"oct empty":             {s.with(jwk{"k": ""}), "k is missing"},
		"oct without a name":    {s.with(jwk{"kid": nil}), "token-key"},
		"nothing at all":        {jwk{}, "kty"},
		"null":                  {nil, "kty"},
		"P-256 as Ed25519":      {e.with(jwk{"kty": "OKP"}), "crv"},
		"secret as Ed25519 key": {s.with(jwk{"kty": "OKP", "crv": "Ed25519"}), "x is missing"},
	} {
		keys, unused, err := readSet(document(tc.key))
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case tc.want == "" && (len(keys) != 1 || len(unused) != 0):
			t.Errorf("%s is not used: %v", name, unused)
		case tc.want != "" && (len(keys) != 0 || len(unused) != 1 || !strings.Contains(unused[0].Error(), tc.want)):
			t.Errorf("%s: %v, %v; want %q", name, keys, unused, tc.want)
		}
		// The keys beside it are used all the same.
		if keys, _, err := readSet(document(tc.key, public("other", p[es256]))); err != nil || keys["other"] == nil {
			t.Errorf("beside %s: %v", name, err)
		}
	}
}

func TestWhatIsNoJWKS(t *testing.T) {
	p := pairs()
	e := public("k", p[es256])
	var many []jwk
	for i := range maxKeys + 1 {
		many = append(many, e.with(jwk{"kid": fmt.Sprint(i)}))
	}
	single, _ := json.Marshal(e)
	for name, tc := range map[string]struct {
		raw  []byte
		want string
	}{
		"empty":              {nil, "not a JWKS"},
		"a page":             {[]byte("<html>Sign in</html>"), "not a JWKS"},
		"cut off":            {document(e)[:50], "not a JWKS"},
		"two":                {append(document(e), document(e)...), "not a JWKS"},
		"null":               {[]byte("null"), "no list of keys"},
		"an object":          {[]byte("{}"), "no list of keys"},
		"a key alone":        {single, "no list of keys"},
		"keys null":          {[]byte(`{"keys":null}`), "no list of keys"},
		"keys an object":     {[]byte(`{"keys":{}}`), "not a JWKS"},
		"keys of strings":    {[]byte(`{"keys":["k"]}`), "not a JWKS"},
		"deep":               {[]byte(`{"keys":` + strings.Repeat("[", 100_000)), "not a JWKS"},
		"a kid twice":        {document(e, public("k", p[rs256])), `two keys have the kid "k"`},
		"the same key twice": {document(e, e), `two keys have the kid "k"`},
		"two without a kid":  {document(public("", p[es256]), public("", p[rs256])), `two keys have the kid ""`},
		"too many":           {document(many...), "101 keys"},
	} {
		if _, _, err := readSet(tc.raw); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	if keys, _, err := readSet(document(many[1:]...)); err != nil || len(keys) != maxKeys {
		t.Errorf("%d keys: %v", len(keys), err)
	}
	if keys, _, err := readSet(document()); err != nil || len(keys) != 0 {
		t.Errorf("none: %v, %v", keys, err)
	}
}

// Whatever is read, every key that comes out is of its algorithm's type and strong
// enough, and can be asked to check a signature.
func FuzzReadSet(f *testing.F) {
	f.Add([]byte(fromRFCs))
	f.Add(everyKey())
	f.Add(document())
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},null,{"kty":"EC","crv":"P-256","x":"","y":"","kid":1}]}`))
	f.Add([]byte(`{"keys":[{"kid":"a","kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},{"kid":"a"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys, unused, err := readSet(raw)
		if err != nil {
			if keys != nil || unused != nil {
				t.Fatal("an error and keys")
			}
			return
		}
		if len(keys)+len(unused) > maxKeys {
			t.Fatalf("%d keys", len(keys))
		}
		k := &Keys{set: &source{}}
		k.set.keys.Store(&keys)
		for name, key := range keys {
			ok := false
			switch m := key.material.(type) {
			case *rsa.PublicKey:
				ok = key.algorithm == rs256 && m.N.BitLen() >= 2048 && m.N.BitLen() <= 8192 && m.E >= 3
			case *ecdsa.PublicKey:
				_, err := m.Bytes() // an error if it is no point of the curve
				ok = key.algorithm == es256 && m.Curve == elliptic.P256() && err == nil
			case ed25519.PublicKey:
				ok = key.algorithm == edDSA && len(m) == 32
			case []byte:
				ok = key.algorithm == hs256 && len(m) >= 32 && name != ""
			}
			if !ok {
				t.Fatalf("%q: %s with %T", name, key.algorithm, key.material)
			}
			for _, other := range []string{hs256, rs256, es256, edDSA} {
				if got, err := k.pick(name, other); (err == nil) != (other == key.algorithm) || (err == nil && got != key) {
					t.Fatalf("%q of %s is picked for %s", name, key.algorithm, other)
				}
			}
		}
	})
}
