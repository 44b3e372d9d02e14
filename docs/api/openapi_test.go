package api_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"lishi/docs/api"
	"lishi/ws"
)

// The document is valid OpenAPI 3.1 by an independent reader of it, which tells
// good requests from bad ones by it alone. That answers are what it says, the
// tests of the whole program look at.
func TestOpenAPIIsValid(t *testing.T) {
	doc, err := libopenapi.NewDocument(api.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if v := doc.GetVersion(); v != "3.1.0" {
		t.Errorf("version %s", v)
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, problems := v.ValidateDocument(); !ok {
		for _, p := range problems {
			t.Error(p.Message, p.Reason, p.SchemaValidationErrors)
		}
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range ws.URLs().All() {
		if item := model.Model.Paths.PathItems.GetOrZero(u.Path); item == nil {
			t.Errorf("%s is not in the document", u.Path)
		}
	}
	const kind = "application/json"
	for _, c := range []struct {
		path, kind, body string
		good             bool
	}{
		{"/chat/sendMessage", kind, `{"uniqueNo":"1","receiveUserId":"bob","messageContent":"你好"}`, true},
		{"/chat/sendMessage", kind, `{"token":"x","uniqueNo":"1","receiveUserId":"bob","messageContent":"你好","resend":true,"more":[1]}`, true},
		{"/chat/sendMessage", kind, `{"uniqueNo":"2","messageContent":"x"}`, false},
		{"/chat/sendMessage", kind, `{"uniqueNo":2,"receiveUserId":"bob","messageContent":"x"}`, false},
		{"/chat/sendMessage", kind, `{"uniqueNo":"2","receiveUserId":"bob","messageContent":""}`, false},
		{"/chat/sendMessage", kind, `{"uniqueNo":"2","receiveUserId":"bob","messageContent":"` + strings.Repeat("x", 16385) + `"}`, false},
		{"/chat/sendMessage", kind, `{"uniqueNo":"2","receiveUserId":"bob","messageContent":"x","replyTo":"c0-x"}`, false},
		{"/friend/verifyFriend", kind, `{"uniqueNo":"3","applyFriendId":"x","applyState":"2"}`, false},
		{"/friend/verifyFriend", kind, `{"uniqueNo":"3","applyFriendId":"x","applyState":"9"}`, true},
		{"/friend/myFriendList", kind, `{}`, true},
		{"/group/getGroupUsers", kind, `{"groupId":"g","limit":201}`, false},
		{"/group/getGroupUsers", kind, `{"groupId":"g","limit":200}`, true},
		{"/chat/ping", "text/plain", `{}`, false},
	} {
		r := httptest.NewRequest("POST", c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.kind)
		r.Header.Set("Authorization", "Bearer x")
		if ok, problems := v.ValidateHttpRequest(r); ok != c.good {
			t.Errorf("%s %.100s: valid %v, want %v: %v", c.path, c.body, ok, c.good, problems)
		}
	}
}
