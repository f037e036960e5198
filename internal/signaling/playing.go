// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"google.golang.org/protobuf/proto"

	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

const playingEnded = sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ENDED

// played tells a change of a subscription, once. With node.mu held.
func (c *client) played(x *news) {
	if l := x.GetLayers(); l != nil {
		c.shown(l)
		return
	}
	s := x.GetSubscriptionState().GetSubscription()
	known := c.playing[s.GetId()]
	switch {
	case s.GetState() == playingEnded:
		if x.GetSubscriptionState().GetReason() == sfuv1.EndReason_END_REASON_SWITCHED {
			return // it goes on in another room
		}
		c.playedOut(s.GetId(), x.GetSubscriptionState().GetReason())
		delete(c.stopping, s.GetId())
	case c.stopping[s.GetId()] || known == nil && !c.told(x):
		// The client has ended it, or left its room.
	default:
		c.plays(playingOf(s))
	}
}

// told says whether the client knows of the room that an event is of. With node.mu held.
func (c *client) told(x *news) bool {
	m := c.rooms[x.GetRoomId()]
	return m != nil && !m.leaving && m.epoch == x.GetNodeEpoch() && m.incarnation == x.GetIncarnation() && m.revision < x.GetRevision()
}

// shown tells the layer that is sent. With node.mu held.
func (c *client) shown(l *sfuv1.LayersChanged) {
	known := c.playing[l.GetSubscriptionId()]
	if known == nil || known.GetStreamId() != l.GetStreamId() {
		return
	}
	now := proto.CloneOf(known)
	now.SpatialLayer, now.TemporalLayer = nil, nil
	if !l.GetNoLayer() {
		now.SpatialLayer, now.TemporalLayer = new(l.GetSpatial()), new(l.GetTemporal())
	}
	c.plays(now)
}

// plays tells a subscription, unless the client knows it so. With node.mu held.
func (c *client) plays(p *signalv1.Playing) {
	if proto.Equal(c.playing[p.GetId()], p) {
		return
	}
	c.playing[p.GetId()] = p
	c.notify(&signalv1.Notice{Kind: &signalv1.Notice_Playing{Playing: p}})
}

// playedOut tells the end of a subscription that the client knows of. With node.mu held.
func (c *client) playedOut(id string, reason sfuv1.EndReason) {
	known := c.playing[id]
	delete(c.playing, id)
	if known == nil || c.stopping[id] {
		return
	}
	over := proto.CloneOf(known)
	over.State, over.Reason, over.AudioMid, over.VideoMid = playingEnded, reason, "", ""
	over.SpatialLayer, over.TemporalLayer = nil, nil
	c.notify(&signalv1.Notice{Kind: &signalv1.Notice_Playing{Playing: over}})
}

// asks holds news of subscriptions until settled: the reply to a request has no revision, and what comes before and after it
// is told by the order alone.
func (c *client) asks() {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	c.asking++
}

// settled answers a request about a subscription, and goes on with what was held. Without a subscription the request has
// failed.
func (c *client) settled(id uint32, s *sfuv1.Subscription) {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	c.asking--
	if s != nil {
		now := playingOf(s)
		c.playing[now.GetId()] = now
		c.skipTo(now)
		c.answer(&signalv1.Reply{Id: id, Result: &signalv1.Reply_Playing{Playing: now}})
	}
	if c.asking == 0 {
		c.release()
	}
}

// skipTo drops held news of a subscription up to the one that says what the reply does. With node.mu held.
func (c *client) skipTo(now *signalv1.Playing) {
	of := func(x *news) bool { return x.GetSubscriptionState().GetSubscription().GetId() == now.GetId() }
	last := -1
	for i, x := range c.held {
		if of(x) && proto.Equal(playingOf(x.GetSubscriptionState().GetSubscription()), now) {
			last = i
			break
		}
	}
	kept := c.held[:0]
	for i, x := range c.held {
		if i > last || !of(x) {
			kept = append(kept, x)
		}
	}
	c.held = kept
}
