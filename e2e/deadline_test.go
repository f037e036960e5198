// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/switchyard-media/sfu/internal/control"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// TestCallsWithoutDeadline: a call that brings no deadline is given the node's.
func TestCallsWithoutDeadline(t *testing.T) {
	t.Parallel()
	n := controlled(t, func(_ *sfu.Config, c *control.Config) { c.RequestTimeout = time.Nanosecond })
	ctx := t.Context()
	if _, has := ctx.Deadline(); has {
		t.Fatal("the test's context has a deadline of its own")
	}
	_, err := n.Session.CreateSession(ctx, &sfuv1.CreateSessionRequest{AppId: app, User: &sfuv1.User{Id: "ann", Name: "Ann"}, RoomMode: multi})
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("%v, want DEADLINE_EXCEEDED", err)
	}
}

// TestTooManyPings: a connection that pings much more often than it may is told so and closed.
func TestTooManyPings(t *testing.T) {
	t.Parallel()
	n := controlled(t, nil)
	conn, err := net.Dial("tcp", n.Target)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	const pings = 10
	for i := range pings {
		if framer.WritePing(false, [8]byte{byte(i)}) != nil {
			break // closed already
		}
	}
	answered := 0
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("%d pings were answered, then %v: no GOAWAY", answered, err)
		}
		switch f := frame.(type) {
		case *http2.PingFrame:
			answered++
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeEnhanceYourCalm || string(f.DebugData()) != "too_many_pings" || answered == pings {
				t.Errorf("%d pings were answered, then %v %q", answered, f.ErrCode, f.DebugData())
			}
			alive(t, n)
			return
		}
	}
}
