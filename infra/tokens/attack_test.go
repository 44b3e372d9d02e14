package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func TestEveryAlgorithmIsVerified(t *testing.T) {
	k := fromFile(t, everyKey(), Options{Secret: secret, Issuer: "https://issuer", Audience: "chat"})
	claims := object{"sub": "小明", "name": "明", "role": "auditor", "exp": at.Unix() + 60, "nbf": at.Unix(),
		"iss": "https://issuer", "aud": []string{"other", "chat"}}
	tokens := map[string]string{}
	for algorithm, private := range pairs() {
		tokens[algorithm] = sign(t, algorithm, private, object{"kid": algorithm}, claims)
		tokens[algorithm+" at+jwt"] = sign(t, algorithm, private, object{"kid": algorithm, "typ": "application/at+JWT"}, claims)
		tokens[algorithm+" without typ"] = sign(t, algorithm, private, object{"kid": algorithm, "typ": nil}, claims)
	}
	tokens["the secret"] = sign(t, hs256, secret, nil, claims)
	tokens["the secret by another name"] = sign(t, hs256, secret, object{"kid": "main"}, claims)
	claims["aud"] = "chat"
	tokens["one audience"] = sign(t, hs256, secret, nil, claims)
	own, err := k.Sign(Claims{UserID: "小明", Name: "明", Role: "auditor", Expires: at.Add(60e9)})
	if err != nil {
		t.Fatal(err)
	}
	tokens["own"] = own
	for name, token := range tokens {
		c, err := k.Verify(token, at)
		if err != nil || c.UserID != "小明" || c.Name != "明" || c.Role != "auditor" || c.Expires.Unix() != at.Unix()+60 {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

// Keys without a name check tokens without one.
func TestOneKeyWithoutAName(t *testing.T) {
	k := fromFile(t, document(public("", pairs()[es256]), public("r", pairs()[rs256])), Options{Secret: secret})
	claims := object{"sub": "a"}
	for name, tc := range map[string]struct {
		token string
		bad   error
	}{
		"the set's":                 {sign(t, es256, pairs()[es256], nil, claims), nil},
		"the secret's":              {sign(t, hs256, secret, nil, claims), nil},
		"of a named key":            {sign(t, rs256, pairs()[rs256], nil, claims), wrongSignature},
		"names it as what it's not": {good(t, es256, "r"), wrongSignature},
		"by a name it has not":      {good(t, es256, "e"), unknownKey},
	} {
		if _, err := k.Verify(tc.token, at); (tc.bad == nil) != (err == nil) || !errors.Is(err, tc.bad) {
			t.Errorf("%s: %v, want %v", name, err, tc.bad)
		}
	}
}

func TestAttacks(t *testing.T) {
	asked := make(chan string, 100)
	attacker := newPairs()
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		w.Write(document(public("evil", attacker[rs256]), public(rs256, attacker[rs256])))
	}))
	defer away.Close()
	k := fromFile(t, everyKey(), Options{Secret: secret})
	one, bare := pairs(), object{"sub": "a"}
	r := one[rs256].(*rsa.PrivateKey)
	pkix, err := x509.MarshalPKIXPublicKey(&r.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	point, err := one[es256].(*ecdsa.PrivateKey).PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(public(rs256, r))
	if err != nil {
		t.Fatal(err)
	}
	hmac := func(key []byte, name any) string { return sign(t, hs256, key, object{"kid": name}, bare) }
	evil := func(header object) string { return sign(t, rs256, attacker[rs256], header, bare) }
	cut := func(token string) string { return token[:strings.LastIndexByte(token, '.')+1] }
	// payload takes the claims of one token under the signature of another
	payload := strings.Split(sign(t, es256, one[es256], object{"kid": es256}, object{"sub": "admin"}), ".")[1]
	parts := strings.Split(good(t, es256, es256), ".")

	for name, tc := range map[string]struct {
		token string
		bad   refusal
	}{
		// a public key as the secret of HMAC
		"RSA key as PEM":           {hmac(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix}), rs256), wrongSignature},
		"RSA key as PKCS 1":        {hmac(x509.MarshalPKCS1PublicKey(&r.PublicKey), rs256), wrongSignature},
		"RSA key as DER":           {hmac(pkix, rs256), wrongSignature},
		"RSA key as JWK":           {hmac(asJSON, rs256), wrongSignature},
		"RSA modulus":              {hmac(r.N.Bytes(), rs256), wrongSignature},
		"RSA modulus, other name":  {hmac(r.N.Bytes(), "x"), wrongSignature},
		"RSA modulus, no name":     {hmac(r.N.Bytes(), nil), wrongSignature},
		"P-256 point":              {hmac(point, es256), wrongSignature},
		"Ed25519 key":              {hmac(point[1:33], edDSA), wrongSignature},
		"empty secret":             {hmac([]byte{}, hs256), wrongSignature},
		"the secret for a set key": {hmac(secret, hs256), wrongSignature},
		"the secret as ES256 key":  {hmac(secret, es256), wrongSignature},
		// algorithms
		"alg none":              {sign(t, "none", jwt.UnsafeAllowNoneSignatureType, object{"kid": rs256}, bare), wrongSignature},
		"alg None":              {sign(t, "none", jwt.UnsafeAllowNoneSignatureType, object{"alg": "None", "kid": rs256}, bare), wrongSignature},
		"alg empty":             {sign(t, rs256, r, object{"alg": "", "kid": rs256}, bare), wrongSignature},
		"alg not a string":      {sign(t, rs256, r, object{"alg": 256, "kid": rs256}, bare), wrongSignature},
		"alg missing":           {sign(t, rs256, r, object{"alg": nil, "kid": rs256}, bare), wrongSignature},
		"alg in small letters":  {sign(t, rs256, r, object{"alg": "rs256", "kid": rs256}, bare), wrongSignature},
		"RS384 by the RSA key":  {sign(t, "RS384", r, object{"kid": rs256}, bare), wrongSignature},
		"RS512 by the RSA key":  {sign(t, "RS512", r, object{"kid": rs256}, bare), wrongSignature},
		"PS256 by the RSA key":  {sign(t, "PS256", r, object{"kid": rs256}, bare), wrongSignature},
		"HS512 by the secret":   {sign(t, "HS512", secret, nil, bare), wrongSignature},
		"RS256 said, is ES256":  {sign(t, es256, one[es256], object{"alg": rs256, "kid": rs256}, bare), wrongSignature},
		"EdDSA by ES256's name": {good(t, edDSA, es256), wrongSignature},
		// names
		"another key's name": {sign(t, es256, attacker[es256], object{"kid": es256}, bare), wrongSignature},
		"unknown name":       {evil(object{"kid": "evil"}), unknownKey},
		"no name":            {evil(nil), unknownKey},
		"path as name":       {evil(object{"kid": "../../../../dev/null"}), unknownKey},
		"url as name":        {evil(object{"kid": away.URL}), unknownKey},
		"query as name":      {evil(object{"kid": "x' UNION SELECT 'k"}), unknownKey},
		"NUL in the name":    {evil(object{"kid": rs256 + "\x00"}), unknownKey},
		"name in other case": {good(t, rs256, "rs256"), unknownKey},
		"name is a number":   {evil(object{"kid": 1}), notKid},
		"name is a list":     {evil(object{"kid": []string{rs256}}), notKid},
		"name is an object":  {evil(object{"kid": object{"$ne": ""}}), notKid},
		"name is empty":      {good(t, rs256, ""), notKid},
		"Kid instead of kid": {sign(t, rs256, r, object{"Kid": rs256}, bare), unknownKey},
		"name is null":       {evil(object{"kid": json.RawMessage("null")}), notKid},
		// keys that the token brings along
		"jwk":             {evil(object{"kid": rs256, "jwk": public(rs256, attacker[rs256])}), wrongSignature},
		"jwk, unknown":    {evil(object{"kid": "evil", "jwk": public("evil", attacker[rs256])}), unknownKey},
		"jwk, no name":    {evil(object{"jwk": public("", attacker[rs256])}), unknownKey},
		"jku":             {evil(object{"kid": "evil", "jku": away.URL + "/jku"}), unknownKey},
		"jku, known name": {evil(object{"kid": rs256, "jku": away.URL + "/jku"}), wrongSignature},
		"x5u":             {evil(object{"kid": "evil", "x5u": away.URL + "/x5u"}), unknownKey},
		"x5c":             {evil(object{"kid": rs256, "x5c": []string{base64.StdEncoding.EncodeToString(pkix)}}), wrongSignature},
		"iss as a place":  {sign(t, rs256, attacker[rs256], object{"kid": "evil"}, object{"sub": "a", "iss": away.URL}), unknownKey},
		// extensions and other kinds of token
		"crit":                {sign(t, rs256, r, object{"kid": rs256, "crit": []string{"exp"}}, bare), critical},
		"crit b64":            {sign(t, rs256, r, object{"kid": rs256, "b64": false, "crit": []string{"b64"}}, bare), critical},
		"typ of a logout":     {sign(t, rs256, r, object{"kid": rs256, "typ": "logout+jwt"}, bare), otherType},
		"typ of a proof":      {sign(t, rs256, r, object{"kid": rs256, "typ": "dpop+jwt"}, bare), otherType},
		"typ is not a string": {sign(t, rs256, r, object{"kid": rs256, "typ": 1}, bare), otherType},
		// signatures
		"RS256 cut off":    {cut(good(t, rs256, rs256)), wrongSignature},
		"ES256 cut off":    {cut(good(t, es256, es256)), wrongSignature},
		"EdDSA cut off":    {cut(good(t, edDSA, edDSA)), wrongSignature},
		"ES256 of zeros":   {cut(good(t, es256, es256)) + b64(make([]byte, 64)), wrongSignature},
		"ES256 as DER":     {asDER(t, one[es256].(*ecdsa.PrivateKey), good(t, es256, es256)), wrongSignature},
		"EdDSA of zeros":   {cut(good(t, edDSA, edDSA)) + b64(make([]byte, 64)), wrongSignature},
		"RS256 of zeros":   {cut(good(t, rs256, rs256)) + b64(make([]byte, 256)), wrongSignature},
		"another's claims": {parts[0] + "." + payload + "." + parts[2], wrongSignature},
		"a line break":     {good(t, edDSA, edDSA) + "\n", notJWT},
		"a break within":   {strings.Replace(good(t, es256, es256), ".", ".\r\n", 2), notJWT},
		"bits left over":   {leftOver(good(t, hs256, hs256)), notJWT},
		"a fourth part":    {good(t, es256, es256) + ".x", notJWT},
		"padded":           {good(t, edDSA, edDSA) + "==", notJWT},
		"five parts (JWE)": {"a.b.c.d.e", notJWT},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := k.Verify(tc.token, at)
			if !errors.Is(err, ErrInvalid) || !errors.Is(err, tc.bad) || !reflect.DeepEqual(c, Claims{}) {
				t.Fatalf("got %+v, %v; want %q", c, err, tc.bad)
			}
		})
	}
	// What is not looked at does no harm either.
	for _, header := range []object{{"jku": away.URL + "/ignored"}, {"x5u": away.URL + "/ignored"}, {"jwk": public("", attacker[rs256])}} {
		header["kid"] = rs256
		if _, err := k.Verify(sign(t, rs256, r, header, bare), at); err != nil {
			t.Errorf("%v: %v", header, err)
		}
	}
	select {
	case path := <-asked:
		t.Errorf("a token made us ask for %s", path)
	default:
	}
}

// leftOver changes bits of the last letter that belong to no byte of a signature
// of 32.
func leftOver(token string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	end := len(token) - 1
	return token[:end] + string(letters[strings.IndexByte(letters, token[end])|1])
}

// asDER puts the other form of an ECDSA signature on a token.
func asDER(t *testing.T, private *ecdsa.PrivateKey, token string) string {
	t.Helper()
	text := token[:strings.LastIndexByte(token, '.')]
	sum := sha256.Sum256([]byte(text))
	der, err := private.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if rest, err := asn1.Unmarshal(der, new(asn1.RawValue)); err != nil || len(rest) != 0 {
		t.Fatal("not DER")
	}
	return text + "." + b64(der)
}

func TestClaimsThatAreRefused(t *testing.T) {
	k := fromFile(t, everyKey(), Options{Issuer: "https://issuer", Audience: "chat"})
	ok := object{"sub": "a", "iss": "https://issuer", "aud": "chat"}
	with := func(name string, v any) object {
		out := object{name: v}
		for n, old := range ok {
			if n != name {
				out[n] = old
			}
		}
		if v == nil {
			delete(out, name)
		}
		return out
	}
	null := json.RawMessage("null")
	for name, tc := range map[string]struct {
		claims object
		want   string
	}{
		"good":                {ok, ""},
		"clocks differ":       {with("nbf", at.Unix()+30), ""},
		"null name":           {with("name", null), ""},
		"not yet":             {with("nbf", at.Unix()+31), "not valid yet"},
		"expired":             {with("exp", at.Unix()), "expired"},
		"expires this second": {with("exp", float64(at.Unix())+0.9), "expired"},
		"no issuer":           {with("iss", nil), "another issuer"},
		"longer issuer":       {with("iss", "https://issuer/"), "another issuer"},
		"list of issuers":     {with("iss", []string{"https://issuer"}), "iss is of a wrong type"},
		"no audience":         {with("aud", nil), "another audience"},
		"empty audience":      {with("aud", []string{}), "another audience"},
		"other audience":      {with("aud", []string{"chats", "cha", "CHAT"}), "another audience"},
		"audience of a type":  {with("aud", 7), "aud is of a wrong type"},
		"no sub":              {with("sub", nil), "no sub"},
		"null sub":            {with("sub", null), "no sub"},
		"Sub for sub":         {object{"Sub": "a", "iss": "https://issuer", "aud": "chat"}, "no sub"},
		"sub of a type":       {with("sub", 1), "sub is of a wrong type"},
		"role of a type":      {with("role", []string{"admin"}), "role is of a wrong type"},
		"exp of a type":       {with("exp", "never"), "exp is of a wrong type"},
		"null exp":            {with("exp", null), "exp is of a wrong type"},
		"exp beyond all":      {with("exp", 1e300), "exp is of a wrong type"},
		"exp before all":      {with("exp", -1e300), "exp is of a wrong type"},
		"nbf of a type":       {with("nbf", true), "nbf is of a wrong type"},
	} {
		token := sign(t, es256, pairs()[es256], object{"kid": es256}, tc.claims)
		c, err := k.Verify(token, at)
		if tc.want == "" && (err != nil || c.UserID != "a") || tc.want != "" && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %+v, %v; want %q", name, c, err, tc.want)
		}
	}
	// Names are exact: who may choose a claim Role does not choose the role.
	c, err := k.Verify(sign(t, es256, pairs()[es256], object{"kid": es256}, with("Role", "admin")), at)
	if err != nil || c.Role != "" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestOnlyTheSecretSigns(t *testing.T) {
	k := fromFile(t, everyKey(), Options{})
	if _, err := k.Sign(Claims{UserID: "a"}); !errors.Is(err, ErrNoSecret) {
		t.Errorf("signed: %v", err)
	}
	if _, err := k.Verify(sign(t, hs256, secret, nil, object{"sub": "a"}), at); !errors.Is(err, unknownKey) {
		t.Errorf("HS256 without a secret: %v", err)
	}
	if _, err := New(Options{}); err == nil {
		t.Error("keys of nothing")
	}
}

// A token that is taken was signed by one of the keys, whatever was done to it.
func FuzzVerify(f *testing.F) {
	k := fromFile(f, everyKey(), Options{Secret: secret})
	signed := map[string]bool{}
	add := func(token string) {
		signed[token] = true
		f.Add(token)
	}
	for algorithm := range pairs() {
		add(good(f, algorithm, algorithm))
	}
	add(sign(f, hs256, secret, nil, object{"sub": "a"}))
	f.Add(sign(f, "none", jwt.UnsafeAllowNoneSignatureType, nil, object{"sub": "a"}))
	f.Add("..")
	f.Add("e30.e30.e30")
	curve, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	f.Add(sign(f, "ES384", curve, object{"kid": es256}, object{"sub": "a"}))
	f.Fuzz(func(t *testing.T, token string) {
		c, err := k.Verify(token, at)
		if err == nil && !signed[token] || err != nil && !errors.Is(err, ErrInvalid) || (err == nil) == (c.UserID == "") {
			t.Fatalf("%q: %+v, %v", token, c, err)
		}
	})
}
