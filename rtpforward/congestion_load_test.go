// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/binary"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// controlledLoad is a fanLoad whose sessions have a link each, and clients that
// say every 100 ms what has come.
type controlledLoad struct {
	*fanLoad
	told   []uint16 // by session: the next number to speak of
	turns  int
	raw    []byte
	sleeps bool // in a bubble, whose time is the load's
}

const turnTime = 5e6 // of fanLoad.turn

// newControlledLoad has sessions that get all of so many tracks; without control
// nothing is numbered and nobody says anything but receiver reports.
func newControlledLoad(t testing.TB, tracks, sessions int, video, control bool) *controlledLoad {
	r := &controlledLoad{fanLoad: newFanLoad(t, tracks, sessions, video, true)}
	for _, up := range r.ups {
		if video {
			up.track.shape.Store(&shape{ladder: ladder{rungs: []rung{
				{layer: layers.Layer{}, rate: 1_800_000, width: 1280, height: 720, frameRate: 30, live: true},
			}}})
		}
	}
	for _, d := range r.s.downs {
		d.useTCC = control
		d.extend(d.extensions)
		r.told = append(r.told, d.stamps.next)
	}
	return r
}

// play is a turn, and what happens besides: ticks, and feedback.
func (r *controlledLoad) play() {
	if r.sleeps {
		time.Sleep(turnTime)
	} else {
		r.f.start = time.Now().Add(-time.Duration(r.now)) // the load's time is the Forwarder's
	}
	r.turn()
	if r.turns++; r.turns%10 == 0 {
		r.s.tick(r.now)
	}
	for i, d := range r.s.downs {
		if (r.turns+i)%20 == 0 { // not all of them at once
			r.speak(i, d)
		}
	}
}

// speak has a client report on all that came since the last time.
func (r *controlledLoad) speak(i int, d *Downlink) {
	if !d.useTCC {
		return
	}
	count := d.stamps.next - r.told[i]
	if count == 0 {
		return
	}
	b := append(r.raw[:0], 0x8f, rtcpRTPFB, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, r.told[i])
	b = binary.BigEndian.AppendUint16(b, count)
	b = binary.BigEndian.AppendUint32(b, uint32(r.now/64e6)<<8)
	b = binary.BigEndian.AppendUint16(b, 1<<13|count)
	step, rest := 400/int(count), int(r.now%64e6/250e3)
	for n := range count { // over the 100 ms before
		delta := step
		if n == 0 {
			delta = rest
		}
		b = append(b, byte(delta))
	}
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
	r.raw, r.told[i] = b, d.stamps.next
	d.HandleRTCP(b)
}

// TestControlAllocatesNothing: neither packets, paced or not, nor feedback, nor
// divisions.
func TestControlAllocatesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newControlledLoad(t, 3, 5, true, true)
		r.sleeps = true
		for range 2000 {
			r.play()
		}
		if st := r.s.downs[0].Link(); !st.Controlled || st.Target < 5_000_000 {
			t.Fatalf("%+v", st)
		}
		if n := testing.AllocsPerRun(100, r.play); n != 0 {
			t.Errorf("%v allocations a turn", n)
		}
		waited := 0
		burst := func() { // what usually comes in 80 ms comes at once
			for range 16 {
				r.turn()
				r.now -= turnTime
				waited = max(waited, r.s.downs[0].link.backlog.n)
			}
			for range 16 {
				time.Sleep(turnTime)
				r.now += turnTime
				r.settle()
			}
		}
		burst()
		if n := testing.AllocsPerRun(20, burst); n != 0 {
			t.Errorf("%v allocations a burst", n)
		}
		if waited == 0 {
			t.Error("nothing had to wait")
		}
	})
}

// TestLinkMemory: what is kept of a session that was sent nothing, and of one
// that is looked after.
func TestLinkMemory(t *testing.T) {
	if size := unsafe.Sizeof(link{}); size > 1024 {
		t.Errorf("a link is %d bytes", size)
	}
	idle := DownlinkConfig{Extensions: subscriberExtensions(), TransportCC: true, NewWriter: out(&discard{})}
	r := newEgressRig(t, Config{})
	up := r.source(true)
	var downs []*Downlink
	for range 100 {
		d := r.f.NewDownlink(idle)
		d.SetReady(true)
		d.NewDownTrack(videoSlot()).Bind(up.track, false)
		r.step(0)
		downs = append(downs, d)
	}
	for range 2 * r.s.phases {
		r.s.tick(r.f.now())
	}
	for _, d := range downs {
		if d.link != nil {
			t.Fatal("a session that was sent nothing has a link")
		}
	}
	before := heap()
	for _, d := range downs {
		d.makeLink()
	}
	if got := (heap() - before) / int64(len(downs)); got > 48<<10 {
		t.Errorf("%d bytes a link", got)
	} else {
		t.Logf("%d bytes a link", got)
	}
	runtime.KeepAlive(downs)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
