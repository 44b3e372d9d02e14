package events

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Record is an event as it stands in a Kafka partition: CloudEvents 1.0, Kafka
// protocol binding, binary content mode (ce_* headers, JSON value).
type Record struct {
	Key     []byte
	Headers []Header
	Value   []byte
}

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// HeaderRecordedTime carries the recorded time in Unix milliseconds. The
// appender adds it when it makes a batch and leaves it unchanged when a batch is
// sent again or copied.
const HeaderRecordedTime = "ce_recordedtime"

const (
	typePrefix = "lishi."
	timeFormat = "2006-01-02T15:04:05.000Z07:00"
)

// Encode writes an event as a record. It fails on a body that is not registered
// and on text that is not UTF-8, which JSON could not carry byte for byte.
func Encode(e Event) (Record, error) {
	k := registry[e.Body.Type()]
	if k == nil || reflect.TypeOf(e.Body) != k.body {
		return Record{}, fmt.Errorf("events: %T is not a registered event", e.Body)
	}
	value, err := encodeBody(e.Body)
	if err != nil {
		return Record{}, err
	}
	hs := make([]Header, 0, 16)
	add := func(key, v string) {
		if v != "" {
			hs = append(hs, Header{key, []byte(v)})
		}
	}
	add("content-type", "application/json")
	add("ce_specversion", "1.0")
	add("ce_id", e.ID.String())
	add("ce_type", typePrefix+k.name+".v"+strconv.Itoa(k.version))
	add("ce_source", "/lishi")
	add("ce_subject", e.Stream.Key())
	add("ce_time", e.Time.UTC().Format(timeFormat))
	if e.Revision > 0 {
		add("ce_revision", strconv.FormatUint(e.Revision, 10))
		add("ce_prev", e.Prev.String())
	}
	if k.ordering == ByBasis {
		add("ce_basis", strconv.FormatInt(e.Basis, 10))
	}
	add("ce_actor", e.Actor)
	add("ce_actorname", e.ActorName)
	add("ce_request", e.Request)
	if e.Fingerprint != (Fingerprint{}) {
		add("ce_fingerprint", hex.EncodeToString(e.Fingerprint[:]))
	}
	if e.Imported {
		add("ce_imported", "true")
	}
	for _, h := range hs {
		if !utf8.Valid(h.Value) {
			return Record{}, fmt.Errorf("events: header %s is not UTF-8", h.Key)
		}
	}
	return Record{Key: []byte(e.Stream.Key()), Headers: hs, Value: value}, nil
}

// Decode reads a record at its position. A record that is not lishi's comes back
// with a Foreign body and no error; one that is and can't be understood is
// ErrDamaged, with the position in its text.
func Decode(p Position, r Record) (Recorded, error) {
	rec := Recorded{Position: p}
	typ := ""
	for i := range r.Headers {
		if r.Headers[i].Key == "ce_type" {
			typ = string(r.Headers[i].Value)
			break
		}
	}
	if !strings.HasPrefix(typ, typePrefix) {
		rec.Body = Foreign{Reason: "ce_type is not lishi's"}
		return rec, nil
	}
	if err := rec.decode(typ, r); err != nil {
		return Recorded{Position: p}, fmt.Errorf("%w: %s (%s): %v", ErrDamaged, p, clip(typ), err)
	}
	return rec, nil
}

func (rec *Recorded) decode(typ string, r Record) (err error) {
	v := strings.LastIndex(typ, ".v")
	if v < len(typePrefix) {
		return fmt.Errorf("type has no version")
	}
	k := registry[typ[len(typePrefix):v]]
	if k == nil {
		return fmt.Errorf("unknown event type")
	}
	version, err := strconv.Atoi(typ[v+2:])
	if err != nil || version < 1 || strconv.Itoa(version) != typ[v+2:] {
		return fmt.Errorf("not a version")
	}
	if version > k.version {
		return fmt.Errorf("version %d is newer than this program's %d; a newer lishi wrote it", version, k.version)
	}
	if rec.Stream, err = ParseKey(string(r.Key)); err != nil {
		return err
	}
	if err = rec.decodeHeaders(r.Headers); err != nil {
		return err
	}
	if rec.ID.IsZero() {
		return fmt.Errorf("no ce_id")
	}
	if rec.At.IsZero() {
		return fmt.Errorf("no %s", HeaderRecordedTime)
	}
	if (k.ordering == ByRevision) != (rec.Revision > 0) {
		return fmt.Errorf("revision %d does not fit the type", rec.Revision)
	}
	value := json.RawMessage(r.Value)
	for _, up := range k.upcasters[version-1:] {
		if value, err = up(value); err != nil {
			return fmt.Errorf("upcast: %w", err)
		}
	}
	rec.Body, err = decodeBody(k, value)
	return err
}

func (rec *Recorded) decodeHeaders(hs []Header) (err error) {
	for i := range hs {
		v := string(hs[i].Value)
		switch hs[i].Key {
		case "ce_id":
			rec.ID, err = ParseID(v)
		case "ce_prev":
			rec.Prev, err = ParseID(v)
		case "ce_revision":
			rec.Revision, err = strconv.ParseUint(v, 10, 64)
		case "ce_basis":
			rec.Basis, err = strconv.ParseInt(v, 10, 64)
		case "ce_actor":
			rec.Actor = v
		case "ce_actorname":
			rec.ActorName = v
		case "ce_request":
			rec.Request = v
		case "ce_fingerprint":
			if len(v) != 32 {
				return fmt.Errorf("%s has %d digits", hs[i].Key, len(v))
			}
			_, err = hex.Decode(rec.Fingerprint[:], hs[i].Value)
		case "ce_imported":
			rec.Imported = v == "true"
		case "ce_time":
			rec.Time, err = parseTime(v)
		case HeaderRecordedTime:
			var ms int64
			ms, err = strconv.ParseInt(v, 10, 64)
			rec.At = time.UnixMilli(ms).UTC()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", hs[i].Key, err)
		}
	}
	return nil
}

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	return t.UTC(), err
}
