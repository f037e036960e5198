// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import "time"

// Router is the state of all rooms of a node. Make one with New. Not safe for concurrent use: its owner holds one lock
// around every call. What it returns are copies that stay valid, with shared read-only parts (labels, payloads).
type Router struct {
	cfg      Config
	counters counters
	draining bool
	deadline time.Time // of draining; zero otherwise

	apps      map[string]*app
	sessions  map[SessionID]*session
	subs      map[SubscriptionID]*subscription
	bans      map[banKey]*ban
	deadlines deadlines
	log       ring
	tx        transaction // of the command under way; kept for its arrays
}

// app is an App with what it holds. An app that the configuration does not name exists only while it has sessions.
type app struct {
	App
	named    bool
	users    map[string]*session // by user id: a user has one session
	rooms    map[string]*room
	streams  map[string]int // how many rooms have a stream of that id, for ScopeApp
	sessions int
}

// New makes an empty Router. Zero fields of cfg get their defaults.
func New(cfg Config) *Router {
	cfg = cfg.withDefaults()
	r := &Router{
		cfg:      cfg,
		apps:     make(map[string]*app, len(cfg.Apps)),
		sessions: make(map[SessionID]*session),
		subs:     make(map[SubscriptionID]*subscription),
		bans:     make(map[banKey]*ban),
		log:      ring{maxCount: cfg.EventRingCount, maxBytes: cfg.EventRingBytes},
	}
	// Fences of one process must not fit objects of the next: both kinds of number start at the process's epoch.
	r.counters.sessionEpoch, r.counters.incarnation = cfg.Epoch, cfg.Epoch
	for id, a := range cfg.Apps {
		r.apps[id] = newApp(a, true)
		r.apps[id].ID = id
	}

	return r
}

func newApp(a App, named bool) *app {
	return &app{
		App: a, named: named,
		users: make(map[string]*session), rooms: make(map[string]*room), streams: make(map[string]int),
	}
}

// Apply carries out one command at the given time, which must not go backwards. The reply's type is named at each
// command. When err is not nil, nothing has changed, and err is or wraps an *Error.
//
// Effects are to be carried out in order, and are the caller's to keep.
func (r *Router) Apply(now time.Time, cmd Command) (reply any, effects []Effect, err error) {
	if cmd == nil {
		return nil, nil, ErrArgument.In("command")
	}
	tx := &r.tx
	tx.reset(now)
	start := r.savepoint(tx)
	reply, err = cmd.apply(r, tx)
	if err != nil {
		r.rollback(tx, start)

		return nil, nil, err
	}
	r.finish(tx)
	r.syncTimers(tx)
	for _, e := range tx.events {
		r.log.add(e)
	}

	return reply, tx.effects, nil
}

// Revision is that of the latest event; 0 before the first.
func (r *Router) Revision() uint64 { return r.counters.revision }

// Epoch is Config.Epoch.
func (r *Router) Epoch() uint64 { return r.cfg.Epoch }

// Draining reports whether new sessions and rooms are refused.
func (r *Router) Draining() bool { return r.draining }

// DrainDeadline is the SetDraining.Deadline that holds; zero when the node does not drain.
func (r *Router) DrainDeadline() time.Time { return r.deadline }

// EventsAfter returns up to limit events (0: all) that follow the revision, oldest first. ok is false when some of them are no
// longer kept, or the revision has not been reached yet: the caller must begin again from a Snapshot.
func (r *Router) EventsAfter(revision uint64, limit int) (events []*Event, ok bool) {
	return r.log.after(revision, r.counters.revision, limit)
}

// lookApp returns the app of an id for reading; nil when it holds nothing.
func (r *Router) lookApp(id string) *app { return r.apps[id] }

// enterApp returns the app that the settings are of, making it when it holds nothing yet.
func (r *Router) enterApp(tx *transaction, settings App) *app {
	a := r.apps[settings.ID]
	if a == nil {
		a = newApp(settings, false)
		put(tx, r.apps, settings.ID, a)
	}

	return a
}

// App returns the settings of an app.
func (r *Router) App(id string) (App, error) {
	if a := r.apps[id]; a != nil {
		return a.App, nil
	}
	if err := checkAppID(id); err != nil {
		return App{}, err
	}
	if r.cfg.OnlyNamedApps {
		return App{}, ErrUnknownApp.About(id)
	}
	settings := r.cfg.DefaultApp
	settings.ID = id

	return settings, nil
}

// DefaultApp returns what apps without settings of their own get; its id is empty.
func (r *Router) DefaultApp() App { return r.cfg.DefaultApp }

func (c SetApp) apply(r *Router, tx *transaction) (any, error) {
	if err := checkAppID(c.App.ID); err != nil {
		return nil, err
	}
	for _, v := range c.App.Limits.fields() {
		if *v < 0 {
			return nil, ErrArgument.In("limits")
		}
	}
	if c.App.DuplicateUser > DuplicateReject || c.App.StreamIDScope > ScopeApp {
		return nil, ErrArgument.In("app")
	}
	if err := checkLoudest(c.App.Loudest); err != nil {
		return nil, err
	}
	settings := c.App
	settings.Limits = settings.Limits.or(r.cfg.DefaultApp.Limits)
	a := r.apps[settings.ID]
	switch {
	case a == nil:
		put(tx, r.apps, settings.ID, newApp(settings, true))
	case a.named && a.App == settings:
		return settings, nil
	default:
		assign(tx, &a.App, settings)
		assign(tx, &a.named, true)
	}
	r.emit(tx, settings.ID, nil, "", LimitsEvent{App: settings})

	return settings, nil
}

func (c ChangeApp) apply(r *Router, tx *transaction) (any, error) {
	if err := checkAppID(c.ID); err != nil {
		return nil, err
	}
	app, err := r.App(c.ID)
	if err != nil {
		return nil, err
	}
	if app, err = c.Change(app); err != nil {
		return nil, err
	}
	app.ID = c.ID

	return SetApp{App: app}.apply(r, tx)
}

func (c SetDraining) apply(r *Router, tx *transaction) (any, error) {
	if !c.Draining {
		c.Deadline = time.Time{}
	}
	assign(tx, &r.draining, c.Draining)
	assign(tx, &r.deadline, c.Deadline)
	r.emit(tx, "", nil, "", NodeEvent(c))

	return nil, nil
}
