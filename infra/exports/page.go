package exports

import (
	"bytes"
	_ "embed"
)

var (
	//go:embed page/index.html
	pageShell []byte
	//go:embed page/crypto.js
	pageCrypto []byte
	//go:embed page/verify.js
	pageVerify []byte
	//go:embed page/page.js
	pagePage []byte
)

// Page is the package's index.html: it reads and verifies the package in a
// browser, from a file, without a network.
func Page() []byte {
	scripts := bytes.Join([][]byte{pageCrypto, pageVerify, pagePage}, []byte("\n"))
	return bytes.Replace(pageShell, []byte("/* scripts */"), scripts, 1)
}
