package merkle

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"lishi/events"
)

// Checkpoint is the head of one partition's tree (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string // names the tree for ever: see Origin
	Size   int64  // number of records
	Root   events.Hash
}

// Origin names the tree of a partition: "lishi.log/", the log's id, "/" and the
// partition, such as "lishi.log/7c2f…/c3".
func Origin(logID string, p events.Partition) string {
	return originPrefix + logID + "/" + p.String()
}

const originPrefix = "lishi.log/"

// ParseOrigin reads what Origin wrote.
func ParseOrigin(s string) (logID string, p events.Partition, err error) {
	rest, ok := strings.CutPrefix(s, originPrefix)
	id, part, cut := strings.Cut(rest, "/")
	if ok && cut && id != "" {
		// A position's grammar holds for the partition before its dash.
		if at, err := events.ParsePosition(part + "-0"); err == nil {
			return id, at.Partition, nil
		}
	}
	return "", events.Partition{}, fmt.Errorf("merkle: %q does not name a partition of a log", s)
}

// String is the checkpoint's text: what is signed.
func (c Checkpoint) String() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

var errCheckpoint = errors.New("merkle: not a checkpoint")

// ParseCheckpoint reads a checkpoint's text, which must be exactly as String
// writes it. Extension lines are refused: no monitor can audit them.
func ParseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] == "" || lines[3] != "" {
		return Checkpoint{}, fmt.Errorf("%w: not three lines", errCheckpoint)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return Checkpoint{}, fmt.Errorf("%w: size %q", errCheckpoint, lines[1])
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: root: %w", errCheckpoint, err)
	}
	c := Checkpoint{lines[0], size, root}
	if c.String() != text {
		return Checkpoint{}, fmt.Errorf("%w: it would be written otherwise", errCheckpoint)
	}
	return c, nil
}

func parseHash(s string) (events.Hash, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(events.Hash{}) {
		return events.Hash{}, fmt.Errorf("not a hash: %.60q", s)
	}
	return events.Hash(b), nil
}
