// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"errors"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
)

// TestRefusedSlots has the router refuse the first slots of a session that publishes, while others come to the shards. What
// was made for the offer is gone, and the slots of the next offer send from the shard that the session is on.
func TestRefusedSlots(t *testing.T) {
	t.Parallel()
	eachLane(t, false, func(t *testing.T, lane func(*Config)) {
		n := startNode(t, lane)
		c := newClient(t, n).join("r")
		mine := c.source(webrtc.MimeTypeOpus)
		c.negotiate().connected()
		mine.run()
		s, err := n.find(c.id, router.Fence{})
		if err != nil {
			t.Fatal(err)
		}
		c.slots(audioKind, videoKind)
		c.offerID++
		offer := c.offer(nil)
		refuse := func([]router.Line) ([]router.Line, error) { return nil, router.ErrArgument }
		for range 5 {
			if err := s.call(context.Background(), func() {
				if _, err := s.negotiate(offer, c.offerID, refuse); !errors.Is(err, router.ErrArgument) {
					t.Errorf("%v, not the router's error", err)
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		other := newClient(t, n).join("r").slots(audioKind)
		voice := other.source(webrtc.MimeTypeOpus)
		other.negotiate().connected()
		other.publish("r", "s", voice, nil)
		voice.run()

		answer, err := n.Negotiate(context.Background(), c.id, router.Fence{}, offer, c.offerID)
		if err != nil {
			t.Fatal(err)
		}
		c.take(answer)
		c.more(c.subscribe("r", "s", true, false).AudioMid)
	})
}
