// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"errors"
	"testing"

	"github.com/switchyard-media/sfu/router"
)

// TestFormerSessionSaysNothing ends a session and makes another with its id: what the loop of the first has still to say is
// not taken for the second's.
func TestFormerSessionSaysNothing(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	create := router.CreateSession{App: "app", ID: "mine", User: router.User{ID: "u", Name: "U"}, Mode: router.ModeMulti}
	must[router.Session](t, n, create)
	former, err := n.find("mine", router.Fence{})
	if err != nil {
		t.Fatal(err)
	}
	connected := router.SetConnection{Session: "mine", State: router.ConnectionConnected}
	if err := former.tell(connected); err != nil {
		t.Error(err)
	}
	must[router.Stopped](t, n, router.CloseSession{Session: "mine"})
	now := must[router.Session](t, n, create)
	if err := former.tell(connected); !errors.Is(err, router.ErrSessionNotFound) {
		t.Errorf("the former session speaks for the present one: %v", err)
	}
	n.Read(func(r *router.Router) {
		if s, err := r.Session("mine"); err != nil || s.Epoch != now.Epoch || s.Connection != router.ConnectionNew {
			t.Errorf("%+v, %v", s, err)
		}
	})
}
