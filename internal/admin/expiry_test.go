// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/status"

	"github.com/switchyard-media/sfu/internal/auth"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// writable is a recorder that a stream can be written to: it takes deadlines.
type writable struct{ *httptest.ResponseRecorder }

func (writable) SetWriteDeadline(time.Time) error { return nil }

// TestEventsEndWithTheToken: whoever was an administrator for ten minutes does not see what goes on for ever.
func TestEventsEndWithTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, n := newKeys(t), uint64(0)
		node := &fakeNode{stream: func(ctx context.Context, _ *sfuv1.WatchEventsRequest) (*sfuv1.WatchEventsResponse, error) {
			select {
			case <-time.After(5 * time.Second):
				n++
				return heartbeat(n), nil
			case <-ctx.Done():
				return nil, status.FromContextError(ctx.Err()).Err()
			}
		}}
		h, err := New(Config{Nodes: []Node{{ID: "local", Conn: node}}, Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		token := sign(t, keys, auth.Claims{Admin: true, Issued: began, Expires: began.Add(10 * time.Minute)})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // the reader goes away
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, root+"local/events", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		w := writable{httptest.NewRecorder()}
		h.ServeHTTP(w, r)
		if took := time.Since(began); took > 10*time.Minute+auth.Leeway {
			t.Errorf("the events came for %v", took)
		}
		if text := w.Body.String(); n == 0 || !strings.Contains(text, "event: failure\ndata: {") || !strings.Contains(text, "TOKEN_EXPIRED") {
			t.Errorf("after %d items, the last word is not that the token has expired: %s", n, text)
		}
	})
}
