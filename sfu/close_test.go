// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/switchyard-media/sfu/router"
)

// TestCloseWhileConnecting closes nodes while clients join in every way: whoever comes too late is told so, and when Close
// has returned nothing is left, not even a session that was on its way.
func TestCloseWhileConnecting(t *testing.T) {
	offer := sdpText(section(0, "audio", "sendonly"), section(1, "video", "recvonly"))
	for round := range 30 {
		n, err := NewNode(Config{UDPAddress: "127.0.0.1:0", SpeakerEvery: -1})
		if err != nil {
			t.Fatal(err)
		}
		var joins sync.WaitGroup
		begun := make(chan struct{}, 64)
		for i := range 4 {
			joins.Go(func() {
				for j := 0; ; j++ {
					select {
					case begun <- struct{}{}:
					default:
					}
					user := fmt.Sprintf("u%d-%d", i, j)
					id := router.SessionID(user)
					create := router.CreateSession{ID: id, App: "app", User: router.User{ID: user, Name: user}, Mode: router.ModeSingle}
					ctx, cancel := context.WithCancel(context.Background())
					if j%3 == 2 {
						cancel() // one that does not wait for its answer
					}
					var err error
					if j%2 == 0 {
						_, err = n.Connect(ctx, ConnectRequest{Command: router.Connect{Create: create}, Offer: offer, OfferID: 1})
					} else if _, err = Do[router.Session](ctx, n, create); err == nil {
						_, err = n.Negotiate(ctx, id, router.Fence{}, offer, 1)
					}
					cancel()
					if errors.Is(err, ErrClosed) {
						return
					}
				}
			})
		}
		for range 4 + 3*(round%5) {
			<-begun
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if err := n.Close(ctx); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		n.aliveMu.Lock()
		left := len(n.alive)
		n.aliveMu.Unlock()
		joins.Wait()
		cancel()
		if left != 0 {
			t.Errorf("round %d: %d sessions are left", round, left)
		}
		if n.came(newSession(n)) { // one that Connect has made before Close, and that comes to nothing but now
			t.Error("a session begins in a closed node")
		}
	}
}
