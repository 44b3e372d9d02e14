package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lishi/docs/api"
	"lishi/web"
	"lishi/ws"
)

// routes is everything that this node serves on its one address.
func (n *node) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/ws", n.server)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", n.readyz)
	mux.Handle("GET /metrics", n.metrics.Handler())
	mux.Handle("GET /api/openapi.yaml", described(api.OpenAPI))
	mux.Handle("GET /api/asyncapi.yaml", described(api.AsyncAPI))
	if n.cfg.Demo {
		mux.Handle("GET /demo/people", localOnly(demoPeople(n.keys)))
	}
	files, urls := web.Serve(web.Dist), n.server.HTTP()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if reads := r.Method == http.MethodGet || r.Method == http.MethodHead; reads && !ws.Known(r.URL.Path) {
			files.ServeHTTP(w, r)
		} else {
			urls.ServeHTTP(w, r)
		}
	})
	return mux
}

// described serves a description of the protocol. It changes with the program, so
// it is asked for each time, and only sent where it is another.
func described(document []byte) http.Handler {
	sum := sha256.Sum256(document)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/yaml")
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		h.Set("X-Content-Type-Options", "nosniff")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(document))
	})
}

// check is one line of /readyz.
type check struct {
	Ready  bool   `json:"ready"`
	Detail string `json:"detail,omitempty"`
}

// checks says, by part, whether the node can do its work.
func (n *node) checks(ctx context.Context) map[string]check {
	checks := map[string]check{"log": {Ready: true}, "clickhouse": {Ready: true}, "projections": {Ready: true}}
	var tokens check
	tokens.Ready, tokens.Detail = n.keys.Ready()
	checks["tokens"] = tokens
	select {
	case <-n.tail.Ready():
	default:
		checks["log"] = check{Detail: "the log is still being read"}
	}
	if err := n.db.Ping(ctx); err != nil {
		checks["clickhouse"] = check{Detail: "ClickHouse does not answer"}
		n.logger.Debug("ping", "error", err)
	}
	for name, problem := range n.engine.Problems() {
		checks["projections"] = check{Detail: name + ": " + problem}
	}
	return checks
}

// readyz says 200 once the node can do all of its work, else 503, and names what
// is not ready, and the limits it runs under.
func (n *node) readyz(w http.ResponseWriter, r *http.Request) {
	checks := n.checks(r.Context())
	ready := true
	for _, c := range checks {
		ready = ready && c.Ready
	}
	descriptors := map[string]any{}
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		descriptors["limit"] = limit.Cur
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		descriptors["open"] = len(open)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.Encode(map[string]any{
		"ready": ready, "version": Version, "checks": checks, "folded": n.tail.Folded().String(),
		"limits": map[string]any{"descriptors": descriptors, "cpus": runtime.GOMAXPROCS(0)},
		"time":   time.Now().UTC().Format(time.RFC3339),
	})
}

// state gives the node's own figures when they are asked for.
type state struct{ n *node }

var (
	lagEvents  = prometheus.NewDesc("lishi_projection_lag_events", "Events that a projection's live build has not taken up yet.", []string{"projection", "partition"}, nil)
	lagSeconds = prometheus.NewDesc("lishi_projection_lag_seconds", "How far a projection's live build is behind.", []string{"projection", "partition"}, nil)
	readiness  = prometheus.NewDesc("lishi_ready", "1 if this part of the node is ready, else 0, as /readyz has it.", []string{"check"}, nil)
	foldedTo   = prometheus.NewDesc("lishi_log_folded_offset", "The offset up to which this node has read a partition.", []string{"partition"}, nil)
)

var figures = slices.Concat([]*prometheus.Desc{lagEvents, lagSeconds, foldedTo, readiness}, replayDescs, sealDescs)

// Describe implements prometheus.Collector.
func (s state) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lagEvents, lagSeconds, foldedTo, readiness} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (s state) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for name, check := range s.n.checks(ctx) {
		value := 0.0
		if check.Ready {
			value = 1
		}
		c <- prometheus.MustNewConstMetric(readiness, prometheus.GaugeValue, value, name)
	}
	for _, lag := range s.n.engine.Lag() {
		c <- prometheus.MustNewConstMetric(lagEvents, prometheus.GaugeValue, float64(lag.Events), lag.Projection, lag.Partition.String())
		c <- prometheus.MustNewConstMetric(lagSeconds, prometheus.GaugeValue, lag.Seconds, lag.Projection, lag.Partition.String())
	}
	for p, offset := range s.n.tail.Folded() {
		c <- prometheus.MustNewConstMetric(foldedTo, prometheus.GaugeValue, float64(offset), p.String())
	}
}
