package model

import "strings"

// offsets is a set of positions that can be compared, as states must be: every
// one behind a blank, in the order of their coming, since those of a stream come
// in the order of the log.
type offsets string

func (s offsets) has(position string) bool { return strings.Contains(string(s)+" ", " "+position+" ") }

func (s offsets) with(position string) offsets { return s + offsets(" "+position) }
