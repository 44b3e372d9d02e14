package system

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
)

// es256 is one key of an issuer of tokens.
type es256 struct {
	t    *testing.T
	name string
	key  *ecdsa.PrivateKey
}

func newES256(t *testing.T, name string) es256 {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return es256{t, name, key}
}

func (e es256) jwk() object {
	point, err := e.key.PublicKey.Bytes()
	if err != nil {
		e.t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return object{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": e.name, "x": encode(point[1:33]), "y": encode(point[33:])}
}

func (e es256) token(user string, expires time.Time) string {
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"sub": user, "name": nick(user), "exp": expires.Unix()})
	token.Header["kid"] = e.name
	s, err := token.SignedString(e.key)
	if err != nil {
		e.t.Fatal(err)
	}
	return s
}

func keySet(t *testing.T, keys ...es256) []byte {
	list := []object{}
	for _, k := range keys {
		list = append(list, k.jwk())
	}
	return []byte(jsonOf(t, object{"keys": list}))
}

// refuses tells whether a login with the token is refused as unauthorized.
func (s *server) refuses(token string) bool {
	s.t.Helper()
	k, err := s.dial()
	if err != nil {
		s.t.Fatal(err)
	}
	defer k.conn.CloseNow()
	k.send("/chat/login", object{"token": token})
	a := k.next()
	return a.MsgType == "8" && a.Data["code"] == "400" && a.Data["reason"] == "unauthorized"
}

// Tokens of an issuer's key set, beside the secret's: they log in, write, expire,
// and go with their key.
func TestTokensOfAKeyFile(t *testing.T) {
	first, second := newES256(t, "2026-a"), newES256(t, "2026-b")
	file := filepath.Join(t.TempDir(), "keys.json")
	write := func(keys ...es256) {
		t.Helper()
		if err := os.WriteFile(file+".next", keySet(t, keys...), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".next", file); err != nil {
			t.Fatal(err)
		}
	}
	write(first)
	s := serve(t, t.TempDir(), "--token-jwks", file)
	u := ids(2)
	a, b := u[0], u[1]
	s.befriend(a, b) // by tokens of the secret

	hour := time.Now().Add(time.Hour)
	bob, login := s.login(b, nil)
	alice, _ := s.login(a, object{"token": first.token(a, hour)})
	if login.Data["code"] != "200" {
		t.Fatal(login.Raw)
	}
	alice.send("/chat/sendMessage", object{"token": first.token(a, hour), "uniqueNo": "1", "receiveUserId": b, "messageContent": "ES256"})
	if r := alice.expect(resultOf("1")); !r.ok() {
		t.Fatal(r.Raw)
	}
	if p := bob.expect(push("1")); p.Data["messageContent"] != "ES256" || p.Data["sendUserId"] != a {
		t.Error(p.Raw)
	}

	// The public key is no secret, whatever the token says.
	der, err := x509.MarshalPKIXPublicKey(&first.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	forged := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": a})
	forged.Header["kid"] = first.name
	confused, err := forged.SignedString(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"confused": confused, "expired": first.token(a, time.Now().Add(-time.Second)), "unknown": second.token(a, hour),
	} {
		if !s.refuses(token) {
			t.Errorf("a token that is %s logs in", name)
		}
	}

	// The token's end is the connection's.
	soon := time.Now().Add(2 * time.Second)
	ending, _ := s.login(a, object{"token": first.token(a, soon)})
	select {
	case err := <-ending.closed:
		if websocket.CloseStatus(err) != 4001 || time.Now().Before(soon.Truncate(time.Second)) {
			t.Errorf("the token expired: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("a connection outlived its token")
	}

	write(first, second) // rotation: the next key first stands beside the old
	if k, in := s.login(a, object{"token": second.token(a, hour)}); in.Data["code"] != "200" {
		t.Error(in.Raw)
	} else {
		k.conn.CloseNow()
	}
	write(second)
	wait(t, "the old key is gone", 20*time.Second, func() bool { return s.refuses(first.token(a, hour)) })
	if s.refuses(second.token(a, hour)) {
		t.Error("the new key went too")
	}
	select { // who logged in by it goes with it, and nobody else
	case err := <-alice.closed:
		if websocket.CloseStatus(err) != 4001 {
			t.Errorf("the key was withdrawn: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("a connection outlived its token's key")
	}
	if err := bob.conn.Ping(t.Context()); err != nil {
		t.Errorf("who logged in by another key: %v", err)
	}
	if s.terminate() != 0 {
		t.Errorf("exit status\n%s", s.log)
	}
	for _, secretly := range []string{confused, "ES256\"", "messageContent"} {
		if strings.Contains(s.log.String(), secretly) {
			t.Errorf("%q is in the log", secretly)
		}
	}

	_, errs, status := run(t, nil, "token", "--user", a, "--token-key=", "--token-jwks", file)
	if status != 2 || !strings.Contains(errs, "no HS256 key is configured") {
		t.Errorf("lishi token without a secret: %d, %s", status, errs)
	}
	_, errs, status = run(t, nil, "serve", "--data", t.TempDir(), "--token-jwks", file+".none")
	if status != 2 || !strings.Contains(errs, "setting token-jwks") {
		t.Errorf("a file that is not there: %d, %s", status, errs)
	}
}

// A node starts while the issuer is away: what it can't do yet is named, what it
// can, it does.
func TestAnIssuerThatComesLater(t *testing.T) {
	key := newES256(t, "late")
	issuer := freeAddr(t)
	s := &server{t: t, dir: t.TempDir(), addr: freeAddr(t), args: []string{"--token-jwks", "http://" + issuer + "/keys"}}
	s.launch()
	t.Cleanup(s.kill)
	type readiness struct {
		Ready  bool
		Checks map[string]struct {
			Ready  bool
			Detail string
		}
	}
	look := func() (r readiness) {
		resp, err := http.Get("http://" + s.addr + "/readyz")
		if err != nil {
			return r
		}
		defer resp.Body.Close()
		raw, _ := io.ReadAll(resp.Body)
		if json.Unmarshal(raw, &r) != nil || r.Ready != (resp.StatusCode == http.StatusOK) {
			t.Fatalf("%d: %s", resp.StatusCode, raw)
		}
		return r
	}
	wait(t, "all but the tokens", time.Minute, func() bool {
		r := look()
		return r.Checks["log"].Ready && r.Checks["projections"].Ready && strings.Contains(r.Checks["tokens"].Detail, "can't be fetched")
	})
	if r := look(); r.Ready || r.Checks["tokens"].Ready {
		t.Errorf("ready without the issuer's keys: %+v", r)
	}
	user := ids(1)[0]
	s.register(user) // by a token of the secret
	token := key.token(user, time.Now().Add(time.Hour))
	if !s.refuses(token) {
		t.Error("a token of an unknown key logs in")
	}

	l, err := net.Listen("tcp", issuer)
	if err != nil {
		t.Fatal(err)
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(keySet(t, key)) }))
	t.Cleanup(func() { l.Close() })
	s.ready()
	if s.refuses(token) {
		t.Error("the issuer's token is still refused")
	}
	l.Close()
	if s.refuses(token) || !look().Ready {
		t.Error("the last good key does not hold")
	}
}
