package exports

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// The elements of Actiance Vantage's import format, as Mattermost's compliance
// export writes and documents them
// (github.com/mattermost/mattermost, server/enterprise/message_export/actiance_export):
// a FileDump of Conversations, each a chat room on a day; times of rooms and
// participants in seconds, of messages in milliseconds, UTC.
type actianceEntered struct {
	XMLName          xml.Name `xml:"ParticipantEntered"`
	LoginName        string
	UserType         string
	DateTimeUTC      int64
	CorporateEmailID string
}

type actianceLeft struct {
	XMLName          xml.Name `xml:"ParticipantLeft"`
	LoginName        string
	UserType         string
	DateTimeUTC      int64
	CorporateEmailID string
}

type actianceMessage struct {
	XMLName            xml.Name `xml:"Message"`
	MessageID          string   `xml:"MessageId"`
	LoginName          string
	UserType           string
	DateTimeUTC        int64
	UpdatedType        string `xml:",omitempty"`
	UpdatedDateTimeUTC int64  `xml:",omitempty"`
	EditedNewMsgID     string `xml:"EditedNewMsgId,omitempty"`
	Content            string
}

// writeActiance writes actiance.xml.
func writeActiance(ctx context.Context, d *days, dir string, show func(string, int64)) (err error) {
	f, err := os.OpenFile(filepath.Join(dir, "actiance.xml"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	x := actianceWriter{Encoder: xml.NewEncoder(f)}
	x.Indent("", "  ")
	if _, err := io.WriteString(f, xml.Header); err != nil {
		return err
	}
	root := xml.StartElement{Name: xml.Name{Local: "FileDump"}, Attr: []xml.Attr{{
		Name: xml.Name{Local: "xmlns:xsi"}, Value: "http://www.w3.org/2001/XMLSchema-instance"}}}
	if err := x.EncodeToken(root); err != nil {
		return err
	}
	for _, at := range d.all {
		if err := x.conversation(ctx, d, at, show); err != nil {
			return err
		}
	}
	if err := x.EncodeToken(root.End()); err != nil {
		return err
	}
	if err := x.Close(); err != nil {
		return err
	}
	_, err = io.WriteString(f, "\n")
	return err
}

type actianceWriter struct {
	*xml.Encoder
	written int64
}

func (x *actianceWriter) conversation(ctx context.Context, d *days, at day, show func(string, int64)) error {
	begin, end := d.bounds(at)
	people, err := d.people(ctx, at)
	if err != nil {
		return err
	}
	start := xml.StartElement{Name: xml.Name{Local: "Conversation"}, Attr: []xml.Attr{{Name: xml.Name{Local: "Perspective"}, Value: at.conversation}}}
	element := func(name string, v any) {
		if err == nil {
			err = x.EncodeElement(v, xml.StartElement{Name: xml.Name{Local: name}})
		}
	}
	if err := x.EncodeToken(start); err != nil {
		return err
	}
	element("RoomID", at.conversation)
	element("StartTimeUTC", begin.Unix())
	for _, p := range people {
		element("ParticipantEntered", actianceEntered{LoginName: p.user, UserType: "user", DateTimeUTC: p.entered.Unix(), CorporateEmailID: p.user})
	}
	if err != nil {
		return err
	}
	err = d.messages(ctx, at, func(m message) error {
		if x.written++; x.written%1000 == 0 {
			show("actiance", x.written)
		}
		if !m.Valid { // nobody was shown it, and the format has no word for that
			return nil
		}
		out := actianceMessage{MessageID: m.Position, LoginName: m.Actor, UserType: "user", DateTimeUTC: m.Said.UnixMilli(), Content: m.Text}
		switch {
		case m.Version == "recall":
			out.MessageID, out.UpdatedType, out.UpdatedDateTimeUTC = m.Message, "Deleted", m.Said.UnixMilli()
		case m.EditedAt != nil:
			out.UpdatedType, out.UpdatedDateTimeUTC, out.EditedNewMsgID = "EditedOriginalMsg", m.EditedAt.UnixMilli(), m.EditedPosition
		case m.Version == "edit":
			out.UpdatedType, out.UpdatedDateTimeUTC = "EditedNewMsg", m.Said.UnixMilli()
		}
		return x.Encode(out)
	})
	for _, p := range people {
		element("ParticipantLeft", actianceLeft{LoginName: p.user, UserType: "user", DateTimeUTC: p.left.Unix(), CorporateEmailID: p.user})
	}
	element("EndTimeUTC", end.Unix()-1)
	if err != nil {
		return err
	}
	return x.EncodeToken(start.End())
}
