package chdb

// Connects is the number of connections made in this process so far.
func Connects() int64 { return connects.Load() }
