// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
)

// TestLinkIsEstimated has a client with transport-wide feedback play video: there is an estimate, and the router knows what
// the slot shows. With congestion control off there is none.
func TestLinkIsEstimated(t *testing.T) {
	t.Parallel()
	for _, off := range []bool{false, true} {
		n := startNode(t, func(c *Config) { c.Forward.NoCongestionControl = off })
		alice := newClient(t, n).join("r")
		camera := alice.source(webrtc.MimeTypeVP8)
		alice.negotiate().connected()
		alice.publish("r", "cam", nil, camera)
		camera.run()
		bob := newClient(t, n).join("r").slots(videoKind).negotiate().connected()
		sub := bob.subscribe("r", "cam", false, true)
		bob.more(sub.VideoMid)
		if off {
			bob.more(sub.VideoMid)
			if link, err := n.Link(bob.id); err != nil || link.Controlled {
				t.Errorf("congestion control is off, and the link is %+v, %v", link, err)
			}

			continue
		}
		eventually(t, "an estimate", func() bool {
			link, err := n.Link(bob.id)

			return err == nil && link.Controlled && link.Target > 0
		})
		eventually(t, "the router knows what is shown", func() bool {
			var now router.Subscription
			n.Read(func(r *router.Router) { now, _ = r.Subscription(sub.ID) })

			return now.Spatial == 0 && now.TargetSpatial == 0 && now.State == router.SubscriptionActive
		})
		if load := n.Load().Adaptive; load.Controlled != 1 || len(load.Estimates) != 1 {
			t.Errorf("%+v", load)
		}
	}
}
