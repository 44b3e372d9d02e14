package chdb_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lishi/infra/chdb"
)

// A role reads what was granted to it, and nothing else that the engine knows,
// the machine holds or other people do.
func TestRoles(t *testing.T) {
	run(t, chdb.Session{}, "CREATE DATABASE kept")
	run(t, chdb.Session{}, "CREATE DATABASE shown")
	t.Cleanup(func() { run(t, chdb.Session{}, "DROP DATABASE kept"); run(t, chdb.Session{}, "DROP DATABASE shown") })
	run(t, chdb.Session{}, "CREATE TABLE kept.t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
	run(t, chdb.Session{}, "INSERT INTO kept.t SELECT number, toString(number) FROM numbers(10)")
	run(t, chdb.Session{}, "CREATE VIEW shown.v DEFINER = CURRENT_USER SQL SECURITY DEFINER AS SELECT * FROM kept.t WHERE a < 5")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("the secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := chdb.Session{Database: "shown", Role: "reader", Settings: []chdb.Setting{
		{"max_memory_usage", "100000000"}, {"max_rows_to_read", "1000"}, {"max_execution_time", "5"}, {"readonly", "1"},
	}}
	for sql, want := range map[string]string{
		"SELECT count() FROM v":                          "5",
		"SELECT count() FROM shown.v FORMAT JSONEachRow": `{"count()":"5"}`,
		"SHOW TABLES":                                               "v",
		"SHOW DATABASES":                                            "shown",
		"EXISTS TABLE v":                                            "1",
		"DESCRIBE TABLE v":                                          "a\tUInt64\t\t\t\t\t\ns\tString\t\t\t\t\t",
		"SELECT max(number) FROM numbers(3)":                        "2",
		"SELECT name FROM system.tables":                            "v",
		"SELECT 'file(' || 'system.errors' || ' KILL'":              "file(system.errors KILL",
		"WITH (SELECT max(a) FROM v) AS m SELECT m":                 "4",
		"SELECT * APPLY(toString) FROM (SELECT 1)":                  "1",
		"SELECT format('{}-{}', 'a', 'b') /* SYSTEM */":             "a-b",
		"SELECT a FROM v WHERE (a, s) IN v ORDER BY a DESC LIMIT 1": "4",
	} {
		if got, err := ask(t.Context(), s, sql); strings.ReplaceAll(got, `"5"`, `"5"`) != want && !(strings.HasPrefix(want, "{") && strings.Contains(got, "5")) || err != nil {
			t.Errorf("%s = %q, %v; want %q", sql, got, err, want)
		}
	}
	denied := []string{
		// Tables beside the views, by every way that names one.
		"SELECT * FROM kept.t", "SELECT * FROM merge('kept', '.*')", "SELECT * FROM merge('shown', 'v')", "SELECT * FROM view(SELECT * FROM kept.t)",
		"SELECT * FROM mergeTreeIndex('kept', 't')", "SELECT * FROM loop(kept.t)", "SELECT 1 WHERE 1 IN (SELECT a FROM kept.t)", "SELECT (1, '1') IN kept.t",
		"SELECT hasColumnInTable('kept', 't', 'a')", "DESCRIBE TABLE kept.t", "SHOW CREATE TABLE kept.t", "EXISTS TABLE kept.t", "EXPLAIN ESTIMATE SELECT * FROM kept.t",
		"SELECT * FROM cluster('default', 'kept', 't')", "SELECT * FROM remote('127.0.0.1', 'kept', 't')", "SELECT * FROM eval('SELECT * FROM kept.t')", "USE kept",
		"WITH x AS (SELECT * FROM kept.t) SELECT * FROM x", "SELECT * FROM v UNION ALL SELECT * FROM kept.t", "SELECT * FROM dictionary('kept.t')",
		// Files, addresses, programs.
		"SELECT file('" + secret + "')", "SELECT `file`('" + secret + "')", `SELECT "fi\x6ce"('` + secret + "')", "SELECT/**/file/**/('" + secret + "')",
		"SELECT * APPLY(file) FROM (SELECT '" + secret + "' AS x)", "SELECT * APPLY(x -> file(x)) FROM (SELECT '" + secret + "' AS x)",
		"SELECT arrayMap(x -> file(x), ['" + secret + "'])", "DESCRIBE (SELECT file('" + secret + "') AS x)", "EXPLAIN SELECT file('" + secret + "')",
		"EXPLAIN QUERY TREE SELECT * APPLY(file) FROM (SELECT '" + secret + "' AS x)", "SELECT * FROM (EXPLAIN SELECT file('" + secret + "'))",
		"SELECT * FROM eval('SELECT file(\\'" + secret + "\\')')", "SELECT * FROM file('" + secret + "', 'LineAsString')", "DESCRIBE TABLE file('" + secret + "')",
		"SELECT * FROM `default`.`" + secret + "`", "SELECT * FROM url('http://127.0.0.1:1/', 'TSV')", "SELECT * FROM s3('http://127.0.0.1:1/b/x', 'TSV')",
		"SELECT * FROM sqlite('" + secret + "', 't')", "SELECT * FROM executable('x', 'TSV', 'a Int8')", "SELECT catboostEvaluate('" + secret + "', 1)",
		"SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')", "SELECT * FROM arrowstream(1)", "SELECT aiGenerate('x', 'y')", "SELECT * FROM fileCluster('c', 'x')",
		"SELECT 1 INTO OUTFILE '" + secret + "' TRUNCATE", "INSERT INTO FUNCTION file('" + secret + "') SELECT 1", "SELECT * FROM filesystem('/')",
		// Writing.
		"INSERT INTO kept.t VALUES (1, 'x')", "INSERT INTO v SELECT 1, 'x'", "CREATE TABLE shown.x (a Int8) ENGINE = Memory", "CREATE TEMPORARY TABLE x (a Int8)",
		"CREATE VIEW shown.w AS SELECT 1", "CREATE FUNCTION f AS x -> x", "DROP TABLE kept.t", "DROP VIEW shown.v", "ALTER TABLE kept.t DELETE WHERE 1", "TRUNCATE TABLE kept.t",
		"OPTIMIZE TABLE kept.t", "RENAME TABLE kept.t TO kept.u", "CREATE USER u", "GRANT engine TO default", "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(NULL()) LAYOUT(FLAT()) LIFETIME(1)",
		"ATTACH TABLE x (a Int8) ENGINE = File(TSV, '" + secret + "')", "DETACH TABLE kept.t", "BACKUP DATABASE kept TO File('" + secret + "')", "UNDROP TABLE kept.t",
		// The session, other people's statements, the engine.
		"SET ROLE engine", "SET ROLE ALL", "SET ROLE DEFAULT", "SET readonly = 0", "SET max_memory_usage = 0", "EXECUTE AS default SELECT 1", "SYSTEM FLUSH LOGS", "SYSTEM SHUTDOWN",
		"KILL QUERY WHERE 1", "KILL MUTATION WHERE 1", "SHOW PROCESSLIST", "SELECT * FROM system.processes", "SELECT * FROM `system`.`processes`", "SELECT * FROM system.errors",
		`SELECT * FROM "sys\x74em".stack_trace`, "SELECT * FROM system.server_settings", "SELECT * FROM system.users", "SELECT * FROM system.parts", "SELECT getMacro('x')",
		"BEGIN TRANSACTION", "CHECK TABLE kept.t", "WATCH v", "SELECT * FROM {t:Identifier}",
		// Limits.
		"SELECT 1 SETTINGS readonly = 0", "SELECT 1 SETTINGS max_memory_usage = 0", "SELECT 1 SETTINGS max_execution_time = 1000", "SELECT count() FROM v SETTINGS max_rows_to_read = 0",
		"SELECT 1 FORMAT JSON SETTINGS max_memory_usage = 0", "SELECT number FROM numbers(100000)", "SELECT length(groupArray(number)) FROM numbers(10000000) ",
		"SELECT 1; SELECT 2", "SELECT 1; DROP TABLE kept.t", "SELECT 1 PARALLEL WITH SELECT 2", "",
		"INSERT INTO kept.t SELECT * FROM v FORMAT Null", "SELECT 1 FORMAT Template SETTINGS format_template_resultset = '" + secret + "'",
	}
	for _, sql := range denied {
		got, err := ask(t.Context(), s, sql, chdb.Param{Name: "t", Value: "system.processes"})
		if err == nil || strings.Contains(got+err.Error(), "the secret") {
			t.Errorf("%s = %q, %v", sql, got, err)
		} else if code(err) <= 0 {
			t.Errorf("%s: %v is no answer of the engine's", sql, err)
		}
	}
	if err := engine.Insert(t.Context(), s, "INSERT INTO kept.t", "TSV", nil, strings.NewReader("1\tx\n")); code(err) != 497 {
		t.Errorf("rows for a role: %v", err)
	}
	if _, err := ask(t.Context(), chdb.Session{Role: "nobody"}, "SELECT 1"); err == nil {
		t.Error("a role that is not there reads")
	}
	if _, err := ask(t.Context(), chdb.Session{Role: "reader", Database: "kept"}, "SELECT * FROM t"); code(err) != 497 {
		t.Errorf("the database of tables: %v", err)
	}
	// What the role could not do, the engine's own sessions can, and nothing was changed.
	if got := run(t, chdb.Session{}, "SELECT count(), currentRoles() FROM kept.t"); got != "10\t['engine','reader']" {
		t.Error(got)
	}
	if text, _ := os.ReadFile(secret); string(text) != "the secret" {
		t.Errorf("the file was overwritten with %q", text)
	}
}
