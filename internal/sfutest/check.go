// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// settleFor bounds how long CheckAccounts waits for frames that are still on their way through the node.
const settleFor = 5 * time.Second

// Eventually looks at a condition every few milliseconds until it holds, and answers whether it did before ctx ended.
func Eventually(ctx context.Context, condition func() bool) bool {
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

func isGone(err error) bool {
	for _, gone := range []error{router.ErrSessionNotFound, router.ErrStreamNotFound, router.ErrSubscriptionNotFound, router.ErrRoomNotFound} {
		if e, ok := err.(*router.Error); ok && e.Is(gone) { //nolint:errorlint // sentinels come unwrapped or as copies
			return true
		}
	}
	return false
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
	if s == nil || s.Received == s.Accepted+s.Drops.Total()-s.Drops[queueFull] {
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
