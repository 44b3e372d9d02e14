package exports

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lishi/cmd/lishi-verify/verify"
	"lishi/events"
	"lishi/events/merkle"
)

// Source is the log that is exported from.
type Source struct {
	Log    Log
	LogID  string
	Layout events.Layout
	Ends   events.Cursor // the last offset of each partition
}

// Partitions are those that a package looks at: of the chat, and of the looks, if
// the log has them.
func (s Source) Partitions() []events.Partition {
	all := s.Layout.Partitions()
	if looks := (events.Partition{Topic: events.Audit}); has(s.Ends, looks) {
		all = append(all, looks)
	}
	return all
}

func has(c events.Cursor, p events.Partition) bool {
	_, ok := c[p]
	return ok
}

// Request is what is written into a package of why it was made.
type Request struct {
	Query   Query         `json:"query"`
	AskedBy string        `json:"askedBy"`
	Reason  string        `json:"reason"`
	Until   events.Cursor `json:"-"` // the last positions looked at; without it, those at the beginning
	// untilOpen: nobody said where it ends, so one that was begun keeps its own end.
	untilOpen bool
}

// text is the request in one form.
func (r Request) text() string {
	b, _ := r.MarshalJSON()
	return string(b)
}

type plainRequest Request

// MarshalJSON writes the cursor as positions.
func (r Request) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		plainRequest
		Until string `json:"until"`
	}{plainRequest(r), r.Until.String()})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Request) UnmarshalJSON(b []byte) error {
	var in struct {
		plainRequest
		Until string `json:"until"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*r = Request(in.plainRequest)
	var err error
	r.Until, err = events.ParseCursor(in.Until)
	return err
}

// Options are the same for all exports of a program.
type Options struct {
	Key     merkle.Key
	Program string // name and version
	Page    []byte // index.html; Page() if it is nil
	// Progress is told now and then what is done. It may be nil.
	Progress func(phase string, done, total int64)
}

// Export writes a package to a directory that is not there or empty, or goes on
// with the one that the same request has begun there. The same request up to the
// same positions makes the same bytes. *QueryError: it can't be asked for.
func Export(ctx context.Context, from Source, r Request, dir string, o Options) (verify.Manifest, error) {
	var err error
	if r, err = r.check(from); err != nil {
		return verify.Manifest{}, err
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	out, err := openOutput(dir, state{
		Request: r, Log: from.LogID, Program: o.Program,
		Events: map[string]int64{}, Rows: map[string]int64{"messages.csv": 0, "membership.csv": 0, "access.csv": 0}, Sizes: map[string]int64{},
	})
	if err != nil {
		return verify.Manifest{}, err
	}
	defer out.close()
	e := export{from, out.state.Request, o, out, verify.Manifest{}}
	if err := e.partitions(ctx); err != nil {
		return verify.Manifest{}, err
	}
	for _, step := range []func(context.Context) error{e.formats, e.finish, e.check} {
		if err := step(ctx); err != nil {
			return verify.Manifest{}, err
		}
	}
	return e.written, nil
}

// check is the request in full.
func (r Request) check(from Source) (Request, error) {
	var err error
	if r.Query, err = r.Query.Normal(); err != nil {
		return r, err
	}
	if err := CheckReason(r.Reason, r.AskedBy); err != nil {
		return r, err
	}
	r.untilOpen = len(r.Until) == 0
	all := from.Partitions()
	if r.untilOpen {
		r.Until = events.Cursor{}
		for _, p := range all {
			r.Until[p] = from.Ends[p]
		}
	}
	for p := range r.Until {
		if !slices.Contains(all, p) {
			return r, badQuery("the log has no partition %s", p)
		}
	}
	for _, p := range all {
		last, ok := r.Until[p]
		if !ok {
			return r, badQuery("until must name the last position of every partition; it lacks %s", p)
		}
		if last > from.Ends[p] {
			return r, badQuery("%s is not in the log: the last of %s is %d", events.Position{Partition: p, Offset: last}, p, from.Ends[p])
		}
	}
	return r, nil
}

type export struct {
	Source
	request Request
	o       Options
	out     *output
	written verify.Manifest
}

// partitions writes what is asked for of each.
func (e *export) partitions(ctx context.Context) error {
	for _, p := range e.Partitions()[len(e.out.state.Done):] {
		size := e.request.Until[p] + 1
		scan, show := scanPartition, func(done int64) { e.o.Progress("reading "+p.String(), done, size) }
		if p.Topic == events.Audit {
			scan = e.looks
		}
		s, err := scan(ctx, e.Log, e.LogID, p, size, e.request.Query, show)
		if err != nil {
			return err
		}
		signed, err := merkle.Sign(s.head, e.o.Key)
		if err != nil {
			return err
		}
		if err := e.out.whole("checkpoints/"+p.String()+".checkpoint", signed); err != nil {
			return err
		}
		if s.count > 0 {
			if err := e.write(ctx, s); err != nil {
				return err
			}
		}
		e.out.state.Done = append(e.out.state.Done, verify.Partition{
			Partition: p.String(), First: 0, Last: size - 1, Size: size, Root: base64.StdEncoding.EncodeToString(s.head.Root[:]),
			Foreign: s.foreign, Selected: s.count, FirstFound: s.first, LastFound: s.last,
		})
		e.out.state.Next = 0
		if err := e.out.save(); err != nil {
			return err
		}
	}
	return nil
}

func (e *export) write(ctx context.Context, s *scan) error {
	name := "proofs/" + s.partition.String() + ".proof"
	proof, err := e.out.open(name)
	if err != nil {
		return err
	}
	if proof.size == 0 {
		if err := proof.write([]byte(verify.ProofFormat + "\n")); err != nil {
			return err
		}
	}
	w := writer{scan: s, to: e.out, proof: proof}
	err = w.write(ctx, e.Log, e.out.state.Next, func(next int64) error {
		e.o.Progress("writing "+s.partition.String(), next, s.size)
		e.out.state.Next = next
		return e.out.save()
	})
	if err == nil {
		err = s.memberships(e.out.membership.row)
	}
	if err != nil {
		return err
	}
	e.out.state.Sizes[name] = proof.size
	return e.out.end(proof)
}

// formats writes what archives take.
func (e *export) formats(ctx context.Context) error {
	for _, f := range []*file{e.out.events, e.out.messages, e.out.membership, e.out.access} {
		if err := e.out.end(f); err != nil {
			return err
		}
	}
	return archiveFormats(ctx, e.out.dir, e.LogID, e.request.Query, func(phase string, done int64) {
		e.o.Progress(phase, done, e.out.state.Rows["messages.csv"])
	})
}

// manifest is the package's.
func (e *export) manifest() (m verify.Manifest, err error) {
	query, err := json.Marshal(e.request.Query)
	if err != nil {
		return m, err
	}
	s := e.out.state
	return verify.Manifest{
		Format: verify.Format, Log: e.LogID, Program: e.o.Program, AskedBy: e.request.AskedBy, Reason: e.request.Reason, Query: query,
		Until: e.request.Until.String(), Partitions: s.Done, Events: s.Events, Void: s.Void, Rows: s.Rows,
		Key: base64.RawURLEncoding.EncodeToString(e.o.Key.Public()),
	}, nil
}

// finish writes the page, the manifest with every file's hash, and its signature.
func (e *export) finish(ctx context.Context) error {
	page := e.o.Page
	if page == nil {
		page = Page()
	}
	if err := e.out.whole("index.html", page); err != nil {
		return err
	}
	m, err := e.manifest()
	if err != nil {
		return err
	}
	if m.Files, err = hashes(ctx, e.out.dir, e.o.Progress); err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	e.written = m
	sum := sha256.Sum256(text)
	signed, err := merkle.SignText("lishi.package/"+e.LogID, verify.Format+"\n"+e.LogID+"\n"+base64.StdEncoding.EncodeToString(sum[:])+"\n", e.o.Key)
	if err != nil {
		return err
	}
	return errors.Join(e.out.whole("manifest.json", text), e.out.whole("manifest.sig", signed))
}

// hashes lists the files of a directory with their hashes, by name.
func hashes(ctx context.Context, dir string, progress func(string, int64, int64)) (files []verify.File, err error) {
	total, done := int64(0), int64(0)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == "manifest.json" || name == "manifest.sig" {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		total += info.Size()
		files = append(files, verify.File{Name: filepath.ToSlash(name), Size: info.Size()})
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b verify.File) int { return strings.Compare(a.Name, b.Name) })
	for i := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f, err := os.Open(filepath.Join(dir, filepath.FromSlash(files[i].Name)))
		if err != nil {
			return nil, err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		files[i].SHA256 = hex.EncodeToString(h.Sum(nil))
		done += files[i].Size
		progress("hashing", done, total)
	}
	return files, nil
}

// check verifies the package as whoever gets it will; only then it is finished.
func (e *export) check(context.Context) error {
	f, err := verify.Open(e.out.dir)
	if err == nil {
		_, err = verify.Package(f, verify.Options{Keys: []ed25519.PublicKey{e.o.Key.Public()}, Progress: e.o.Progress})
	}
	if err != nil {
		return fmt.Errorf("the package does not hold: %w", err)
	}
	return os.Remove(e.out.marker())
}
