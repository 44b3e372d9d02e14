package analytics

// Expression is the SQL of the period that a moment belongs to, for tests.
func (s Request) Expression(moment string) Statement {
	f := Figure{Name: "expression", sql: "SELECT toString({{period \"" + moment + "\"}})"}
	return f.Statement(s)
}
