package verify

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// chain holds the relation events of whole streams against one another, by the
// log's own rule: one counts if its revision is the one after the newest that
// counts, and it names that one as its predecessor. Another was decided too late
// and counts for nothing; but whatever it names as its predecessor stands before it
// in the stream. Where that is missing an event was left out. It is for one
// partition at a time, in which a stream has all its events.
type chain struct {
	streams []string // those that are whole; nil: all of them, if all is set
	all     bool
	heads   map[string]head // by stream
	seen    map[string]bool // ids, with their stream
	held    int64           // how many count
}

// head is the newest relation event of a stream that counts.
type head struct {
	revision uint64
	id       string
}

// newChain tells from what was asked for which streams must be whole: those of
// which nothing was asked for but the conversation, or everything.
func newChain(query json.RawMessage) (*chain, error) {
	asked := map[string]json.RawMessage{}
	if err := json.Unmarshal(query, &asked); err != nil {
		return nil, broken("manifest", "manifest.json", "its query: %v", err)
	}
	c := &chain{}
	for name, value := range asked {
		switch {
		case slices.Contains([]string{"null", `""`, "[]", "false"}, string(value)), name == "formats", name == "zone":
		case name == "all":
			c.all = true
		case name == "conversations":
			if err := json.Unmarshal(value, &c.streams); err != nil {
				return nil, broken("manifest", "manifest.json", "its query: %v", err)
			}
		default: // what narrows
			return &chain{}, nil
		}
	}
	return c, nil
}

// next is another partition.
func (c *chain) next() { c.heads, c.seen = map[string]head{}, map[string]bool{} }

// add takes the next record of the partition.
func (c *chain) add(position string, r *Record) error {
	text := r.header("ce_revision")
	if text == "" || !c.all && !slices.Contains(c.streams, r.Key) {
		return nil
	}
	revision, err := strconv.ParseUint(text, 10, 64)
	if err != nil || revision == 0 {
		return broken("chain", position, "%q is no revision", text)
	}
	id, prev := strings.ToLower(r.header("ce_id")), strings.ToLower(r.header("ce_prev"))
	switch before := c.heads[r.Key]; {
	case revision == before.revision+1 && prev == before.id:
		c.heads[r.Key] = head{revision, id}
		c.held++
	case prev != "" && !c.seen[r.Key+"\n"+prev]:
		return broken("chain", position, "it is revision %d of %s and follows the event %s, which is not here", revision, r.Key, prev)
	}
	c.seen[r.Key+"\n"+id] = true
	return nil
}
