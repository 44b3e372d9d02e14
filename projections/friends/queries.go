package friends

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"lishi/commands"
	"lishi/events"
	"lishi/projections"
	"lishi/projections/dates"
)

// Find is /friend/queryFriend: people by user id, or by part of their nickname
// (case ignored).
type Find struct {
	UserNo   string `param:"userNo,id,optional"`
	NickName string `param:"nickName,name,optional"`
}

// Person is somebody who can be applied to.
type Person struct {
	UserID   string `json:"userId"`
	UserNo   string `json:"userNo"`
	NickName string `json:"nickName"`
	Avatar   string `json:"avatar"`
}

// maxFound is how many people a search lists.
const maxFound = 50

var errEnough = errors.New("enough")

// Needs implements projections.Query.
func (Find) Needs() []string { return []string{Name} }

// Run implements projections.Query.
func (q Find) Run(ctx context.Context, r projections.Reader, _ string) (projections.Page, error) {
	found := []Person{}
	if q.UserNo == "" && q.NickName == "" {
		return projections.Page{}, commands.ErrBadRequest.With("userNo or nickName is missing")
	}
	if !utf8.ValidString(q.NickName) {
		return projections.Page{}, commands.ErrBadRequest.With("nickName is not UTF-8")
	}
	add := func(id string) {
		if u, ok := r.Book.User(id); ok && len(found) < maxFound && contains(u.NickName, q.NickName) {
			found = append(found, Person{id, id, u.NickName, u.Avatar})
		}
	}
	if q.UserNo != "" {
		add(q.UserNo)
		return projections.Page{List: found}, nil
	}
	// The rows also hold names that were given up; the ledger tells. So nobody
	// knows how many are needed.
	sql := fmt.Sprintf(`SELECT DISTINCT user FROM %s WHERE positionCaseInsensitiveUTF8(nickname, {part:String}) > 0 ORDER BY user`, r.Table("users"))
	err := r.Select(ctx, sql, []projections.Arg{{Name: "part", Value: q.NickName}}, func(row projections.RowScanner) error {
		var id string
		if err := row.Scan(&id); err != nil {
			return err
		}
		if add(id); len(found) == maxFound {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return projections.Page{List: found}, err
}

func contains(name, part string) bool {
	return part == "" || strings.Contains(strings.ToLower(name), strings.ToLower(part))
}

// Applications is /friend/getApplyFriendList: those that the caller made or got.
type Applications struct{}

// Application is one application for friendship.
type Application struct {
	ApplyFriendID string     `json:"applyFriendId"`
	ApplyUserID   string     `json:"applyUserId"`
	ApplyNickName string     `json:"applyNickName"`
	Note          string     `json:"note"`
	ApplyDate     dates.Date `json:"applyDate"`
	Time          int64      `json:"time"`
	ApplyState    string     `json:"applyState"`
	ReceiveUserID string     `json:"receiveUserId"`
	Position      string     `json:"position"`
}

// maxApplications is how many applications are listed: the latest.
const maxApplications = 1000

// Needs implements projections.Query.
func (Applications) Needs() []string { return []string{Name} }

// Run implements projections.Query. The list is in log order, the oldest first.
func (Applications) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	list := []Application{}
	mine := fmt.Sprintf(`SELECT * FROM %s WHERE user = {user:String} ORDER BY recorded DESC, partition, offset DESC
		LIMIT 1 BY application LIMIT {limit:UInt32}`, r.Table("friend_applications"))
	sql := fmt.Sprintf(`SELECT a.application, a.applicant, a.applicant_name, a.note, a.said, a.receiver, a.expires,
			toString(a.partition), a.offset, if(v.offset > a.offset, v.state, '')
		FROM (%s) AS a
		LEFT JOIN (SELECT application, max(offset) AS offset, toString(argMax(state, friend_verdicts.offset)) AS state FROM %s AS friend_verdicts
			WHERE application IN (SELECT application FROM (%s)) GROUP BY application) AS v USING (application)
		ORDER BY a.recorded, a.partition, a.offset`, mine, r.Table("friend_verdicts"), mine)
	args := []projections.Arg{{Name: "user", Value: caller}, {Name: "limit", Value: uint32(maxApplications)}}
	err := r.Select(ctx, sql, args, func(row projections.RowScanner) error {
		var a Application
		var expires int64
		var partition string
		var offset uint64
		err := row.Scan(&a.ApplyFriendID, &a.ApplyUserID, &a.ApplyNickName, &a.Note, &a.Time, &a.ReceiveUserID, &expires, &partition, &offset, &a.ApplyState)
		if err != nil {
			return err
		}
		if a.ApplyNickName == "" {
			u, _ := r.Book.User(a.ApplyUserID)
			a.ApplyNickName = u.NickName
		}
		a.ApplyDate, a.ApplyState = r.Dates.At(a.Time), State(a.ApplyState, expires, r.Clock().UnixMilli())
		a.Position = fmt.Sprintf("%s-%d", partition, offset)
		list = append(list, a)
		return nil
	})
	return projections.Page{List: list}, err
}

// State is the applyState of an application whose verdict is given, or empty.
func State(verdict string, expires, now int64) string {
	switch {
	case verdict != "":
		return verdict
	case expires > 0 && now >= expires:
		return events.Expired
	}
	return events.Pending
}
