// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"context"
	"testing"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
	"github.com/switchyard-media/sfu/sfu"
)

func TestUnbalancedNode(t *testing.T) {
	drops := func(reason rtpforward.DropReason, n uint64) (d rtpforward.Drops) {
		d[reason] = n
		return d
	}
	for name, row := range map[string]struct {
		load  sfu.Load
		wrong int
	}{
		"empty":                 {sfu.Load{}, 0},
		"balanced":              {sfu.Load{Forward: rtpforward.Stats{In: 5, Accepted: 3, Drops: drops(rtpforward.DropDuplicate, 2), Offered: 3, Out: 3}}, 0},
		"balanced, out":         {sfu.Load{Forward: rtpforward.Stats{In: 3, Accepted: 3, Drops: drops(rtpforward.DropPaused, 2), Offered: 6, Out: 4}}, 0},
		"refused by a queue":    {sfu.Load{Forward: rtpforward.Stats{In: 3, Accepted: 3, Drops: drops(rtpforward.DropQueueFull, 2)}}, 0},
		"one lost before":       {sfu.Load{Forward: rtpforward.Stats{In: 5, Accepted: 4}}, 1},
		"one lost behind":       {sfu.Load{Forward: rtpforward.Stats{Offered: 5, Out: 4}}, 1},
		"one sent too much":     {sfu.Load{Forward: rtpforward.Stats{Offered: 5, Out: 5, Drops: drops(rtpforward.DropStale, 1)}}, 1},
		"still queued":          {sfu.Load{Forward: rtpforward.Stats{Shards: []rtpforward.ShardStats{{Queue: 1}}}}, 1},
		"counted below nothing": {sfu.Load{MessagesDropped: ^uint64(0)}, 1},
		"negative":              {sfu.Load{Counts: router.Counts{Members: -1}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := unbalancedNode(row.load); len(got) != row.wrong {
				t.Errorf("found %q, want %d", got, row.wrong)
			}
		})
	}
}

func TestUnbalancedTracks(t *testing.T) {
	up := &sfu.TrackStats{Received: 10, Accepted: 8}
	down := &sfu.DownTrackStats{Received: 10, Forwarded: 9}
	if len(unbalancedTrack("up", up)) != 1 || len(unbalancedSlot("down", down)) != 1 {
		t.Error("missing packets are not found")
	}
	up.Drops[rtpforward.DropTooOld], down.Drops[rtpforward.DropLayer] = 2, 1
	if got := append(unbalancedTrack("up", up), unbalancedSlot("down", down)...); len(got) != 0 {
		t.Errorf("found %q", got)
	}
	if got := append(unbalancedTrack("up", nil), unbalancedSlot("down", nil)...); len(got) != 0 {
		t.Errorf("found %q where there is nothing", got)
	}
}

func TestLeftovers(t *testing.T) {
	clean := sfu.Load{Connections: map[string]uint64{"closed": 3, "connected": 0}, Forward: rtpforward.Stats{Shards: make([]rtpforward.ShardStats, 2)}}
	if got := leftovers(clean); len(got) != 0 {
		t.Errorf("found %q", got)
	}
	dirty := sfu.Load{
		Counts: router.Counts{Rooms: 1}, Connections: map[string]uint64{"connected": 1},
		Forward: rtpforward.Stats{Shards: []rtpforward.ShardStats{{Downlinks: 1}, {Sinks: 2}}},
	}
	if got := leftovers(dirty); len(got) != 4 {
		t.Errorf("found %q, want 4", got)
	}
}

func TestCheckDump(t *testing.T) {
	type inner struct{ Count, Lost int }
	for name, row := range map[string]struct {
		dump  any
		wrong int
	}{
		"nothing":  {nil, 0},
		"plain":    {map[string]any{"sessions": []inner{{Count: 1, Lost: -3}}}, 0},
		"negative": {map[string]any{"sessions": []inner{{Count: -1}}}, 1},
		"password": {map[string]string{"sdp": "a=ice-pwd:x"}, 1},
		"token":    {map[string]string{"token": "x"}, 1},
		"key":      {[]string{"-----BEGIN EC PRIVATE KEY-----"}, 1},
		"no JSON":  {func() {}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := checkDump(row.dump); len(got) != row.wrong {
				t.Errorf("found %q, want %d", got, row.wrong)
			}
		})
	}
}

func TestEventually(t *testing.T) {
	looks := 0
	if !Eventually(t.Context(), func() bool { looks++; return looks == 3 }) {
		t.Error("not seen")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if Eventually(ctx, func() bool { return false }) {
		t.Error("seen what is not")
	}
}
