package console

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"

	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/seals"
)

// Sealer is what the routes of the seals ask: *seals.Sealer.
type Sealer interface {
	Status() seals.Status
	Partitions() []events.Partition
	Checkpoints(p events.Partition, n int, before int64) ([]seals.Entry, error)
	Prove(ctx context.Context, at events.Position) (merkle.Inclusion, error)
	Consistency(p events.Partition, old, size int64) (merkle.Consistency, error)
	Keys() merkle.Keys
	Changes() ([][]byte, error)
	Verify(by string) error
}

// checkpoint is a checkpoint as it is shown.
type checkpoint struct {
	Partition string `json:"partition"`
	Size      int64  `json:"size"`
	Root      string `json:"root"`
	Note      string `json:"checkpoint"`
}

// Seals are the routes of checkpoints and proofs. s is nil where nothing is
// sealed (seal=false).
func Seals(s Sealer) []Route {
	routes := []Route{
		{
			Method: http.MethodGet, Path: "/api/audit/status", Roles: []Role{Auditor},
			Doc: "how the sealing stands: `key`, `signing`; by partition `records`, `size` and `sealed` (the newest checkpoint), `waiting` (seconds), clock skews; `witnesses` with what each acknowledged (`acks`: `size`, `when`, `cosignatures`), `lag`, `error`; `wrong`, contradictions found; `verified`, the last verification (`began`, `ended`, `by`, `holds`, `partitions`, `problems`) and the one under way (`running`, `done`, `total`)",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				if err := ParamsOf(r).Err(); err != nil {
					return err
				}
				return JSON(w, s.Status())
			},
		},
		{
			Method: http.MethodGet, Path: "/api/audit/checkpoints", Roles: []Role{Auditor},
			Doc: "published checkpoints, newest first: `checkpoints` with `partition`, `size`, `root` (base64), `checkpoint` (the signed note); of one `partition` up to `limit` (1000 at most) of fewer than `before` records, or without it the newest of each",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				p := ParamsOf(r)
				name, limit, before := p.Text("partition", 16), p.Int("limit", 100, 1, 1000), p.Int("before", 0, 0, 1<<53)
				if err := p.Err(); err != nil {
					return err
				}
				parts := s.Partitions()
				if name == "" {
					limit = 1
				} else {
					at, err := events.ParsePosition(name + "-0")
					if err != nil {
						return Refuse(BadRequest, "partition is one like c3")
					}
					parts = []events.Partition{at.Partition}
				}
				out := struct {
					Checkpoints []checkpoint `json:"checkpoints"`
				}{[]checkpoint{}}
				for _, part := range parts {
					es, err := s.Checkpoints(part, limit, int64(before))
					if err != nil {
						return sealed(err)
					}
					for _, e := range es {
						out.Checkpoints = append(out.Checkpoints, checkpoint{part.String(), e.Size, base64.StdEncoding.EncodeToString(e.Root[:]), string(e.Signed)})
					}
				}
				return JSON(w, out)
			},
		},
		{
			Method: http.MethodGet, Path: "/api/audit/keys", Roles: []Role{Auditor},
			Doc: "the public keys that sign or signed checkpoints, the newest last (`keys`), and the notes by which each handed over to the next (`changes`)",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				if err := ParamsOf(r).Err(); err != nil {
					return err
				}
				out := struct {
					Keys    []string `json:"keys"`
					Changes []string `json:"changes"`
				}{[]string{}, []string{}}
				for _, k := range s.Keys().Public() {
					out.Keys = append(out.Keys, merkle.PublicText(k))
				}
				changes, err := s.Changes()
				if err != nil {
					return err
				}
				for _, c := range changes {
					out.Changes = append(out.Changes, string(c))
				}
				return JSON(w, out)
			},
		},
		{
			Method: http.MethodGet, Path: "/api/audit/prove/{position}", Roles: []Role{Auditor}, Look: true,
			Doc: "prove that an event stands in the log: `position`, `size` (of the checkpoint), `origin`, `proof` (the text of a `.tlog-proof`, which holds the event, and which `lishi audit verify` checks alone); `conflict` while no checkpoint vouches for it, which is a matter of seconds",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				if err := ParamsOf(r).Err(); err != nil {
					return err
				}
				at, err := events.ParsePosition(r.PathValue("position"))
				if err != nil {
					return Refuse(BadRequest, "a position is like c3-182736")
				}
				in, err := s.Prove(r.Context(), at)
				if err != nil {
					return sealed(err)
				}
				text, err := in.MarshalText()
				if err != nil {
					return err
				}
				c, err := s.Keys().Open(in.Checkpoint)
				if err != nil {
					return err
				}
				return JSON(w, map[string]any{"position": at, "size": c.Size, "origin": c.Origin, "proof": string(text)})
			},
		},
		{
			Method: http.MethodGet, Path: "/api/audit/consistency", Roles: []Role{Auditor},
			Doc: "prove that the log continues what it was: `partition`, `old` (a number of records), `size` (of a later checkpoint; the newest); answers `partition`, `old`, `size`, `proof` (its text, for `lishi audit verify --old`)",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				p := ParamsOf(r)
				name, old, size := p.Text("partition", 16), p.Int("old", 0, 0, 1<<53), p.Int("size", 0, 0, 1<<53)
				if err := p.Err(); err != nil {
					return err
				}
				at, err := events.ParsePosition(name + "-0")
				if err != nil {
					return Refuse(BadRequest, "partition is one like c3")
				}
				co, err := s.Consistency(at.Partition, int64(old), int64(size))
				if err != nil {
					return sealed(err)
				}
				text, err := co.MarshalText()
				if err != nil {
					return err
				}
				c, err := s.Keys().Open(co.Checkpoint)
				if err != nil {
					return err
				}
				return JSON(w, map[string]any{"partition": name, "old": old, "size": c.Size, "proof": string(text)})
			},
		},
		{
			Method: http.MethodPost, Path: "/api/audit/verify", Roles: []Role{Auditor},
			Doc: "read the whole log now and hold it against everything that was signed of it; goes on in the background, see `verified` of `/api/audit/status`; `conflict` while one is under way",
			Handle: func(w http.ResponseWriter, r *http.Request, c Caller) error {
				if err := ParamsOf(r).Err(); err != nil {
					return err
				}
				if err := s.Verify(c.ID); err != nil {
					return Refuse(Conflict, "%v", err)
				}
				return JSON(w, s.Status().Verified)
			},
		},
	}
	if s == nil {
		for i := range routes {
			routes[i].Handle = func(http.ResponseWriter, *http.Request, Caller) error {
				return Refuse(Unavailable, "this node keeps no checkpoints (the setting seal)")
			}
		}
	}
	return routes
}

// sealed says what a proof can't be made of.
func sealed(err error) error {
	switch {
	case errors.Is(err, seals.ErrNotSealed):
		return Refuse(Conflict, "%v", err)
	case errors.Is(err, seals.ErrNoPartition):
		return Refuse(NotFound, "%v", err)
	}
	return err
}
