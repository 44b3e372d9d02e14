package friends

import (
	"context"
	"fmt"

	"lishi/projections"
)

// Blocks is /friend/getBlockedList: whom the caller has blocked, friends and
// strangers, the latest first.
type Blocks struct{}

// Needs implements projections.Query.
func (Blocks) Needs() []string { return []string{Name} }

// Run implements projections.Query.
func (Blocks) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	list := []Person{}
	sql := fmt.Sprintf(`SELECT other, argMax(blocked, offset) AS now, argMax(recorded, offset) AS since FROM %s
		WHERE user = {user:String} GROUP BY other HAVING now ORDER BY since DESC, other`, r.Table("blocks"))
	err := r.Select(ctx, sql, []projections.Arg{{Name: "user", Value: caller}}, func(row projections.RowScanner) error {
		var id string
		var now bool
		var since int64
		if err := row.Scan(&id, &now, &since); err != nil {
			return err
		}
		u, _ := r.Book.User(id)
		list = append(list, Person{id, id, u.NickName, u.Avatar})
		return nil
	})
	return projections.Page{List: list}, err
}
