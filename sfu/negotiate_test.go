// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
)

func TestStaleOffers(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := newClient(t, n).join("r").slots(audioKind)
	ctx := context.Background()
	offer := c.offer(nil)
	first, err := n.Negotiate(ctx, c.id, router.Fence{}, offer, 5)
	if err != nil {
		t.Fatal(err)
	}
	again, err := n.Negotiate(ctx, c.id, router.Fence{}, offer, 5)
	if err != nil {
		t.Fatalf("a repeat: %v", err)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("a repeat is answered differently: %s", diff)
	}
	for id, text := range map[uint64]string{4: offer, 5: offer + "a=x\r\n"} {
		_, err := n.Negotiate(ctx, c.id, router.Fence{}, text, id)
		var e *router.Error
		if !errors.Is(err, ErrStaleOffer) || !errors.As(err, &e) || e.Current != 5 {
			t.Errorf("offer %d: %v, not ErrStaleOffer with 5", id, err)
		}
	}
	if _, err := n.Negotiate(ctx, c.id, router.Fence{SessionEpoch: 1}, offer, 6); !errors.Is(err, router.ErrStaleEpoch) {
		t.Errorf("another session's fence: %v", err)
	}
	if _, err := n.Negotiate(ctx, "nobody", router.Fence{}, offer, 6); !errors.Is(err, router.ErrSessionNotFound) {
		t.Errorf("no session: %v", err)
	}
	c.take(again)
	c.connected()
}

// TestFailedOfferLeavesSession makes offers fail, first and later, for what is in them and for the router, and goes on.
func TestFailedOfferLeavesSession(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	c := newClient(t, n).join("r").slots(audioKind)
	ctx := context.Background()
	bad := func(id uint64, offer string) {
		t.Helper()
		before := c.lines()
		if _, err := n.Negotiate(ctx, c.id, router.Fence{}, offer, id); !errors.Is(err, ErrSDP) {
			t.Fatalf("%v, not ErrSDP", err)
		}
		if diff := cmp.Diff(before, c.lines()); diff != "" {
			t.Errorf("the router has changed: %s", diff)
		}
	}
	bad(1, "v=0\r\n")
	bad(1, strings.Replace(sdpText(section(0, "audio", "recvonly")), "opus/48000/2", "opus/8", 1))
	c.negotiateAs(1).connected()
	bad(2, strings.Replace(c.answer.SDP, "a=rtcp-mux\r\n", "", 1))

	s, err := n.find(c.id, router.Fence{})
	if err != nil {
		t.Fatal(err)
	}
	asClient := func(sections ...string) string { // with the client's transport, or it would be an ICE restart
		local := c.pc.LocalDescription().SDP
		offer := strings.ReplaceAll(sdpText(sections...), "ice-ufrag:abcd", "ice-ufrag:"+attribute(local, "ice-ufrag"))
		offer = strings.ReplaceAll(offer, "ice-pwd:0123456789abcdef01234567", "ice-pwd:"+attribute(local, "ice-pwd"))

		return strings.ReplaceAll(offer, testFingerprint, attribute(local, "fingerprint"))
	}
	longer := asClient(section(0, "audio", "recvonly"), section(1, "video", "recvonly"), section(2, "audio", "sendonly", "a=ssrc:5 cname:x"))
	type state struct {
		lines, slots, sources int
		answer                Answer
	}
	look := func() (now state) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sources.mu.Lock()
		defer s.sources.mu.Unlock()

		return state{len(s.lines), len(s.slots), len(s.sources.byMid), s.answer}
	}
	// One that all can be made of, and that the router does not want.
	if err := s.call(ctx, func() {
		before := look()
		refuse := func([]router.Line) ([]router.Line, error) { return nil, router.ErrArgument }
		if _, err := s.negotiate(longer, 2, refuse); !errors.Is(err, router.ErrArgument) {
			t.Errorf("%v, not the router's error", err)
		}
		if diff := cmp.Diff(before, look(), cmp.AllowUnexported(state{})); diff != "" {
			t.Errorf("the session has changed: %s", diff)
		}
	}); err != nil {
		t.Fatal(err)
	}
	bad(2, strings.ReplaceAll(longer, attribute(longer, "fingerprint"), testFingerprint))
	// The line that was in an offer that failed is offered again.
	c.slots(videoKind).negotiate()
	if got := len(c.lines()); got != 2 {
		t.Fatalf("%d lines", got)
	}

	d := newClient(t, n).join("r")
	voice := d.source(webrtc.MimeTypeOpus)
	d.negotiate().connected()
	d.publish("r", "s", voice, nil)
	voice.run()
	sub := c.subscribe("r", "s", true, false)
	c.more(sub.AudioMid)
	camera := d.source(webrtc.MimeTypeVP8)
	d.negotiate()
	d.publish("r", "v", nil, camera)
	camera.run()
	sub = c.subscribe("r", "v", false, true)
	c.more(sub.VideoMid)
}

func (c *client) lines() (lines []router.Line) {
	c.n.Read(func(r *router.Router) { lines, _ = r.Lines(c.id) })

	return lines
}

func (c *client) negotiateAs(id uint64) *client {
	c.offerID = id - 1

	return c.negotiate()
}

// TestSlotsAreUsedAgain joins, plays and leaves 200 times over: the same slots serve, and the answer does not grow.
func TestSlotsAreUsedAgain(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	alice := newClient(t, n).join("a", "b", "c")
	voice, camera := alice.source(webrtc.MimeTypeOpus), alice.source(webrtc.MimeTypeVP8)
	alice.negotiate()
	for _, room := range []string{"a", "b", "c"} {
		alice.publish(room, "cam", voice, camera)
	}
	bob := newClient(t, n).join("a").slots(audioKind, videoKind).negotiate().connected()
	bob.subscribe("a", "cam", true, true)
	must[router.Stopped](t, n, router.LeaveRoom{Session: bob.id, Room: "a"})
	size := len(bob.negotiate().answer.SDP)
	for i := range 200 {
		room := []string{"a", "b", "c"}[i%3]
		bob.join(room)
		if sub := bob.subscribe(room, "cam", true, true); sub.State != router.SubscriptionActive {
			t.Fatalf("round %d: %+v", i, sub)
		}
		if i%50 == 7 {
			bob.negotiate()
		}
		must[router.Stopped](t, n, router.LeaveRoom{Session: bob.id, Room: room})
	}
	if now := len(bob.negotiate().answer.SDP); now != size {
		t.Errorf("the answer had %d bytes after the first leave, %d after 200", size, now)
	}
	if got := len(bob.answer.Lines); got != 2 {
		t.Errorf("%d lines", got)
	}
}

func TestMoreSlotsByNegotiation(t *testing.T) {
	t.Parallel()
	eachLane(t, false, func(t *testing.T, lane func(*Config)) {
		n := startNode(t, lane)
		alice := newClient(t, n).join("r")
		cameras := []*media{alice.source(webrtc.MimeTypeVP8), alice.source(webrtc.MimeTypeVP8)}
		alice.negotiate().connected()
		for i, name := range []string{"one", "two"} {
			alice.publish("r", name, nil, cameras[i])
			cameras[i].run()
		}
		bob := newClient(t, n).join("r").slots(videoKind).negotiate().connected()
		one := bob.subscribe("r", "one", false, true)
		two := bob.subscribe("r", "two", false, true)
		if one.State != router.SubscriptionActive || two.State != router.SubscriptionNeedsNegotiation {
			t.Fatalf("states %v and %v", one.State, two.State)
		}
		bob.more(one.VideoMid)
		bob.slots(videoKind).negotiate()
		var mid string
		for _, l := range bob.answer.Lines {
			if l.Subscription == two.ID {
				mid = l.Mid
			}
		}
		if mid == "" {
			t.Fatalf("no line of the answer has the waiting subscription: %+v", bob.answer.Lines)
		}
		bob.more(mid)
		bob.more(one.VideoMid)
		// A third publication over the same connection, while everything runs.
		late := alice.source(webrtc.MimeTypeOpus)
		alice.negotiate()
		alice.publish("r", "late", late, nil)
		late.run()
		bob.slots(audioKind).negotiate()
		bob.more(bob.subscribe("r", "late", true, false).AudioMid)
	})
}

func TestICERestartKeepsMedia(t *testing.T) {
	t.Parallel()
	eachLane(t, false, func(t *testing.T, lane func(*Config)) {
		n := startNode(t, lane)
		alice := newClient(t, n).join("r")
		camera := alice.source(webrtc.MimeTypeVP8)
		alice.negotiate().connected()
		alice.publish("r", "cam", nil, camera)
		camera.run()
		bob := newClient(t, n).join("r").slots(videoKind).negotiate().connected()
		mid := bob.subscribe("r", "cam", false, true).VideoMid
		bob.more(mid)
		for _, c := range []*client{bob, alice} {
			c.offerID++
			before := c.answer.SDP
			answer, err := n.Negotiate(context.Background(), c.id, router.Fence{}, c.offer(&webrtc.OfferOptions{ICERestart: true}), c.offerID)
			if err != nil {
				t.Fatal(err)
			}
			if attribute(answer.SDP, "ice-ufrag") == attribute(before, "ice-ufrag") {
				t.Error("a restart with the old credentials")
			}
			c.take(answer)
			bob.more(mid)
		}
		if bob.state() != router.ConnectionConnected {
			t.Errorf("state %v after the restart", bob.state())
		}
	})
}

func attribute(sdp, key string) string {
	_, rest, _ := strings.Cut(sdp, "a="+key+":")
	value, _, _ := strings.Cut(rest, "\r\n")

	return value
}

// TestPrefersGCM has clients that would rather use another profile; the node is asked which one came of it.
func TestPrefersGCM(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	newClient(t, n).join("r").slots(audioKind).negotiate().connected()
	if diff := cmp.Diff(map[string]uint64{"AEAD_AES_128_GCM": 1}, n.Load().Profiles); diff != "" {
		t.Errorf("profiles: %s", diff)
	}
	if answer := newClient(t, n).join("r").slots(audioKind).negotiate().answer.SDP; !strings.Contains(answer, "a=setup:passive") || !strings.Contains(answer, "a=ice-lite") {
		t.Errorf("neither passive nor lite:\n%s", answer)
	}
}

func TestFullICE(t *testing.T) {
	t.Parallel()
	eachLane(t, false, func(t *testing.T, lane func(*Config)) {
		n := startNode(t, lane, func(c *Config) { c.FullICE = true })
		alice := newClient(t, n).join("r")
		camera := alice.source(webrtc.MimeTypeVP8)
		alice.negotiate().connected()
		alice.publish("r", "cam", nil, camera)
		camera.run()
		bob := newClient(t, n).join("r").slots(videoKind).negotiate().connected()
		if strings.Contains(bob.answer.SDP, "ice-lite") {
			t.Error("says it is lite")
		}
		bob.more(bob.subscribe("r", "cam", false, true).VideoMid)
	})
}

func TestExternalAddresses(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) {
		c.External = []ExternalAddress{
			{Address: netip.MustParseAddr("203.0.113.7"), Port: 4444},
			{Address: netip.MustParseAddr("203.0.113.8"), Internal: netip.MustParseAddr("10.9.9.9")},
		}
	})
	port := n.Info().UDP[0].Port()
	want := []CandidateInfo{
		{Address: netip.MustParseAddrPort("203.0.113.7:4444"), Protocol: "udp", Why: "external address by configuration"},
		{Address: netip.AddrPortFrom(netip.MustParseAddr("203.0.113.8"), port), Protocol: "udp", Why: "external address by configuration for 10.9.9.9"},
	}
	if diff := cmp.Diff(want, n.Info().Candidates, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("candidates: %s", diff)
	}
	c := newClient(t, n).join("r").slots(audioKind).negotiate()
	if strings.Contains(c.answer.SDP, "127.0.0.1 ") || !strings.Contains(c.answer.SDP, " 203.0.113.7 4444 typ host") {
		t.Errorf("the answer does not have the external address alone:\n%s", c.answer.SDP)
	}
	if strings.Count(c.answer.SDP, "a=end-of-candidates") != 1 {
		t.Error("the answer does not say that these are all candidates")
	}
}

func TestICETCP(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) {
		c.TCPAddress = "127.0.0.1:0"
		c.External = []ExternalAddress{{Address: netip.MustParseAddr("127.0.0.1")}}
	})
	tcpOnly := func(s *webrtc.SettingEngine) { s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4}) }
	alice := newClient(t, n, tcpOnly).join("r")
	camera := alice.source(webrtc.MimeTypeVP8)
	alice.negotiate().connected()
	alice.publish("r", "cam", nil, camera)
	camera.run()
	bob := newClient(t, n, tcpOnly).join("r").slots(videoKind).negotiate().connected()
	bob.more(bob.subscribe("r", "cam", false, true).VideoMid)
	if !strings.Contains(bob.answer.SDP, "tcptype passive") {
		t.Error("no TCP candidate")
	}
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) { c.MaxCandidates = 3 })
	c := newClient(t, n).join("r").slots(audioKind)
	ctx := context.Background()
	good := Candidate{Candidate: "candidate:1 1 udp 2130706431 10.0.0.1 5000 typ host", Mid: "0"}
	if err := n.AddCandidates(ctx, c.id, router.Fence{}, []Candidate{good}, false); !errors.Is(err, ErrNotNegotiated) {
		t.Errorf("before the first offer: %v", err)
	}
	c.negotiate()
	if err := n.AddCandidates(ctx, c.id, router.Fence{}, []Candidate{good, good}, false); err != nil {
		t.Errorf("good candidates: %v", err)
	}
	for _, bad := range []string{"x", "candidate:1 1 udp 1 10.0.0.1 5000", strings.Repeat("x", 600), "candidate:1 1 udp many 10.0.0.1 5000 typ host"} {
		if err := n.AddCandidates(ctx, c.id, router.Fence{}, []Candidate{{Candidate: bad}}, false); !errors.Is(err, ErrCandidate) {
			t.Errorf("%q: %v, not ErrCandidate", bad, err)
		}
	}
	if err := n.AddCandidates(ctx, c.id, router.Fence{}, []Candidate{good, good}, true); !errors.Is(err, ErrCandidateLimit) {
		t.Errorf("too many: %v", err)
	}
}
