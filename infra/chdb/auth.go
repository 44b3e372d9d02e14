package chdb

import (
	"crypto/sha256"
	"crypto/subtle"
	"io"
	"net/http"
)

// Authorised lets only the user with the password on, shown as ClickHouse's HTTP
// interface takes them: X-ClickHouse-User and X-ClickHouse-Key, HTTP Basic, or
// user and password in the URL. /ping is open to all, as ClickHouse's is.
//
// Source: https://clickhouse.com/docs/interfaces/http.
func Authorised(user, password string, next http.Handler) http.Handler {
	want := credentials(user, password)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown := shownBy(r)
		if r.URL.Path == "/ping" || subtle.ConstantTimeCompare(shown[:], want[:]) == 1 {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("X-ClickHouse-Exception-Code", "516")
		w.Header().Set("WWW-Authenticate", `Basic realm="ClickHouse"`)
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, "Code: 516. DB::Exception: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)\n")
	})
}

// credentials are compared by their hashes, which are of one length.
func credentials(user, password string) [2 * sha256.Size]byte {
	u, p := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
	return [2 * sha256.Size]byte(append(u[:], p[:]...))
}

func shownBy(r *http.Request) [2 * sha256.Size]byte {
	if user := r.Header.Get("X-ClickHouse-User"); user != "" {
		return credentials(user, r.Header.Get("X-ClickHouse-Key"))
	}
	if user, password, ok := r.BasicAuth(); ok {
		return credentials(user, password)
	}
	q := r.URL.Query()
	return credentials(q.Get("user"), q.Get("password"))
}
