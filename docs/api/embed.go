// Package api holds the descriptions of the protocol that the program serves.
// scripts/docs writes them.
package api

import _ "embed"

// OpenAPI is the urls over HTTP (OpenAPI 3.1), YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte

// AsyncAPI is the socket (AsyncAPI 3.1), YAML.
//
//go:embed asyncapi.yaml
var AsyncAPI []byte
