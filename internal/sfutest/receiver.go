// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"context"
	"fmt"
	"sync"

	"github.com/pion/webrtc/v4"
)

// Packet is one packet that a client got.
type Packet struct {
	Mid       string
	SSRC      uint32
	Sequence  uint16
	Timestamp uint32
	Source    uint16 // in the Ledger
	Count     int    // of the source's packets
	Keyframe  bool   // starts a keyframe
	Repaired  bool   // came as a retransmission, and not otherwise before
	Known     bool   // somebody in this test sent it
	Same      bool   // payload equal to what was sent, bit for bit but for Counters
	Counters  Counters
	Order     int // of all packets this client got
}

// line is a source on an m-line; the empty mid stands for all of them.
type line struct {
	mid    string
	source uint16
}

// tally is what came of a source.
type tally struct {
	times map[int]int // by count: times received
	last  int         // highest count
	total int         // packets, those that came again included
}

// Receiver collects everything a client gets, and checks it against the Ledger.
type Receiver struct {
	ledger  *Ledger
	readers sync.WaitGroup // two per track

	mu        sync.Mutex    // guards all below
	changed   chan struct{} // closed with the next change; nil while nobody waits
	connected bool
	failed    bool
	packets   []Packet
	tallies   map[line]*tally
	repeats   int // retransmissions of packets that came besides; they are in none of the above
	messages  []string
}

func (r *Receiver) init(ledger *Ledger) {
	r.ledger, r.tallies = ledger, make(map[line]*tally)
}

func (r *Receiver) update(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

func (r *Receiver) state(s webrtc.PeerConnectionState) {
	r.update(func() {
		r.connected = s == webrtc.PeerConnectionStateConnected
		r.failed = s == webrtc.PeerConnectionStateFailed
	})
}

func (r *Receiver) message(text string) { r.update(func() { r.messages = append(r.messages, text) }) }

// read takes everything of a track until it ends. again may be nil.
func (r *Receiver) read(mid string, track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver, again *asker) {
	r.readers.Add(2)
	go r.readRTCP(receiver)
	defer r.readers.Done()
	var ext uint8
	for _, e := range receiver.GetParameters().HeaderExtensions {
		if e.URI == absCaptureTime {
			ext = uint8(e.ID)
		}
	}
	var order arrivals
	var arrived []Packet
	for {
		p, attributes, err := track.ReadRTP()
		if err != nil {
			return
		}
		got := Packet{
			Mid: mid, SSRC: p.SSRC, Sequence: p.SequenceNumber, Timestamp: p.Timestamp,
			Repaired: attributes.Get(webrtc.AttributeRtxSsrc) != nil,
		}
		r.ledger.check(p.GetExtension(ext), p.Payload, &got)
		repeats := order.repeats
		arrived = order.take(got, arrived[:0])
		for _, p := range arrived {
			if again != nil {
				again.received(p.Sequence)
			}
		}
		r.update(func() {
			r.repeats += order.repeats - repeats
			for _, p := range arrived {
				r.enter(p)
			}
		})
	}
}

// readRTCP lets the interceptors see what the node reports about a track.
func (r *Receiver) readRTCP(receiver *webrtc.RTPReceiver) {
	defer r.readers.Done()
	for {
		if _, _, err := receiver.ReadRTCP(); err != nil {
			return
		}
	}
}

// enter notes a packet. Called with mu held.
func (r *Receiver) enter(p Packet) {
	p.Order = len(r.packets)
	r.packets = append(r.packets, p)
	if !p.Known {
		return
	}
	for _, at := range []line{{p.Mid, p.Source}, {"", p.Source}} {
		t := r.tallies[at]
		if t == nil {
			t = &tally{times: make(map[int]int), last: -1}
			r.tallies[at] = t
		}
		t.times[p.Count]++
		t.total++
		t.last = max(t.last, p.Count)
	}
}

// tally of a source on a line, empty when nothing came. Called with mu held.
func (r *Receiver) tally(mid string, source uint16) *tally {
	if t := r.tallies[line{mid, source}]; t != nil {
		return t
	}
	return &tally{last: -1}
}

// Wait returns when the condition, called with the Receiver locked after every change, is true.
func (r *Receiver) Wait(ctx context.Context, what string, condition func() bool) error {
	for {
		r.mu.Lock()
		if condition() {
			r.mu.Unlock()
			return nil
		}
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
}

// WaitFrom returns when n more packets of the source have come.
func (r *Receiver) WaitFrom(ctx context.Context, source *Source, n int) error {
	have := r.From(source.Number)
	return r.Wait(ctx, fmt.Sprintf("%d packets of %s", n, r.ledger.Name(source.Number)), func() bool {
		return len(r.tally("", source.Number).times) >= have+n
	})
}

// WaitPacket returns when a packet of the source with at least that count has come.
func (r *Receiver) WaitPacket(ctx context.Context, source uint16, count int) error {
	return r.WaitLine(ctx, "", source, count)
}

// WaitLine returns when a packet of the source with at least that count has come on the m-line; the empty mid is any.
func (r *Receiver) WaitLine(ctx context.Context, mid string, source uint16, count int) error {
	return r.Wait(ctx, fmt.Sprintf("packet %d of %s on line %q", count, r.ledger.Name(source), mid), func() bool {
		return r.tally(mid, source).last >= count
	})
}

// From is how many different packets of the source have come.
func (r *Receiver) From(source uint16) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.tally("", source).times)
}

// Total is how many packets of the source have come, those that came again included.
func (r *Receiver) Total(source uint16) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tally("", source).total
}

// Last is the highest count of the source that has come on the m-line, -1 before the first; the empty mid is any.
func (r *Receiver) Last(mid string, source uint16) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tally(mid, source).last
}

// Packets is a copy of what has come since the packet with order from.
func (r *Receiver) Packets(from int) []Packet {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Packet(nil), r.packets[min(from, len(r.packets)):]...)
}

// Mark is the order of the next packet.
func (r *Receiver) Mark() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.packets)
}

// Forget drops what has come so far, for tests that look at memory.
func (r *Receiver) Forget() {
	r.update(func() { r.packets, r.tallies = nil, make(map[line]*tally) })
}

// Messages is a copy of what came on the data channel.
func (r *Receiver) Messages() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.messages...)
}

// Connected says whether the PeerConnection is connected.
func (r *Receiver) Connected() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.connected
}

// Repeats is how many retransmissions have come of packets that came besides, in whatever order.
func (r *Receiver) Repeats() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.repeats
}

// Foreign lists what should never come: packets nobody sent, packets that were changed, packets of sources other than those allowed,
// and Counters that do not go on from packet to packet.
func (r *Receiver) Foreign(allowed ...uint16) []string {
	ok := make(map[uint16]bool)
	for _, s := range allowed {
		ok[s] = true
	}
	var found []string
	streams := make(map[uint32][]Packet)
	for _, p := range r.Packets(0) {
		streams[p.SSRC] = append(streams[p.SSRC], p)
		switch {
		case !p.Known:
			found = append(found, fmt.Sprintf("packet %d (mid %s): sent by nobody", p.Order, p.Mid))
		case !p.Same:
			found = append(found, fmt.Sprintf("packet %d (mid %s): %s packet %d was changed", p.Order, p.Mid, r.ledger.Name(p.Source), p.Count))
		case !ok[p.Source]:
			found = append(found, fmt.Sprintf("packet %d (mid %s): of %s, which is not for this client", p.Order, p.Mid, r.ledger.Name(p.Source)))
		}
		if len(found) == 10 {
			return found
		}
	}
	for _, packets := range streams {
		found = append(found, leaps(packets)...)
	}
	return found[:min(len(found), 10)]
}

// Duplicates is how many packets of the source came more than once.
func (r *Receiver) Duplicates(source uint16) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tally("", source)
	return t.total - len(t.times)
}

// Missing lists the counts between the first and last received packet of the source that did not come.
func (r *Receiver) Missing(source uint16) []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tally("", source)
	lo := t.last
	for count := range t.times {
		lo = min(lo, count)
	}
	var missing []int
	for count := lo; count >= 0 && count < t.last; count++ {
		if t.times[count] == 0 {
			missing = append(missing, count)
		}
	}
	return missing
}
