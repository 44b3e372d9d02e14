// Package ws is what is on the wire: requests, results and pushes as the protocol
// has them, over WebSocket and over HTTP, and delivery of what the log says to
// those whom it concerns.
//
//	frame ─▶ request (JSON, url, token, rate, params) ─▶ commands.Handler ─▶ log
//	                                                  └▶ queries
//	log ─▶ tail ─▶ Observe ─▶ Settle: results   ─┐
//	                       └▶ Route: pushes     ─┴▶ each connection's queue
//
// The files, in the order of a message's way: json.go and request.go read a frame,
// registry.go says which urls there are, params.go decodes their params, session.go
// and login.go are one connection, query.go and http.go the other ways in;
// delivery.go sends results and pushes, route.go says to whom, frame.go and
// result.go how they are written; resume.go brings what a connection missed.
//
// # Order
//
// A success and the pushes of the same partition leave in log order, because both
// are queued by Observe, under the partition's lock. A login joins delivery between
// two records of each partition (tail.Between); the offsets of these meetings are
// its cursor. Until its answer, and after a cursor its backlog, is out, pushes and
// successes are held.
//
// # Locks
//
// In this order: a partition's fold lock (held by the tail around Observe and
// Between), a ledger's read lock, a session's mu, a shard of the hub or the
// deadlines, a person's mu, a connection's queue.
package ws
