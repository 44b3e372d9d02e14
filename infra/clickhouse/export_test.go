package clickhouse

import "lishi/projections"

// AppendBlock writes columns in the format Native; ok is false where one is of a
// type that only the driver can write.
func AppendBlock(dst []byte, columns []projections.Column, n int) (_ []byte, ok bool) {
	var b block
	ok = b.write(columns, n)
	for _, piece := range b.pieces() {
		dst = append(dst, piece...)
	}
	return dst, ok
}

// ByDriver is the same database, with every insert left to the driver.
func (db *DB) ByDriver() *DB {
	d := *db
	d.engine = nil
	return &d
}
