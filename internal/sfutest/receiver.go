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
	Sequence  uint16
	Timestamp uint32
	Source    uint16 // in the Ledger
	Count     int    // of the source's packets
	Keyframe  bool   // starts a keyframe
	Known     bool   // somebody in this test sent it
	Same      bool   // payload equal to what was sent, bit for bit
	Order     int    // of all packets this client got
}

// Receiver collects everything a client gets, and checks it against the Ledger.
type Receiver struct {
	ledger  *Ledger
	readers sync.WaitGroup // one per track

	mu        sync.Mutex // guards all below
	changed   chan struct{}
	connected bool
	failed    bool
	packets   []Packet
	bySource  map[uint16]map[int]int // source, count: times received
	messages  []string
}

func (r *Receiver) init(ledger *Ledger) {
	r.ledger, r.changed, r.bySource = ledger, make(chan struct{}), make(map[uint16]map[int]int)
}

func (r *Receiver) update(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *Receiver) state(s webrtc.PeerConnectionState) {
	r.update(func() {
		r.connected = s == webrtc.PeerConnectionStateConnected
		r.failed = s == webrtc.PeerConnectionStateFailed
	})
}

func (r *Receiver) message(text string) { r.update(func() { r.messages = append(r.messages, text) }) }

func (r *Receiver) read(mid string, track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	r.readers.Add(1)
	go func() {
		defer r.readers.Done()
		for {
			if _, _, err := receiver.ReadRTCP(); err != nil {
				return
			}
		}
	}()
	r.readers.Add(1)
	defer r.readers.Done()
	var ext uint8
	for _, e := range receiver.GetParameters().HeaderExtensions {
		if e.URI == absCaptureTime {
			ext = uint8(e.ID)
		}
	}
	for {
		p, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		got := Packet{Mid: mid, Sequence: p.SequenceNumber, Timestamp: p.Timestamp}
		got.Source, got.Count, got.Keyframe, got.Known, got.Same = r.ledger.check(p.GetExtension(ext), p.Payload)
		r.update(func() {
			got.Order = len(r.packets)
			r.packets = append(r.packets, got)
			if got.Known {
				counts := r.bySource[got.Source]
				if counts == nil {
					counts = make(map[int]int)
					r.bySource[got.Source] = counts
				}
				counts[got.Count]++
			}
		})
	}
}

// Wait returns when the condition, called with the Receiver locked after every change, is true.
func (r *Receiver) Wait(ctx context.Context, what string, condition func() bool) error {
	for {
		r.mu.Lock()
		if condition() {
			r.mu.Unlock()
			return nil
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
		return len(r.bySource[source.Number]) >= have+n
	})
}

// WaitPacket returns when a packet of the source with at least that count has come.
func (r *Receiver) WaitPacket(ctx context.Context, source uint16, count int) error {
	return r.Wait(ctx, fmt.Sprintf("packet %d of %s", count, r.ledger.Name(source)), func() bool {
		for i := len(r.packets) - 1; i >= 0 && i >= len(r.packets)-256; i-- {
			if p := r.packets[i]; p.Known && p.Source == source && p.Count >= count {
				return true
			}
		}
		return false
	})
}

// From is how many different packets of the source have come.
func (r *Receiver) From(source uint16) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.bySource[source])
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

// Foreign lists what should never come: packets nobody sent, packets that were changed, and packets of sources other than those allowed.
func (r *Receiver) Foreign(allowed ...uint16) []string {
	ok := make(map[uint16]bool)
	for _, s := range allowed {
		ok[s] = true
	}
	var found []string
	for _, p := range r.Packets(0) {
		switch {
		case !p.Known:
			found = append(found, fmt.Sprintf("packet %d (mid %s): sent by nobody", p.Order, p.Mid))
		case !p.Same:
			found = append(found, fmt.Sprintf("packet %d (mid %s): %s packet %d was changed", p.Order, p.Mid, r.ledger.Name(p.Source), p.Count))
		case !ok[p.Source]:
			found = append(found, fmt.Sprintf("packet %d (mid %s): of %s, which is not for this client", p.Order, p.Mid, r.ledger.Name(p.Source)))
		}
		if len(found) == 10 {
			break
		}
	}
	return found
}

// Duplicates is how many packets of the source came more than once.
func (r *Receiver) Duplicates(source uint16) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, times := range r.bySource[source] {
		n += times - 1
	}
	return n
}

// Missing lists the counts between the first and last received packet of the source that did not come.
func (r *Receiver) Missing(source uint16) []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	lo, hi := -1, -1
	for count := range r.bySource[source] {
		if lo < 0 || count < lo {
			lo = count
		}
		if count > hi {
			hi = count
		}
	}
	var missing []int
	for count := lo; count >= 0 && count < hi; count++ {
		if r.bySource[source][count] == 0 {
			missing = append(missing, count)
		}
	}
	return missing
}
