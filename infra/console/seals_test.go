package console

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Where nothing is sealed the urls are there, and say so.
func TestNothingIsSealed(t *testing.T) {
	for _, r := range Seals(nil) {
		err := r.Handle(httptest.NewRecorder(), httptest.NewRequest(r.Method, r.Path, http.NoBody), Caller{})
		var e *Error
		if !errors.As(err, &e) || e.Reason != Unavailable {
			t.Errorf("%s: %v", r.Path, err)
		}
	}
}
