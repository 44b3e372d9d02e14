// Package seededfault plants errors in the program on purpose, so that the tests
// that should find such errors can be tested. They are there only in programs
// built with the tag seededfault, and then one at a time, by the environment
// variable SEEDED_FAULT. Without the tag Planted is a constant no, and the compiler
// leaves nothing of what it guards.
package seededfault

// Fault is an error that can be planted.
type Fault string

// The faults, each of which breaks one promise.
const (
	// VoidRule: messages, edits and recalls count wherever they stand in the log.
	VoidRule Fault = "void-rule"
	// EarlyAnswer: a message is acknowledged before the log has it.
	EarlyAnswer Fault = "early-answer"
	// SkipBarrier: a refusal is given on what this node happens to know.
	SkipBarrier Fault = "skip-barrier"
	// SkipRows: now and then rows are passed over, and the checkpoint says they were written.
	SkipRows Fault = "skip-rows"
	// DeliverTwice: now and then a push goes out twice.
	DeliverTwice Fault = "deliver-twice"
	// LoseOnResume: the first event of a backlog is passed over.
	LoseOnResume Fault = "lose-on-resume"
)

// All lists them.
var All = []Fault{VoidRule, EarlyAnswer, SkipBarrier, SkipRows, DeliverTwice, LoseOnResume}
