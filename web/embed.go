// Package web carries the pages: built files of web/dist and web/console/dist,
// committed so that building lishi needs neither Node.js nor a network.
package web

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"
)

//go:embed all:dist all:console/dist
var files embed.FS

// Dist holds the built page with index.html at its root, Console the console's.
// Names under assets/ contain a hash of the content, so those may be cached for
// ever; everything else should be revalidated. They are safe for concurrent use.
var (
	Dist    fs.FS = built("dist")
	Console fs.FS = built("console/dist")
)

func built(dir string) fs.FS {
	dist, err := fs.Sub(files, dir)
	if err != nil { // only an invalid path, which would not have compiled into files
		panic(err)
	}
	return dist
}

// Serve serves built files. Those under assets/ may be kept for ever; everything
// else is asked for each time.
func Serve(dist fs.FS) http.Handler {
	files := http.FileServerFS(dist)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'")
		if strings.HasPrefix(r.URL.Path, "/assets/") {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			h.Set("Cache-Control", "no-cache")
		}
		files.ServeHTTP(w, r)
	})
}
