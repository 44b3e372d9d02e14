package system

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"lishi/docs/api"
)

// Every answer and push that a test of this package gets is held against
// docs/api: what is not described there fails the run at its end.
var described = newDescription()

// description is the protocol as the documents tell it, closed: a field that they
// do not name is wrong here, though clients pass over it.
type description struct {
	results map[string]*jsonschema.Schema // by msg
	pushes  map[string]*jsonschema.Schema // by msgType

	mu       sync.Mutex
	problems []string
}

func newDescription() *description {
	d := &description{results: map[string]*jsonschema.Schema{}, pushes: map[string]*jsonschema.Schema{}}
	async, open := components(api.AsyncAPI), components(api.OpenAPI)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	const at = "urn:lishi:asyncapi"
	if err := c.AddResource(at, object{"components": object{"schemas": async}}); err != nil {
		panic(err)
	}
	for name, schema := range async {
		compiled := c.MustCompile(at + "#/components/schemas/" + name)
		switch properties, _ := schema.(object)["properties"].(object); {
		case strings.HasPrefix(name, "Push"):
			d.pushes[strings.TrimPrefix(name, "Push")] = compiled
		case strings.HasSuffix(name, "Result"), strings.HasSuffix(name, "Failure"), name == "Malformed", name == "UnknownURL":
			d.results[properties["msg"].(object)["const"].(string)] = compiled
		}
		if other := open[name]; other != nil && jsonText(other) != jsonText(schema) {
			panic("the two documents describe " + name + " differently")
		}
	}
	return d
}

func jsonText(v any) string { b, _ := json.Marshal(v); return string(b) }

// components are a document's schemas.
func components(document []byte) object {
	var raw map[string]any
	if err := yaml.Unmarshal(document, &raw); err != nil {
		panic(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(jsonText(raw)))
	if err != nil {
		panic(err)
	}
	schemas := v.(object)["components"].(object)["schemas"].(object)
	closeObjects(schemas)
	return schemas
}

func closeObjects(v any) {
	switch v := v.(type) {
	case object:
		if v["type"] == "object" && v["properties"] != nil {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			closeObjects(inner)
		}
	case []any:
		for _, inner := range v {
			closeObjects(inner)
		}
	}
}

// holds looks at one answer or push.
func (d *description) holds(raw []byte) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	o, _ := v.(object)
	var schema *jsonschema.Schema
	if typ, ok := o["msgType"].(string); ok {
		schema = d.pushes[typ]
	} else if msg, ok := o["msg"].(string); ok {
		schema = d.results[msg]
	} else if err == nil { // none of the protocol
		return
	}
	if schema == nil {
		err = fmt.Errorf("no document describes it (%v)", err)
	} else {
		err = schema.Validate(v)
	}
	if err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.problems = append(d.problems, fmt.Sprintf("%.2000s\n%v", raw, err)); len(d.problems) > 20 {
			d.problems = d.problems[1:]
		}
	}
}

// report says what was not as described, once each; empty if all was.
func (d *description) report() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(slices.Compact(d.problems), "\n")
}
