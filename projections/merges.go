package projections

import "context"

// heldRounds is after how many rounds of inserts ClickHouse may merge all the same:
// it merges as many parts in one go, and refuses inserts only beyond ten times
// as many.
const heldRounds = 100

// holdMerges keeps ClickHouse from merging what a replay writes while nobody reads
// it: small parts would be merged again and again with what follows, which costs
// almost as much as the inserts. A server may not allow it, and forgets it when it
// restarts; then it merges.
func (r *replay) holdMerges(ctx context.Context) {
	r.merges(ctx, "STOP")
}

// letMerge lets it, however the replay ended. It can be called more than once.
func (r *replay) letMerge(ctx context.Context) {
	r.merges(context.WithoutCancel(ctx), "START")
}

func (r *replay) merges(ctx context.Context, verb string) {
	for _, t := range r.parts {
		for _, table := range t.model.projection.Tables() {
			if err := r.engine.db.Exec(ctx, "SYSTEM "+verb+" MERGES `"+physical(table.Name, t.fill.number)+"`"); err != nil {
				r.engine.options.Log.Debug("merges can't be held off", "table", table.Name, "error", err)
				return
			}
		}
	}
}
