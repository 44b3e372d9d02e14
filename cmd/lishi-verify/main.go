// Command lishi-verify tells whether an audit package of lishi is whole and says
// what the log says. It is made of Go's standard library and the folder verify
// beside it, and of nothing else, so that whoever must rely on it can read it.
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"lishi/cmd/lishi-verify/verify"
)

const help = `lishi-verify [--key KEY]… [--checkpoint FILE]… PACKAGE

Verify an audit package: a directory, or a .zip or .tar of one. Neither log nor
server nor network is needed.

  --key KEY          the log's public key, as "lishi audit key" prints it (again for
                     each, where it was changed). Without it the key in the package
                     is taken: compare it yourself.
  --checkpoint FILE  a checkpoint of the log that was kept elsewhere (again for each)

Exit status: 0 it holds, 1 it could not be read, 2 misuse, 3 it does not hold.
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, errs io.Writer) int {
	var o verify.Options
	flags := flag.NewFlagSet("lishi-verify", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Func("key", "", func(s string) error {
		key, err := base64.RawURLEncoding.Strict().DecodeString(s)
		if err != nil || len(key) != ed25519.PublicKeySize {
			return errors.New("it is not a public key")
		}
		o.Keys = append(o.Keys, key)
		return nil
	})
	flags.Func("checkpoint", "", func(s string) error {
		text, err := os.ReadFile(s)
		o.Checkpoints = append(o.Checkpoints, text)
		return err
	})
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, help)
		return 0
	}
	if err == nil && flags.NArg() != 1 {
		err = errors.New("one package is to be named")
	}
	if err != nil {
		fmt.Fprintf(errs, "lishi-verify: %v\n\n%s", err, help)
		return 2
	}
	f, err := verify.Open(flags.Arg(0))
	if err != nil {
		fmt.Fprintln(errs, "lishi-verify:", err)
		return 1
	}
	defer f.Close()
	r, err := verify.Package(f, o)
	var b *verify.Broken
	switch {
	case errors.As(err, &b):
		fmt.Fprintf(errs, "lishi-verify: %s does not hold (%s): %v\n", flags.Arg(0), b.Code, verify.Harmless(b.Error()))
		return 3
	case err != nil:
		fmt.Fprintln(errs, "lishi-verify:", verify.Harmless(err.Error()))
		return 1
	}
	r.Print(out, o)
	return 0
}
