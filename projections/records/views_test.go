package records_test

import (
	"strconv"
	"strings"
	"testing"

	"lishi/events"
	"lishi/projections"
	"lishi/projections/friends"
	"lishi/projections/groups"
	"lishi/projections/history"
	"lishi/projections/projectiontest"
	"lishi/projections/records"
)

func TestMain(m *testing.M) { projectiontest.Main(m) }

// What people see with SQL is what happened.
func TestViews(t *testing.T) {
	w := projectiontest.New(t, friends.Projection{}, groups.Projection{}, history.Projection{}, records.Projection{})
	w.Register("ann", "bob", "cyd")
	w.Befriend("ann", "bob")
	hi := w.Say("ann", "bob", "hi 你好")
	no := w.Say("bob", "ann", "a secret")
	w.Do("ann", hi.Stream, events.MessageEdited{Message: hi.Position, Content: events.Content{Plain: "hello"}})
	w.Do("ann", hi.Stream, events.MessageEdited{Message: hi.Position, Content: events.Content{Plain: "hello 你好"}})
	w.Do("bob", no.Stream, events.MessageRecalled{Message: no.Position, Sender: "bob"})
	w.Do("ann", hi.Stream, events.FriendRemoved{})
	w.Befriend("bob", "ann")
	club, other := w.Create("club", "ann", "bob"), w.Create("other", "cyd")
	inClub, inOther := w.Tell("bob", club, "for the club"), w.Tell("cyd", other, "for myself")
	w.Do("bob", club, events.GroupMemberQuit{GroupName: "Gclub"})
	w.Do("bob", club, events.GroupJoined{GroupName: "Gclub"})
	w.Do("ann", club, events.GroupRoleChanged{UserID: "bob", Role: events.Admin})
	w.Do("cyd", club, events.GroupJoined{GroupName: "Gclub"})
	w.Do("bob", club, events.MessageEdited{Message: inClub.Position, Content: events.Content{Plain: "for the club!"}})
	late := w.Tell("ann", club, "cyd is there")
	w.Do("ann", club, events.GroupRoleChanged{UserID: "cyd", Role: events.Admin})
	w.Do("cyd", club, events.MessageRecalled{Message: inClub.Position, Sender: "bob"})
	w.Settle()

	for sql, want := range map[string]string{
		"SELECT content, edited, recalled, kind FROM chat.messages ORDER BY said":                                                        "hello 你好 1 0 pair; 0 1 pair; 1 1 group;for myself 0 0 group;cyd is there 0 0 group",
		"SELECT position FROM chat.messages WHERE content_bytes = 12 AND sender = 'ann' AND receiver = 'bob'":                            hi.Position.String(),
		"SELECT change, content FROM chat.message_versions WHERE message = '" + hi.Position.String() + "' ORDER BY offset":               "sent hi 你好;edited hello;edited hello 你好",
		"SELECT change, content, by FROM chat.message_versions WHERE message = '" + no.Position.String() + "' ORDER BY offset":           "sent a secret bob;recalled  bob",
		"SELECT user, nickname FROM chat.users ORDER BY user":                                                                            "ann Nann;bob Nbob;cyd Ncyd",
		"SELECT user_a, user_b, until IS NULL, begun_by, ended_by, ended_how, until_position != '' FROM chat.friendships ORDER BY since": "ann bob 0 bob ann friend.removed 1;ann bob 1 ann   0",
		"SELECT group_id, user, role, until IS NULL, begun_how, ended_how FROM chat.memberships ORDER BY group_id, since": "club ann 9 1 group.created ;" +
			"club bob 1 0 group.joined group.memberQuit;club bob 5 1 group.joined ;club cyd 5 1 group.joined ;other cyd 9 1 group.created ",
		"SELECT group_id, name, creator, deleted, deleted_at IS NULL FROM chat.groups ORDER BY group_id":                                              "club Gclub ann false 1;other Gother cyd false 1",
		"SELECT type, stream, actor, JSONExtractString(payload, 'content', 'plain') FROM chat.events WHERE position = '" + hi.Position.String() + "'": "message.sent p|ann|bob ann hi 你好",
		"SELECT id, actor_name, toUnixTimestamp64Milli(said) = " + ms(hi) + " FROM chat.events WHERE position = '" + hi.Position.String() + "'":       hi.ID.String() + " Nann 1",
		"SELECT count(), uniqExact(position) FROM chat.events":                                                                                        "30 30",
		"SELECT user, since_position, until_position FROM chat.could_see WHERE position = '" + hi.Position.String() + "' ORDER BY user":               "ann  ;bob  ",
		"SELECT user, until_position != '' FROM chat.could_see WHERE position = '" + inClub.Position.String() + "' AND change = 'sent' ORDER BY user": "ann 0;bob 1",
		"SELECT position FROM chat.could_see WHERE user = 'cyd' AND group_id = 'other'":                                                               inOther.Position.String(),
		// Who came after a message sees none of its edits; what somebody did they know.
		"SELECT change, message = '" + late.Position.String() + "' FROM chat.could_see WHERE user = 'cyd' AND group_id = 'club' ORDER BY offset": "sent 1;recalled 0",
		"SELECT user, change, until_position != '' FROM chat.could_see WHERE message = '" + inClub.Position.String() + "' ORDER BY offset, user": "ann sent 0;bob sent 1;ann edited 0;bob edited 0;ann recalled 0;bob recalled 0;cyd recalled 0",
		"SELECT change FROM chat.could_see WHERE user = 'bob' AND message = '" + no.Position.String() + "' ORDER BY offset":                      "sent;recalled",
		"SELECT user FROM chat_groups.could_see SETTINGS log_comment = 'other'":                                                                  "cyd",
		// Only some groups, set by who opens the session.
		"SELECT content FROM chat_groups.messages SETTINGS log_comment = 'club'":                                               ";cyd is there",
		"SELECT count() FROM chat_groups.messages":                                                                             "0",
		"SELECT count() FROM chat_groups.messages SETTINGS log_comment = 'clu'":                                                "0",
		"SELECT count() FROM merge('chat_groups', '^events$') SETTINGS log_comment = 'other'":                                  "2",
		"SELECT DISTINCT group_id FROM chat_groups.memberships SETTINGS log_comment = 'x\tother\ty'":                           "other",
		"SELECT name FROM chat_groups.groups SETTINGS log_comment = 'other'":                                                   "Gother",
		"SELECT arraySort(groupArray(name)) FROM system.tables WHERE database = 'chat_groups'":                                 "['could_see' 'events' 'groups' 'memberships' 'message_versions' 'messages']",
		"SELECT groupUniqArray(database) FROM system.columns WHERE name IN ('content', 'payload') AND database LIKE 'chat_f%'": "[]",
		"SELECT sum(content_bytes) FROM chat_figures.messages":                                                                 "34",
	} {
		setting := ""
		if i := strings.Index(sql, " SETTINGS "); i >= 0 {
			sql, setting = sql[:i], sql[i:]
		}
		rows := strings.Join(projectiontest.Strings(t, w.DB, "SELECT replaceAll(arrayStringConcat(array(* APPLY(x -> ifNull(toString(x), ''))), ' '), ',', ' ') FROM ("+sql+")"+setting), ";")
		if rows != want {
			t.Errorf("%s\n got %s\nwant %s", sql, rows, want)
		}
	}
	// What fails on a row of another group would tell what stands in it. The caller's
	// conditions are tried on every column of every view, also by way of what they are
	// joined with. The words of the views themselves ('' and sent) tell nothing.
	for _, line := range projectiontest.Strings(t, w.DB, "SELECT concat(table, ' ', arrayStringConcat(groupArray(name), ' ')) FROM system.columns WHERE database = 'chat_groups' GROUP BY table") {
		view, columns, _ := strings.Cut(line, " ")
		var fails, shows []string
		for name := range strings.FieldsSeq(columns) {
			text := "ifNull(toString(" + name + "), '')"
			fails = append(fails, "throwIf("+text+" != 'x') = 0")
			shows = append(shows, "toUInt8(if("+text+" IN ('', 'sent'), '0', "+text+" || 'x')) = 0")
		}
		for _, sql := range []string{
			"SELECT count() FROM chat_groups." + view + " WHERE " + strings.Join(fails, " AND "),
			"SELECT count() FROM chat_groups." + view + " WHERE " + strings.Join(shows, " AND "),
			"SELECT count() FROM chat_groups." + view + " GROUP BY " + strings.Join(shows, ", "),
		} {
			rows, err := w.DB.Query(t.Context(), sql+" SETTINGS log_comment = 'nobody', short_circuit_function_evaluation = 'force_enable'")
			if err == nil {
				for rows.Next() {
				}
				err = rows.Err()
				rows.Close()
			}
			if err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
	// Every view and column says what it is, in ClickHouse too.
	if bare := projectiontest.Strings(t, w.DB, "SELECT concat(database, '.', table, '.', name) FROM system.columns WHERE startsWith(database, 'chat') AND comment = '' UNION ALL SELECT concat(database, '.', name) FROM system.tables WHERE startsWith(database, 'chat') AND comment = ''"); len(bare) > 0 {
		t.Errorf("without a comment: %s", bare)
	}
	// A new build's rows take the place of the old one's.
	before := projectiontest.Strings(t, w.DB, "SHOW CREATE VIEW chat.messages")
	if strings.Join(before, "") == "" || !strings.Contains(before[0], "messages_b") {
		t.Fatal(before)
	}
}

// Who could see something says the deployment that it was said in, whoever else is
// on the same ClickHouse.
func TestViewsOfAnotherDatabase(t *testing.T) {
	w := projectiontest.Still(t, projectiontest.DB(t), projectiontest.NewLog(projectiontest.Layout), friends.Projection{}, groups.Projection{}, history.Projection{})
	w.Options.Database = "shop"
	w.Start()
	w.Register("eve")
	said := w.Tell("eve", w.Create("club", "eve"), "here")
	w.Settle()
	got := projectiontest.Strings(t, w.DB, "SELECT concat(position, user) FROM shop_chat.could_see UNION ALL SELECT concat(position, user) FROM shop_chat_groups.could_see SETTINGS log_comment = 'club'")
	if want := said.Position.String() + "eve"; strings.Join(got, " ") != want+" "+want {
		t.Errorf("%s, want %s twice", got, want)
	}
}

func ms(r events.Recorded) string { return strconv.FormatInt(r.Time.UnixMilli(), 10) }

var _ projections.Viewer = records.Projection{}
