package app

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"lishi/cmd/lishi-verify/verify"
	"lishi/infra/console"
	"lishi/infra/exports"
)

// exportOfServer has a running server make the package, fetches it and verifies
// it here.
func (p *program) exportOfServer(ctx context.Context, client *console.Client, r exports.Request, into string) error {
	fmt.Fprintf(p.err, "from the server at %s\n", client.Base)
	dir, archive := exports.Archived(into)
	for _, path := range []string{dir, into} {
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("%s: %w", path, exports.ErrExists)
		}
	}
	q := r.Query
	body := map[string]any{
		"users": q.Users, "participants": q.Participants, "conversations": q.Conversations, "text": q.Text, "all": q.All,
		"formats": q.Formats, "until": r.Until.String(), "reason": r.Reason,
	}
	for name, t := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !t.IsZero() {
			body[name] = t.Format(time.RFC3339Nano)
		}
	}
	var job exports.Job
	begun := time.Now()
	if err := client.Post(ctx, "/api/audit/exports", body, &job); err != nil {
		return err
	}
	if asked, err := time.Parse(time.RFC3339Nano, job.Asked); err == nil && begun.Sub(asked) > time.Second {
		fmt.Fprintf(p.err, "the server was asked for that at %s: waiting for export %s\n", job.Asked, job.ID)
	}
	if err := p.awaitExport(ctx, client, &job); err != nil {
		return err
	}
	packed := into + ".fetched"
	if err := fetchExport(ctx, client, job.ID, packed); err != nil {
		return err
	}
	f, err := verify.Open(packed)
	if err != nil {
		return err
	}
	result, err := verify.Package(f, verify.Options{})
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("the package that was fetched does not hold: %w", err)
	}
	if archive && filepath.Ext(into) == ".zip" {
		err = os.Rename(packed, into)
	} else {
		if err = unpack(packed, dir); err == nil && archive {
			err = exports.Pack(ctx, dir, into)
		}
		err = errors.Join(err, os.Remove(packed))
	}
	if err != nil {
		return err
	}
	return p.exported(into, result.Manifest)
}

// awaitExport shows how far the server is. When it goes away it is asked until it
// is back, since it goes on with what it began.
func (p *program) awaitExport(ctx context.Context, client *console.Client, job *exports.Job) error {
	show, finish := p.progress("")
	defer finish()
	away := false
	for job.State != exports.Done {
		if job.State == exports.Failed {
			return fmt.Errorf("the server could not make it: %s", job.Problem)
		}
		if job.Total > 0 {
			show(job.Phase, job.Count, job.Total)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%w; the server goes on with export %s, and keeps it for its console", ctx.Err(), job.ID)
		}
		err := client.Get(ctx, "/api/audit/exports/"+job.ID, nil, job)
		var refused *console.Error
		switch {
		case err == nil && away:
			away = false
			fmt.Fprintln(p.err, "the server is back")
		case err == nil || ctx.Err() != nil:
		case errors.As(err, &refused) && refused.Reason != console.Unavailable:
			return err
		case !away:
			away = true
			fmt.Fprintf(p.err, "the server at %s is away; it goes on with export %s when it is back\n", client.Base, job.ID)
		}
	}
	return nil
}

func fetchExport(ctx context.Context, client *console.Client, id, path string) error {
	in, err := client.Do(ctx, "GET", "/api/audit/exports/"+id+"/download", nil, nil)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// unpack writes the files of a package that was verified, which names no others.
func unpack(path, dir string) error {
	z, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, entry := range z.File {
		if !filepath.IsLocal(entry.Name) {
			return fmt.Errorf("%s: a file %q", path, entry.Name)
		}
		to := filepath.Join(dir, filepath.FromSlash(entry.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		in, err := entry.Open()
		if err != nil {
			return err
		}
		out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			in.Close()
			return err
		}
		_, err = io.Copy(out, in)
		if err = errors.Join(err, in.Close(), out.Close()); err != nil {
			return err
		}
	}
	return nil
}
