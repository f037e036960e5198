// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/router"
)

// TestTogether has clients come and go side by side, some at the same stream, one ending what another asks of.
func TestTogether(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	token, offer := s.token(auth.Claims{}), offerFile(t, "rfc9725")
	s.open("/whip/demo/r0/cam", offer, token)
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			for n := range 6 {
				path, body := fmt.Sprintf("/whip/demo/r%d/cam", i%3), offer
				if n%2 == 1 {
					path, body = "/whep/demo/r0/cam", player(offer)
				}
				a := s.ask(http.MethodPost, path, body, sdp, bearer(token))
				if a.status != http.StatusCreated && a.status != http.StatusConflict && a.status != http.StatusNotFound {
					t.Errorf("POST %s: %d %s", path, a.status, a.body)
				}
				if at := a.header.Get("Location"); at != "" {
					s.pester(at, a.header.Get("ETag"), token)
				}
			}
		})
	}
	clients.Wait()
	s.until("everything is gone", func() bool {
		n := s.server.Stats().Sessions
		return n[whip]+n[whep] == 0 && s.node.Load().Counts == router.Counts{}
	})
}

// pester asks several things of a session at once. Somebody else may end it meanwhile.
func (s *stage) pester(at, tag, token string) {
	var all sync.WaitGroup
	for i, c := range []struct{ method, body, condition string }{
		{http.MethodPatch, trickled("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1"), tag},
		{http.MethodPatch, trickled("newa", "012345678901234567890a"), "*"},
		{http.MethodPatch, trickled("newb", "012345678901234567890b"), "*"},
		{http.MethodDelete, "", ""},
	} {
		all.Go(func() {
			a := s.ask(c.method, at, c.body, bearer(token), fragType, "If-Match: "+c.condition)
			if a.status >= http.StatusInternalServerError {
				s.t.Errorf("%d %s: %d %s", i, c.method, a.status, a.body)
			}
		})
	}
	all.Wait()
}
