package exports

import (
	"context"

	"lishi/cmd/lishi-verify/verify"
)

var accessColumns = []string{"position", "recorded", "by", "role", "reason", "what", "query"}

// access writes who looked at the log: the rows of access.csv.
func (e *export) access(context.Context) error {
	return e.out.whole("access.csv", verify.AppendRow(nil, accessColumns...))
}
