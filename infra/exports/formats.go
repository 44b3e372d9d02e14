package exports

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"lishi/cmd/lishi-verify/verify"
)

// message is a row of messages.csv.
type message struct {
	Position, Message, Version, Conversation, Actor, ActorName string

	Said, Recorded time.Time
	Imported       bool

	Text, ContentType, ReplyTo, AtUsers string

	Valid bool
	Void  string

	EditedBy, EditedPosition     string
	EditedAt                     *time.Time
	RecalledBy, RecalledPosition string
	RecalledAt                   *time.Time

	Audience    int64
	AudienceIDs string
}

func readMessage(row []string) (m message, err error) {
	if len(row) != len(messageColumns) {
		return m, errors.New("a row of another width")
	}
	at := func(s string) (t time.Time) {
		if s != "" {
			var bad error
			t, bad = time.Parse(time.RFC3339Nano, s)
			err = errors.Join(err, bad)
		}
		return t
	}
	maybe := func(s string) *time.Time {
		if s == "" {
			return nil
		}
		t := at(s)
		return &t
	}
	m = message{
		Position: row[0], Message: row[1], Version: row[2], Conversation: row[3], Actor: row[4], ActorName: row[5],
		Said: at(row[6]), Recorded: at(row[7]), Imported: row[8] == "true",
		Text: row[9], ContentType: row[10], ReplyTo: row[11], AtUsers: row[12],
		Valid: row[13] == "true", Void: row[14],
		EditedBy: row[15], EditedAt: maybe(row[16]), EditedPosition: row[17],
		RecalledBy: row[18], RecalledAt: maybe(row[19]), RecalledPosition: row[20],
		AudienceIDs: row[22],
	}
	var bad error
	m.Audience, bad = strconv.ParseInt(row[21], 10, 64)
	return m, errors.Join(err, bad)
}

// archiveFormats writes what was asked for beside the tables, from the tables.
func archiveFormats(ctx context.Context, dir, logID string, q Query, show func(phase string, done int64)) error {
	if slices.Contains(q.Formats, "parquet") {
		if err := writeParquet(ctx, dir, show); err != nil {
			return err
		}
	}
	eml, actiance := slices.Contains(q.Formats, "eml"), slices.Contains(q.Formats, "actiance")
	if !eml && !actiance {
		return nil
	}
	zone, err := time.LoadLocation(q.Zone)
	if err != nil {
		return err
	}
	days, err := sortByDay(ctx, dir, zone, show)
	if err != nil {
		return err
	}
	if eml {
		if err := writeEML(ctx, days, dir, logID, show); err != nil {
			return err
		}
	}
	if actiance {
		if err := writeActiance(ctx, days, dir, show); err != nil {
			return err
		}
	}
	return days.remove()
}

// eachRow reads a table behind its header, which has that many rows.
func eachRow(ctx context.Context, path string, header int, each func(row []string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	rows := verify.NewRows(f)
	for n := 0; ; n++ {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n < header {
			continue
		}
		if n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := each(row); err != nil {
			return err
		}
	}
}

func eachMessage(ctx context.Context, dir string, each func(n int64, m message, row []string) error) error {
	n := int64(0)
	return eachRow(ctx, filepath.Join(dir, "messages.csv"), 1, func(row []string) error {
		m, err := readMessage(row)
		if err != nil {
			return err
		}
		n++
		return each(n, m, row)
	})
}
