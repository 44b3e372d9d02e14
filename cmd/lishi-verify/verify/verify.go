// Package verify tells whether an audit package of lishi is whole and says what
// the log says. It needs neither log nor server, and nothing but Go's standard
// library, so that others can read all of it. docs/audit.md has the format.
package verify

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Format is the first line of what is signed, and stands in the manifest.
const Format = "lishi package v1"

// ProofFormat is the first line of a proof.
const ProofFormat = "lishi package proof v1"

// Manifest says what is in a package.
type Manifest struct {
	Format     string           `json:"format"`
	Log        string           `json:"log"`
	Program    string           `json:"program"`
	AskedBy    string           `json:"askedBy"`
	Reason     string           `json:"reason"`
	Query      json.RawMessage  `json:"query"`
	Until      string           `json:"until"`
	Partitions []Partition      `json:"partitions"`
	Events     map[string]int64 `json:"events"` // of events.jsonl by type
	Void       int64            `json:"void"`   // of these, how many do not count
	Rows       map[string]int64 `json:"rows"`   // of the tables, without the header
	Key        string           `json:"key"`
	Files      []File           `json:"files"`
}

// Partition is what was searched of one partition, and what was found in it.
type Partition struct {
	Partition  string `json:"partition"`
	First      int64  `json:"first"` // offsets of the range searched
	Last       int64  `json:"last"`
	Size       int64  `json:"size"` // of the checkpoint's tree
	Root       string `json:"root"`
	Foreign    int64  `json:"foreign"`  // records in the range that are not lishi's
	Selected   int64  `json:"selected"` // events of it that are in the package
	FirstFound int64  `json:"firstSelected"`
	LastFound  int64  `json:"lastSelected"`
}

// File is one file of the package.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Broken is a verified negative finding. Code is one word for the kind of it:
//
//	signature   the key has not signed the manifest
//	manifest    the manifest is not one
//	missing     a file is not there
//	extra       a file is there that the manifest does not name
//	altered     a file has other bytes
//	checkpoint  a checkpoint is not the key's, or not the manifest's
//	event       a line of events.jsonl is not its record's
//	proof       a record is not at its offset under the checkpoint
//	chain       a relation event of a whole stream does not follow the one before
//	counts      the manifest counts other than there are
//	message     a table does not say what the records say
type Broken struct{ Code, Where, What string }

func (b *Broken) Error() string { return b.Where + ": " + b.What }

func broken(code, where, format string, args ...any) error {
	return &Broken{code, where, fmt.Sprintf(format, args...)}
}

// Options are what the verifier knows from elsewhere.
type Options struct {
	// Keys are trusted to sign for the log: the present one, and those before it.
	// Without any the package's own is taken, and whether it is the log's is for
	// the caller to find out.
	Keys []ed25519.PublicKey
	// Checkpoints were kept elsewhere. Those of the same tree and size must be the
	// package's.
	Checkpoints [][]byte
	// Progress is told now and then how much was done of what.
	Progress func(phase string, done, total int64)
}

// Result is what holds of a package.
type Result struct {
	Manifest
	Compared int   // how many of the kept checkpoints are the package's own
	Chained  int64 // relation events of whole streams, each of which follows the one before
}

// Package verifies one.
func Package(f *Files, o Options) (Result, error) {
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	v := verifier{files: f, o: o}
	for _, step := range []func() error{v.manifest, v.hashes, v.checkpoints, v.events, v.tables} {
		if err := step(); err != nil {
			return Result{Manifest: v.m}, err
		}
	}
	return Result{v.m, v.compared, v.chained}, nil
}

type verifier struct {
	files    *Files
	o        Options
	m        Manifest
	key      ed25519.PublicKey
	compared int
	chained  int64
}

// What a package can make its reader hold in memory, in bytes: a package of some
// megabytes may unpack to terabytes.
const (
	maxManifest = 128 << 20
	maxNote     = 64 << 10
	maxLine     = 64 << 20 // of events.jsonl, and a row of a table,
	maxFields   = 1000     // with so many fields
)

// small reads a file that is small in every package.
func (v *verifier) small(name string, most int64) ([]byte, error) {
	open := v.files.open[name]
	if open == nil {
		return nil, broken("missing", name, "it is not there")
	}
	r, err := open()
	if err != nil {
		return nil, broken("altered", name, "%v", err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, broken("altered", name, "%v", err)
	}
	if int64(len(b)) > most {
		return nil, broken("manifest", name, "it has more than %d bytes", most)
	}
	return b, nil
}

func (v *verifier) manifest() error {
	if v.files.twice != "" {
		return broken("extra", v.files.twice, "it stands there twice")
	}
	raw, err := v.small("manifest.json", maxManifest)
	if err != nil {
		return err
	}
	sig, err := v.small("manifest.sig", maxNote)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &v.m); err != nil {
		return broken("manifest", "manifest.json", "%v", err)
	}
	// It has one form, so that nobody can read another manifest out of it: no
	// name twice, in other letters, or unknown.
	again, err := json.MarshalIndent(v.m, "", "  ")
	if err != nil || string(again)+"\n" != string(raw) || len(v.m.Partitions) == 0 || v.m.Events == nil || v.m.Rows == nil {
		return broken("manifest", "manifest.json", "it would be written otherwise")
	}
	key, err := base64.RawURLEncoding.Strict().DecodeString(v.m.Key)
	if err != nil || len(key) != ed25519.PublicKeySize || v.m.Format != Format {
		return broken("manifest", "manifest.json", "it is not a manifest of %s", Format)
	}
	if v.key = key; len(v.o.Keys) == 0 {
		v.o.Keys = []ed25519.PublicKey{key}
	}
	if !slices.ContainsFunc(v.o.Keys, func(k ed25519.PublicKey) bool { return k.Equal(v.key) }) {
		return broken("signature", "manifest.sig", "it is signed with the key %s, which is not trusted", v.m.Key)
	}
	text, err := openNote(sig, "lishi.package/"+v.m.Log, v.key)
	if err != nil {
		return broken("signature", "manifest.sig", "%v", err)
	}
	sum := sha256.Sum256(raw)
	if text != Format+"\n"+v.m.Log+"\n"+base64.StdEncoding.EncodeToString(sum[:])+"\n" {
		return broken("signature", "manifest.sig", "it was signed for another manifest")
	}
	return nil
}

// hashes compares every file with the manifest.
func (v *verifier) hashes() error {
	listed := map[string]bool{"manifest.json": true, "manifest.sig": true}
	total, done := int64(0), int64(0)
	for _, f := range v.m.Files {
		if f.Name == "" || listed[f.Name] || path.Clean("/"+f.Name) != "/"+f.Name {
			return broken("manifest", "manifest.json", "it can't list %q", f.Name)
		}
		listed[f.Name] = true
		total += f.Size
	}
	for _, name := range []string{"events.jsonl", "messages.csv", "membership.csv", "access.csv"} {
		if !listed[name] {
			return broken("missing", name, "the manifest does not list it")
		}
	}
	for _, f := range v.m.Files {
		open := v.files.open[f.Name]
		if open == nil {
			return broken("missing", f.Name, "it is not there")
		}
		h := sha256.New()
		r, err := open()
		if err != nil {
			return broken("altered", f.Name, "%v", err)
		}
		n, err := io.Copy(h, &counting{r, func(n int) {
			done += int64(n)
			v.o.Progress("hashing", done, total)
		}})
		r.Close()
		if err != nil || n != f.Size || hex.EncodeToString(h.Sum(nil)) != f.SHA256 {
			return broken("altered", f.Name, "it has other bytes than the manifest says")
		}
	}
	for _, name := range slices.Sorted(mapKeys(v.files.open)) {
		if !listed[name] {
			return broken("extra", name, "the manifest does not list it")
		}
	}
	return nil
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

type counting struct {
	io.Reader
	read func(int)
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.read(n)
	return n, err
}

// checkpoints compares the signed heads with the manifest, and with those that
// were kept elsewhere.
func (v *verifier) checkpoints() error {
	heads, named, last := map[string]string{}, map[string]bool{}, []string{}
	for _, p := range v.m.Partitions {
		name := "checkpoints/" + p.Partition + ".checkpoint"
		note, err := v.small(name, maxNote)
		if err != nil {
			return err
		}
		origin := "lishi.log/" + v.m.Log + "/" + p.Partition
		text, err := openNote(note, origin, v.key)
		if err != nil {
			return broken("checkpoint", name, "%v", err)
		}
		if text != origin+"\n"+strconv.FormatInt(p.Size, 10)+"\n"+p.Root+"\n" || p.First != 0 || p.Last != p.Size-1 || p.Size < 1 {
			return broken("checkpoint", name, "it is not the manifest's")
		}
		if named[p.Partition] {
			return broken("manifest", "manifest.json", "it names %s twice", p.Partition)
		}
		named[p.Partition] = true
		heads[origin+"\n"+strconv.FormatInt(p.Size, 10)] = p.Root
		last = append(last, p.Partition+"-"+strconv.FormatInt(p.Last, 10))
	}
	if until := strings.Split(v.m.Until, ","); !slices.Equal(slices.Sorted(slices.Values(until)), slices.Sorted(slices.Values(last))) {
		return broken("manifest", "manifest.json", "until is not the last of each partition")
	}
	for _, kept := range v.o.Checkpoints {
		origin, _, _ := strings.Cut(string(kept), "\n")
		text, err := "", error(nil)
		for _, key := range v.o.Keys {
			if text, err = openNote(kept, origin, key); err == nil {
				break
			}
		}
		if err != nil {
			return broken("checkpoint", "the kept checkpoint of "+origin, "%v", err)
		}
		lines := strings.Split(text, "\n")
		if len(lines) != 4 {
			return broken("checkpoint", "the kept checkpoint of "+origin, "it is not one")
		}
		root, ok := heads[lines[0]+"\n"+lines[1]]
		if ok && root != lines[2] {
			return broken("checkpoint", "the kept checkpoint of "+origin, "it has another root: the log was forked")
		}
		if ok {
			v.compared++
		}
	}
	return nil
}

// open opens a file whose bytes are the manifest's.
func (v *verifier) open(name string) (io.ReadCloser, error) {
	open := v.files.open[name]
	if open == nil {
		return nil, broken("missing", name, "it is not there")
	}
	r, err := open()
	if err != nil {
		return nil, broken("altered", name, "%v", err)
	}
	return r, nil
}

// tables counts the rows of those that are not held against records.
func (v *verifier) tables() error {
	for _, name := range []string{"membership.csv", "access.csv"} {
		f, err := v.open(name)
		if err != nil {
			return err
		}
		rows, n, width := NewRows(f), int64(-1), 0
		for ; ; n++ {
			row, err := rows.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil && n >= 0 && len(row) != width {
				err = errCSV
			}
			if err != nil {
				f.Close()
				return broken("message", name, "row %d: %v", n+1, err)
			}
			width = len(row)
		}
		f.Close()
		if n != v.m.Rows[name] {
			return broken("counts", name, "it has %d rows, the manifest says %d", n, v.m.Rows[name])
		}
	}
	return nil
}

// lines hands on the lines of a file, each with an end.
func lines(r io.Reader, each func(line []byte) error) error {
	in := bufio.NewReaderSize(r, 1<<16)
	var long []byte
	for {
		line, err := in.ReadSlice('\n')
		long = append(long, line...)
		switch {
		case len(long) > maxLine:
			return fmt.Errorf("it has a line of more than %d bytes", maxLine)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(long) == 0:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("its last line is cut")
		case err != nil:
			return err
		}
		if err := each(bytes.TrimSuffix(long, []byte{'\n'})); err != nil {
			return err
		}
		long = long[:0]
	}
}
