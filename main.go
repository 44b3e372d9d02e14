// Command lishi is an event-sourced chat backend: the log is the chat, everything
// else is a view of it.
package main

import (
	"os"

	"lishi/infra/app"
)

func main() {
	os.Exit(app.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
