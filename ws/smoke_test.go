package ws

import "testing"

func TestAMessageGoesItsWay(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	alice, bob := w.as("alice"), w.as("bob")
	obj := alice.do("/chat/sendMessage", "token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "你好 <b>\"\\")
	push := bob.next()
	data := push["data"].(map[string]any)
	if push["msgType"] != "1" || data["messageContent"] != "你好 <b>\"\\" || data["position"] != obj["position"] || data["messageId"] != obj["messageId"] {
		t.Fatalf("%v after %v", push, obj)
	}
	w.silent(alice, bob)
}
