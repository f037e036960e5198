// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// settleFor bounds how long CheckAccounts waits for frames that are still on their way through the node, and for its sessions to
// end. It ends hangs only: a slow machine must not come near it.
const settleFor = time.Minute

// Eventually looks at a condition every few milliseconds until it holds, and answers whether it did before ctx ended, or before
// half of the time to its deadline had gone: what a test does after it waited in vain must not fail for want of time too.
func Eventually(ctx context.Context, condition func() bool) bool {
	if end, limited := ctx.Deadline(); limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if condition() {
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return condition()
		}
	}
}

// CheckAccounts fails the test when the node's books do not balance: every packet a publisher sent is accepted or counted
// under one drop reason, every packet handed to a subscriber's slot is forwarded or counted under one, and no queue keeps
// any. Then it closes the sessions that the test has left, after which nothing may be there any more.
func CheckAccounts(t testing.TB, node *sfu.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), settleFor)
	defer cancel()
	settled(ctx, t, "packets accounted for", func() []string { return unbalanced(node) })
	closeSessions(ctx, t, node)
	settled(ctx, t, "nothing left after the last session", func() []string {
		return append(unbalanced(node), leftovers(node.Load())...)
	})
	for _, found := range checkDump(node.Dump()) {
		t.Errorf("state dump: %s", found)
	}
}

// settled waits until find finds nothing, and reports what it still finds in the end.
func settled(ctx context.Context, t testing.TB, what string, find func() []string) {
	t.Helper()
	var found []string
	if Eventually(ctx, func() bool { found = find(); return len(found) == 0 }) {
		return
	}
	t.Errorf("%s: %s", what, strings.Join(found, "; "))
}

// closeSessions ends every session. One that ends by itself meanwhile is as good.
func closeSessions(ctx context.Context, t testing.TB, node *sfu.Node) {
	t.Helper()
	for _, s := range sessionsOf(node) {
		_, err := sfu.Do[router.Stopped](ctx, node, router.CloseSession{Session: s.ID, Fence: router.Fence{SessionEpoch: s.Epoch}})
		if err != nil && !isGone(err) {
			t.Errorf("closing session %s: %v", s.ID, err)
		}
	}
}

// isGone says that what was asked about ended between the listing and the question.
func isGone(err error) bool {
	return errors.Is(err, router.ErrSessionNotFound) || errors.Is(err, router.ErrRoomNotFound) ||
		errors.Is(err, router.ErrStreamNotFound) || errors.Is(err, router.ErrSubscriptionNotFound)
}

func sessionsOf(node *sfu.Node) []router.Session {
	var all []router.Session
	node.Read(func(r *router.Router) { all = r.Snapshot(nil).Sessions })
	return all
}

// unbalanced lists the accounts of the node that do not balance now.
func unbalanced(node *sfu.Node) []string {
	load := node.Load()
	found := unbalancedNode(load)
	var snapshot router.Snapshot
	node.Read(func(r *router.Router) { snapshot = r.Snapshot(nil) })
	for _, room := range snapshot.Rooms {
		for _, s := range room.Streams {
			audio, video, err := node.StreamStats(s.App, s.Room, s.ID)
			if err != nil {
				if !isGone(err) {
					found = append(found, fmt.Sprintf("stream %s/%s: %v", s.Room, s.ID, err))
				}
				continue
			}
			found = append(found, unbalancedTrack(s.Room+"/"+s.ID+" audio", audio)...)
			found = append(found, unbalancedTrack(s.Room+"/"+s.ID+" video", video)...)
		}
	}
	for _, sub := range snapshot.Subscriptions {
		audio, video, err := node.SubscriptionStats(sub.ID)
		if err != nil {
			if !isGone(err) {
				found = append(found, fmt.Sprintf("subscription %s: %v", sub.ID, err))
			}
			continue
		}
		found = append(found, unbalancedSlot(string(sub.ID)+" audio", audio)...)
		found = append(found, unbalancedSlot(string(sub.ID)+" video", video)...)
	}
	return found
}

func unbalancedTrack(name string, s *sfu.TrackStats) []string {
	if s == nil || s.Received == s.Accepted+s.Drops.Total() {
		return nil
	}
	return []string{fmt.Sprintf("%s: received %d, accepted %d, dropped %v", name, s.Received, s.Accepted, s.Drops)}
}

func unbalancedSlot(name string, s *sfu.DownTrackStats) []string {
	if s == nil || s.Received == s.Forwarded+s.Drops.Total() {
		return nil
	}
	return []string{fmt.Sprintf("%s: received %d, forwarded %d, dropped %v", name, s.Received, s.Forwarded, s.Drops)}
}

// implausible is far more than a test counts to; a counter above it was decremented below zero.
const implausible = 1 << 62

// unbalancedNode lists what is wrong with the sums over the whole node.
func unbalancedNode(load sfu.Load) []string {
	var found []string
	f := load.Forward
	// Reasons come in the order of a packet's way: those before it is handed over to a shard, queue_full, those after.
	var in, out uint64
	side := &in
	for reason, n := range f.Drops {
		if sfu.DropReason(reason).String() == "queue_full" {
			side = &out
			continue
		}
		*side += n
	}
	if load.Panics != 0 {
		found = append(found, fmt.Sprintf("%d panics", load.Panics))
	}
	if f.In != f.Accepted+in {
		found = append(found, fmt.Sprintf("received %d packets, accepted %d, dropped %v", f.In, f.Accepted, f.Drops))
	}
	if f.Offered != f.Out+out {
		found = append(found, fmt.Sprintf("offered %d packets to slots, sent %d, dropped %v", f.Offered, f.Out, f.Drops))
	}
	for name, v := range map[string]uint64{
		"in": f.In, "out": f.Out, "bytes in": f.InBytes, "bytes out": f.OutBytes, "retransmitted": f.Retransmitted,
		"drops": f.Drops.Total(), "messages delivered": load.MessagesDelivered, "messages dropped": load.MessagesDropped,
	} {
		if v > implausible {
			found = append(found, fmt.Sprintf("%s is %d", name, v))
		}
	}
	for i, s := range f.Shards {
		if s.Queue != 0 || s.Downlinks < 0 || s.Sinks < 0 {
			found = append(found, fmt.Sprintf("shard %d: %d entries queued, %d downlinks, %d sinks", i, s.Queue, s.Downlinks, s.Sinks))
		}
	}
	if c := load.Counts; min(c.Sessions, c.Rooms, c.Members, c.Streams, c.Subscriptions) < 0 {
		found = append(found, fmt.Sprintf("negative counts: %+v", c))
	}
	return found
}

// leftovers lists what is still there of a node without sessions.
func leftovers(load sfu.Load) []string {
	var found []string
	if load.Counts != (router.Counts{}) {
		found = append(found, fmt.Sprintf("left in the router: %+v", load.Counts))
	}
	for state, n := range load.Connections {
		if n != 0 && state != "closed" {
			found = append(found, fmt.Sprintf("%d connections in state %s", n, state))
		}
	}
	for i, s := range load.Forward.Shards {
		if s.Downlinks != 0 || s.Sinks != 0 {
			found = append(found, fmt.Sprintf("shard %d keeps %d downlinks and %d sinks", i, s.Downlinks, s.Sinks))
		}
	}
	return found
}

// secret matches what must never be in a dump: ICE passwords (RFC 8839, section 5.4) and private keys.
var secret = regexp.MustCompile(`(?i)ice[-_]?pwd|private key|"(pass|passwd|password|token|credential)"\s*:\s*"[^"]+"`)

// checkDump lists what is wrong with a dump of the node's state: it must be JSON, hold no secrets and no negative counts.
func checkDump(dump any) []string {
	data, err := json.Marshal(dump)
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	if m := secret.Find(data); m != nil {
		found = append(found, fmt.Sprintf("holds %q", m))
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return append(found, err.Error())
	}
	return append(found, negatives("", tree)...)
}

// maySink matches names of numbers that are no counts: RFC 3550 lets the cumulative loss be negative.
var maySink = regexp.MustCompile(`(?i)lost|offset|level|drift|delta|shift|time|at$`)

func negatives(path string, v any) []string {
	var found []string
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			found = append(found, negatives(path+"."+k, inner)...)
		}
	case []any:
		for i, inner := range v {
			found = append(found, negatives(fmt.Sprintf("%s[%d]", path, i), inner)...)
		}
	case json.Number:
		if strings.HasPrefix(v.String(), "-") && !maySink.MatchString(path) {
			found = append(found, fmt.Sprintf("%s is %s", path, v))
		}
	}
	return found
}
