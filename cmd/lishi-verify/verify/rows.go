package verify

import (
	"bufio"
	"errors"
	"io"
	"unicode/utf8"
)

// Rows reads CSV as a package has it (RFC 4180: CRLF between rows, a quote
// doubled in quotes; UTF-8), byte for byte: encoding/csv would change line ends
// inside of a text.
type Rows struct {
	in   *bufio.Reader
	left int // bytes that the row may still have
}

// NewRows reads from in.
func NewRows(in io.Reader) *Rows { return &Rows{in: bufio.NewReaderSize(in, 1<<16)} }

var errCSV = errors.New("it is not CSV as packages have it")

// Next is the next row; io.EOF after the last.
func (r *Rows) Next() ([]string, error) {
	if _, err := r.in.Peek(1); err != nil {
		return nil, err
	}
	var row []string
	r.left = maxLine
	for {
		field, end, err := r.field()
		if err != nil {
			return nil, err
		}
		if !utf8.ValidString(field) {
			return nil, errCSV
		}
		if row = append(row, field); end {
			return row, nil
		}
		if len(row) == maxFields {
			return nil, errCSV
		}
	}
}

func (r *Rows) field() (field string, end bool, err error) {
	var b []byte
	quoted := false
	for i := 0; ; i++ {
		c, err := r.in.ReadByte()
		if r.left--; r.left < 0 {
			return "", false, errCSV
		}
		switch {
		case err == io.EOF:
			return "", false, errCSV // every row has its end
		case err != nil:
			return "", false, err
		case c == '"' && i == 0:
			quoted = true
			continue
		case c == '"' && !quoted:
			return "", false, errCSV
		case c == '"':
			next, err := r.in.ReadByte()
			if err != nil {
				return "", false, errCSV
			}
			if next == '"' {
				break
			}
			quoted, c = false, next
			if c != ',' && c != '\r' {
				return "", false, errCSV
			}
		}
		if !quoted && c == ',' {
			return string(b), false, nil
		}
		if !quoted && c == '\r' {
			if next, err := r.in.ReadByte(); err != nil || next != '\n' {
				return "", false, errCSV
			}
			return string(b), true, nil
		}
		if !quoted && c == '\n' {
			return "", false, errCSV
		}
		b = append(b, c)
	}
}

// AppendRow appends a row of CSV: a field is quoted if it has a comma, a quote
// or a line end in it. Nothing else is changed, also where a spreadsheet would
// take a text for a formula.
func AppendRow(dst []byte, row ...string) []byte {
	for i, field := range row {
		if i > 0 {
			dst = append(dst, ',')
		}
		quote := false
		for j := range len(field) {
			c := field[j]
			quote = quote || c == ',' || c == '"' || c == '\r' || c == '\n'
		}
		if !quote {
			dst = append(dst, field...)
			continue
		}
		dst = append(dst, '"')
		for j := range len(field) {
			if field[j] == '"' {
				dst = append(dst, '"')
			}
			dst = append(dst, field[j])
		}
		dst = append(dst, '"')
	}
	return append(dst, '\r', '\n')
}
