// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"testing"

	"github.com/switchyard-media/sfu/internal/sfutest"
)

// TestSequenceWraps: sequence numbers wrap several times, from the publisher and to the subscriber, which SRTP has to count on both
// ways (RFC 3711, section 3.3.1). They go ahead by leaps, as after heavy loss, so that a few packets are enough.
func TestSequenceWraps(t *testing.T) {
	t.Parallel()
	st := newStage(t, nil)
	people := st.enter([]string{"ann", "bob"}, func(name string) cast { return cast{sends: name == "ann", audio: 1} })
	ann, bob := people["ann"], people["bob"]
	st.sources = []*sfutest.Source{ann.audio}
	st.join(ann, "room")
	st.publish(ann, "room", "stream")
	st.join(bob, "room")
	sub, err := bob.SubscribeKinds(st.ctx, "room", "stream", true, false)
	st.must(err)
	e := st.expect(bob, sub.GetAudioMid(), ann.audio, 0)
	st.begin()
	for range 300 { // of 1000: the largest leap that the node takes for loss, so that numbers are left free downward, too
		ann.audio.Skip(999)
		st.step(ann.audio, map[*play]bool{e: true})
	}
	st.caughtUp(map[*play]bool{e: true})
	packets := bob.Packets(0)
	wraps := 0
	for i := 1; i < len(packets); i++ {
		if packets[i].Sequence < packets[i-1].Sequence {
			wraps++
		}
	}
	if wraps < 4 {
		t.Errorf("the numbers wrapped %d times", wraps)
	}
	for _, fault := range append(append(bob.Foreign(ann.audio.Number), skips(e.mid, packets, nil)...), st.whole(e, packets)...) {
		t.Error(fault)
	}
	for reason, n := range st.SFU.Load().UDPDropped {
		if n != 0 {
			t.Errorf("%d packets were refused: %s", n, reason)
		}
	}
}
