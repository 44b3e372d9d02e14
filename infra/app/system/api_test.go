package system

import (
	"io"
	"net/http"
	"testing"

	"lishi/docs/api"
)

// A running server gives the descriptions of its protocol, and only once to who
// keeps them.
func TestServesItsDescriptions(t *testing.T) {
	s := serve(t, t.TempDir())
	for path, want := range map[string][]byte{"/api/openapi.yaml": api.OpenAPI, "/api/asyncapi.yaml": api.AsyncAPI} {
		get := func(tag string) (*http.Response, string) {
			t.Helper()
			req, err := http.NewRequest("GET", "http://"+s.addr+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if tag != "" {
				req.Header.Set("If-None-Match", tag)
			}
			resp, err := httpClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return resp, string(b)
		}
		resp, body := get("")
		tag := resp.Header.Get("ETag")
		if resp.StatusCode != 200 || body != string(want) || resp.Header.Get("Content-Type") != "application/yaml" || resp.Header.Get("Cache-Control") != "no-cache" || tag == "" {
			t.Errorf("%s: %d %v, %d bytes", path, resp.StatusCode, resp.Header, len(body))
		}
		if resp, body := get(tag); resp.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("%s again: %d, %d bytes", path, resp.StatusCode, len(body))
		}
		if resp, _ := get(`"another"`); resp.StatusCode != 200 {
			t.Errorf("%s with another tag: %d", path, resp.StatusCode)
		}
	}
}
