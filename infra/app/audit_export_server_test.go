package app

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"lishi/infra/console"
	"lishi/infra/exports"
)

// Who waits for an export of a server that goes away waits until it is back: the
// server goes on with it.
func TestAnExportOutlivesItsServer(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		switch asked {
		case 1:
			console.JSON(w, exports.Job{ID: "x", State: exports.Running})
		case 2, 3:
			panic(http.ErrAbortHandler)
		case 4:
			console.JSON(w, exports.Job{ID: "x", State: exports.Waiting})
		default:
			console.JSON(w, exports.Job{ID: "x", State: exports.Done})
		}
	}))
	defer server.Close()
	var errs bytes.Buffer
	job := exports.Job{ID: "x", State: exports.Waiting}
	err := (&program{err: &errs}).awaitExport(t.Context(), &console.Client{Base: server.URL}, &job)
	if err != nil || job.State != exports.Done || asked != 5 || strings.Count(errs.String(), "is away") != 1 || !strings.Contains(errs.String(), "is back") {
		t.Errorf("asked %d times: %+v, %v\n%s", asked, job, err, errs.String())
	}
}
