package clickhouse

// AppendBlock is for the test of what it writes.
var AppendBlock = appendBlock

// ByDriver is the same database, with every insert left to the driver.
func (db *DB) ByDriver() *DB {
	d := *db
	d.engine = nil
	return &d
}
