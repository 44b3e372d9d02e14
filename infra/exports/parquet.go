package exports

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// parquetRow is a row of messages.parquet: the columns of messages.csv, with
// types.
type parquetRow struct {
	Position         string     `parquet:"position"`
	Message          string     `parquet:"message"`
	Version          string     `parquet:"version,dict"`
	Conversation     string     `parquet:"conversation,dict"`
	Actor            string     `parquet:"actor,dict"`
	ActorName        string     `parquet:"actor_name,dict"`
	Said             time.Time  `parquet:"said,timestamp(millisecond)"`
	Recorded         time.Time  `parquet:"recorded,timestamp(millisecond)"`
	Imported         bool       `parquet:"imported"`
	Text             string     `parquet:"text"`
	ContentType      string     `parquet:"content_type,dict"`
	ReplyTo          string     `parquet:"reply_to"`
	AtUsers          string     `parquet:"at_users"`
	Valid            bool       `parquet:"valid"`
	Void             string     `parquet:"void,dict"`
	EditedBy         string     `parquet:"edited_by"`
	EditedAt         *time.Time `parquet:"edited_at,optional,timestamp(millisecond)"`
	EditedPosition   string     `parquet:"edited_position"`
	RecalledBy       string     `parquet:"recalled_by"`
	RecalledAt       *time.Time `parquet:"recalled_at,optional,timestamp(millisecond)"`
	RecalledPosition string     `parquet:"recalled_position"`
	Audience         int64      `parquet:"audience"`
	AudienceIDs      string     `parquet:"audience_ids,dict"`
}

// rowGroup bounds the rows that are held in memory.
const rowGroup = 20_000

func writeParquet(ctx context.Context, dir string, show func(string, int64)) error {
	f, err := os.OpenFile(filepath.Join(dir, "messages.parquet"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w := parquet.NewGenericWriter[parquetRow](f, parquet.Compression(&zstd.Codec{Level: zstd.SpeedDefault}),
		parquet.CreatedBy("lishi", "1", ""), parquet.MaxRowsPerRowGroup(rowGroup))
	err = eachMessage(ctx, dir, func(n int64, m message, _ []string) error {
		if n%1000 == 0 {
			show("parquet", n)
		}
		_, err := w.Write([]parquetRow{{
			m.Position, m.Message, m.Version, m.Conversation, m.Actor, m.ActorName, m.Said, m.Recorded, m.Imported,
			m.Text, m.ContentType, m.ReplyTo, m.AtUsers, m.Valid, m.Void,
			m.EditedBy, m.EditedAt, m.EditedPosition, m.RecalledBy, m.RecalledAt, m.RecalledPosition, m.Audience, m.AudienceIDs,
		}})
		return err
	})
	if err == nil {
		err = w.Close()
	}
	return errors.Join(err, f.Close())
}
