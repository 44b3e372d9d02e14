package commands

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write docs/permissions.md anew")

// Commands that stand in no row are those of the actor alone.
func TestEveryCommandStandsInTheMatrix(t *testing.T) {
	alone := []string{"/group/addGroup", "/user/updateUser", "/friend/createFriendGroup", "/friend/deleteFriendGroup"}
	has := func(m *matrix, url string) bool {
		return slices.ContainsFunc(m.rows, func(p permission) bool { return p.url == url })
	}
	for url := range every {
		if in := has(pairs, url) || has(groups, url); in == slices.Contains(alone, url) {
			t.Errorf("%s stands in the matrix: %v", url, in)
		}
	}
	for _, m := range []*matrix{pairs, groups} {
		for _, p := range m.rows {
			if every[p.url] == nil {
				t.Errorf("the matrix names %s, which is no command", p.url)
			}
		}
	}
	if err := groups.permit("/group/deleteGroup", owner, "no condition"); refusal(err).Reason != Forbidden {
		t.Errorf("what the matrix does not name is permitted: %v", err)
	}
}

// docs/permissions.md is the matrix. After a change: go test ./commands -run TestPermissionsDoc -update
func TestPermissionsDoc(t *testing.T) {
	const file = "../docs/permissions.md"
	var want bytes.Buffer
	if err := WritePermissions(&want); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(file); err != nil || !bytes.Equal(have, want.Bytes()) {
		t.Fatalf("%s is not what the matrix says (%v); scripts/docs writes it anew", file, err)
	}
}
