package system

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// A data directory that an earlier release wrote is read by this one. Files in
// testdata are never changed; each format adds one: the demo's data, at rest.
func TestDataOfEachRelease(t *testing.T) {
	files, err := filepath.Glob("testdata/data-format-*.tar.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no data of earlier releases: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			dir := t.TempDir()
			if out, err := exec.Command("tar", "-xzf", file, "-C", dir).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			s := serve(t, dir)
			texts := func(rows []object) (all []string) {
				for _, r := range rows {
					all = append(all, r["talkContent"].(string))
				}
				return all
			}
			same := func(got []string, want ...string) {
				t.Helper()
				if len(got) != len(want) {
					t.Fatalf("got %q", got)
				}
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("got %q", got)
					}
				}
			}
			same(texts(s.history("daiyu", "baoyu")),
				"妹妹今日可好些了？", "不过是老样子，倒劳你天天来问。", "诗社明日开社，题目是咏海棠，你可一定要来。🌸")
			groups := s.must("daiyu", "/group/getGroupList", object{}).list()
			if len(groups) != 1 || groups[0]["groupName"] != "海棠诗社" {
				t.Fatalf("%v", groups)
			}
			same(texts(s.groupHistory(groups[0]["groupId"].(string), "daiyu")),
				"我不会作诗，只管出银子办螃蟹宴。🦀", "珍重芳姿昼掩门，自携手瓮灌苔盆。", "半卷湘帘半掩门，碾冰为土玉为盆。")
			waiting := s.must("baoyu", "/friend/getApplyFriendList", object{}).list()
			if len(waiting) == 0 || waiting[0]["applyUserId"] != "xiangyun" && waiting[len(waiting)-1]["applyUserId"] != "xiangyun" {
				t.Fatalf("%v", waiting)
			}
			// And it is written on.
			s.must("daiyu", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "baoyu", "messageContent": "新的一句"})
			if n := len(s.history("daiyu", "baoyu")); n != 4 {
				t.Fatalf("%d messages", n)
			}
		})
	}
}
