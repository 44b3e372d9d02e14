// Package web carries the page: built files of web/dist, committed so that
// building lishi needs neither Node.js nor a network.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var files embed.FS

// Dist holds the built page with index.html at its root. Names under assets/
// contain a hash of the content, so those may be cached for ever; everything
// else should be revalidated. It is safe for concurrent use.
var Dist fs.FS = built()

func built() fs.FS {
	dist, err := fs.Sub(files, "dist")
	if err != nil { // only an invalid path, which would not have compiled into files
		panic(err)
	}
	return dist
}
