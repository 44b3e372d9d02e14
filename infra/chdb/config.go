package chdb

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// configuration is what the engine runs with, as ClickHouse's config.xml.
//
// ClickHouse is made for machines of its own: its caches may grow to many GiB
// and its limit to 90 % of the memory. Here it lives beside a chat server, so
// every cache that a read model can fill gets a bound far below the limit.
// Inserts are synced, because the checkpoint that follows the rows says that
// they are there: after a power cut a checkpoint without its rows would be a
// hole in a read model that nobody notices.
func configuration(maxMemory int64) string {
	const mib = 1 << 20
	var b strings.Builder
	b.WriteString("<clickhouse>\n")
	for _, s := range []struct {
		name  string
		value int64
	}{
		{"max_server_memory_usage", maxMemory},
		// Go's heap is in the same process and the same cgroup, and is not the engine's.
		{"memory_worker_use_cgroup", 0},
		{"mark_cache_size", maxMemory / 16},
		{"primary_index_cache_size", maxMemory / 16},
		{"uncompressed_cache_size", 0},
		{"index_mark_cache_size", 16 * mib},
		{"query_condition_cache_size", 16 * mib},
		{"compiled_expression_cache_size", 16 * mib},
		{"vector_similarity_index_cache_size", 1 * mib},
		{"unique_key_index_cache_size_bytes", 1 * mib},
		{"text_index_tokens_cache_size", 32 * mib},
		{"text_index_header_cache_size", 32 * mib},
		{"text_index_postings_cache_size", 64 * mib},
		{"parquet_metadata_cache_size", 1 * mib},
		{"iceberg_metadata_files_cache_size", 1 * mib},
		{"mmap_cache_size", 256},
		{"max_thread_pool_size", 512},
		{"max_thread_pool_free_size", 16},
	} {
		fmt.Fprintf(&b, "  <%s>%d</%[1]s>\n", s.name, s.value)
	}
	b.WriteString("  <merge_tree>\n" +
		"    <fsync_after_insert>1</fsync_after_insert>\n" +
		"    <fsync_part_directory>1</fsync_part_directory>\n" +
		"    <min_rows_to_fsync_after_merge>1</min_rows_to_fsync_after_merge>\n" +
		"  </merge_tree>\n</clickhouse>\n")
	return b.String()
}

// writeConfiguration puts the configuration where --config-file can read it.
// It is made anew at every start: the program is the place to change it.
func writeConfiguration(dir string, maxMemory int64) (string, error) {
	path := filepath.Join(dir, "config.xml")
	return path, os.WriteFile(path, []byte(configuration(maxMemory)), 0o600)
}
