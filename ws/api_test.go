package ws

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lishi/commands"
	"lishi/ws/wire"
)

const apiDocs = "../docs/api"

// The documents in docs/api are what the registry, the types and Route say. After a
// change: scripts/docs.
func TestAPIDocs(t *testing.T) {
	d := newDescriber(t)
	d.common()
	shared := maps.Clone(d.schemas)
	pushes := d.pushes()
	async := document(written, d.asyncAPI(pushes))
	d.schemas = shared
	open := document(written, d.openAPI())
	for name := range words {
		if !d.said[name] {
			t.Errorf("words_test.go says what %s means, which is nowhere", name)
		}
	}
	for file, want := range map[string][]byte{"asyncapi.yaml": async, "openapi.yaml": open} {
		file = apiDocs + "/" + file
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := os.ReadFile(file); err != nil || !bytes.Equal(have, want) {
			t.Errorf("%s is not what the code says (%v): scripts/docs writes it anew", file, err)
		}
	}
}

const written = "Written by scripts/docs from the registry of urls and the types that serve them."

const apiAbout = `Chat as immutable events: everything that is answered, pushed or shown was read back from the log.

Success (code 200) means that the event is in the log and can't be lost. Dates are written as the deployment's settings say (here: as by default), limits may be set too. Later versions may add urls, pushes and fields, and take none away: clients pass over what they do not know. All of it in words: docs/protocol.md.`

func info(title string) node {
	return mapping("title", title, "version", "1.0.0", "description", apiAbout, "license", mapping("name", "Apache-2.0", "url", "https://www.apache.org/licenses/LICENSE-2.0"))
}

// reasons is the table of reasons, with what to do.
func reasons() node {
	all := mapping()
	for _, r := range reasonRows {
		with(all, r.reason, flow(mapping("http", r.status, "code", r.code, "again", r.again)))
	}
	return all
}

func (d *describer) tags() node {
	var names []string
	for _, u := range urls.All() {
		if tag := u.tag(); !slices.Contains(names, tag) {
			names = append(names, tag)
		}
	}
	tags := sequence[any]()
	for _, name := range names {
		tags.Content = append(tags.Content, flow(mapping("name", name)))
	}
	return tags
}

func (u *URL) tag() string { return strings.Split(u.Path, "/")[1] }

// openAPI describes the urls over HTTP.
func (d *describer) openAPI() node {
	paths := mapping()
	for _, u := range urls.All() {
		with(paths, u.Path, mapping("post", d.operation(u)))
	}
	for path, about := range map[string]string{"/api/openapi.yaml": "This document.", "/api/asyncapi.yaml": "The same protocol over WebSocket, as AsyncAPI."} {
		id := "get" + strings.ToUpper(path[5:6]) + strings.TrimSuffix(path[6:], ".yaml")
		with(paths, path, mapping("get", mapping("operationId", id, "summary", about, "security", flow(sequence[any]()), "responses",
			mapping("200", mapping("description", "The document.", "content", mapping("application/yaml", mapping("schema", flow(mapping("type", "string"))))),
				"304", mapping("description", "It is what If-None-Match names.")))))
	}
	sortPaths(paths)
	return mapping("openapi", "3.1.0", "info", info("lishi over HTTP"),
		"servers", sequence(flow(mapping("url", "/"))), "tags", d.tags(), "security", sequence(flow(mapping("bearer", flow(sequence[any]()))), flow(mapping())),
		"paths", paths,
		"components", mapping("securitySchemes", mapping("bearer", flow(mapping("type", "http", "scheme", "bearer", "bearerFormat", "JWT"))),
			"schemas", d.components()),
		"x-reasons", reasons())
}

// sortPaths puts the two documents behind the urls, in a fixed order.
func sortPaths(paths node) {
	n := len(paths.Content) - 4
	if paths.Content[n].Value > paths.Content[n+2].Value {
		a, b := paths.Content[n:n+2], paths.Content[n+2:]
		a[0], a[1], b[0], b[1] = b[0], b[1], a[0], a[1]
	}
}

func jsonBody(schema node) node { return mapping(kindJSON, mapping("schema", schema)) }

func (d *describer) operation(u *URL) node {
	params := u.schema("Params")
	form := mapping("schema", ref("schemas", params))
	if u.plan != nil {
		lists := mapping()
		for _, f := range u.plan.fields {
			if f.class == "ids" { // joined by commas
				with(lists, f.name, flow(mapping("style", "form", "explode", false)))
			}
		}
		if len(lists.Content) > 0 {
			with(form, "encoding", lists)
		}
	}
	responses, about := mapping(), d.about(u)
	if u.Socket {
		about = "Needs a socket: over HTTP it is a bad_request."
	} else {
		with(responses, "200", mapping("description", u.Success, "content", jsonBody(ref("schemas", u.schema("Result")))))
	}
	malformed := ref("schemas", "Malformed")
	byStatus := map[int][]string{http.StatusRequestEntityTooLarge: nil, http.StatusUnsupportedMediaType: nil}
	for _, r := range reasonRows {
		if u.refuses(r.reason) {
			byStatus[r.status] = append(byStatus[r.status], r.reason)
		}
	}
	for _, status := range slices.Sorted(maps.Keys(byStatus)) {
		failure, headers := ref("schemas", u.schema("Failure")), any(nil)
		about := strings.Join(byStatus[status], ", ")
		switch status {
		case http.StatusBadRequest:
			failure = flow(mapping("anyOf", flow(sequence(failure, malformed))))
		case http.StatusRequestEntityTooLarge:
			failure, about = malformed, "too_long: the body is longer than a message may be"
		case http.StatusUnsupportedMediaType:
			failure, about = malformed, "bad_request: the body is neither JSON nor a form, compressed, or not UTF-8"
		case http.StatusTooManyRequests:
			headers = mapping("Retry-After", mapping("description", "Seconds to wait.", "schema", flow(mapping("type", "integer"))))
		case http.StatusUnauthorized:
			headers = mapping("WWW-Authenticate", mapping("description", "How a token is given.", "schema", flow(mapping("const", "Bearer"))))
		}
		with(responses, strconv.Itoa(status), mapping("description", about, "headers", headers, "content", jsonBody(failure)))
	}
	var security any
	if u.Path == pathPing || u.Socket {
		security = flow(sequence[any]())
	}
	return mapping("operationId", u.name(), "tags", flow(sequence(u.tag())), "summary", u.Action, "description", about, "security", security,
		"requestBody", mapping("required", u.command, "content", mapping(kindJSON, mapping("schema", ref("schemas", params)), kindURLs, form)),
		"responses", responses)
}

// refuses tells whether a reason can be a url's at all.
func (u *URL) refuses(reason string) bool {
	switch reason {
	case commands.BadRequest, commands.TooLong:
		return true
	case commands.UnknownURL:
		return false
	case commands.Forbidden, commands.Conflict, commands.Unknown, commands.Blocked, commands.Muted:
		return u.command
	}
	return u.plan != nil && !u.Socket
}

// asyncAPI describes the socket. Actions are the server's.
func (d *describer) asyncAPI(pushes []string) node {
	const socket = "#/channels/socket"
	messages, listed, operations := mapping(), mapping(), mapping()
	message := func(name, title string, payload node) node {
		with(messages, name, mapping("name", name, "title", title, "payload", payload))
		with(listed, name, ref("messages", name))
		return flow(mapping("$ref", socket+"/messages/"+name))
	}
	for _, u := range urls.All() {
		request := mapping("type", "object", "required", flow(sequence("url", "params")), "properties",
			mapping("url", flow(mapping("const", u.Path)), "params", d.withToken(u)))
		if u.Path == pathPing {
			request = mapping("type", "object", "required", flow(sequence("url")), "properties",
				mapping("url", flow(mapping("const", u.Path)), "params", ref("schemas", u.schema("Params"))))
		}
		asked := message(u.name(), u.Action, request)
		answered := flow(mapping("$ref", socket+"/messages/push8"))
		if !u.Socket {
			answered = message(u.name()+"Result", u.Success+" / "+u.Failure,
				flow(mapping("oneOf", flow(sequence(ref("schemas", u.schema("Result")), ref("schemas", u.schema("Failure")))))))
		}
		with(operations, u.name(), mapping("action", "receive", "summary", u.Action, "description", d.about(u), "channel", flow(mapping("$ref", socket)),
			"tags", flow(sequence(flow(mapping("name", u.tag())))), "messages", flow(sequence(asked)),
			"reply", mapping("channel", flow(mapping("$ref", socket)), "messages", flow(sequence(answered)))))
	}
	told := sequence[any]()
	for _, typ := range pushes {
		if pushTitles[typ] == "" {
			d.t.Errorf("words_test.go does not say what push %s is", typ)
		}
		told.Content = append(told.Content, message("push"+typ, pushTitles[typ], ref("schemas", "Push"+typ)))
	}
	with(operations, "push", mapping("action", "send", "summary", "What the server tells unasked.", "channel", flow(mapping("$ref", socket)), "messages", told))
	with(operations, "refuse", mapping("action", "send", "summary", "Answers to what is no request, or has no such url.", "channel", flow(mapping("$ref", socket)),
		"messages", sequence(message("malformed", msgMalformed, ref("schemas", "Malformed")), message("unknownUrl", msgUnknownURL, ref("schemas", "UnknownURL")))))
	return mapping("asyncapi", "3.1.0", "info", with(info("lishi over WebSocket"), "tags", d.tags()), "defaultContentType", kindJSON,
		"servers", mapping("lishi", mapping("host", "{host}", "protocol", "wss", "description", "Text messages, one JSON object each, at most 64 KiB.",
			"variables", mapping("host", flow(mapping("default", "127.0.0.1:8080"))))),
		"channels", mapping("socket", mapping("address", "/ws", "messages", listed, "bindings", mapping("ws", flow(mapping("method", "GET"))), "x-close-codes", closeCodes())),
		"operations", operations,
		"components", mapping("messages", messages, "schemas", d.components()),
		"x-reasons", reasons())
}

// withToken is a url's params over a socket, where each request has its token.
func (d *describer) withToken(u *URL) node {
	return flow(mapping("allOf", flow(sequence(ref("schemas", u.schema("Params")), flow(mapping("required", flow(sequence("token"))))))))
}

func closeCodes() node {
	codes := []uint16{wire.CloseGoingAway, wire.CloseProtocol, wire.CloseUnsupported, wire.CloseInvalidText, wire.ClosePolicy, wire.CloseTooBig, wire.CloseInternal,
		CloseTokenExpired, CloseNoLogin, wire.CloseSlowConsumer, CloseFlood}
	all := mapping()
	for _, code := range codes {
		if closeTexts[code] == "" {
			panic(fmt.Sprintf("nobody says why a connection is closed with %d", code))
		}
		with(all, strconv.Itoa(int(code)), closeTexts[code])
	}
	return all
}
