// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchyard-media/sfu/bench/links"
	"github.com/switchyard-media/sfu/bench/load"
	"github.com/switchyard-media/sfu/bench/path"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

const (
	roomsLength = 65 * time.Second
	roomsThin   = 30 * time.Second // the link carries less from here
	roomsWide   = 45 * time.Second // to here
	roomsSettle = 2 * time.Second  // what is on its way when the measurement ends
)

var roomWeights = []uint32{4, 2, 1, 1, 1}

// roomsCapacity is 1 Mbit/s, and 600 kbit/s in between: five voices leave room for one small picture.
func roomsCapacity(at int64) int64 {
	if at >= int64(roomsThin) && at < int64(roomsWide) {
		return 600_000
	}

	return links.Mbit
}

// fiveRooms is one user in five rooms of different weight over one link, with a camera and a voice in each.
func (r *linkRun) fiveRooms(ctx context.Context) (*LinkReport, error) {
	ctx, cancel := context.WithTimeout(ctx, roomsLength+time.Minute)
	defer cancel()
	var a audience
	defer a.close(context.WithoutCancel(ctx))
	shape, start, p := bottleneck(links.Mbit), &atomic.Int64{}, &plan{}
	shape.Capacity = roomsCapacity
	user := load.Config{
		User: "listener", SubscribeOnly: true, Seed: 1, Weights: roomWeights,
		Down: behind(shape, start), Up: &path.Shape{Delay: shape.Delay},
	}
	seen := &linkSeen{length: roomsLength, layers: cameraLayers(), capacity: roomsCapacity}
	var voices []*load.Track
	for i := range roomWeights {
		room, host, s := fmt.Sprintf("five%d", i), fmt.Sprintf("five-host%d", i), p.camera()
		user.Rooms = append(user.Rooms, room)
		user.Wants = append(user.Wants, load.Want{Room: room, Stream: host, Expect: s})
		seen.tracks, voices = append(seen.tracks, s.Video.ID), append(voices, s.Audio)
		err := a.publish(ctx, r, load.Config{
			User: host, Rooms: []string{room}, Sources: []load.Source{s}, Publishes: []load.Publication{{Room: room, Stream: host}},
		})
		if err != nil {
			return nil, err
		}
	}
	pauses, err := r.watchPauses(ctx)
	if err != nil {
		return nil, err
	}
	defer pauses.stop()
	report := newLinkReport(ctx, roomsScenario, kindNode, r.node, r.o)
	client, err := a.join(ctx, r, user)
	if err != nil {
		return nil, err
	}
	pauses.of(client.Session)
	from := time.Now()
	start.Store(from.UnixNano())
	client.StartTrace(from, linkSlice, roomsLength)
	r.window.Open(from.Add(time.Second), roomsLength-time.Second)
	if err := r.follow(ctx, client, seen, from, func(time.Duration) {}); err != nil {
		return nil, err
	}
	if err := pause(ctx, roomsSettle); err != nil {
		return nil, err
	}
	behind, late := r.poller.TakeLinkErrors()
	report.Emulator = &LinkErrors{ms(behind.Quantile(0.99)), ms(behind.Max()), ms(late.Quantile(0.99)), ms(late.Max())}
	report.Seconds, report.Flows = roomsLength.Seconds(), []LinkFlow{seen.flow(roomsScenario)}
	report.Flows[0].Rival = nil
	report.Bounds = roomsBounds(seen, pauses, r.voiceLoss(client, voices))
	for i, w := range roomWeights {
		bits := seen.ofTrack(i)
		report.Flows[0].Figures[fmt.Sprintf("room_%d_of_weight_%d_kbit_s", i, w)] = math.Round(bits / 1000)
	}

	return report, nil
}

// ofTrack is what came of one camera between the start and the thin time, bit/s.
func (s *linkSeen) ofTrack(i int) float64 {
	return s.mean(roomsThin/3, roomsThin, func(k int) float64 { return perSecond(s.trace.Slots[k].ByTrack[s.tracks[i]]) })
}

// voiceLoss is the share of audio packets of the window that did not come.
func (r *linkRun) voiceLoss(c *load.Client, voices []*load.Track) (share float64) {
	r.poller.Locked(func() {
		sent, came := uint64(0), uint64(0)
		for _, got := range c.Received() {
			if slices.Contains(voices, got.Track) {
				_, n := got.Track.Sent()
				sent, came = sent+n, came+got.WindowPackets
			}
		}
		share = 1
		if sent > 0 {
			share = 1 - float64(came)/float64(sent)
		}
	})

	return share
}

func roomsBounds(s *linkSeen, p *pauses, lost float64) []LinkBound {
	b := &linkBounds{s: s}
	b.add("audio lost", "%", 100*lost, 0, true)
	heavy, light := s.ofTrack(0), 0.0
	for i := 2; i < len(roomWeights); i++ {
		light = max(light, s.ofTrack(i))
	}
	b.add("video of the heaviest room, at least that of any of weight 1", "kbit/s", heavy/1000, light/1000, false)
	second := s.ofTrack(1)
	b.add("video of the second room, at least that of any of weight 1", "kbit/s", second/1000, light/1000, false)
	paused, resumed := p.counts()
	b.add("told that a video is paused", "events", float64(paused), 1, false)
	b.add("told that it is back, as often", "events", float64(resumed), float64(paused), false)
	b.add("videos paused on the thin link that were back 15 s after its end", "", float64(s.notBack()), 0, true)
	b.queueOf(5*time.Second, roomsThin)
	b.queueOf(roomsThin+5*time.Second, roomsWide)

	return b.all
}

// notBack counts cameras that were shown before the link got thin and are not 15 s after that.
func (s *linkSeen) notBack() int {
	n := 0
	before, _ := s.slices(roomsThin-time.Second, s.length)
	after, _ := s.slices(roomsWide+upWithin, s.length)
	for _, t := range s.tracks {
		if s.layerAt(t, before) >= 0 && s.layerAt(t, after) < 0 {
			n++
		}
	}

	return n
}

// pauses counts what the node tells of a session's subscriptions.
type pauses struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex // guards what follows
	events  []*sfuv1.Event
	session string
}

func (r *linkRun) watchPauses(ctx context.Context) (*pauses, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := r.node.events.WatchEvents(ctx, &sfuv1.WatchEventsRequest{WatcherId: "bench-links", Snapshot: sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER})
	if err != nil {
		cancel()

		return nil, err
	}
	p := &pauses{cancel: cancel, done: make(chan struct{})}
	go p.read(stream)

	return p, nil
}

// read takes events until the stream ends.
func (p *pauses) read(stream sfuv1.EventService_WatchEventsClient) {
	defer close(p.done)
	for {
		reply, err := stream.Recv()
		if err != nil {
			return
		}
		if e := reply.GetEvent(); e.GetSubscriptionState() != nil {
			p.mu.Lock()
			p.events = append(p.events, e)
			p.mu.Unlock()
		}
	}
}

func (p *pauses) of(session string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session = session
}

func (p *pauses) stop() {
	p.cancel()
	<-p.done
}

// counts are how often a subscription was paused for bandwidth, and how often one came back from that.
func (p *pauses) counts() (paused, resumed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := make(map[string]bool)
	for _, e := range p.events {
		s := e.GetSubscriptionState().GetSubscription()
		if e.GetSessionId() != p.session && s.GetSessionId() != p.session {
			continue
		}
		switch s.GetState() {
		case sfuv1.SubscriptionState_SUBSCRIPTION_STATE_PAUSED_BY_BANDWIDTH:
			if !held[s.GetId()] {
				paused++
			}
			held[s.GetId()] = true
		case sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE:
			if held[s.GetId()] {
				resumed++
			}
			held[s.GetId()] = false
		default:
		}
	}

	return paused, resumed
}
