package events

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
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

const typePrefix = "lishi."

// headersMost is how many headers a record has at most, with the recorded time.
const headersMost = 17

// Encode writes an event as a record. It refuses everything that Decode would
// not read back as it was, so that no writer can stop a partition's readers: a
// body that is not registered or in the wrong kind of stream, an event without
// id, a revision that does not fit the type, text that is not UTF-8, which JSON
// could not carry byte for byte. Time is cut to milliseconds.
func Encode(e Event) (Record, error) {
	// All parts of the record share one buffer: one allocation.
	w := Encoder{
		buf:     make([]byte, 0, 384+len(e.Stream.ID)+len(e.Stream.Peer)+len(e.Actor)+len(e.ActorName)+len(e.Request)+bodySize(e.Body)),
		headers: make([]Header, 0, headersMost),
	}
	return w.Encode(&e)
}

// Encoder is Encode with memory that is used again: a record is valid until the
// next call. The zero value is ready; one goroutine.
type Encoder struct {
	buf     []byte
	headers []Header
}

// Encode is the function Encode.
func (w *Encoder) Encode(e *Event) (Record, error) {
	k, err := encodable(e)
	if err != nil {
		return Record{}, fmt.Errorf("events: %w", err)
	}
	w.buf, w.headers = w.buf[:0], w.headers[:0]
	w.add("content-type", append(w.buf, "application/json"...))
	w.add("ce_specversion", append(w.buf, "1.0"...))
	w.add("ce_id", hex.AppendEncode(w.buf, e.ID[:]))
	w.add("ce_type", append(w.buf, k.written...))
	w.add("ce_source", append(w.buf, "/lishi"...))
	subject := w.add("ce_subject", e.Stream.AppendKey(w.buf))
	w.add("ce_time", appendTime(w.buf, e.Time))
	if e.Revision > 0 {
		w.add("ce_revision", strconv.AppendUint(w.buf, e.Revision, 10))
	}
	if !e.Prev.IsZero() {
		w.add("ce_prev", hex.AppendEncode(w.buf, e.Prev[:]))
	}
	if k.ordering == ByBasis {
		w.add("ce_basis", strconv.AppendInt(w.buf, e.Basis, 10))
	}
	w.text("ce_actor", e.Actor)
	w.text("ce_actorname", e.ActorName)
	w.text("ce_request", e.Request)
	if e.Fingerprint != (Fingerprint{}) {
		w.add("ce_fingerprint", hex.AppendEncode(w.buf, e.Fingerprint[:]))
	}
	if e.Imported {
		w.add("ce_imported", append(w.buf, "true"...))
	}
	start := len(w.buf)
	b, err := appendBody(w.buf, e.Body)
	if err != nil {
		return Record{}, fmt.Errorf("events: %s: %w", k.name, err)
	}
	w.buf = b
	return Record{Key: subject, Headers: w.headers, Value: b[start:len(b):len(b)]}, nil
}

// bodySize guesses how much room the JSON takes.
func bodySize(b Body) int {
	if m, ok := b.(MessageSent); ok {
		return 64 + len(m.Content.Plain) + len(m.Content.Plain)/8
	}
	return 256
}

// add takes the buffer with a header's value appended.
func (w *Encoder) add(key string, grown []byte) []byte {
	value := grown[len(w.buf):len(grown):len(grown)]
	w.buf = grown
	w.headers = append(w.headers, Header{key, value})
	return value
}

func (w *Encoder) text(key, value string) {
	if value != "" {
		w.add(key, append(w.buf, value...))
	}
}

func encodable(e *Event) (*kind, error) {
	if e.Body == nil {
		return nil, errors.New("an event without body")
	}
	k := registry[e.Body.Type()]
	if k == nil || reflect.TypeOf(e.Body) != k.body {
		return nil, fmt.Errorf("%T is not a registered event", e.Body)
	}
	if err := e.sound(k); err != nil {
		return nil, fmt.Errorf("%s: %w", k.name, err)
	}
	for _, s := range [...]string{e.Stream.ID, e.Stream.Peer, e.Actor, e.ActorName, e.Request} {
		if !utf8.ValidString(s) {
			return nil, fmt.Errorf("%s: a header is not UTF-8: %q", k.name, clip(s))
		}
	}
	if !writable(e.Time) {
		return nil, fmt.Errorf("%s: %w", k.name, errYear)
	}
	if e.Stream.Kind == System {
		return k, nil
	}
	if e.Stream.ID == "" || (e.Stream.Kind == Pair) != (e.Stream.Peer != "") || e.Stream.Kind == Pair && e.Stream.ID > e.Stream.Peer {
		return nil, fmt.Errorf("%s: %w: %q", k.name, errKey, clip(e.Stream.Key()))
	}
	return k, nil
}

// sound is what holds for every event of lishi.
func (e *Event) sound(k *kind) error {
	switch {
	case e.ID.IsZero():
		return errors.New("no ce_id")
	case !k.livesIn(e.Stream.Kind):
		return fmt.Errorf("the type does not belong in %q", clip(e.Stream.Key()))
	case (k.ordering == ByRevision) != (e.Revision > 0):
		return fmt.Errorf("revision %d does not fit the type", e.Revision)
	case (e.Revision > 1) == e.Prev.IsZero():
		return fmt.Errorf("revision %d and prev %q do not fit together", e.Revision, e.Prev)
	}
	return nil
}

// Decode reads a record at its position. A record that is not lishi's comes back
// with a Foreign body and no error; one that is and can't be understood is
// ErrDamaged, with the position in its text.
func Decode(p Position, r Record) (Recorded, error) {
	rec := Recorded{Position: p}
	var typ []byte
	for i := range r.Headers {
		if r.Headers[i].Key == "ce_type" {
			typ = r.Headers[i].Value
			break
		}
	}
	if !bytes.HasPrefix(typ, []byte(typePrefix)) {
		rec.Body = Foreign{Reason: "ce_type is not lishi's"}
		return rec, nil
	}
	if err := rec.decode(typ, r); err != nil {
		return Recorded{Position: p}, fmt.Errorf("%w: %s (%s): %v", ErrDamaged, p, clip(string(typ)), err)
	}
	return rec, nil
}

func (rec *Recorded) decode(typ []byte, r Record) error {
	k, version, err := written(typ)
	if err != nil {
		return err
	}
	if rec.Stream, err = ParseKey(string(r.Key)); err != nil {
		return err
	}
	if err = rec.decodeHeaders(r.Headers); err != nil {
		return err
	}
	if err = rec.sound(k); err != nil {
		return err
	}
	if rec.At.IsZero() {
		return fmt.Errorf("no %s", HeaderRecordedTime)
	}
	if !utf8.Valid(r.Value) {
		return errors.New("value is not UTF-8")
	}
	value := r.Value
	for _, up := range k.upcasters[version-1:] {
		if value, err = up(json.RawMessage(value)); err != nil {
			return fmt.Errorf("upcast: %w", err)
		}
	}
	rec.Body, err = decodeBody(k, value)
	return err
}

// decodeHeaders reads lishi's headers; others (a trace's, say) may stand beside
// them. One that stands twice is an error: two readers could choose differently.
func (rec *Recorded) decodeHeaders(hs []Header) error {
	seen := uint32(0)
	for i := range hs {
		v := hs[i].Value
		bit, ok := uint32(0), true
		var err error
		switch hs[i].Key {
		case "ce_id":
			bit = 1 << 0
			rec.ID, ok = parseHex(v)
		case "ce_prev":
			bit = 1 << 1
			rec.Prev, ok = parseHex(v)
		case "ce_revision":
			bit = 1 << 2
			rec.Revision, err = strconv.ParseUint(string(v), 10, 64)
		case "ce_basis":
			bit = 1 << 3
			rec.Basis, err = strconv.ParseInt(string(v), 10, 64)
		case "ce_actor":
			bit = 1 << 4
			rec.Actor, ok = string(v), utf8.Valid(v)
		case "ce_actorname":
			bit = 1 << 5
			rec.ActorName, ok = string(v), utf8.Valid(v)
		case "ce_request":
			bit = 1 << 6
			rec.Request, ok = string(v), utf8.Valid(v)
		case "ce_fingerprint":
			bit = 1 << 7
			rec.Fingerprint, ok = parseHex(v)
		case "ce_imported":
			bit = 1 << 8
			rec.Imported, ok = true, string(v) == "true"
		case "ce_time":
			bit = 1 << 9
			rec.Time, err = parseTime(v)
		case HeaderRecordedTime:
			bit = 1 << 10
			var ms int64
			ms, err = strconv.ParseInt(string(v), 10, 64)
			rec.At = time.UnixMilli(ms).UTC()
		case "ce_type":
			bit = 1 << 11
		}
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", hs[i].Key, err)
		case !ok:
			return fmt.Errorf("%s can't be %q", hs[i].Key, clip(string(v)))
		case seen&bit != 0:
			return fmt.Errorf("%s stands twice", hs[i].Key)
		}
		seen |= bit
	}
	return nil
}
