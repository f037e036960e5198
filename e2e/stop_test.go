// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// TestLeftMeansStopped has ten users leave rooms two hundred times in all, side by side and under load (four users with the race
// detector: beyond what the machine does, sockets lose what the node would have sent). From the answer on
// not one packet of the room may leave the node for the user, while the lines of its other rooms go on without a gap. Half of
// the users lose packets, so that retransmissions are asked for all the time.
func TestLeftMeansStopped(t *testing.T) {
	const rooms, inRooms, leaves = 8, 4, 20
	users := 10
	if raced {
		users = 4
	}
	st := newStage(t, nil)
	var names []string
	for i := range rooms {
		names = append(names, fmt.Sprintf("room-%d", i)) // of the one who publishes in it
	}
	for i := range users {
		names = append(names, fmt.Sprintf("user-%d", i))
	}
	people := st.enter(names, func(name string) cast {
		c := cast{config: sfutest.ClientConfig{Lean: true}}
		if c.sends = name[:5] == "room-"; !c.sends {
			c.audio, c.video = inRooms, inRooms
			if (name[len(name)-1]-'0')%2 == 1 {
				c.config.Link = st.link(sfutest.Shape{}, sfutest.Shape{Loss: 0.05})
			}
		}
		return c
	})
	for _, room := range names[:rooms] {
		st.join(people[room], room)
		st.publish(people[room], room, "stream")
	}
	log := st.tap(people[names[0]])
	for _, s := range st.sources {
		s.Play()
	}
	errs := make(chan error, users)
	for i, name := range names[rooms:] {
		l := &leaver{
			st: st, person: people[name], log: log, rng: rand.New(rand.NewPCG(2026, uint64(i))), in: make(map[string]bool), people: people,
		}
		for _, j := range l.rng.Perm(rooms) {
			l.all = append(l.all, names[j])
		}
		go func() { errs <- l.run(inRooms, leaves) }()
	}
	for range users {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for _, s := range st.sources {
		s.Stop()
	}
	log.check(t)
	if st.SFU.Load().Forward.Retransmitted == 0 {
		t.Error("nothing was retransmitted")
	}
	for _, name := range names[rooms:] {
		p := people[name]
		at := st.remote(p)
		for _, s := range st.sources {
			if got, left := p.Total(s.Number), log.count(at, s); got > left {
				t.Errorf("%s got %d packets of %s, %d have left the node", name, got, s.ID(), left)
			}
		}
		for _, fault := range p.Foreign(numbers(st.sources)...) {
			t.Errorf("%s: %s", name, fault)
		}
	}
}

// leaver is a user who leaves rooms at random and joins others.
type leaver struct {
	*person
	st     *stage
	log    *departures
	rng    *rand.Rand
	all    []string
	in     map[string]bool
	people map[string]*person // who publishes, by room
}

func (l *leaver) run(inRooms, leaves int) error {
	for _, room := range l.all[:inRooms] {
		if err := l.goIn(room); err != nil {
			return err
		}
	}
	for range leaves {
		room := l.pick(true)
		if err := l.goOut(room); err != nil {
			return err
		}
		if err := l.goIn(l.pick(false)); err != nil {
			return err
		}
	}
	return nil
}

// pick chooses a room that the user is in, or is not in.
func (l *leaver) pick(in bool) string {
	for {
		if room := l.all[l.rng.IntN(len(l.all))]; l.in[room] == in {
			return room
		}
	}
}

// goIn joins a room and plays what is there.
func (l *leaver) goIn(room string) error {
	from := l.people[room]
	at, err := l.Remote()
	if err != nil {
		return err
	}
	if _, err := l.Join(l.st.ctx, room); err != nil {
		return fmt.Errorf("%s joining %s: %w", l.User, room, err)
	}
	l.log.start(at, from.audio, from.video)
	sub, err := l.Subscribe(l.st.ctx, room, "stream")
	if err != nil || sub.GetState() != sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE {
		return fmt.Errorf("%s subscribing in %s: %v %w", l.User, room, sub, err)
	}
	l.in[room] = true
	return nil
}

// goOut leaves a room while its media flows.
func (l *leaver) goOut(room string) error {
	from := l.people[room]
	for _, s := range []*sfutest.Source{from.audio, from.video} {
		if err := l.WaitFrom(l.st.ctx, s, 1); err != nil {
			return fmt.Errorf("%s in %s: %w", l.User, room, err)
		}
	}
	at, err := l.Remote()
	if err != nil {
		return err
	}
	if _, err := l.Leave(l.st.ctx, room); err != nil {
		return fmt.Errorf("%s leaving %s: %w", l.User, room, err)
	}
	before := l.log.stop(at, from.audio, from.video)
	delete(l.in, room)
	// Whatever the node sends next of the other rooms arrives. Of this room nothing does that had not left by then: what the
	// client's own socket may lose on a busy machine is no matter of the node's.
	next := make(map[*sfutest.Source]int)
	for kept := range l.in {
		for _, s := range []*sfutest.Source{l.people[kept].audio, l.people[kept].video} {
			next[s] = l.st.Ledger.Sent(s.Number)
		}
	}
	for s, count := range next {
		if err := l.WaitPacket(l.st.ctx, s.Number, count); err != nil {
			return fmt.Errorf("%s after leaving %s: %w", l.User, room, err)
		}
	}
	for i, s := range []*sfutest.Source{from.audio, from.video} {
		if got := l.Total(s.Number); got > before[i] {
			return fmt.Errorf("%s after leaving %s: got %d packets of %s, %d had left the node when the call was answered", l.User, room, got, s.ID(), before[i])
		}
	}
	return nil
}
