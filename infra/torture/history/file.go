package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// line is one line of a file: exactly one field is there.
type line struct {
	Run       *run       `json:"run,omitempty"`
	Op        *Op        `json:"op,omitempty"`
	Frame     *Frame     `json:"frame,omitempty"`
	Page      *Page      `json:"page,omitempty"`
	Relations *Relations `json:"relations,omitempty"`
	Fault     *Fault     `json:"fault,omitempty"`
	Note      string     `json:"note,omitempty"`
}

type run struct {
	Seed    uint64   `json:"seed"`
	Shape   string   `json:"shape"`
	Devices []string `json:"devices"`
}

// Save writes the history as JSON lines. Nobody may enter anything meanwhile.
func (h *History) Save(file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	put := func(l line) { err = errors.Join(err, enc.Encode(l)) }
	put(line{Run: &run{h.Seed, h.Shape, h.Devices}})
	for i := range h.Faults {
		put(line{Fault: &h.Faults[i]})
	}
	for _, n := range h.Notes {
		put(line{Note: n})
	}
	for _, o := range h.Ops {
		put(line{Op: o})
	}
	for i := range h.Frames {
		put(line{Frame: &h.Frames[i]})
	}
	for i := range h.Pages {
		put(line{Page: &h.Pages[i]})
	}
	for i := range h.Relations {
		put(line{Relations: &h.Relations[i]})
	}
	return errors.Join(err, w.Flush())
}

// Load reads a history that was saved.
func Load(file string) (*History, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := &History{}
	for dec := json.NewDecoder(bufio.NewReader(f)); ; {
		var l line
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return h, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		switch {
		case l.Run != nil:
			h.Seed, h.Shape, h.Devices = l.Run.Seed, l.Run.Shape, l.Run.Devices
		case l.Op != nil:
			h.Ops = append(h.Ops, l.Op)
		case l.Frame != nil:
			h.Frames = append(h.Frames, *l.Frame)
		case l.Page != nil:
			h.Pages = append(h.Pages, *l.Page)
		case l.Relations != nil:
			h.Relations = append(h.Relations, *l.Relations)
		case l.Fault != nil:
			h.Faults = append(h.Faults, *l.Fault)
		case l.Note != "":
			h.Notes = append(h.Notes, l.Note)
		}
	}
}
