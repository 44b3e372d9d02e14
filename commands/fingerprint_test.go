package commands

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"lishi/events"
)

// every is each command there is, with all params set.
var every = map[string]Command{
	"/chat/sendMessage":      SendMessage{"b", "c", "t", "r"},
	"/chat/sendGroupMessage": SendGroupMessage{"g", "c", "t", "r", []string{"a"}},
	"/chat/readMessage":      ReadMessage{"b", "g", "c0-1"},
	"/friend/applyFriend":    ApplyFriend{"b", "n", "r", "f"},
	"/friend/verifyFriend":   VerifyFriend{"i", "9", "n", "f"},
	"/friend/deleteFriend":   DeleteFriend{"b"},
	"/group/addGroup":        AddGroup{"n", "i", "1", []string{"a", "b"}},
	"/group/applyGroup":      ApplyGroup{"g", "n"},
	"/group/invitationGroup": InvitationGroup{"g", "b", "n"},
	"/group/groupVerify":     GroupVerify{"i", "9", "n"},
	"/group/userVerify":      UserVerify{"i", "9", "n"},
	"/group/removeUserGroup": RemoveUserGroup{"g", "b", "n"},
	"/group/quitGroup":       QuitGroup{"g"},
	"/group/deleteGroup":     DeleteGroup{"g", "n"},
	"/user/updateUser":       UpdateUser{"n", new(string)},

	"/chat/editMessage":         EditMessage{"c0-1", "c"},
	"/chat/recallMessage":       RecallMessage{"c0-1"},
	"/friend/blockFriend":       BlockFriend{"b"},
	"/friend/unblockFriend":     UnblockFriend{"b"},
	"/friend/updateFriend":      UpdateFriend{"b", new(string), "f"},
	"/friend/createFriendGroup": CreateFriendGroup{"n"},
	"/friend/deleteFriendGroup": DeleteFriendGroup{"f"},
	"/group/updateGroup":        UpdateGroup{"g", "n", new(string), new(string), "1"},
	"/group/transferGroup":      TransferGroup{"g", "b"},
	"/group/setGroupRole":       SetGroupRole{"g", "b", "5"},
	"/group/muteMember":         MuteMember{"g", "b", 5},
}

// Fingerprints stand in the log for ever, so they must never come out otherwise.
func TestFingerprintIsFixed(t *testing.T) {
	for url, want := range map[string]string{
		"/chat/sendMessage": "75ed4333e92ed41305882e219a4edf73",
		"/group/addGroup":   "00bca19f12fe772ee2a217ebb3b51379",
	} {
		f := Fingerprint(url, every[url])
		if got := hex.EncodeToString(f[:]); got != want {
			t.Errorf("%s: %s, was %s", url, got, want)
		}
	}
}

func TestFingerprintSeesEveryParam(t *testing.T) {
	for url, c := range every {
		whole := Fingerprint(url, c)
		if whole == Fingerprint(url+"2", c) {
			t.Errorf("%s: the url does not count", url)
		}
		p := reflect.New(reflect.TypeOf(c))
		if p.Elem().Set(reflect.ValueOf(c)); whole != Fingerprint(url, p.Interface()) {
			t.Errorf("%s: a pointer makes a difference", url)
		}
		for i := range p.Elem().NumField() {
			q := reflect.New(reflect.TypeOf(c)).Elem()
			q.Set(reflect.ValueOf(c))
			q.Field(i).SetZero()
			if whole == Fingerprint(url, q.Interface()) {
				t.Errorf("%s: %s does not count", url, q.Type().Field(i).Name)
			}
		}
	}
}

func TestParamTags(t *testing.T) {
	classes := map[string]bool{"id": true, "content": true, "note": true, "name": true, "state": true, "position": true, "ids": true, "int": true}
	for url, c := range every {
		typ := reflect.TypeOf(c)
		for i := range typ.NumField() {
			f := typ.Field(i)
			parts := strings.Split(f.Tag.Get("param"), ",")
			ok := len(parts) >= 2 && parts[0] != "" && classes[parts[1]] && (len(parts) == 2 || len(parts) == 3 && parts[2] == "optional")
			if !ok || DefaultLimits.Max(parts[1]) == 0 && parts[1] != "int" {
				t.Errorf("%s: tag of %s: %q", url, f.Name, f.Tag)
			}
		}
	}
}

// No two requests share a fingerprint because their texts run together.
func FuzzFingerprint(f *testing.F) {
	f.Add("a", "b", "ab", "")
	f.Add("g\x00", "", "g", "\x00")
	f.Fuzz(func(t *testing.T, id1, note1, id2, note2 string) {
		one := Fingerprint("/u", ApplyGroup{id1, note1})
		two := Fingerprint("/u", ApplyGroup{id2, note2})
		if (one == two) != (id1 == id2 && note1 == note2) {
			t.Fatalf("%q %q and %q %q", id1, note1, id2, note2)
		}
		if one == (events.Fingerprint{}) {
			t.Fatal("zero")
		}
	})
}
