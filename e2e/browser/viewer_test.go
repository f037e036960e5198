// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// The numbered picture that pages publish in layers. Chromium leaves out layers of SVC that are smaller than 240 by 135
// pixels, and the third of simulcast when the picture is smaller than 960 by 540.
const (
	fullWidth, fullHeight = 960, 540
	picturesPerSecond     = 20
	spatialLayers         = 3
	temporalLayers        = 3
)

// encoding is what addTransceiver takes in sendEncodings.
type encoding struct {
	RID   string  `json:"rid,omitempty"`
	Scale float64 `json:"scaleResolutionDownBy,omitempty"`
	Rate  int     `json:"maxBitrate,omitempty"` // bit/s
	Mode  string  `json:"scalabilityMode,omitempty"`
}

// simulcast is three streams, each with three temporal layers, of so many bit/s.
func simulcast(low, mid, high int) []encoding {
	return []encoding{
		{RID: "low", Scale: 4, Rate: low, Mode: "L1T3"},
		{RID: "mid", Scale: 2, Rate: mid, Mode: "L1T3"},
		{RID: "high", Scale: 1, Rate: high, Mode: "L1T3"},
	}
}

// scalable is one stream with layers in it.
func scalable(mode string, rate int) []encoding { return []encoding{{Rate: rate, Mode: mode}} }

// published says how the numbered picture is published.
type published struct {
	codec      string
	encodings  []encoding
	descriptor bool    // with dependency descriptors
	roughness  float64 // of the picture, 0 to 1: how much of the bitrate it takes
	obey       bool    // stop layers that nobody takes
}

// painter makes a page that publishes the numbered picture, and sound, as the user's stream in a room.
func painter(t *testing.T, browser *pages, node *sfutest.Node, user, room string, source published) *client {
	t.Helper()
	c := enter(t, browser, node, user, room)
	if !ask[bool](c.Tab, "sends", source.codec) {
		t.Fatalf("this browser does not encode %s", source.codec)
	}
	c.tell("paint", fullWidth, fullHeight, picturesPerSecond, source.roughness)
	audio, video := ask[int](c.Tab, "send", "audio", "", []int{}), ask[int](c.Tab, "encode", source.codec, source.encodings, source.descriptor)
	c.tell("channel", source.obey)
	c.negotiate(false)
	c.publish(room, user, c.mid(audio), c.mid(video))
	return c
}

// viewer is a page that watches one subscription.
type viewer struct {
	*client
	sub  *sfuv1.Subscription
	read film
}

// view makes a page that subscribes to a stream and watches it.
func view(t *testing.T, browser *pages, node *sfutest.Node, user, room, stream string, descriptor bool) *viewer {
	t.Helper()
	return enter(t, browser, node, user, room).view(room, stream, descriptor)
}

// view is what makes a client a viewer.
func (c *client) view(room, stream string, descriptor bool) *viewer {
	c.t.Helper()
	c.tell("slots", 1, 1, descriptor)
	c.negotiate(false)
	v := &viewer{client: c, sub: c.subscribe(room, stream, true, true)}
	c.tell("watch", v.sub.GetVideoMid())
	c.t.Cleanup(func() {
		if c.t.Failed() {
			c.t.Logf("%s: the node says %v", c.user, v.stats())
		}
	})
	return v
}

// stats is what the node says of the subscription and its link; also when the test is over.
func (v *viewer) stats() *sfuv1.SubscriptionStats {
	reply, err := v.api.Subscription.GetSubscriptionStats(context.WithoutCancel(v.t.Context()), &sfuv1.GetSubscriptionStatsRequest{SubscriptionId: v.sub.GetId()})
	if err != nil {
		v.t.Errorf("statistics of %s's subscription: %v", v.user, err)
	}
	return reply.GetStats()
}

// film is all that was seen so far.
func (v *viewer) film() film {
	v.t.Helper()
	v.read = append(v.read, ask[film](v.Tab, "seen", v.sub.GetVideoMid(), len(v.read))...)
	return v.read
}

// prefer bounds the layers that the viewer gets.
func (v *viewer) prefer(spatial, temporal int) {
	v.t.Helper()
	_, err := v.api.Subscription.UpdateSubscription(v.t.Context(), &sfuv1.UpdateSubscriptionRequest{
		SubscriptionId: v.sub.GetId(),
		Preference:     &sfuv1.Preference{MaxSpatial: new(uint32(spatial)), MaxTemporal: new(uint32(temporal))},
	})
	must(v.t, err)
}

// shows waits until pictures of a spatial layer are decoded, and answers the first that was seen.
func (v *viewer) shows(spatial int) frame {
	v.t.Helper()
	known := len(v.film())
	var found frame
	v.until(fmt.Sprintf("layer %d", spatial), func(report) bool {
		for _, now := range v.film()[known:] {
			if layerOf(now) == spatial && now.Error <= spoilt {
				found = now
				return true
			}
		}
		return false
	})
	return found
}

// layerOf is the spatial layer that a picture was decoded from; encoders may round sizes up.
func layerOf(f frame) int {
	switch {
	case f.Height > fullHeight/2+8:
		return 2
	case f.Height > fullHeight/4+8:
		return 1
	}
	return 0
}

func (v *viewer) inbound() received {
	v.t.Helper()
	return v.report().Received[v.sub.GetVideoMid()]
}
