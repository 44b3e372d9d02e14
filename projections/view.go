package projections

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Views are what people read with SQL. They stand in databases of their own,
// one for each audience, so that ClickHouse can hold a role to its database;
// they are stable while tables and builds change, and made anew at every swap.
//
//	chat          everything
//	chat_groups   what is said and done in the groups that GroupsSetting lists
//	chat_figures  everything but what people wrote
//
// Where the tables are in another database than lishi, its name stands before
// theirs (shop_chat …), so that deployments can share a ClickHouse.

// Viewer is a projection that shows SQL people views of its tables.
type Viewer interface {
	Views() []View
}

// View is one of them.
type View struct {
	Name    string
	Comment string
	Columns []ViewColumn
	// From is what stands behind FROM: tables of the view's own projection as
	// {table}, which means each key once (FINAL), and other projections' views that
	// show everything, as {chat.view}.
	From string
	// Group is the SQL of a row's group id, empty for what belongs to none; a view
	// without it is not shown in chat_groups.
	Group string
	// By has the SQL of columns that GROUP BY names, if there is one.
	By string
}

// ViewColumn is one column: its ClickHouse type, the SQL that makes it, and what
// it means.
type ViewColumn struct {
	Name, Type, SQL, Comment string
	// Written: people wrote it. It is not shown in chat_figures.
	Written bool
}

// Audience is a database of views and whom it is for.
type Audience struct {
	Database string
	Comment  string
	groups   bool   // only rows of the groups that GroupsSetting lists
	figures  bool   // without what people wrote
	all      string // the database that shows everything
}

// DefaultDatabase is where a deployment's tables are unless it says otherwise.
const DefaultDatabase = "lishi"

// Audiences are the databases of views of the deployment whose tables are in a
// database; "" is the default one.
func Audiences(database string) []Audience {
	before := ""
	if database != "" && database != DefaultDatabase {
		before = database + "_"
	}
	return []Audience{
		{Database: before + "chat", Comment: "everything", all: before + "chat"},
		{Database: before + "chat_groups", Comment: "only some groups", groups: true, all: before + "chat"},
		{Database: before + "chat_figures", Comment: "everything but what people wrote", figures: true, all: before + "chat"},
	}
}

// GroupsSetting is the ClickHouse setting by which a session is told its groups,
// their ids joined by tabs. It has no other effect on a statement that reads;
// the engine has no settings for others to name. Once a session is read-only it
// can't be changed any more.
const GroupsSetting = "log_comment"

// Shown are the columns that an audience sees; none if the view is not for it.
func (v View) Shown(a Audience) []ViewColumn {
	if a.groups && v.Group == "" {
		return nil
	}
	var shown []ViewColumn
	for _, c := range v.Columns {
		if !a.figures || !c.Written {
			shown = append(shown, c)
		}
	}
	return shown
}

// create is the statement that makes the view for an audience, under a name. table
// gives a table as its name in the build.
func (v View) create(a Audience, name string, tables []Table, table func(string) string) string {
	var names, columns []string
	for _, c := range v.Shown(a) {
		names = append(names, fmt.Sprintf("%s %s COMMENT %s", c.Name, c.Type, text(c.Comment)))
		columns = append(columns, fmt.Sprintf("%s AS %s", c.SQL, c.Name))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE OR REPLACE VIEW `%s`.%s (%s) DEFINER = CURRENT_USER SQL SECURITY DEFINER AS SELECT %s FROM %s",
		a.Database, name, strings.Join(names, ", "), strings.Join(columns, ", "), placed(v.From, a, tables, table))
	if a.groups {
		b.WriteString(" WHERE " + ofGroups(v.Group))
	}
	if v.By != "" {
		b.WriteString(" GROUP BY " + v.By)
	}
	b.WriteString(" COMMENT " + text(v.Comment))
	return b.String()
}

// ofGroups is the condition that a group is one of the session's.
func ofGroups(group string) string {
	return fmt.Sprintf("has(splitByChar('\\t', getSetting('%s')), %s) AND %[2]s != ''", GroupsSetting, group)
}

// placed puts tables, and views in a database, in the place of their names in
// braces. For those who see only some groups each table is cut to them where it is
// read, and not only what comes out at the end: ClickHouse moves a caller's own
// conditions down to the tables, past the view's, and what fails on a row tells
// what stands in it.
func placed(sql string, a Audience, tables []Table, table func(string) string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(sql, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		if view, ok := strings.CutPrefix(name, "chat."); ok {
			database := a.all
			if a.groups {
				database = a.Database
			}
			b.WriteString("`" + database + "`." + view)
		} else {
			b.WriteString("(SELECT * FROM " + table(name) + " FINAL")
			if a.groups {
				b.WriteString(" WHERE " + ofGroups(groupIn(tables, name)))
			}
			b.WriteString(")")
		}
		sql = after
	}
}

// groupIn is the SQL of the group that a row of a table belongs to. A table that has
// none can't be shown to those who see only some groups.
func groupIn(tables []Table, name string) string {
	for _, t := range tables {
		for _, f := range t.Fields {
			switch {
			case t.Name != name:
			case f.Name == "group_id":
				return f.Name
			case f.Name == "conversation", f.Name == "stream":
				return GroupOf(f.Name)
			}
		}
	}
	panic("projections: rows of " + name + " belong to no group") // a mistake of the program
}

func text(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// showToPeople makes the views of a build that now answers or, if it has a name,
// its own beside them. A ClickHouse on which lishi may make no databases goes
// without: chatting needs none of them.
func (e *Engine) showToPeople(ctx context.Context, p Projection, number uint32, named string) error {
	viewer, ok := p.(Viewer)
	if !ok {
		return nil
	}
	for _, a := range Audiences(e.options.Database) {
		err := e.db.Exec(ctx, "CREATE DATABASE IF NOT EXISTS `"+a.Database+"`")
		for _, v := range viewer.Views() {
			if err == nil && v.Shown(a) != nil {
				err = e.db.Exec(ctx, v.create(a, v.named(named), p.Tables(), func(table string) string { return "`" + physical(table, number) + "`" }))
			}
		}
		if errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			e.options.Log.Warn("the views for SQL could not be made", "projection", p.Name(), "database", a.Database, "error", err)
		}
	}
	return nil
}

// hideFromPeople takes the views of a named build away, where there are any.
func (e *Engine) hideFromPeople(ctx context.Context, p Projection, named string) error {
	viewer, ok := p.(Viewer)
	if !ok {
		return nil
	}
	for _, a := range Audiences(e.options.Database) {
		for _, v := range viewer.Views() {
			err := e.db.Exec(ctx, "DROP VIEW IF EXISTS `"+a.Database+"`.`"+v.named(named)+"`")
			if errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
				return err
			}
			if err != nil {
				e.options.Log.Warn("a view for SQL could not be dropped", "projection", p.Name(), "database", a.Database, "error", err)
			}
		}
	}
	return nil
}

// named is the view's name where it shows a named build; "" is the live one.
func (v View) named(into string) string {
	if into == "" {
		return v.Name
	}
	return namedView(v.Name, into)
}

// Unescaped is the SQL of an id as it was, of a part of a stream's key.
func Unescaped(part string) string {
	return "replaceAll(replaceAll(" + part + ", '%7C', '|'), '%25', '%')"
}

// GroupOf is the SQL of the group whose stream has the key; the empty text where it
// is no group's.
func GroupOf(key string) string {
	return "if(startsWith(" + key + ", 'g|'), " + Unescaped("substring("+key+", 3)") + ", '')"
}

// Placed are the columns of an event's address, for views of a table.
func Placed(table string) []ViewColumn {
	return []ViewColumn{
		{Name: "position", Type: "String", SQL: fmt.Sprintf("concat(%s.partition, '-', toString(%[1]s.offset))", table), Comment: "address of the event in the log, for ever: c3-182736"},
		{Name: "partition", Type: "String", SQL: fmt.Sprintf("toString(%s.partition)", table), Comment: "partition of the log: c0, c1 … of conversations, u0 … of users"},
		{Name: "offset", Type: "UInt64", SQL: fmt.Sprintf("%s.offset", table), Comment: "offset in the partition: the order of what happened in one conversation"},
	}
}

// Moment is a column of Unix milliseconds shown as a time.
func Moment(name, sql, comment string) ViewColumn {
	return ViewColumn{Name: name, Type: "DateTime64(3, 'UTC')", SQL: "fromUnixTimestamp64Milli(" + sql + ", 'UTC')", Comment: comment}
}

// End is a Moment that has not come, NULL, while a condition does not hold.
func End(name, condition, sql, comment string) ViewColumn {
	return ViewColumn{
		Name: name, Type: "Nullable(DateTime64(3, 'UTC'))",
		SQL: fmt.Sprintf("if(%s, fromUnixTimestamp64Milli(%s, 'UTC'), NULL)", condition, sql), Comment: comment,
	}
}
