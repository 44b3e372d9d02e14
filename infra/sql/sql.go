// Package sql serves people's SQL: ClickHouse's HTTP interface, read-only, for
// the tools that speak it, and the same for the console. What a role may read the
// engine holds it to (see projections.Audiences); this package says who has which
// role, sets the limits, and records the look before anything is answered.
package sql

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"lishi/events"
	"lishi/infra/looks"
	"lishi/infra/tokens"
	"lishi/projections"
)

// Roles of ClickHouse, one for each audience, in the order of projections.Audiences.
// The database of the deployment's tables stands before them: lishi_analyst.
const (
	forAnalysts = "analyst"
	forGroups   = "groups"
	forFigures  = "figures"
)

var audiences = []string{forAnalysts, forGroups, forFigures}

// Grants are what ClickHouse's roles may do, of the deployments whose tables are
// in the databases.
func Grants(databases ...string) map[string][]string {
	all := map[string][]string{}
	for _, database := range databases {
		for i, a := range projections.Audiences(database) {
			all[database+"_"+audiences[i]] = []string{"GRANT SELECT ON `" + a.Database + "`.*"}
		}
	}
	return all
}

// audienceOf is whose views a token's role reads; "" may not ask.
func audienceOf(role string) string {
	switch role {
	case "admin", "auditor", "analyst":
		return forAnalysts
	case "groups":
		return forGroups
	case "figures":
		return forFigures
	}
	return ""
}

// views is the database of an audience's views.
func (e *Endpoint) views(audience string) string {
	return projections.Audiences(e.o.Database)[slices.Index(audiences, audience)].Database
}

// Views is the database in which an analyst finds the views.
func (e *Endpoint) Views() string { return e.views(forAnalysts) }

// Limits bound every statement. A caller may ask for less, never for more.
type Limits struct {
	Time    time.Duration
	Rows    int64 // of an answer; 0: no limit
	Memory  int64 // bytes
	AtOnce  int   // statements under way
	Threads int
}

// Options of an endpoint.
type Options struct {
	// Engine is the ClickHouse that answers, by its HTTP interface.
	Engine http.RoundTripper
	// Database is the one that the deployment's tables are in; default "lishi".
	Database string
	// Base is the engine's url, with user and password where it wants them.
	Base *url.URL
	// Verify checks a token and gives its claims.
	Verify func(token string, now time.Time) (tokens.Claims, error)
	// Password lets the user "lishi" in as an analyst; empty: only tokens do.
	Password string
	Looks    interface {
		Record(ctx context.Context, l looks.Look) (events.Position, error)
	}
	Limits Limits
	// Answered is told of each statement; nil: nobody.
	Answered func(role, outcome string, took time.Duration)
	Logger   *slog.Logger
}

// User is the name that goes with Options.Password.
const User = "lishi"

// Endpoint answers statements. It is safe for concurrent use.
type Endpoint struct {
	o     Options
	slots chan struct{}

	mu      sync.Mutex
	running map[string]*statement // by caller and query id
}

// New makes an endpoint.
func New(o Options) *Endpoint {
	if o.Database == "" {
		o.Database = projections.DefaultDatabase
	}
	if o.Answered == nil {
		o.Answered = func(string, string, time.Duration) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Endpoint{o: o, slots: make(chan struct{}, max(1, o.Limits.AtOnce)), running: map[string]*statement{}}
}

// Limits are the endpoint's.
func (e *Endpoint) Limits() Limits { return e.o.Limits }

// Caller is who asks.
type Caller struct {
	ID, Name string
	Role     string   // of the token: admin, auditor, analyst, groups or figures
	Groups   []string // of the role groups: those that may be read
	Reason   string   // why, of auditors
	From     string   // the address
}

// caller finds out who sends a request, as ClickHouse's clients say it:
// X-ClickHouse-User and -Key, HTTP Basic, user and password in the url, or a
// bearer token. The password is a token, whoever the user is said to be.
func (e *Endpoint) caller(r *http.Request, now time.Time) (Caller, error) {
	user, secret := "", ""
	bearer, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if name, password, ok := r.BasicAuth(); ok {
		user, secret = name, password
	}
	if isBearer {
		secret = bearer
	}
	if key := r.Header.Get("X-ClickHouse-Key"); key != "" || r.Header.Get("X-ClickHouse-User") != "" {
		user, secret = r.Header.Get("X-ClickHouse-User"), key
	}
	if q := r.URL.Query(); secret == "" && q.Get("password") != "" {
		user, secret = q.Get("user"), q.Get("password")
	}
	c := Caller{Reason: reason(r), From: r.RemoteAddr}
	if secret == "" {
		return c, errors.New("a password is needed: a token of lishi with the role analyst, auditor, admin, groups or figures")
	}
	if e.o.Password != "" && user == User && same(secret, e.o.Password) {
		c.ID, c.Name, c.Role = User, "password of the SQL endpoint", "analyst"
		return c, nil
	}
	claims, err := e.o.Verify(secret, now)
	if err != nil {
		return c, err
	}
	c.ID, c.Name, c.Role, c.Groups = claims.UserID, claims.Name, claims.Role, claims.Groups
	if audienceOf(c.Role) == "" {
		return c, fmt.Errorf("the role %q may not ask with SQL", c.Role)
	}
	return c, nil
}

func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// reason is why an auditor asks: the header, or, where a client can't send one,
// the parameter lishi_reason.
func reason(r *http.Request) string {
	text := r.Header.Get("Lishi-Reason")
	if text == "" {
		text = r.URL.Query().Get("lishi_reason")
	}
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	return text
}

// parameters are what the engine is asked with: the role, its database, limits,
// and of the caller's own settings those that are harmless.
func (e *Endpoint) parameters(c Caller, given url.Values) (url.Values, error) {
	audience := audienceOf(c.Role)
	p := url.Values{"role": {e.o.Database + "_" + audience}, "database": {e.views(audience)}, "readonly": {"1"}}
	switch d := given.Get("database"); d {
	case "", "default", "chat", e.Views(), e.views(audience): // what tools send by themselves
	default:
		return nil, deny("the database " + d + " is not served to the role " + c.Role)
	}
	if audience == forGroups {
		for _, g := range c.Groups {
			if strings.Contains(g, "\t") {
				return nil, deny("a group's id has a tab in it")
			}
		}
		p.Set("log_comment", strings.Join(c.Groups, "\t"))
		// A condition of the caller's is tried on no row that the views leave out,
		// or what fails on it would tell of it.
		p.Set("short_circuit_function_evaluation", "force_enable")
	}
	// A row group of Parquet is gathered in memory; ClickHouse would gather a million rows.
	p.Set("output_format_parquet_row_group_size", "65536")
	p.Set("output_format_parquet_row_group_size_bytes", strconv.FormatInt(max(e.o.Limits.Memory/16, 1<<20), 10))
	for name, limit := range e.limits() {
		p.Set(name, strconv.FormatInt(limit, 10))
	}
	for name, values := range given {
		v := values[0]
		_, limited := e.limits()[name]
		switch {
		case strings.HasPrefix(name, "param_"), passed[name]:
			p.Set(name, v)
		case ignored[name]:
		case limited:
			if err := lower(p, name, v); err != nil {
				return nil, err
			}
		case name == "readonly" && (v == "1" || v == "2"), name == "log_comment" && audience != forGroups:
		default:
			return nil, refused(164, "READONLY", "Cannot modify '"+name+"' setting in readonly mode")
		}
	}
	return p, nil
}

// lower takes a limit over that is below the endpoint's own.
func lower(p url.Values, name, v string) error {
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || n < 0 {
		return refused(36, "BAD_ARGUMENTS", name+" = "+v+" is no limit")
	}
	have, _ := strconv.ParseFloat(p.Get(name), 64)
	if n > 0 && (have == 0 || n < have) {
		p.Set(name, v)
	}
	return nil
}

func (e *Endpoint) limits() map[string]int64 {
	l := e.o.Limits
	return map[string]int64{
		"max_execution_time": int64(max(l.Time/time.Second, 1)), "max_result_rows": l.Rows, "max_memory_usage": l.Memory, "max_threads": int64(l.Threads),
		"max_rows_to_read": 0, "max_bytes_to_read": 0, "max_result_bytes": 0, "max_block_size": 65_409,
		"max_ast_elements": 50_000, "max_query_size": 262_144, "max_subquery_depth": 100, "max_columns_to_read": 0,
		"max_rows_in_join": 0, "max_rows_to_group_by": 0, "max_rows_to_sort": 0, "max_rows_in_set": 0, "max_bytes_in_set": 0, "max_bytes_in_join": 0,
		// What does not fit into memory must not fill the disk of a chat.
		"max_temporary_data_on_disk_size_for_query": 1 << 30, "max_bytes_before_external_group_by": 0, "max_bytes_before_external_sort": 0,
	}
}

// passed are settings that say how an answer looks, and what clients send of
// themselves.
var passed = set(`query query_id default_format compress decompress enable_http_compression wait_end_of_query buffer_size client_protocol_version output_format_json_quote_64bit_integers output_format_json_quote_denormals output_format_json_quote_64bit_floats
	output_format_json_quote_decimals output_format_json_named_tuples_as_objects output_format_json_escape_forward_slashes output_format_json_validate_utf8
	output_format_json_array_of_rows output_format_native_encode_types_in_binary_format output_format_binary_write_json_as_string output_format_native_write_json_as_string
	output_format_parquet_compression_method output_format_parquet_row_group_size output_format_parquet_string_as_string output_format_arrow_string_as_string
	output_format_arrow_low_cardinality_as_dictionary output_format_arrow_compression_method output_format_csv_crlf_end_of_line output_format_decimal_trailing_zeros
	output_format_pretty_max_rows output_format_pretty_color output_format_pretty_grid_charset output_format_pretty_row_numbers output_format_pretty_max_value_width
	output_format_write_statistics output_format_enable_streaming format_csv_delimiter date_time_output_format bool_true_representation bool_false_representation
	session_timezone join_use_nulls extremes limit offset result_overflow_mode read_overflow_mode timeout_overflow_mode group_by_overflow_mode union_default_mode
	allow_experimental_json_type allow_experimental_variant_type allow_experimental_dynamic_type prefer_column_name_to_alias http_zlib_compression_level`)

// ignored are parameters that are for this endpoint, or make no difference here.
var ignored = set(`session_id session_timeout session_check user password database quota_key stacktrace role lishi_reason replace_running_query send_progress_in_http_headers http_headers_progress_interval_ms
	cancel_http_readonly_queries_on_client_close http_write_exception_in_output_format send_profile_events async_insert wait_for_async_insert insert_quorum
	date_time_input_format cast_string_to_dynamic_use_inference http_response_headers receive_timeout send_timeout http_receive_timeout http_send_timeout
	network_compression_method network_zstd_compression_level use_query_cache add_http_cors_header log_queries input_format_with_names_use_header`)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// Error is an answer as ClickHouse gives it.
type Error struct {
	Code   int
	Name   string
	Text   string
	Status int
}

func (e *Error) Error() string {
	return fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)", e.Code, e.Text, e.Name)
}

func refused(code int, name, text string) error { return &Error{Code: code, Name: name, Text: text} }

func deny(text string) error { return refused(497, "ACCESS_DENIED", text) }
