package console

import (
	"context"
	"net/http"
)

// Overview is how a node is, what is wrong first.
type Overview struct {
	About
	Time     string    `json:"time"`
	Started  string    `json:"started"`
	Problems []Problem `json:"problems"` // the worst first; empty: all is well
	Checks   []Check   `json:"checks"`
	Now      Rates     `json:"now"` // over the last half minute
	// History are the same figures over the last quarter of an hour, oldest first.
	History     []Rates      `json:"history"`
	Partitions  []Partition  `json:"partitions"`
	Projections []Projection `json:"projections"`
	Resources   Resources    `json:"resources"`
}

// Problem is one thing that is wrong.
type Problem struct {
	Bad     bool    `json:"bad"`     // people notice, or soon will; else: look within a day
	What    string  `json:"what"`    // one of the words below
	Subject string  `json:"subject"` // which: the check, the projection; empty where there is but one
	Value   float64 `json:"value"`   // how much, in the unit of the word
	Detail  string  `json:"detail"`
}

// What can be wrong.
const (
	NotReady       = "not_ready"       // Subject: the check
	Lagging        = "lagging"         // Subject: the projection; Value: seconds
	Failing        = "failing"         // Value: requests a minute answered unavailable or unknown
	SlowReaders    = "slow_readers"    // Value: connections closed with 4008 in a quarter of an hour
	DiskFull       = "disk_full"       // Value: bytes free
	FewDescriptors = "few_descriptors" // Value: share in use
	OldKeys        = "old_keys"        // the issuer's keys can't be had; the last good ones hold
	FallingBehind  = "falling_behind"  // Subject: the partition; Value: records not read yet
)

// Check is one part of the node, as /readyz has it.
type Check struct {
	Name   string `json:"name"`
	Ready  bool   `json:"ready"`
	Detail string `json:"detail,omitempty"`
}

// Rates are what happened in a while, a second; nil: nothing to tell of.
type Rates struct {
	At          string   `json:"at"`
	Connections float64  `json:"connections"`
	People      *int     `json:"people,omitempty"` // logged in to this node
	Requests    float64  `json:"requests"`
	Failed      float64  `json:"failed"`
	Events      float64  `json:"events"` // acknowledged by the log to this node
	Pushes      float64  `json:"pushes"`
	Median      *float64 `json:"median"` // seconds from a request to its result
	P99         *float64 `json:"p99"`
}

// Partition is how far a partition was read here.
type Partition struct {
	Partition string `json:"partition"`
	End       *int64 `json:"end"` // its last offset; nil: the log does not say
	Folded    int64  `json:"folded"`
	Behind    int64  `json:"behind"` // records
}

// Projection is how far a read model is.
type Projection struct {
	Name       string          `json:"name"`
	Build      uint32          `json:"build"`   // that answers; 0: none
	Events     int64           `json:"events"`  // not taken up yet, in all partitions
	Seconds    float64         `json:"seconds"` // behind, in the partition that is behind most
	Problem    string          `json:"problem,omitempty"`
	Partitions []PartitionsLag `json:"partitions"`
}

// PartitionsLag is a projection's lag in one partition.
type PartitionsLag struct {
	Partition string  `json:"partition"`
	Events    int64   `json:"events"`
	Seconds   float64 `json:"seconds"`
}

// Resources are what the process uses, and may; 0: not known.
type Resources struct {
	Descriptors     int    `json:"descriptors"`
	DescriptorLimit uint64 `json:"descriptorLimit"`
	Memory          uint64 `json:"memory"` // bytes, resident
	CPUs            int    `json:"cpus"`
	DiskFree        uint64 `json:"diskFree"` // bytes, where the data directory is
	DiskSize        uint64 `json:"diskSize"`
}

// Health are the routes that tell how this node is.
func Health(of func(context.Context) Overview) []Route {
	return []Route{{
		Method: http.MethodGet, Path: "/api/overview", Roles: Everybody,
		Doc: "how the node that answers is: what is wrong first, checks, rates and latencies of the last quarter of an hour, how far log and read models are, what it uses",
		Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
			if err := ParamsOf(r).Err(); err != nil {
				return err
			}
			return JSON(w, of(r.Context()))
		},
	}}
}
