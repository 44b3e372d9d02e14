package telemetry

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the figures at /metrics. All methods are safe for concurrent use
// and cheap enough for hot paths.
type Metrics struct {
	statements  *prometheus.HistogramVec
	registry    *prometheus.Registry
	connections prometheus.Gauge
	commands    *prometheus.CounterVec
	latency     *prometheus.HistogramVec
	pushes      *prometheus.CounterVec
	closed      *prometheus.CounterVec
	refused     *prometheus.CounterVec
	appends     prometheus.Histogram
	appended    prometheus.Counter
	syncs       prometheus.Histogram
}

// Seconds from a tenth of a millisecond to ten seconds.
var buckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// NewMetrics makes a registry of its own, with the Go runtime's figures.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lishi_connections", Help: "Open WebSocket connections."}),
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lishi_requests_total", Help: "Requests by url and reason; the reason of a success is ok."}, []string{"url", "reason"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lishi_request_seconds", Help: "From the request's arrival to its result, by url.", Buckets: buckets}, []string{"url"}),
		pushes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lishi_pushes_total", Help: "Frames pushed, by msgType."}, []string{"msg_type"}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lishi_connections_closed_total", Help: "Closed connections by close code."}, []string{"code"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lishi_connections_refused_total", Help: "Connections that were not taken: all places were taken (all), or those of the client's address (address)."}, []string{"why"}),
		appends: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "lishi_append_seconds", Help: "One record batch: from being sent to the log until its answer.", Buckets: buckets}),
		appended: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lishi_appended_events_total", Help: "Events that the log acknowledged to this node."}),
		syncs: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "lishi_sync_seconds", Help: "One cycle of the embedded log's group sync.", Buckets: buckets}),
	}
	m.statements = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "lishi_sql_seconds", Help: "Statements of people's SQL, until the end of their answer, by role and outcome.", Buckets: buckets}, []string{"role", "outcome"})
	m.registry.MustRegister(m.statements, m.connections, m.commands, m.latency, m.pushes, m.closed, m.refused, m.appends, m.appended, m.syncs,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the figures in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Register adds collectors whose figures are asked for at scrape time.
func (m *Metrics) Register(cs ...prometheus.Collector) { m.registry.MustRegister(cs...) }

// Connected counts a connection that opened (+1) or closed (-1).
func (m *Metrics) Connected(delta int) { m.connections.Add(float64(delta)) }

// Closed counts a closed connection by its code.
func (m *Metrics) Closed(code string) { m.closed.WithLabelValues(code).Inc() }

// Refused counts a connection that was not taken.
func (m *Metrics) Refused(why string) { m.refused.WithLabelValues(why).Inc() }

// Requested counts a finished request; reason is ok or a reason word.
func (m *Metrics) Requested(url, reason string, took time.Duration) {
	m.commands.WithLabelValues(url, reason).Inc()
	m.latency.WithLabelValues(url).Observe(took.Seconds())
}

// Pushed counts frames of a msgType.
func (m *Metrics) Pushed(msgType string, n int) { m.pushes.WithLabelValues(msgType).Add(float64(n)) }

// Appended counts one record batch that the log answered.
func (m *Metrics) Appended(n int, took time.Duration) {
	m.appended.Add(float64(n))
	m.appends.Observe(took.Seconds())
}

// Asked counts one statement of people's SQL; outcome is answered or refused.
func (m *Metrics) Asked(role, outcome string, took time.Duration) {
	m.statements.WithLabelValues(role, outcome).Observe(took.Seconds())
}

// Synced counts one cycle of group sync.
func (m *Metrics) Synced(took time.Duration) { m.syncs.Observe(took.Seconds()) }
