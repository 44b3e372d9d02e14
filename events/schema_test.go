package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	reflector "github.com/invopop/jsonschema"
	check "github.com/santhosh-tekuri/jsonschema/v6"
)

const schemas = "../docs/events"

func schemaFile(typ string) string {
	return filepath.Join(schemas, fmt.Sprintf("%s.v%d.json", typ, Version(typ)))
}

// Each type's JSON Schema is made from its Go type and stands in docs/events.
// After a change: go test ./events -run TestSchemas -update
func TestSchemas(t *testing.T) {
	r := reflector.Reflector{DoNotReference: true, ExpandedStruct: true, Anonymous: true, Mapper: textTypes}
	if err := r.AddGoComments("lishi/events", ".", reflector.WithFullComment()); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, typ := range Types() {
		s := r.Reflect(New(typ))
		s.ID = reflector.ID(fmt.Sprintf("urn:lishi:event:%s:v%d", typ, Version(typ)))
		s.Title = fmt.Sprintf("%s%s.v%d", typePrefix, typ, Version(typ))
		s.Description = inOneLine(s.Description)
		for p := s.Properties.Oldest(); p != nil; p = p.Next() {
			p.Value.Description = inOneLine(p.Value.Description)
		}
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(s); err != nil {
			t.Fatal(err)
		}
		file := schemaFile(typ)
		want[filepath.Base(file)] = true
		if *update {
			if err := os.MkdirAll(schemas, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := os.ReadFile(file); err != nil || !bytes.Equal(have, b.Bytes()) {
			t.Errorf("%s is not what the Go type says (%v): go test ./events -run TestSchemas -update", file, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(schemas, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files { // older versions stay: their records do
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		typ, _, _ := cutLast(name, ".v")
		if !want[filepath.Base(file)] && Version(typ) == 0 {
			t.Errorf("%s describes no event", file)
		}
	}
}

func inOneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// textTypes are those that JSON carries as text.
func textTypes(t reflect.Type) *reflector.Schema {
	text := func(pattern string) *reflector.Schema { return &reflector.Schema{Type: "string", Pattern: pattern} }
	switch t {
	case reflect.TypeFor[ID]():
		return text("^[0-9a-f]{32}$")
	case reflect.TypeFor[Position]():
		return text("^[cu](0|[1-9][0-9]*)-(0|[1-9][0-9]*)$")
	case reflect.TypeFor[Role]():
		return &reflector.Schema{Type: "string", Enum: []any{"1", "5", "9"}}
	}
	return nil
}

func compiled(t *testing.T, typ string) *check.Schema {
	t.Helper()
	c := check.NewCompiler()
	c.DefaultDraft(check.Draft2020)
	s, err := c.Compile(schemaFile(typ))
	if err != nil {
		t.Fatalf("%s: %v", typ, err)
	}
	return s
}

func TestRecordingsFollowTheirSchemas(t *testing.T) {
	for _, r := range recordings(t) {
		if !strings.HasSuffix(string(header(r.record, "ce_type")), fmt.Sprintf("%s.v%d", r.typ, Version(r.typ))) {
			continue
		}
		v, err := check.UnmarshalJSON(bytes.NewReader(r.record.Value))
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		if err := compiled(t, r.typ).Validate(v); err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
	}
}

// The schemas must be able to say no.
func TestSchemasRefuse(t *testing.T) {
	for typ, values := range map[string][]string{
		"message.sent":              {`{}`, `{"content":"text"}`, `{"content":{"plain":1}}`, `{"content":{"plain":"a"},"atUserIds":"an"}`, `{"content":{"plain":"a"},"more":1}`},
		"message.recalled":          {`{"message":"c1","sender":"an"}`, `{"message":"c1-01","sender":"an"}`, `{"message":"c1-1"}`},
		"group.roleChanged":         {`{"userId":"an","role":"2"}`, `{"userId":"an"}`},
		"friend.refused":            {`{"applyFriendId":"X","applicant":"an"}`},
		"group.memberMuted":         {`{"userId":"an","mutedUntil":"later"}`, `{"userId":"an","mutedUntil":1.5}`},
		"friend.removed":            {`[]`, `{"why":"so"}`},
		"group.created":             {`{"groupName":"a","joinMode":"1","invitations":[{}]}`},
		"conversation.read":         {`{"conversation":"p|a|b","read":""}`},
		"user.registered":           {`{"nickName":null}`},
		"group.applied":             {`{"groupName":"a"}`},
		"friend.agreed":             {`{"applyFriendId":""}`},
		"log.opened":                {`{"logId":"x"}`},
		"group.memberRemoved":       {`{"groupName":"a"}`},
		"user.profileChanged":       {`{"fromToken":"yes"}`},
		"group.ownerChanged":        {`{}`},
		"group.deleted":             {`{"note":"x"}`},
		"message.edited":            {`{"message":"c1-1"}`},
		"friend.applied":            {`{"expiresAt":"soon"}`},
		"group.invited":             {`{"groupName":"a","userId":"an"}`},
		"group.joined":              {`{}`},
		"group.memberQuit":          {`{}`},
		"group.infoChanged":         {`{"groupName":"a"}`},
		"friend.blocked":            {`{"by":"an"}`},
		"friend.unblocked":          {`{"by":"an"}`},
		"friend.viewChanged":        {`{"remark":1}`, `{"by":"an"}`},
		"folder.created":            {`{}`, `{"friendGroupName":null}`},
		"folder.deleted":            {`{}`, `{"friendGroupId":"0"}`},
		"group.invitationVerified":  {`{"groupName":"a","applyGroupId":"b","inviter":"c","applyState":"9"}`},
		"group.applicationVerified": {`{"groupName":"a","userId":"b","applyState":"9"}`},
	} {
		s := compiled(t, typ)
		for _, value := range values {
			v, err := check.UnmarshalJSON(strings.NewReader(value))
			if err != nil {
				t.Fatal(err)
			}
			if s.Validate(v) == nil {
				t.Errorf("%s may be %s", typ, value)
			}
		}
	}
	for _, typ := range Types() {
		if b, err := os.ReadFile(schemaFile(typ)); err != nil || !slices.Contains(strings.Split(string(b), "\n"), `  "additionalProperties": false,`) {
			t.Errorf("%s lets anything in (%v)", typ, err)
		}
	}
}
