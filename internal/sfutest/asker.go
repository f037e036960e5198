// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"slices"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

const (
	askAfter = 10 * time.Millisecond  // a packet may be late before it counts as missing
	askEvery = 500 * time.Millisecond // a browser waits one round trip; pion hands out what came again with the next frame only
	askTimes = 10                     // as browsers do
	askMost  = 1000                   // missing numbers at once; a larger gap is no loss
)

// asker asks for packets of one track that are missing, until they have come in whatever way: pion's own generator goes on
// asking for what came as a retransmission.
type asker struct {
	pc   *webrtc.PeerConnection // immutable
	ssrc uint32                 // immutable

	mu      sync.Mutex // guards all below
	started bool
	highest uint16
	missing map[uint16]*asked
	timer   *time.Timer // runs while anything is missing
	stopped bool
}

// asked is a missing number.
type asked struct {
	at    time.Time // of the last time
	times int
}

func newAsker(pc *webrtc.PeerConnection, ssrc uint32) *asker {
	return &asker{pc: pc, ssrc: ssrc, missing: make(map[uint16]*asked)}
}

// received notes a packet, retransmitted or not.
func (a *asker) received(sequence uint16) {
	a.mu.Lock()
	defer a.mu.Unlock()
	step := sequence - a.highest
	switch {
	case !a.started || step > askMost && step < 1<<15:
		a.started, a.highest = true, sequence
		clear(a.missing)
	case step >= 1<<15 || step == 0:
		delete(a.missing, sequence)
	default:
		for n := a.highest + 1; n != sequence; n++ {
			a.missing[n] = &asked{}
		}
		a.highest = sequence
		if len(a.missing) > 0 && a.timer == nil && !a.stopped {
			a.timer = time.AfterFunc(askAfter, a.ask)
		}
	}
}

func (a *asker) ask() {
	a.mu.Lock()
	now := time.Now()
	var wanted []uint16
	for n, m := range a.missing {
		switch {
		case m.times > 0 && now.Sub(m.at) < askEvery:
		case m.times == askTimes:
			delete(a.missing, n)
		default:
			m.at, m.times = now, m.times+1
			wanted = append(wanted, n)
		}
	}
	a.timer = nil
	if len(a.missing) > 0 && !a.stopped {
		a.timer = time.AfterFunc(askAfter, a.ask)
	}
	a.mu.Unlock()
	if len(wanted) == 0 {
		return
	}
	slices.Sort(wanted)
	_ = a.pc.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{ // a connection that is gone needs no repair
		SenderSSRC: 1, MediaSSRC: a.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(wanted),
	}})
}

func (a *asker) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	if a.timer != nil {
		a.timer.Stop()
	}
}
