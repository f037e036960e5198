// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/switchyard-media/sfu/bench/load"
	"github.com/switchyard-media/sfu/bench/stats"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// Control is how soon the node answers while media flows.
type Control struct {
	Calls          map[string]Calls `json:"calls"` // by name
	CallsPerSecond float64          `json:"calls_per_second"`
	EventLag       Calls            `json:"event_lag_ms"`    // from the call of JoinRoom to its event at a watcher
	Resume         Calls            `json:"event_resume_ms"` // from opening a stream that resumes to the last event missed
	ResumedEvents  int              `json:"resumed_events"`
	MissedEvents   int              `json:"missed_events"` // that a resumed stream did not have
	Resyncs        int              `json:"resyncs"`
}

// Calls are percentiles in ms.
type Calls struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

func callsOf(s stats.Sample) Calls {
	return Calls{len(s), ms(s.Quantile(0.5)), ms(s.Quantile(0.95)), ms(s.Quantile(0.99)), ms(s.Max())}
}

// pilotRest, up to twice of it, is between a pilot's calls.
const pilotRest = 10 * time.Millisecond

// leaveRest is how long a pilot listens after it has left.
const leaveRest = 30 * time.Millisecond

// steering is what pilots have seen.
type steering struct {
	mu      sync.Mutex // guards what follows
	calls   map[string]stats.Sample
	joining map[string]time.Time // by session: when its pilot has called JoinRoom
	lag     stats.Sample
}

// joinPilots lets the pilots of control in: they are no members, since what they hear comes and goes.
func (r *run) joinPilots(ctx context.Context) error {
	if r.plan.pilot == nil {
		return nil
	}
	r.pilots = make([]*load.Client, r.o.pilots)

	return eachOf(r.o.joinsAtOnce, len(r.pilots), func(i int) error {
		cfg := *r.plan.pilot
		cfg.User = fmt.Sprintf("pilot%d", i)
		c, err := load.Join(ctx, r.poller, r.node.sessions, cfg)
		r.pilots[i] = c

		return err
	})
}

// steer lets the pilots call until the end, while watchers watch.
func (r *run) steer(ctx context.Context, end time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, end.Add(10*time.Second))
	defer cancel()
	s := &steering{calls: make(map[string]stats.Sample), joining: make(map[string]time.Time)}
	w, err := r.watch(ctx, s)
	if err != nil {
		return err
	}
	defer w.stop()
	start := time.Now()
	errs := make([]error, len(r.pilots)+1)
	var wait sync.WaitGroup
	for i, c := range r.pilots {
		wait.Go(func() { errs[i] = r.pilotUntil(ctx, s, c, end) })
	}
	wait.Go(func() { errs[len(r.pilots)] = w.resumeUntil(ctx, end) })
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	r.report.Control = s.report(time.Since(start), w)

	return nil
}

func (s *steering) report(took time.Duration, w *watch) *Control {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &Control{Calls: make(map[string]Calls), EventLag: callsOf(s.lag)}
	n := 0
	for name, times := range s.calls {
		out.Calls[name] = callsOf(times)
		n += len(times)
	}
	out.CallsPerSecond = round(float64(n) / took.Seconds())
	w.report(out)

	return out
}

// timed calls f, and keeps how long it took.
func (s *steering) timed(ctx context.Context, name string, f func() error) error {
	at := time.Now()
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	took := time.Since(at)
	s.mu.Lock()
	s.calls[name] = append(s.calls[name], took)
	s.mu.Unlock()

	return pause(ctx, pilotRest+rand.N(pilotRest))
}

func (r *run) pilotUntil(ctx context.Context, s *steering, c *load.Client, end time.Time) error {
	for time.Now().Before(end) {
		if err := r.pilotOnce(ctx, s, c); err != nil {
			return err
		}
	}

	return nil
}

// pilotOnce is one visit to the stage.
func (r *run) pilotOnce(ctx context.Context, s *steering, c *load.Client) error {
	subscription := ""
	subscribe := func() error {
		reply, err := r.node.wishes.Subscribe(ctx, &sfuv1.SubscribeRequest{SessionId: c.Session, RoomId: stage, StreamId: stageStreams[0], Audio: true, Video: true})
		subscription = reply.GetSubscription().GetId()

		return err
	}
	for _, step := range []struct {
		name string
		call func() error
	}{
		{"join_room", func() error { return r.enter(ctx, s, c) }},
		{"subscribe", subscribe},
		{"switch_subscription", func() error {
			_, err := r.node.wishes.SwitchSubscription(ctx, &sfuv1.SwitchSubscriptionRequest{SubscriptionId: subscription, StreamId: stageStreams[1]})

			return err
		}},
		{"unsubscribe", func() error {
			_, err := r.node.wishes.Unsubscribe(ctx, &sfuv1.UnsubscribeRequest{SubscriptionId: subscription})

			return err
		}},
		{"subscribe", subscribe},
	} {
		if err := s.timed(ctx, step.name, step.call); err != nil {
			return err
		}
	}

	return r.exit(ctx, s, c)
}

func (r *run) enter(ctx context.Context, s *steering, c *load.Client) error {
	s.mu.Lock()
	s.joining[c.Session] = time.Now()
	s.mu.Unlock()
	_, err := r.node.rooms.JoinRoom(ctx, &sfuv1.JoinRoomRequest{SessionId: c.Session, RoomId: stage, Grants: &sfuv1.Grants{Subscribe: true}})

	return err
}

// exit leaves the stage while its media flows, and counts what comes after the answer.
func (r *run) exit(ctx context.Context, s *steering, c *load.Client) error {
	c.Leaving()
	called := time.Now()
	var answered time.Time
	err := s.timed(ctx, "leave_room", func() error {
		_, err := r.node.rooms.LeaveRoom(ctx, &sfuv1.LeaveRoomRequest{SessionId: c.Session, RoomId: stage})
		answered = time.Now()

		return err
	})
	if err != nil {
		return err
	}
	if err := pause(ctx, leaveRest); err != nil {
		return err
	}
	silence := c.Silent(stage, answered)
	r.joins.mu.Lock()
	r.joins.leave(called, answered, silence)
	r.joins.mu.Unlock()

	return nil
}
