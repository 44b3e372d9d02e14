package main

import (
	"math/rand/v2"
	"sync"

	"lishi/infra/torture/client"
	"lishi/infra/torture/history"
	"lishi/infra/torture/model"
)

// world is what the clients of a run know together, so that what they do makes
// sense: which applications wait, which messages there are, which groups.
type world struct {
	users []string

	mu       sync.Mutex
	groups   []string // streams
	waiting  []application
	seen     map[string]bool      // applications
	messages map[string][]message // the newest of each stream
}

// application is one that somebody can verify.
type application struct {
	id, stream string
	applicant  string // of friendship: who asked; of a group: who is to join
	verifier   string // who is asked; empty: the group's staff
	invitation bool
}

type message struct{ position, author string }

func newWorld(users []string) *world {
	return &world{users: users, seen: map[string]bool{}, messages: map[string][]message{}}
}

// pushed takes in what a device was pushed.
func (w *world) pushed(user string, p client.Push) {
	switch p.Type {
	case "1", "2":
		w.said(p.Stream, p.Position, p.Sender)
	case "3":
		if p.Applicant != user {
			w.applied(application{id: p.Application, stream: history.Pair(p.Applicant, user), applicant: p.Applicant, verifier: user})
		}
	case "4":
		w.applied(application{id: p.Application, stream: history.Group(p.Group), applicant: p.Applicant})
	case "5":
		if p.Applicant != user {
			w.applied(application{id: p.Application, stream: history.Group(p.Group), applicant: user, verifier: user, invitation: true})
		}
	}
}

func (w *world) applied(a application) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.seen[a.id] {
		w.seen[a.id] = true
		w.waiting = append(w.waiting, a)
	}
}

func (w *world) said(stream, position, author string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ms := append(w.messages[stream], message{position, author})
	w.messages[stream] = ms[max(0, len(ms)-8):]
}

func (w *world) made(group string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.groups = append(w.groups, group)
}

// did takes in what an op came to.
func (w *world) did(o *history.Op) {
	a := o.Last()
	switch o.URL {
	case model.SendMessage, model.SendGroupMessage:
		w.said(o.Stream, a.Position, o.User)
	case model.ApplyFriend:
		if a.State != model.Agreed {
			w.applied(application{id: a.Application, stream: o.Stream, applicant: o.User, verifier: o.Target})
		}
	case model.ApplyGroup:
		if a.State != model.Agreed {
			w.applied(application{id: a.Application, stream: o.Stream, applicant: o.User})
		}
	case model.InvitationGroup:
		w.applied(application{id: a.Application, stream: o.Stream, applicant: o.Target, verifier: o.Target, invitation: true})
	}
}

// verifiable takes an application that the user may verify; now and then, one that
// the user may not, or that somebody else is verifying just now.
func (w *world) verifiable(r *rand.Rand, user string) (application, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	anybodys := r.IntN(12) == 0
	for i := len(w.waiting) - 1; i >= 0; i-- {
		a := w.waiting[i]
		if !anybodys && a.verifier != user && (a.verifier != "" || a.applicant == user) {
			continue
		}
		if r.IntN(6) > 0 { // else it stays, and somebody verifies it again
			w.waiting = append(w.waiting[:i], w.waiting[i+1:]...)
		}
		return a, true
	}
	return application{}, false
}

func (w *world) message(r *rand.Rand, stream string) (message, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ms := w.messages[stream]
	if len(ms) == 0 {
		return message{}, false
	}
	return ms[r.IntN(len(ms))], true
}

func (w *world) group(r *rand.Rand) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.groups) == 0 {
		return ""
	}
	return w.groups[r.IntN(len(w.groups))]
}

// streams are all conversations there can be.
func (w *world) streams() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for i, a := range w.users {
		for _, b := range w.users[i+1:] {
			all = append(all, history.Pair(a, b))
		}
	}
	return append(all, w.groups...)
}
