// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a node behind this face.
type stage struct {
	t      *testing.T
	node   *sfu.Node
	keys   *auth.Keys
	server *Server
	http   *httptest.Server
	client *http.Client
}

// start makes a stage that ends with the test. change may adapt the configuration.
func start(t *testing.T, change func(*sfu.Config, *Config)) *stage {
	t.Helper()
	keys, err := auth.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	node := sfu.Config{UDPAddress: "127.0.0.1:0", Sockets: 1, Loopback: true}
	config := Config{Keys: keys, Rate: 10_000, Burst: 10_000}
	if change != nil {
		change(&node, &config)
	}
	s := &stage{t: t, keys: keys, client: &http.Client{Transport: &http.Transport{}}}
	if s.node, err = sfu.NewNode(node); err != nil {
		t.Fatal(err)
	}
	config.Node = s.node
	if s.server, err = New(config); err != nil {
		t.Fatal(err)
	}
	s.http = httptest.NewServer(s.server.Handler())
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		s.http.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.node.Close(ctx); err != nil {
			t.Errorf("closing the node: %v", err)
		}
	})
	return s
}

// token signs claims, with what a test leaves out filled in.
func (s *stage) token(c auth.Claims) string {
	s.t.Helper()
	if c.App == "" {
		c.App = "demo"
	}
	if c.UserID == "" && !c.Admin {
		c.UserID = "ada"
	}
	if c.Issued.IsZero() {
		c.Issued = time.Now()
	}
	if c.Expires.IsZero() {
		c.Expires = time.Now().Add(time.Hour)
	}
	if c.Rooms == nil && !c.Admin {
		c.Rooms = []auth.Room{{Any: true, Grants: auth.Grants{Publish: true, Subscribe: true}}}
	}
	token, err := s.keys.Sign(&c)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request; fields are "Name: value". One with an empty value is left out.
func (s *stage) ask(method, path, body string, fields ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.http.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		if value != "" {
			req.Header.Add(name, value)
		}
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(text)}
}

const (
	sdp      = "Content-Type: application/sdp"
	fragType = "Content-Type: application/trickle-ice-sdpfrag"
)

func bearer(token string) string { return "Authorization: Bearer " + token }

// open makes a session and wants 201.
func (s *stage) open(path, offer, token string) answer {
	s.t.Helper()
	a := s.ask(http.MethodPost, path, offer, sdp, bearer(token))
	if a.status != http.StatusCreated {
		s.t.Fatalf("POST %s: %d %s", path, a.status, a.body)
	}
	return a
}

// offerFile reads an offer, with the line ends of SDP.
func offerFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "offers", name+".sdp"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\n", "\r\n")
}

// player turns a publisher's offer into a player's.
func player(offer string) string { return strings.ReplaceAll(offer, "a=sendonly", "a=recvonly") }

// room is a room as the node has it.
func (s *stage) room(id string) (room router.Room) {
	s.node.Read(func(r *router.Router) { room, _ = r.Room("demo", id) })
	return room
}

// revision counts all that has ever happened on the node.
func (s *stage) revision() (n uint64) {
	s.node.Read(func(r *router.Router) { n = r.Revision() })
	return n
}

// until waits for what has to come.
func (s *stage) until(what string, ok func() bool) {
	s.t.Helper()
	w, err := s.node.Watch(sfu.WatchRequest{Snapshot: sfu.SnapshotNever})
	if err != nil {
		s.t.Fatal(err)
	}
	defer w.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for !ok() {
		if ctx.Err() != nil {
			s.t.Fatalf("in vain: %s", what)
		}
		if _, err := w.Next(ctx, 20*time.Millisecond, 0); err != nil {
			s.t.Fatalf("in vain: %s: %v", what, err)
		}
	}
}
