// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// TestLife follows one publisher from POST to DELETE.
func TestLife(t *testing.T) {
	t.Parallel()
	s := start(t, func(_ *sfu.Config, c *Config) {
		c.ICEServers = []ICEServer{
			{URLs: []string{"stun:stun.example.net"}},
			{URLs: []string{"turn:turn.example.net?transport=udp", "turns:turn.example.net"}, Username: "u", Credential: `a"b\c`},
		}
	})
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	token := s.token(auth.Claims{UserName: "Ada", Expires: expires, Rooms: []auth.Room{{Room: "r1", Grants: auth.Grants{Publish: true, Message: true}}}})
	a := s.open("/whip/demo/r1/cam", offerFile(t, "rfc9725"), token)
	if got := a.header.Get("Content-Type"); got != "application/sdp" {
		t.Errorf("Content-Type %q", got)
	}
	at, tag := a.header.Get("Location"), a.header.Get("ETag")
	if rest, ok := strings.CutPrefix(at, "/whip/demo/r1/cam/"); !ok || len(rest) != 32 {
		t.Errorf("Location %q: want 128 bits of randomness below the endpoint", at)
	}
	if !strings.HasPrefix(tag, `"`) || !strings.HasSuffix(tag, `"`) || len(tag) < 10 {
		t.Errorf("ETag %q is not a strong one", tag)
	}
	links := a.header.Values("Link")
	want := []string{
		`<stun:stun.example.net>; rel="ice-server"`,
		`<turn:turn.example.net?transport=udp>; rel="ice-server"; username="u"; credential="a\"b\\c"; credential-type="password"`,
		`<turns:turn.example.net>; rel="ice-server"; username="u"; credential="a\"b\\c"; credential-type="password"`,
	}
	if strings.Join(links, "\n") != strings.Join(want, "\n") {
		t.Errorf("Link:\n%s\nwant\n%s", strings.Join(links, "\n"), strings.Join(want, "\n"))
	}
	room := s.room("r1")
	if len(room.Members) != 1 || len(room.Streams) != 1 || room.Streams[0].ID != "cam" {
		t.Fatalf("the room has %+v", room)
	}
	m := room.Members[0]
	if m.User != (router.User{ID: "ada.whip.cam", Name: "Ada"}) || !m.Expires.Equal(expires) || m.Grants != (router.Grants{Publish: true, Message: true}) {
		t.Errorf("the member is %+v", m)
	}
	if got := s.ask(http.MethodGet, at, "", bearer(token)); got.status != http.StatusNoContent || got.body != "" {
		t.Errorf("GET: %d %q", got.status, got.body)
	}

	now := s.patched(at, tag, token)
	deleted := s.ask(http.MethodDelete, at, "", bearer(token), `If-Match: "stale, and of no interest here"`)
	if deleted.status != http.StatusOK {
		t.Fatalf("DELETE: %d %s", deleted.status, deleted.body)
	}
	if room := s.room("r1"); len(room.Members) != 0 {
		t.Errorf("after DELETE there are the members %+v", room.Members)
	}
	s.refuse([]refusal{
		{"DELETE again", http.MethodDelete, at, "", []string{bearer(token)}, 404, "SESSION_NOT_FOUND", ""},
		{"GET after DELETE", http.MethodGet, at, "", []string{bearer(token)}, 404, "SESSION_NOT_FOUND", ""},
		{"PATCH after DELETE", http.MethodPatch, at, trickled("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1"), []string{bearer(token), fragType, "If-Match: " + now}, 404, "SESSION_NOT_FOUND", ""},
	})
}

// patched trickles and restarts, and returns the ETag that holds then.
func (s *stage) patched(at, tag, token string) string {
	s.t.Helper()
	fields := func(condition string) []string { return []string{bearer(token), fragType, "If-Match: " + condition} }
	first := trickled("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
	odd := "a=candidate:1 1 udp 1 abcd.local 5000 typ host\r\na=candidate:2 1 sctp 1 192.0.2.1 5000 typ host\r\na=\r\na=end-of-candidates\r\n"
	for _, body := range []string{first, first + odd, strings.ReplaceAll(first, "\r\n", "\n")} {
		a := s.ask(http.MethodPatch, at, body, fields(`"other", `+tag)...)
		if a.status != http.StatusNoContent || a.body != "" || a.header.Get("ETag") != "" {
			s.t.Fatalf("trickle: %d %s, ETag %q", a.status, a.body, a.header.Get("ETag"))
		}
	}
	for i, condition := range []string{"*", `"*"`, ""} {
		if condition == "" {
			condition = tag
		}
		a := s.ask(http.MethodPatch, at, trickled(fmt.Sprintf("new%d", i), fmt.Sprintf("012345678901234567890%d", i)), fields(condition)...)
		if a.status != http.StatusOK || a.header.Get("Content-Type") != typeFragment || a.header.Get("ETag") == tag {
			s.t.Fatalf("restart: %d %s, ETag %s", a.status, a.body, a.header.Get("ETag"))
		}
		for _, line := range []string{"a=ice-lite", "a=group:BUNDLE 0 1", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0", "a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "a=end-of-candidates"} {
			if !strings.Contains(a.body, line) {
				s.t.Errorf("the answer to a restart has no %s:\n%s", line, a.body)
			}
		}
		if f, err := readFragment(a.body, func(mid string) bool { return mid == "0" }); err != nil || f.ice.ufrag == "" {
			s.t.Errorf("the answer to a restart cannot be read back: %+v, %v", f, err)
		}
		old := tag
		tag = a.header.Get("ETag")
		if late := s.ask(http.MethodPatch, at, first, fields(old)...); late.status != http.StatusPreconditionFailed {
			s.t.Errorf("a candidate of the ICE session before: %d %s", late.status, late.body)
		}
	}
	return tag
}

// TestOptions is what a browser asks first.
func TestOptions(t *testing.T) {
	t.Parallel()
	s := start(t, func(_ *sfu.Config, c *Config) {
		c.AllowedOrigins = []string{"https://example.org"}
		c.ICEServers = []ICEServer{{URLs: []string{"turn:t"}, Username: "u", Credential: "secret"}}
	})
	for _, c := range []struct {
		path, origin, allowed, methods string
	}{
		{"/whip/demo/r1/cam", "https://example.org", "https://example.org", endpointMethods},
		{"/whep/demo/r1/cam", "https://example.org", "https://example.org", endpointMethods},
		{"/whep/demo/r1/cam/id", "https://example.org", "https://example.org", resourceMethods},
		{"/whip/demo/r1/cam", "https://example.com", "", endpointMethods},
		{"/whip/demo/r1/cam", "", "", endpointMethods},
	} {
		a := s.ask(http.MethodOptions, c.path, "", "Origin: "+c.origin, "Access-Control-Request-Method: POST")
		if a.status != http.StatusOK || a.header.Get("Accept-Post") != "application/sdp" || a.header.Get("Allow") != c.methods {
			t.Errorf("OPTIONS %s: %d %v", c.path, a.status, a.header)
		}
		if got := a.header.Get("Access-Control-Allow-Origin"); got != c.allowed {
			t.Errorf("OPTIONS %s for %q: origin %q", c.path, c.origin, got)
		}
		if got := a.header.Get("Access-Control-Allow-Methods"); (got == c.methods) != (c.allowed != "") {
			t.Errorf("OPTIONS %s for %q: methods %q", c.path, c.origin, got)
		}
		if strings.Contains(strings.Join(a.header.Values("Link"), ""), "secret") {
			t.Errorf("OPTIONS without a token tells credentials: %v", a.header.Values("Link"))
		}
	}
	open := start(t, nil)
	for _, method := range []string{http.MethodOptions, http.MethodPost} { // scripts may read refusals too
		a := open.ask(method, "/whip/demo/r1/cam", "", "Origin: https://example.com")
		if a.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "Location") {
			t.Errorf("%s: %v", method, a.header)
		}
	}
	for _, method := range []string{http.MethodHead, http.MethodGet} { // the draft's section on discoverability
		a := open.ask(method, "/whep/demo/r1/cam", "")
		if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/sdp" || a.body != "" {
			t.Errorf("%s: %d %v %q", method, a.status, a.header, a.body)
		}
	}
}

// TestEncoderAgain is what an encoder does after a crash: the same stream by the same user takes the place of the one before.
// The user's other sessions are not in the way.
func TestEncoderAgain(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	page, err := sfu.Do[router.Session](t.Context(), s.node, router.CreateSession{App: "demo", User: router.User{ID: "ada", Name: "Ada"}, Mode: router.ModeMulti})
	if err != nil {
		t.Fatal(err)
	}
	token := s.token(auth.Claims{})
	first := s.open("/whip/demo/r1/cam", offerFile(t, "rfc9725"), token)
	screen := s.open("/whip/demo/r1/screen", offerFile(t, "rfc9725"), token)
	for range 2 {
		s.open("/whep/demo/r1/cam", player(offerFile(t, "rfc9725")), token)
	}
	s.open("/whip/demo/r1/cam", offerFile(t, "libdatachannel"), token)
	if got := s.ask(http.MethodGet, first.header.Get("Location"), "", bearer(token)); got.status != http.StatusNotFound {
		t.Errorf("the first session still answers %d", got.status)
	}
	if got := s.ask(http.MethodGet, screen.header.Get("Location"), "", bearer(token)); got.status != http.StatusNoContent {
		t.Errorf("the session of the other stream answers %d", got.status)
	}
	room := s.room("r1")
	if len(room.Members) != 4 || len(room.Streams) != 2 {
		t.Errorf("%d members with %d streams, want 4 with 2", len(room.Members), len(room.Streams))
	}
	s.node.Read(func(r *router.Router) {
		if id, ok := r.SessionOfUser("demo", "ada"); !ok || id != page.ID {
			t.Errorf("the user's own session has gone")
		}
	})
	s.until("the first session is forgotten", func() bool { n := s.server.Stats().Sessions; return n[whip] == 2 && n[whep] == 2 })
}

// TestEndings are all the ways in which a session ends that are not DELETE.
func TestEndings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(*stage)
	}{
		{"kicked", func(s *stage) {
			s.apply(router.KickUser{App: "demo", Room: "r1", User: "ada.whip.cam"})
		}},
		{"room closed", func(s *stage) { s.apply(router.CloseRoom{App: "demo", Room: "r1"}) }},
		{"left by another face", func(s *stage) {
			s.apply(router.LeaveAllRooms{Session: s.room("r1").Members[0].Session})
		}},
		{"session closed", func(s *stage) {
			s.apply(router.CloseSession{Session: s.room("r1").Members[0].Session})
		}},
		{"stream removed", func(s *stage) {
			s.apply(router.Unpublish{Session: s.room("r1").Members[0].Session, Room: "r1", Stream: "cam"})
		}},
		{"grant taken away", func(s *stage) {
			s.apply(router.UpdateMember{App: "demo", Room: "r1", User: "ada.whip.cam", Grants: &router.Grants{Subscribe: true}})
		}},
		{"token expired", func(*stage) {}},
		{"never connected", func(*stage) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(n *sfu.Config, config *Config) {
				n.TickEvery = 20 * time.Millisecond
				if c.name == "never connected" {
					config.SessionTTL = time.Second
				}
			})
			claims := auth.Claims{}
			if c.name == "token expired" {
				claims.Expires = time.Now().Add(2 * time.Second)
			}
			a := s.open("/whip/demo/r1/cam", offerFile(t, "rfc9725"), s.token(claims))
			c.end(s)
			s.until("the session has ended and its resource is forgotten", func() bool {
				return s.server.Stats().Sessions[whip] == 0 && s.node.Load().Counts == (router.Counts{})
			})
			if got := s.ask(http.MethodGet, a.header.Get("Location"), "", bearer(s.token(auth.Claims{}))); got.status != http.StatusNotFound {
				t.Errorf("afterwards: %d %s", got.status, got.body)
			}
			s.open("/whip/demo/r1/cam", offerFile(t, "rfc9725"), s.token(authAs("eve"))) // not kicked
			s.apply(router.CloseRoom{App: "demo", Room: "r1"})
			s.until("the next one is followed, too", func() bool { return s.server.Stats().Sessions[whip] == 0 })
		})
	}
}

func (s *stage) apply(command router.Command) {
	s.t.Helper()
	if _, err := sfu.Do[any](s.t.Context(), s.node, command); err != nil {
		s.t.Fatalf("%T: %v", command, err)
	}
}

// TestViewerStays when its stream ends in due form, and is shown it when it is back. What is done to the viewer itself ends it.
func TestViewerStays(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	token := s.token(auth.Claims{})
	a := s.open("/whip/demo/r1/cam", offerFile(t, "rfc9725"), token)
	s.open("/whep/demo/r1/cam", player(offerFile(t, "rfc9725")), token)
	state := func() (state router.SubscriptionState, id router.SubscriptionID) {
		s.node.Read(func(r *router.Router) {
			for _, m := range s.server.viewers() {
				for _, sub := range first(r.Subscriptions(m, "")) {
					state, id = sub.State, sub.ID
				}
			}
		})
		return state, id
	}
	if got, _ := state(); got != router.SubscriptionActive {
		t.Fatalf("the viewer's subscription is in state %d as the answer goes out", got)
	}
	if got := s.ask(http.MethodDelete, a.header.Get("Location"), "", bearer(token)); got.status != http.StatusOK {
		t.Fatalf("DELETE: %d %s", got.status, got.body)
	}
	s.until("the viewer waits", func() bool { now, _ := state(); return now == router.SubscriptionPending })
	s.open("/whip/demo/r1/cam", offerFile(t, "libdatachannel"), token)
	s.until("the viewer plays again", func() bool { now, _ := state(); return now == router.SubscriptionActive })
	_, id := state()
	s.apply(router.Unsubscribe{ID: id})
	s.until("the viewer is ended", func() bool { return s.server.Stats().Sessions[whep] == 0 && len(s.room("r1").Members) == 1 })
}

func first[T any](v T, _ error) T { return v }

// viewers are the sessions by WHEP.
func (s *Server) viewers() (list []router.SessionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, res := range s.sessions {
		if res.protocol == whep {
			list = append(list, id)
		}
	}
	return list
}

// TestMissedEvents looks at everything again when the node's events have run past.
func TestMissedEvents(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.open("/whip/demo/r1/stays", offerFile(t, "rfc9725"), s.token(auth.Claims{}))
	s.open("/whip/demo/r1/leaves", offerFile(t, "rfc9725"), s.token(auth.Claims{}))
	var gone *resource
	s.server.mu.Lock()
	for _, res := range s.server.resources {
		if res.stream == "leaves" {
			gone = res
		}
	}
	s.server.sessions = map[router.SessionID]*resource{} // follow knows nobody's events now
	s.server.mu.Unlock()
	s.apply(router.CloseSession{Session: gone.session})
	s.server.lookAtAll()
	if got := s.server.Stats().Sessions[whip]; got != 1 {
		t.Errorf("%d resources are left, want 1", got)
	}
}

func TestMemberIDs(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("u", 63)
	for _, c := range []struct{ user, stream, want string }{
		{"ada", "cam", "ada.whip.cam"},
		{"ada", strings.Repeat("s", 54), "ada.whip." + strings.Repeat("s", 54)},
	} {
		if got := memberID(c.user, target{protocol: whip, stream: c.stream}); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.stream, c.user, got, c.want)
		}
	}
	seen := map[string]bool{}
	for _, user := range []string{"ada", long, long[:62] + "v", strings.Repeat("u", 40)} {
		for _, stream := range []string{"a", strings.Repeat("s", 255), strings.Repeat("s", 254) + "t"} {
			id := memberID(user, target{protocol: whip, stream: stream})
			if len(id) > maxUserID || seen[id] || id != memberID(user, target{protocol: whip, stream: stream}) {
				t.Errorf("%s of %s: %s is too long, or another's, or not the same again", stream, user, id)
			}
			seen[id] = true
		}
	}
	if a, b := memberID(long, target{protocol: whep}), memberID(long, target{protocol: whep}); a == b || len(a) > maxUserID {
		t.Errorf("viewers %s and %s", a, b)
	}
}

func TestBadConfigurations(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for _, c := range []Config{
		{},
		{Node: s.node},
		{Keys: s.keys},
		{Node: s.node, Keys: s.keys, ICEServers: []ICEServer{{URLs: []string{"turn:a>b"}}}},
		{Node: s.node, Keys: s.keys, ICEServers: []ICEServer{{URLs: []string{"turn:a\r\nSet-Cookie: x"}}}},
		{Node: s.node, Keys: s.keys, ICEServers: []ICEServer{{URLs: []string{"turn:a"}, Credential: "\n"}}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}
