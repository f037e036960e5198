// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

var errNotActive = errors.New("subscription is not active")

// footprint is what a process holds.
type footprint struct {
	goroutines sfutest.Goroutines
	files      int
	heap       uint64 // bytes; stacks are counted as goroutines
}

func (f footprint) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %d KiB of heap", f.goroutines.Total(), f.files, f.heap>>10)
}

func (st *stage) footprint() footprint {
	st.t.Helper()
	runtime.GC() // closes what nobody holds any more
	f := footprint{goroutines: st.goroutines()}
	entries, err := os.ReadDir("/proc/self/fd")
	st.must(err)
	f.files = len(entries)
	runtime.GC() // twice: what finalizers have let go goes with the second
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f.heap = m.HeapAlloc
	return f
}

// TestLeakComingsAndGoings: fifty sessions join, play and leave rooms two thousand times, and hold what they held before;
// then they end, and nothing of them is left.
func TestLeakComingsAndGoings(t *testing.T) {
	const sessions, rooms, warm, stretches, each = 50, 20, 2, 4, 10
	st := newStage(t, func(c *sfu.Config, _ *control.Config) {
		c.Router.EventRingCount = 256 // else the ring grows by design for longer than this test
	})
	setLimits(t, st.API, &sfuv1.Limits{MaxRoomsPerUser: proto.Uint32(rooms)})
	ann := st.one("ann", cast{sends: true, config: sfutest.ClientConfig{Lean: true}})
	for i := range rooms {
		room := fmt.Sprintf("room-%d", i)
		st.join(ann, room)
		st.publish(ann, room, "stream")
	}
	// One who stays: with it everything that runs for the publisher has begun to run.
	bob := st.one("bob", cast{audio: 1, video: 1, config: sfutest.ClientConfig{Lean: true}})
	st.join(bob, "room-0")
	st.subscribe(bob, "room-0", "stream", ann)
	st.begin()
	st.plays = nil
	st.leave(bob, "room-0")
	empty := st.footprint()
	var names []string
	for i := range sessions {
		names = append(names, fmt.Sprintf("user-%d", i))
	}
	people := st.enter(names, func(string) cast {
		return cast{audio: 1, video: 1, config: sfutest.ClientConfig{Lean: true}}
	})
	number := make(map[string]int, len(names))
	for i, name := range names {
		number[name] = i
	}
	cycle := func(from, to int) {
		st.each(names, func(name string) error {
			p := people[name]
			for i := from; i < to; i++ {
				room := fmt.Sprintf("room-%d", (number[name]+7*i)%rooms)
				if err := comeAndGo(st, p, room); err != nil {
					return fmt.Errorf("cycle %d in %s: %w", i, room, err)
				}
			}
			return nil
		})
	}
	// What pion keeps for bursts grows with the bursts, and those with the load of the machine: media flows before and after what
	// is measured.
	flow := func() {
		for _, name := range names {
			st.join(people[name], "room-0")
			st.subscribe(people[name], "room-0", "stream", ann)
		}
		st.begin()
		st.advance(100 * time.Millisecond)
		st.verify()
		st.plays = nil
		for _, name := range names {
			st.leave(people[name], "room-0")
			people[name].Forget()
		}
	}
	flow()
	cycle(0, warm)
	held := []footprint{st.footprint()}
	for i := range stretches {
		cycle(warm+i*each, warm+(i+1)*each)
		held = append(held, st.footprint())
	}
	t.Logf("empty %v; with %d sessions, after every %d joins and leaves %v", empty, sessions, sessions*each, held)
	flow()
	before, after := held[0], held[stretches]
	if more := after.goroutines.Beyond(before.goroutines); len(more) != 0 || after.files > before.files {
		t.Errorf("after %d joins and leaves %v, before %v: %q", sessions*each*stretches, after, before, more)
	}
	// The heap goes up and down by itself. What lies between these has grown with a thousand joins and leaves at least, and half
	// a KiB each is less than anything that is kept of one.
	low, high := max(held[0].heap, held[1].heap), min(held[stretches-1].heap, held[stretches].heap)
	if high > low+sessions*2*each*512 {
		t.Errorf("the heap grew with joins and leaves: %v", held)
	}

	st.each(names, func(name string) error {
		_, err := st.Session.CloseSession(st.ctx, &sfuv1.CloseSessionRequest{SessionId: people[name].ID})
		people[name].Client.Close()
		return err
	})
	clear(people)
	st.noMore(empty.goroutines)
	if now := st.footprint(); now.files > empty.files {
		t.Errorf("after the last session %v, before the first %v", now, empty)
	}
	if load := st.SFU.Load(); load.Counts.Sessions != 2 || load.Counts.Subscriptions != 0 {
		t.Errorf("left behind: %+v", load.Counts)
	}
}

// comeAndGo joins a room, plays its stream and leaves.
func comeAndGo(st *stage, p *person, room string) error {
	if _, err := p.Join(st.ctx, room); err != nil {
		return err
	}
	sub, err := p.Subscribe(st.ctx, room, "stream")
	if err != nil {
		return err
	}
	if sub.GetState() != sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE {
		return fmt.Errorf("%w: %v", errNotActive, sub)
	}
	_, err = p.Leave(st.ctx, room)
	return err
}
