package exports

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// writeEML writes a mail (RFC 5322, MIME) for each conversation and day:
// eml/2026-01-31/….eml. Its text is the day's transcript, every version of every
// message with its position.
func writeEML(ctx context.Context, d *days, dir, logID string, show func(string, int64)) error {
	if err := os.RemoveAll(filepath.Join(dir, "eml")); err != nil {
		return err
	}
	written := int64(0)
	for _, at := range d.all {
		folder := filepath.Join(dir, "eml", at.date)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		f, err := os.OpenFile(filepath.Join(folder, hashName(at.conversation)+".eml"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		err = writeMail(ctx, d, at, logID, f, func() {
			if written++; written%1000 == 0 {
				show("eml", written)
			}
		})
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// addressed is to how many people a mail is addressed at most.
const addressed = 100

func writeMail(ctx context.Context, d *days, at day, logID string, to io.Writer, show func()) error {
	people, err := d.people(ctx, at)
	if err != nil {
		return err
	}
	begin, _ := d.bounds(at)
	out := bufio.NewWriter(to)
	header := func(name, value string) {
		if err == nil && value != "" {
			_, err = fmt.Fprintf(out, "%s: %s\r\n", name, value)
		}
	}
	domain := logID + ".lishi.invalid"
	var recipients []string
	for i, p := range people {
		if i < addressed && (i == 0 || p.user != people[i-1].user) {
			recipients = append(recipients, (&mail.Address{Name: p.user, Address: mailbox(p.user) + "@" + domain}).String())
		}
	}
	header("From", (&mail.Address{Name: at.conversation, Address: "conversation@" + domain}).String())
	header("To", strings.Join(recipients, ",\r\n "))
	header("Subject", words(at.conversation+" "+at.date))
	header("Date", begin.Format(time.RFC1123Z))
	header("Message-ID", "<"+hashName(at.conversation)+"."+at.date+"@"+domain+">")
	header("X-Lishi-Conversation", words(at.conversation))
	header("X-Lishi-Participants", fmt.Sprint(len(people)))
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	if err != nil {
		return err
	}
	if _, err := out.WriteString("\r\n"); err != nil {
		return err
	}
	text := quotedprintable.NewWriter(out)
	err = d.messages(ctx, at, func(m message) error {
		show()
		_, err := io.WriteString(text, transcript(m, d.zone))
		return err
	})
	return errors.Join(err, text.Close(), out.Flush())
}

// transcript is a version of a message as people read it.
func transcript(m message, zone *time.Location) string {
	var b strings.Builder
	name := m.Actor
	if m.ActorName != "" && m.ActorName != m.Actor {
		name = m.ActorName + " (" + m.Actor + ")"
	}
	fmt.Fprintf(&b, "[%s] %s, %s", m.Said.In(zone).Format("15:04:05.000 -07:00"), name, m.Position)
	note := func(format string, args ...any) { fmt.Fprintf(&b, "; "+format, args...) }
	switch m.Version {
	case "edit":
		note("edits %s", m.Message)
	case "recall":
		note("recalls %s", m.Message)
	}
	if m.Imported {
		note("imported %s", m.Recorded.In(zone).Format(time.RFC3339))
	}
	if !m.Valid {
		note("void: %s", m.Void)
	}
	if m.EditedAt != nil {
		note("edited by %s in %s", m.EditedBy, m.EditedPosition)
	}
	if m.RecalledAt != nil {
		note("recalled by %s in %s", m.RecalledBy, m.RecalledPosition)
	}
	b.WriteString("\r\n")
	if m.Version != "recall" {
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(m.Text, "\r\n", "\n"), "\n", "\r\n"))
		b.WriteString("\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// mailbox is a user's id as the local part of an address: itself, or if it could
// not be one, its bytes in hexadecimal.
func mailbox(id string) string {
	for i := range len(id) {
		if c := id[i] | 0x20; (c < 'a' || c > 'z') && (id[i] < '0' || id[i] > '9') && id[i] != '-' && id[i] != '_' {
			return "x." + hex.EncodeToString([]byte(id))
		}
	}
	return id
}

// words encodes a header's text, in lines.
func words(s string) string {
	return strings.ReplaceAll(mime.QEncoding.Encode("utf-8", s), "?= =?", "?=\r\n =?")
}
