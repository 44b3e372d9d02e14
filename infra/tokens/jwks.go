package tokens

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// The algorithms of RFC 7518, 3.1 and RFC 8037, 3.1 that tokens may be signed by.
const (
	hs256 = "HS256"
	rs256 = "RS256"
	es256 = "ES256"
	edDSA = "EdDSA"
)

const (
	minSecret = 32   // bytes of an HS256 key
	minRSA    = 2048 // bits of an RSA modulus (RFC 7518, 3.3)
	maxRSA    = 8192 // beyond, checking a signature costs too much
	maxKeys   = 100
)

// key checks the tokens of one algorithm.
type key struct {
	algorithm string
	material  any // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// jwk is one JSON Web Key (RFC 7517, 4), by the exact names of its members.
type jwk map[string]any

// readers is the table of key types; each has one algorithm.
var readers = map[string]func(jwk) (*key, error){"RSA": jwk.rsa, "EC": jwk.p256, "OKP": jwk.ed25519, "oct": jwk.secret}

// readSet reads a JWKS. Keys that can't be used here are left out, as RFC 7517, 5
// wants it, with the reasons in unused; a set without any is still a set. An error
// means that the whole is not one: it is no JWKS, or names a key twice.
func readSet(raw []byte) (keys map[string]*key, unused []error, err error) {
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, nil, fmt.Errorf("not a JWKS: %w", err)
	}
	if set.Keys == nil {
		return nil, nil, errors.New("not a JWKS: it has no list of keys")
	}
	if len(set.Keys) > maxKeys {
		return nil, nil, fmt.Errorf("%d keys; %d at most are taken", len(set.Keys), maxKeys)
	}
	keys = map[string]*key{}
	for i, j := range set.Keys {
		name, k, err := j.key()
		if err != nil {
			unused = append(unused, fmt.Errorf("key %d (%.64q): %w", i+1, name, err))
			continue
		}
		if keys[name] != nil {
			return nil, nil, fmt.Errorf("two keys have the kid %.64q", name)
		}
		keys[name] = k
	}
	return keys, unused, nil
}

// key gives the key with its name, which is "" if it has none.
func (j jwk) key() (name string, k *key, err error) {
	if v, ok := j["kid"]; ok {
		if name, ok = v.(string); !ok || name == "" {
			return "", nil, errors.New("its kid is not a name")
		}
	}
	if use, ok := j["use"]; ok && use != "sig" {
		return name, nil, errors.New("it is not for signatures")
	}
	if ops, ok := j["key_ops"]; ok {
		if list, _ := ops.([]any); !slices.Contains(list, any("verify")) {
			return name, nil, errors.New("it is not for verifying")
		}
	}
	if _, ok := j["d"]; ok {
		return name, nil, errors.New("it holds the private key, which only the issuer must have")
	}
	read, ok := readers[text(j["kty"])]
	if !ok {
		return name, nil, errors.New("its kty is not RSA, EC, OKP or oct")
	}
	if k, err = read(j); err != nil {
		return name, nil, err
	}
	if alg, ok := j["alg"]; ok && alg != k.algorithm {
		return name, nil, fmt.Errorf("its alg is not %s", k.algorithm)
	}
	if name == "" && k.algorithm == hs256 {
		return name, nil, errors.New("a secret needs a kid; the one without is the setting token-key")
	}
	return name, k, nil
}

// text is a string, or "": members of other types are like absent ones.
func text(v any) string { s, _ := v.(string); return s }

// bytes decodes a member in base64url.
func (j jwk) bytes(name string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text(j[name]))
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("its %s is missing or not base64url", name)
	}
	return b, nil
}

func (j jwk) rsa() (*key, error) {
	n, err := j.bytes("n")
	if err != nil {
		return nil, err
	}
	e, err := j.bytes("e")
	if err != nil {
		return nil, err
	}
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	if bits := modulus.BitLen(); bits < minRSA || bits > maxRSA || modulus.Bit(0) == 0 {
		return nil, fmt.Errorf("its modulus has %d bits or is even; %d to %d are taken", bits, minRSA, maxRSA)
	}
	if exponent.BitLen() > 31 || exponent.Cmp(big.NewInt(3)) < 0 || exponent.Bit(0) == 0 {
		return nil, errors.New("its exponent is not an odd number from 3 to 2^31")
	}
	return &key{rs256, &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}}, nil
}

func (j jwk) p256() (*key, error) {
	if j["crv"] != "P-256" {
		return nil, errors.New("its crv is not P-256")
	}
	x, err := j.bytes("x")
	if err != nil {
		return nil, err
	}
	y, err := j.bytes("y")
	if err != nil {
		return nil, err
	}
	if len(x) != 32 || len(y) != 32 { // RFC 7518, 6.2.1.2
		return nil, errors.New("its x and y are not of 32 bytes")
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, errors.New("its x and y are not a point of P-256")
	}
	return &key{es256, public}, nil
}

func (j jwk) ed25519() (*key, error) {
	if j["crv"] != "Ed25519" {
		return nil, errors.New("its crv is not Ed25519")
	}
	x, err := j.bytes("x")
	if err != nil {
		return nil, err
	}
	if len(x) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("its x is not of %d bytes", ed25519.PublicKeySize)
	}
	return &key{edDSA, ed25519.PublicKey(x)}, nil
}

func (j jwk) secret() (*key, error) {
	k, err := j.bytes("k")
	if err != nil {
		return nil, err
	}
	if len(k) < minSecret {
		return nil, fmt.Errorf("its k has %d bytes, HS256 wants at least %d", len(k), minSecret)
	}
	return &key{hs256, k}, nil
}
