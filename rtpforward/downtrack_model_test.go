// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"

	"pgregory.net/rapid"
)

// modelSource is a publisher as the model sees it.
type modelSource struct {
	up       *UpTrack
	sequence uint64
	stamp    uint64
	held     []*Packet // delayed: they come late
}

// TestSlotModel drives one slot with random loss, reordering, duplicates,
// pauses, unbinds and switches between three sources, and checks what left
// against a plain account of what was shown when:
//
//   - no outgoing number is used for two packets, none goes back by a switch;
//   - a number that was left free belongs to a packet that the source lost or
//     that is still on its way;
//   - timestamps of one stay with one source are those of the source, shifted;
//     over a switch they grow;
//   - every run of video starts with a keyframe;
//   - nothing leaves while paused or unbound, and only of the bound source;
//   - received = forwarded + dropped.
func TestSlotModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newEgressRig(t, Config{VideoHistory: 64})
		defer r.u.Close()
		w := &recorder{}
		d, dt := r.slot(nil, w, videoSlot())
		sources := make([]*modelSource, 3)
		for i := range sources {
			up := r.source(true)
			up.cfg.SSRC = uint32(70 + i)
			sources[i] = &modelSource{
				up: up, sequence: rapid.Uint64Range(base, 3*base).Draw(rt, "sequence"), stamp: rapid.Uint64Range(1<<32, 1<<33).Draw(rt, "stamp"),
			}
		}
		m := &slotModel{t: rt, used: make(map[uint16]uint64)}
		now := int64(0)
		for range rapid.IntRange(1, 120).Draw(rt, "steps") {
			now += int64(rapid.IntRange(0, 40).Draw(rt, "passed")) * 1e6
			s := sources[rapid.IntRange(0, 2).Draw(rt, "source")]
			switch rapid.IntRange(0, 11).Draw(rt, "step") {
			case 0:
				dt.Bind(s.up.track, false)
				r.step(now)
				if m.bound != s.up {
					m.stay++
				}
				m.bound, m.paused = s.up, false
			case 1:
				dt.Unbind()
				r.step(now)
				m.bound = nil
				m.stay++
			case 2:
				if paused := rapid.Bool().Draw(rt, "paused"); m.bound != nil {
					dt.SetPaused(paused)
					r.step(now)
					m.paused = paused
				}
			case 3: // a late one, or a duplicate
				if len(s.held) > 0 {
					r.push(s.held[rapid.IntRange(0, len(s.held)-1).Draw(rt, "held")])
				}
			case 4:
				s.sequence += rapid.Uint64Range(1, 5).Draw(rt, "lost")
			default:
				s.sequence++
				s.stamp += 3000
				p := deltaPacket(s.up, s.sequence, s.stamp, now)
				if rapid.IntRange(0, 3).Draw(rt, "key") == 0 {
					p = keyPacket(s.up, s.sequence, s.stamp, now)
				}
				if rapid.IntRange(0, 4).Draw(rt, "format") == 0 { // one that is not negotiated
					p = packet(s.up, s.sequence, s.stamp, now, 98, nil)
				}
				s.held = append(s.held, p)
				if rapid.IntRange(0, 4).Draw(rt, "delay") > 0 {
					r.push(p)
				}
			}
			r.step(now)
			for _, out := range w.take() {
				m.left(out)
			}
		}
		checkDownIdentity(rt2t{t, rt}, dt.Stats())
		if got := dt.Stats().Forwarded; got != m.count {
			rt.Fatalf("%d forwarded, %d left", got, m.count)
		}
		d.Close()
		r.step(now)
		for _, s := range sources {
			if s.up.track.interest.Load() != 0 {
				rt.Fatal("interest is left behind")
			}
		}
	})
}

// rt2t reports to rapid what a helper for testing.TB finds.
type rt2t struct {
	testing.TB
	rt *rapid.T
}

func (x rt2t) Errorf(format string, args ...any) { x.rt.Errorf(format, args...) }

// slotModel is what has to be true of what leaves.
type slotModel struct {
	t      *rapid.T
	bound  *UpTrack
	paused bool
	stay   int // with one source

	used    map[uint16]uint64 // outgoing number: source and number
	count   uint64
	any     bool
	highest uint16 // outgoing
	stamp   uint32 // of that
	of      int    // the stay of that
	source  uint64
}

func (m *slotModel) left(out written) {
	m.count++
	layer, n := out.source()
	if m.bound == nil || m.paused || layer != byte(m.bound.cfg.SSRC) {
		m.t.Fatalf("packet %d of source %d left; bound %v, paused %v", n, layer, m.bound != nil, m.paused)
	}
	id := uint64(layer)<<56 | n
	if before, dup := m.used[out.header.SequenceNumber]; dup {
		m.t.Fatalf("number %d was given to %x and to %x", out.header.SequenceNumber, before, id)
	}
	m.used[out.header.SequenceNumber] = id
	ahead := int16(out.header.SequenceNumber - m.highest)
	passed := int32(out.header.Timestamp - m.stamp)
	key := len(out.payload) == len(rigKey)+9
	switch {
	case !m.any:
		if !key {
			m.t.Fatal("starts without a keyframe")
		}
	case ahead < 0: // late
		if m.of != m.stay || n >= m.source || passed > 0 {
			m.t.Fatalf("late: packet %d after %d, of stay %d in %d", n, m.source, m.of, m.stay)
		}
		return
	case m.of != m.stay:
		if ahead != 1 || passed <= 0 || !key {
			m.t.Fatalf("switch: number goes on by %d, timestamp by %d, keyframe %v", ahead, passed, key)
		}
	case n <= m.source || uint64(ahead) > n-m.source:
		m.t.Fatalf("source goes on by %d, output by %d", n-m.source, ahead)
	case passed <= 0:
		m.t.Fatalf("timestamp goes on by %d", passed)
	}
	m.any, m.highest, m.stamp, m.of, m.source = true, out.header.SequenceNumber, out.header.Timestamp, m.stay, n
}
