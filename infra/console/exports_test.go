package console

import (
	"errors"
	"net/http/httptest"
	"testing"
)

// A server that has nothing to sign packages with says so, on every url.
func TestExportsWithoutAKey(t *testing.T) {
	routes := Exports(nil, "UTC")
	if len(routes) < 5 {
		t.Fatalf("%d routes", len(routes))
	}
	for _, r := range routes {
		err := r.Handle(httptest.NewRecorder(), httptest.NewRequest(r.Method, "/", nil), Caller{})
		var refused *Error
		if !errors.As(err, &refused) || refused.Reason != Unavailable {
			t.Errorf("%s %s: %v", r.Method, r.Path, err)
		}
	}
}
