package chdb

import (
	"fmt"
	"slices"
	"strings"
	"unsafe"
)

// A role's rights are held by the engine itself: ClickHouse checks every table,
// file and address against the role's grants. Three things it leaves open to
// everybody who may read anything, so a statement of a role is looked at before
// it runs, in the engine's own parser's words:
//
//   - The function file() reads any file of the machine: ClickHouse asks for
//     no right where it runs inside a program. catboostEvaluate and the ai…
//     functions reach out too; eval() and merge() name what they read in text.
//   - Tables of the database system tell of other people's statements.
//   - KILL QUERY and SHOW PROCESSLIST: to ClickHouse all are one user.

// admit refuses what a role may not do though it could.
func (e *Engine) admit(c *conn, sql string, params []Param) error {
	a := analysis{size: uint32(unsafe.Sizeof(analysis{}))}
	if state := c.classify(sql, &a); state == 0 && a.class != classReadOnly {
		return refusal("only statements that read are served")
	}
	text, err := c.canonical(sql)
	if err != nil {
		return err
	}
	forbidden, err := e.forbidden()
	if err != nil {
		return err
	}
	return examine(scan(text), params, forbidden)
}

// openers are the words that a statement of a role may begin with; SHOW has its
// own list.
var (
	openers = []string{"SELECT", "WITH", "(", "DESCRIBE", "EXPLAIN", "EXISTS", "SHOW"}
	shown   = []string{"DATABASES", "TABLES", "COLUMNS", "FULL", "EXTENDED", "CREATE", "FUNCTIONS", "SETTINGS", "CHANGED", "SETTING", "NOT", "LIKE"}
	// systemTables tell of the engine, not of what others do with it.
	systemTables = []string{
		"aggregate_function_combinators", "build_options", "collations", "columns", "completions", "contributors", "data_type_families", "databases",
		"formats", "functions", "keywords", "licenses", "numbers", "numbers_mt", "one", "settings", "table_engines",
		"table_functions", "tables", "time_zones", "zeros", "zeros_mt",
	}
)

// examine looks at a statement's tokens.
func examine(tokens []token, params []Param, forbidden map[string]bool) error {
	at := func(i int) token {
		if i < 0 || i >= len(tokens) {
			return token{}
		}
		return tokens[i]
	}
	if !slices.Contains(openers, at(0).text) || at(0).text == "SHOW" && !slices.Contains(shown, at(1).text) {
		return refusal("only SELECT, EXPLAIN, DESCRIBE, EXISTS and SHOW are served, not " + at(0).text + " " + at(1).text)
	}
	for i, t := range tokens {
		switch {
		case t.kind != word:
		case forbidden[strings.ToLower(t.text)] && (at(i+1).is("(") || at(i-1).is("APPLY")):
			return refusal("the function " + t.text + " is not served")
		case t.text == "system" && at(i+1).is(".") && !slices.Contains(systemTables, at(i+2).text):
			return refusal("the table system." + at(i+2).text + " is not served")
		case t.text == "OUTFILE" && at(i-1).is("INTO"):
			return refusal("INTO OUTFILE would write here, not where you are; use FORMAT and save the answer")
		case t.text == "Identifier" && at(i-1).is(":"):
			for _, p := range params {
				if strings.Contains(p.Value, "system") {
					return refusal("a parameter that names something of the database system is not served")
				}
			}
		}
	}
	return nil
}

// tableFunctions are those that a role may call: they make rows of nothing, or
// of what the role may read.
var tableFunctions = []string{
	"format", "generateRandom", "generateSeries", "generate_series", "null", "numbers", "numbers_mt", "primes", "values", "view", "zeros", "zeros_mt",
}

// findForbidden asks the engine for its table functions: what a newer engine
// adds is forbidden until it stands above.
func (e *Engine) findForbidden() (map[string]bool, error) {
	found := map[string]bool{}
	e.controlLock.Lock()
	defer e.controlLock.Unlock()
	if e.control == nil {
		return nil, ErrClosed
	}
	err := e.control.execute(`SELECT name FROM system.table_functions UNION DISTINCT SELECT name FROM system.functions
		WHERE startsWith(lower(name), 'ai') OR lower(name) IN ('file', 'catboostevaluate', 'evalmlmethod', 'getmacro')`, "TabSeparated", nil, func(b []byte) error {
		for name := range strings.Lines(string(b)) {
			found[strings.ToLower(strings.TrimSpace(name))] = true
		}
		return nil
	})
	for _, name := range tableFunctions {
		delete(found, strings.ToLower(name))
	}
	if err == nil && !found["file"] {
		err = fmt.Errorf("the engine lists %d functions, and file is not one of them", len(found))
	}
	return found, err
}

// refusal is an Error like the engine's own.
func refusal(why string) error {
	return &Error{Code: 497, Name: "ACCESS_DENIED", Message: "Code: 497. DB::Exception: " + why + ". (ACCESS_DENIED)"}
}

// canonical is a statement as the engine's parser prints it: one line, without
// comments, escapes resolved, and one statement only.
func (c *conn) canonical(sql string) (string, error) {
	var b strings.Builder
	err := c.execute("SELECT formatQuerySingleLine({lishi_statement:String})", "RawBLOB", []Param{{"lishi_statement", escape(sql)}}, func(p []byte) error {
		b.Write(p)
		return nil
	})
	return b.String(), err
}

// escape writes a text as a query parameter.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`).Replace(text)
}

// token is a piece of a canonical statement. Texts in quotes are left out.
type token struct {
	kind       byte
	text       string // of quoted names what is between the quotes
	begin, end int
}

const (
	word  = 'w'
	other = 'o'
)

func (t token) is(text string) bool { return t.text == text }

// scan reads the tokens of a canonical statement.
func scan(s string) (tokens []token) {
	for i := 0; i < len(s); {
		begin := i
		switch c := s[i]; {
		case c == '\'' || c == '`' || c == '"':
			var text strings.Builder
			for i++; i < len(s) && s[i] != c; i++ {
				if s[i] == '\\' && i+1 < len(s) {
					i++
				}
				text.WriteByte(s[i])
			}
			i++
			if c != '\'' {
				tokens = append(tokens, token{word, text.String(), begin, i})
			}
		case letter(c) || c >= '0' && c <= '9':
			for i < len(s) && (letter(s[i]) || s[i] >= '0' && s[i] <= '9') {
				i++
			}
			tokens = append(tokens, token{word, s[begin:i], begin, i})
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		default:
			i++
			tokens = append(tokens, token{other, string(c), begin, i})
		}
	}
	return tokens
}

func letter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
