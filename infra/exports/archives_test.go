package exports

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lishi/cmd/lishi-verify/verify"
)

// A package that somebody else's tar packed is the package, to Go and to the
// page; one that is cut is none, to both.
func TestOtherPeoplesArchives(t *testing.T) {
	f := forgery(contents(t, chat(t).export(t, Query{Text: "secret plan 3"})))
	f["eml/"+strings.Repeat("长", 60)+".eml"] = "of a long name"
	f.resign(t, testKey(7), nil)
	dir := t.TempDir()
	var paths []string
	write := func(name string, b []byte) {
		path := filepath.Join(dir, name+".tar")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	archive := func(format tar.Format, before string, headers ...tar.Header) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		put := func(h tar.Header, content string) {
			if h.Format = format; h.Typeflag == tar.TypeXGlobalHeader {
				h.Format = tar.FormatPAX
			}
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(w, content)
		}
		for _, h := range headers {
			put(h, "")
		}
		for _, name := range slices.Sorted(maps.Keys(f)) {
			h := tar.Header{Typeflag: tar.TypeReg, Name: before + name, Size: int64(len(f[name])), Mode: 0o644}
			if format == tar.FormatPAX {
				h.ModTime, h.PAXRecords = time.Unix(1, 5), map[string]string{"LISHI.note": "two\nlines"}
			}
			put(h, f[name])
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	write("pax", archive(tar.FormatPAX, ""))
	write("gnu", archive(tar.FormatGNU, ""))
	write("of a directory", archive(tar.FormatGNU, "./", tar.Header{Typeflag: tar.TypeDir, Name: "./"}, tar.Header{Typeflag: tar.TypeDir, Name: "./eml/"}))
	write("global", archive(tar.FormatPAX, "", tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "x"}}))
	whole := len(paths)
	write("twice", archive(tar.FormatGNU, "", tar.Header{Typeflag: tar.TypeReg, Name: "events.jsonl"}))
	b := archive(tar.FormatPAX, "")
	write("cut", b[:len(b)/2])
	key := testKey(7).Public()
	for i, in := range pageCodes(t, base64.RawURLEncoding.EncodeToString(key), paths...) {
		f, err := verify.Open(paths[i])
		if err == nil {
			_, err = verify.Package(f, verify.Options{})
			f.Close()
		}
		if holds := i < whole; holds != (err == nil) || holds != (in == "") {
			t.Errorf("%s: %v in Go, %q in the page", paths[i], err, in)
		}
	}
}
