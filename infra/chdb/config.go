package chdb

import (
	"encoding/xml"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
func configuration(maxMemory int64, users string) string {
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
	fmt.Fprintf(&b, "  <users_config>%s</users_config>\n", xmlText(users))
	b.WriteString("  <merge_tree>\n" +
		"    <fsync_after_insert>1</fsync_after_insert>\n" +
		"    <fsync_part_directory>1</fsync_part_directory>\n" +
		"    <min_rows_to_fsync_after_merge>1</min_rows_to_fsync_after_merge>\n" +
		"  </merge_tree>\n</clickhouse>\n")
	return b.String()
}

// users is ClickHouse's users.xml. Every connection of the library is the user
// default, who has rights only by roles: "engine" with all of them, and the
// given ones. A connection that does SET ROLE keeps that role's rights alone.
func users(roles map[string][]string) string {
	var b strings.Builder
	b.WriteString("<clickhouse>\n  <profiles><default/></profiles>\n  <quotas><default/></quotas>\n  <roles>\n" +
		"    <engine><grants><query>GRANT ALL ON *.* WITH GRANT OPTION</query></grants></engine>\n")
	names := slices.Sorted(maps.Keys(roles))
	for _, name := range names {
		fmt.Fprintf(&b, "    <%s><grants>", name)
		for _, grant := range roles[name] {
			fmt.Fprintf(&b, "<query>%s</query>", xmlText(grant))
		}
		fmt.Fprintf(&b, "</grants></%s>\n", name)
	}
	b.WriteString("  </roles>\n  <users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>" +
		"<grants><query>GRANT " + strings.Join(append([]string{"engine"}, names...), ", ") + "</query></grants></default></users>\n</clickhouse>\n")
	return b.String()
}

func xmlText(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// writeConfiguration puts the configuration where --config-file can read it.
// It is made anew at every start: the program is the place to change it.
func writeConfiguration(dir string, maxMemory int64, roles map[string][]string) (string, error) {
	for name := range roles {
		if !settingName.MatchString(name) || name == "engine" {
			return "", fmt.Errorf("%q can't be the name of a role", name)
		}
	}
	path, usersPath := filepath.Join(dir, "config.xml"), filepath.Join(dir, "users.xml")
	if err := os.WriteFile(usersPath, []byte(users(roles)), 0o600); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(configuration(maxMemory, usersPath)), 0o600)
}
