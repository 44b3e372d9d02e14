package chdb_test

import (
	"testing"
	"time"

	"lishi/infra/chdb"
)

func TestMemoryIsBounded(t *testing.T) {
	// The configuration is heard …
	got := run(t, chdb.Session{}, `SELECT name, value FROM system.server_settings
		WHERE name IN ('max_server_memory_usage', 'mark_cache_size', 'primary_index_cache_size', 'query_condition_cache_size') ORDER BY name`)
	want := "mark_cache_size\t67108864\nmax_server_memory_usage\t1073741824\nprimary_index_cache_size\t67108864\nquery_condition_cache_size\t16777216"
	if got != want {
		t.Errorf("settings are\n%s\nwant\n%s", got, want)
	}
	// … inserts are synced …
	if got := run(t, chdb.Session{}, "SELECT count() FROM system.merge_tree_settings WHERE name IN ('fsync_after_insert', 'fsync_part_directory') AND value = '1'"); got != "2" {
		t.Errorf("%s of 2 settings that sync inserts are on", got)
	}
	// … and a statement that wants more is refused, while the next one works.
	_, err := ask(t.Context(), chdb.Session{}, "SELECT length(groupArray(toString(number))) FROM numbers(1000000000)")
	if code(err) != 241 { // MEMORY_LIMIT_EXCEEDED
		t.Errorf("a statement that needs several GiB: %v", err)
	}
	if got := run(t, chdb.Session{}, "SELECT sum(number) FROM numbers(1000000)"); got != "499999500000" {
		t.Error(got)
	}
}

// Go's heap is not the engine's memory, though they are in one process.
func TestGoHeapDoesNotCount(t *testing.T) {
	heap := make([]byte, 1200<<20)
	for i := 0; i < len(heap); i += 4096 {
		heap[i] = 1
	}
	for range 8 { // the engine looks at its memory a few times a second
		if got := run(t, chdb.Session{}, "SELECT uniqExact(number) FROM numbers(100000)"); got != "100000" {
			t.Fatal(got)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if heap[4096] != 1 {
		t.Error("the heap was not kept")
	}
}
