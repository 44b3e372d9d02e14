package chdb_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"lishi/infra/chdb"
)

// fetcher is scripts/fetch-engine in a checkout of its own, with a pin file, an
// npm and a cache folder that the test decides on.
type fetcher struct {
	t                      *testing.T
	root, bin, cache       string
	platform, tarball, sum string
	env                    []string
}

const libraryText = "this would be the engine"

func newFetcher(t *testing.T) *fetcher {
	t.Helper()
	dir := t.TempDir()
	f := &fetcher{
		t: t, root: filepath.Join(dir, "checkout"), bin: filepath.Join(dir, "bin"), cache: filepath.Join(dir, "cache"),
		platform: runtime.GOOS + "-" + strings.Replace(runtime.GOARCH, "amd64", "x64", 1),
		tarball:  filepath.Join(dir, "engine.tgz"),
	}
	for _, d := range []string{f.root + "/scripts", f.root + "/infra/chdb", f.bin} {
		f.must(os.MkdirAll(d, 0o755))
	}
	script, err := os.ReadFile("../../scripts/fetch-engine")
	f.must(err)
	f.must(os.WriteFile(f.root+"/scripts/fetch-engine", script, 0o755))

	// Only what the script may use, and no npm.
	for _, tool := range []string{"bash", "env", "dirname", "uname", "awk", "ls", "df", "find", "mktemp", "rm", "mkdir", "tar", "gzip", "chmod", "sync", "mv", "cp", "sed", "cat"} {
		path, err := exec.LookPath(tool)
		f.must(err)
		f.must(os.Symlink(path, filepath.Join(f.bin, tool)))
	}
	var archive bytes.Buffer
	zip := gzip.NewWriter(&archive)
	pack := tar.NewWriter(zip)
	f.must(pack.WriteHeader(&tar.Header{Name: "package/libchdb.so", Mode: 0o755, Size: int64(len(libraryText))}))
	_, err = pack.Write([]byte(libraryText))
	f.must(err)
	f.must(pack.Close())
	f.must(zip.Close())
	f.must(os.WriteFile(f.tarball, archive.Bytes(), 0o600))
	sum := sha512.Sum512(archive.Bytes())
	f.sum = "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	f.pin(f.sum)
	return f
}

func (f *fetcher) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fetcher) pin(sum string) {
	f.t.Helper()
	f.must(os.WriteFile(f.root+"/infra/chdb/engine.pin", fmt.Appendf(nil, "version 1.2.3\n%s  @chdb/lib-test  %s\n", f.platform, sum), 0o600))
}

// npm puts one onto the PATH: a shell script that hands over the tarball, or
// does what the test says instead.
func (f *fetcher) npm(does string) {
	f.t.Helper()
	node, err := exec.LookPath("node")
	f.must(err)
	f.must(os.Symlink(node, filepath.Join(f.bin, "node")))
	f.must(os.WriteFile(filepath.Join(f.bin, "npm"), []byte("#!/usr/bin/env bash\necho \"$*\" >>"+f.root+"/calls\n"+does+"\n"), 0o755))
}

func (f *fetcher) gives() string { return "cp " + f.tarball + " ./engine.tgz" }

func (f *fetcher) run(arguments ...string) (out, errs string, status int) {
	command := exec.Command(f.root+"/scripts/fetch-engine", arguments...)
	command.Env = append([]string{"PATH=" + f.bin, "XDG_CACHE_HOME=" + f.cache, "HOME=" + f.cache}, f.env...)
	var o, e bytes.Buffer
	command.Stdout, command.Stderr = &o, &e
	command.Run()
	return o.String(), e.String(), command.ProcessState.ExitCode()
}

func (f *fetcher) calls() int {
	text, _ := os.ReadFile(f.root + "/calls")
	return bytes.Count(text, []byte("\n"))
}

func (f *fetcher) folder() string {
	if runtime.GOOS == "darwin" {
		return f.cache + "/Library/Caches/lishi/engine"
	}
	return f.cache + "/lishi/engine"
}

func (f *fetcher) library() string { return f.folder() + "/1.2.3-" + f.platform + "/libchdb.so" }

// left is what lies in the cache folder.
func (f *fetcher) left() int {
	entries, _ := os.ReadDir(f.folder())
	return len(entries)
}

func TestFetchOnceAUser(t *testing.T) {
	f := newFetcher(t)
	f.npm(f.gives())
	for range 2 {
		out, errs, status := f.run()
		if out != f.library()+"\n" || status != 0 {
			t.Fatalf("stdout %q, status %d, stderr:\n%s", out, status, errs)
		}
	}
	if got, _ := os.ReadFile(f.library()); string(got) != libraryText || f.left() != 1 {
		t.Errorf("%q and %d entries in the cache folder", got, f.left())
	}
	if f.calls() != 1 {
		t.Errorf("npm was called %d times for one engine", f.calls())
	}
	if other := newFetcher(t); true { // a second checkout of the same user
		other.env = []string{"XDG_CACHE_HOME=" + f.cache, "HOME=" + f.cache}
		if out, errs, _ := other.run(); out != f.library()+"\n" {
			t.Errorf("a second checkout fetches again: %q, %s", out, errs)
		}
	}
}

func TestFetchTwoAtOnce(t *testing.T) {
	f := newFetcher(t)
	f.npm(f.gives())
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if out, errs, status := f.run(); out != f.library()+"\n" || status != 0 {
				t.Errorf("stdout %q, status %d, stderr:\n%s", out, status, errs)
			}
		})
	}
	all.Wait()
	if got, _ := os.ReadFile(f.library()); string(got) != libraryText || f.left() != 1 {
		t.Errorf("%q and %d entries in the cache folder", got, f.left())
	}
}

func TestFetchRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(f *fetcher)
		says    []string
	}{
		"no npm":         {func(f *fetcher) {}, []string{"npm is missing", "nstall", "LISHI_CHDB"}},
		"npm fails":      {func(f *fetcher) { f.npm("echo no network >&2; exit 1") }, []string{"no network", "@chdb/lib-test@1.2.3", "LISHI_CHDB"}},
		"another file":   {func(f *fetcher) { f.npm("echo something else >./engine.tgz") }, []string{"sha-512", f512, "LISHI_CHDB"}},
		"nothing pinned": {func(f *fetcher) { f.npm(f.gives()); f.pin("-") }, []string{"--pin", "LISHI_CHDB"}},
		"disk full": {func(f *fetcher) {
			f.npm(f.gives())
			f.must(os.Remove(f.bin + "/df"))
			f.must(os.WriteFile(f.bin+"/df", []byte("#!/usr/bin/env bash\necho 'Filesystem 1024-blocks Used Available'\necho '/dev/x 9999999 1 1048575 99% /'\n"), 0o755))
		}, []string{"1 GB free", "1023 MB"}},
		"own copy missing": {func(f *fetcher) { f.env = []string{"LISHI_CHDB=/nowhere/libchdb.so"} }, []string{"LISHI_CHDB", "/nowhere/libchdb.so"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFetcher(t)
			c.prepare(f)
			out, errs, status := f.run()
			if out != "" || status != 1 {
				t.Errorf("stdout %q, status %d, stderr:\n%s", out, status, errs)
			}
			for _, word := range c.says {
				if word = strings.ReplaceAll(word, f512, f.sum); !strings.Contains(errs, word) {
					t.Errorf("it does not say %q:\n%s", word, errs)
				}
			}
			if f.left() != 0 {
				t.Errorf("%d things are left in the cache folder", f.left())
			}
		})
	}
}

const f512 = "<the pinned sum>"

func TestFetchAfterAKilledOne(t *testing.T) {
	f := newFetcher(t)
	f.npm("kill -9 $PPID")
	if _, _, status := f.run(); status == 0 {
		t.Fatal("a killed fetch succeeded")
	}
	f.must(os.Remove(f.bin + "/npm"))
	f.must(os.Remove(f.bin + "/node"))
	f.npm(f.gives())
	if out, errs, status := f.run(); out != f.library()+"\n" || status != 0 {
		t.Fatalf("stdout %q, status %d, stderr:\n%s", out, status, errs)
	}
}

func TestFetchKeepsAnOwnCopy(t *testing.T) {
	f := newFetcher(t)
	f.env = []string{"LISHI_CHDB=" + f.tarball}
	if out, _, status := f.run(); out != f.tarball+"\n" || status != 0 || f.left() != 0 {
		t.Errorf("stdout %q, status %d", out, status)
	}
}

func TestFetchPinsWhatIsMissing(t *testing.T) {
	f := newFetcher(t)
	f.npm("[ \"$1 $3 $4\" = 'view @chdb/lib-test@1.2.3 dist.integrity' ] && echo sha512-fromTheRegistry==")
	f.pin("-")
	if _, errs, status := f.run("--pin"); status != 0 {
		t.Fatalf("status %d, stderr:\n%s", status, errs)
	}
	pinned, _ := os.ReadFile(f.root + "/infra/chdb/engine.pin")
	if want := fmt.Sprintf("version 1.2.3\n%s  @chdb/lib-test  sha512-fromTheRegistry==\n", f.platform); string(pinned) != want {
		t.Errorf("the pin file is now %q, want %q", pinned, want)
	}
	f.pin("sha512-kept")
	if _, _, status := f.run("--pin"); status != 0 || f.calls() != 1 {
		t.Errorf("status %d, %d calls: what is pinned is not asked for", status, f.calls())
	}
}

// The binary looks where the script puts it.
func TestFetchAndFindAgree(t *testing.T) {
	path, err := chdb.Find()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("../../scripts/fetch-engine").Output()
	if err != nil || string(out) != path+"\n" {
		t.Errorf("the script says %q (%v), the binary looks at %s", out, err, path)
	}
}
