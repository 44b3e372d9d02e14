package chdb_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"lishi/infra/chdb"
)

func TestAuthorised(t *testing.T) {
	h := chdb.Authorised("lishi", "pass:word", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	for name, tc := range map[string]struct {
		url     string
		headers map[string]string
		basic   []string
		want    int
	}{
		"nothing":              {"/?query=SELECT+1", nil, nil, 401},
		"ping":                 {"/ping", nil, nil, 200},
		"something like ping":  {"/ping/../?query=SELECT+1", nil, nil, 401},
		"headers":              {"/", map[string]string{"X-ClickHouse-User": "lishi", "X-ClickHouse-Key": "pass:word"}, nil, 200},
		"basic":                {"/", nil, []string{"lishi", "pass:word"}, 200},
		"url":                  {"/?user=lishi&password=pass%3Aword", nil, nil, 200},
		"wrong password":       {"/", map[string]string{"X-ClickHouse-User": "lishi", "X-ClickHouse-Key": "password"}, nil, 401},
		"wrong user":           {"/", nil, []string{"default", "pass:word"}, 401},
		"no password":          {"/?user=lishi", nil, nil, 401},
		"wrong headers win":    {"/?user=lishi&password=pass%3Aword", map[string]string{"X-ClickHouse-User": "lishi"}, nil, 401},
		"certificate instead":  {"/", map[string]string{"X-ClickHouse-User": "lishi", "X-ClickHouse-SSL-Certificate-Auth": "on"}, nil, 401},
		"password as the user": {"/?user=pass%3Aword&password=lishi", nil, nil, 401},
	} {
		r := httptest.NewRequest("POST", tc.url, nil)
		for k, v := range tc.headers {
			r.Header.Set(k, v)
		}
		if tc.basic != nil {
			r.SetBasicAuth(tc.basic[0], tc.basic[1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tc.want || w.Code == 401 && w.Header().Get("X-ClickHouse-Exception-Code") != "516" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
