// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
	"github.com/switchyard-media/sfu/internal/signaling"
	"github.com/switchyard-media/sfu/router"
	sdkjs "github.com/switchyard-media/sfu/sdk/js"
	"github.com/switchyard-media/sfu/sfu"
)

// Apps of the tests.
const (
	app       = "demo"
	singleApp = "plain" // not entitled to several rooms at once
)

// peers runs before the scripts of every page; script is what a bare page has.
//
//go:embed peers.js
var peers string

//go:embed page.js
var script string

// stage is what pages play on: a node, a tier in front of it, and a server of bare pages with the SDK.
type stage struct {
	t       *testing.T
	browser *chromium.Browser
	keys    *auth.Keys
	node    *sfutest.Node // nil where the node is a process of its own
	pages   string        // address of the bare page
	signal  string        // address of the tier's WebSocket
	excused string        // in what pages may complain of; empty: nothing
}

// newStage starts a node and a tier in this process, which are checked when the test ends. change may adapt the node.
func newStage(t *testing.T, browser *chromium.Browser, change ...func(*sfu.Config)) *stage {
	t.Helper()
	node := sfutest.StartNode(t, func(c *sfu.Config, _ *control.Config) {
		c.Router.SessionTTL = time.Hour // sessions may take their time to connect
		c.Router.Apps = map[string]router.App{singleApp: {}}
		c.Forward.LeastBitrate = 1_000_000_000 // a machine that is slow for a moment shall not look like a link that is
		for _, f := range change {
			f(c)
		}
	})
	keys, err := auth.NewKeys()
	must(t, err)
	conn, err := grpc.NewClient(node.Target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	tier, err := signaling.New(signaling.Config{Nodes: []signaling.Node{{ID: "local", Conn: conn}}, Keys: keys, Logger: logger(t)})
	must(t, err)
	s := &stage{t: t, browser: browser, keys: keys, node: node}
	mux := barePage()
	mux.Handle("/signal", tier.Handler())
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), chromium.Patience)
		defer cancel()
		if err := tier.Close(ctx); err != nil {
			t.Errorf("closing the tier: %v", err)
		}
		server.Close()
		_ = conn.Close()
	})
	s.pages, s.signal = server.URL, server.URL+"/signal"
	return s
}

// barePage serves a page that has the SDK and the test's script.
func barePage() *http.ServeMux {
	mux := http.NewServeMux()
	serve := func(path, kind string, content []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind+"; charset=utf-8")
			_, _ = w.Write(content)
		})
	}
	const page = `<!doctype html><title>client</title><link rel="icon" href="data:,"><body><script>%s</script><script type="module" src="/page.js"></script>`
	serve("/{$}", "text/html", fmt.Appendf(nil, page, chromium.Pictures))
	serve("/page.js", "text/javascript", []byte(script))
	serve("/sdk/switchyard.js", "text/javascript", sdkjs.Bundle)
	return mux
}

// logger sends warnings of the tier to the test.
func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(logWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type logWriter struct{ t *testing.T }

// Write implements io.Writer.
func (w logWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", strings.TrimSpace(string(p)))
	return len(p), nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Grants of tokens.
var (
	all     = auth.Grants{Publish: true, Subscribe: true, Message: true, Manage: true}
	watcher = auth.Grants{Subscribe: true, Message: true}
	talker  = auth.Grants{Message: true}
)

// token makes a token for an hour, with the same grants in some rooms.
func (s *stage) token(who string, grants auth.Grants, rooms ...string) string {
	s.t.Helper()
	claims := claimsOf(who)
	claims.Rooms = roomsOf(grants, rooms...)
	return s.sign(claims)
}

// roomsOf are grants for some rooms; none: for every room.
func roomsOf(grants auth.Grants, rooms ...string) []auth.Room {
	if len(rooms) == 0 {
		return []auth.Room{{Any: true, Grants: grants}}
	}
	var all []auth.Room
	for _, room := range rooms {
		all = append(all, auth.Room{Room: room, Grants: grants})
	}
	return all
}

func (s *stage) sign(claims auth.Claims) string {
	s.t.Helper()
	token, err := s.keys.Sign(&claims)
	must(s.t, err)
	return token
}

// claimsOf is what tokens say that let somebody do anything anywhere.
func claimsOf(who string) auth.Claims {
	u := named(who)
	return auth.Claims{App: app, UserID: u.UserID, UserName: u.UserName, Rooms: roomsOf(all), Expires: time.Now().Add(time.Hour)}
}
