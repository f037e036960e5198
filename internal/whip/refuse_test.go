// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

func authAs(user string) auth.Claims { return auth.Claims{UserID: user} }

func inRoom(room string, g auth.Grants) auth.Claims {
	return auth.Claims{Rooms: []auth.Room{{Room: room, Grants: g}}}
}

// refusal is a request that must fail, and how.
type refusal struct {
	name         string
	method, path string
	body         string
	fields       []string
	status       int
	reason       string
	header       string // a field that the answer has to have: "Name: value"; an empty value: any
}

// refuse asks for all of them and makes sure that none has changed anything.
func (s *stage) refuse(list []refusal) {
	s.t.Helper()
	before, sessions := s.revision(), s.server.Stats().Sessions
	for _, c := range list {
		a := s.ask(c.method, c.path, c.body, c.fields...)
		if a.status != c.status {
			s.t.Errorf("%s: %d %s, want %d", c.name, a.status, a.body, c.status)

			continue
		}
		if c.method != http.MethodHead && c.reason != "" {
			var p struct {
				Status                int
				Title, Detail, Reason string
			}
			if err := json.Unmarshal([]byte(a.body), &p); err != nil {
				s.t.Errorf("%s: the body %q is no problem details: %v", c.name, a.body, err)
			} else if p.Reason != c.reason || p.Status != c.status || p.Detail == "" || p.Title == "" {
				s.t.Errorf("%s: %+v, want reason %s", c.name, p, c.reason)
			}
		}
		if name, value, _ := strings.Cut(c.header, ": "); name != "" {
			if got := a.header.Get(name); got == "" || value != "" && got != value {
				s.t.Errorf("%s: %s is %q, want %q", c.name, name, got, value)
			}
		}
		if got := s.server.Stats().Sessions; got[whip] != sessions[whip] || got[whep] != sessions[whep] {
			s.t.Fatalf("%s has changed the sessions to %v, they were %v", c.name, got, sessions)
		}
		if now := s.revision(); now != before {
			s.t.Fatalf("%s has changed the node: revision %d, was %d", c.name, now, before)
		}
	}
}

// without drops the lines of an offer that match.
func without(offer, pattern string) string {
	return regexp.MustCompile(`(?m)^(?:`+pattern+`)[^\r\n]*\r\n`).ReplaceAllString(offer, "")
}

func swap(offer, old, now string) string { return strings.Replace(offer, old, now, 1) }

func TestRefusedEndpoints(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	offer := offerFile(t, "libdatachannel")
	all := bearer(s.token(auth.Claims{}))
	s.open("/whip/demo/r1/taken", offer, s.token(authAs("bob")))
	const post, cam, play = http.MethodPost, "/whip/demo/r1/cam", "/whep/demo/r1/taken"
	const challenge = `WWW-Authenticate: Bearer realm="sfu"`
	allowed := "Allow: " + endpointMethods
	list := []refusal{
		{"no token", post, cam, offer, []string{sdp}, 401, "BAD_CREDENTIALS", challenge},
		{"no token, WHEP", post, play, player(offer), []string{sdp}, 401, "BAD_CREDENTIALS", challenge},
		{"basic credentials", post, cam, offer, []string{sdp, "Authorization: Basic YTpi"}, 401, "BAD_CREDENTIALS", challenge + `, error="invalid_request"`},
		{"scheme alone", post, cam, offer, []string{sdp, "Authorization: Bearer"}, 401, "BAD_CREDENTIALS", "WWW-Authenticate"},
		{"two tokens", post, cam, offer, []string{sdp, all, all}, 401, "BAD_CREDENTIALS", "WWW-Authenticate"},
		{"not a JWT", post, cam, offer, []string{sdp, bearer("nonsense")}, 401, "BAD_CREDENTIALS", challenge + `, error="invalid_token"`},
		{"expired", post, cam, offer, []string{sdp, bearer(s.token(auth.Claims{Issued: time.Now().Add(-2 * time.Hour), Expires: time.Now().Add(-time.Hour)}))}, 401, "BAD_CREDENTIALS", "WWW-Authenticate"},
		{"expired a moment ago", post, cam, offer, []string{sdp, bearer(s.token(auth.Claims{Issued: time.Now().Add(-time.Hour), Expires: time.Now().Add(-2 * time.Second)}))}, 401, "BAD_CREDENTIALS", "WWW-Authenticate"},
		{"token of other keys", post, cam, offer, []string{sdp, bearer(start(t, nil).token(auth.Claims{}))}, 401, "BAD_CREDENTIALS", "WWW-Authenticate"},
		{"other app", post, cam, offer, []string{sdp, bearer(s.token(auth.Claims{App: "other"}))}, 403, "GRANT_MISSING", challenge + `, error="insufficient_scope"`},
		{"other room", post, cam, offer, []string{sdp, bearer(s.token(inRoom("r2", auth.Grants{Publish: true})))}, 403, "GRANT_MISSING", "WWW-Authenticate"},
		{"may not publish", post, cam, offer, []string{sdp, bearer(s.token(inRoom("r1", auth.Grants{Subscribe: true})))}, 403, "GRANT_MISSING", "WWW-Authenticate"},
		{"may not play", post, play, player(offer), []string{sdp, bearer(s.token(inRoom("r1", auth.Grants{Publish: true})))}, 403, "GRANT_MISSING", "WWW-Authenticate"},
		{"no user in the token", post, cam, offer, []string{sdp, bearer(s.token(auth.Claims{Admin: true, Rooms: []auth.Room{{Any: true, Grants: auth.Grants{Publish: true}}}}))}, 403, "GRANT_MISSING", ""},

		{"no media type", post, cam, offer, []string{all}, 415, "MEDIA_TYPE", "Accept-Post: application/sdp"},
		{"JSON", post, cam, offer, []string{all, "Content-Type: application/json"}, 415, "MEDIA_TYPE", "Accept-Post"},
		{"fragment", post, cam, offer, []string{all, fragType}, 415, "MEDIA_TYPE", ""},
		{"malformed media type", post, cam, offer, []string{all, "Content-Type: application/sdp; charset"}, 415, "MEDIA_TYPE", ""},
		{"compressed", post, cam, offer, []string{all, sdp, "Content-Encoding: gzip"}, 415, "MEDIA_TYPE", "Accept-Encoding: identity"},
		{"too long", post, cam, offer + strings.Repeat("a=x\r\n", 60_000), []string{all, sdp}, 413, "BODY_TOO_LARGE", ""},
		{"too long for two lines", post, cam, offer + strings.Repeat("a=x\r\n", 14_000), []string{all, sdp}, 413, "BODY_TOO_LARGE", ""},

		{"empty body", post, cam, "", []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"not SDP", post, cam, "hello", []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"JSON as SDP", post, cam, `{"type":"offer","sdp":"v=0"}`, []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"binary", post, cam, "v=0\r\n\x00\x01\x02", []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"control character", post, cam, swap(offer, "s=-", "s=\x7f"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"line without type", post, cam, swap(offer, "s=-", "nothing"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"short m-line", post, cam, swap(offer, "m=audio 9 UDP/TLS/RTP/SAVPF 111", "m=audio 9"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"port is no number", post, cam, swap(offer, "m=audio 9", "m=audio x"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"no origin line", post, cam, without(offer, "o="), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"head only", post, cam, offer[:strings.Index(offer, "m=")], []string{all, sdp}, 422, "MEDIA_NOT_SUPPORTED", ""},
		{"no BUNDLE", post, cam, without(offer, "a=group:BUNDLE"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"line outside of BUNDLE", post, cam, swap(offer, "a=group:BUNDLE 0 1", "a=group:BUNDLE 0"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"no mids", post, cam, without(offer, "a=mid"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"same mids", post, cam, swap(offer, "a=mid:1", "a=mid:0"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"no rtcp-mux", post, cam, without(offer, "a=rtcp-mux"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"no credentials", post, cam, without(offer, "a=ice-ufrag"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"short password", post, cam, swap(offer, "GZ0Vg4bWtTNLqv3nsXOA0E", "short"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"no fingerprint", post, cam, without(offer, "a=fingerprint"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"bad fingerprint", post, cam, swap(offer, "69:5B", "XX:5B"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"no setup", post, cam, without(offer, "a=setup"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"holdconn", post, cam, swap(offer, "a=setup:actpass", "a=setup:holdconn"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"plain RTP", post, cam, swap(offer, "UDP/TLS/RTP/SAVPF", "RTP/AVP"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"unknown codec", post, cam, swap(offer, "H264/90000", "MJPEG/90000"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"both directions given", post, cam, swap(offer, "a=sendonly", "a=sendonly\r\na=sendrecv"), []string{all, sdp}, 400, "SDP_INVALID", ""},
		{"recvonly to WHIP", post, cam, player(offer), []string{all, sdp}, 422, "MEDIA_NOT_SUPPORTED", ""},
		{"sendonly to WHEP", post, play, offer, []string{all, sdp}, 422, "MEDIA_NOT_SUPPORTED", ""},
		{"inactive", post, cam, swap(offer, "a=sendonly", "a=inactive"), []string{all, sdp}, 422, "MEDIA_NOT_SUPPORTED", ""},
		{"two of video", post, cam, swap(offer, "m=audio", "m=video"), []string{all, sdp}, 422, "MEDIA_NOT_SUPPORTED", ""},
		{"all lines rejected", post, cam, strings.ReplaceAll(offer, " 9 UDP", " 0 UDP"), []string{all, sdp}, 422, "MEDIA_NOT_SUPPORTED", ""},
		{"ICE-lite", post, cam, swap(offer, "t=0 0", "t=0 0\r\na=ice-lite"), []string{all, sdp}, 422, "MEDIA_NOT_SUPPORTED", ""},
		{"lines without end", post, cam, offer + strings.Repeat("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=inactive\r\n", 300), []string{all, sdp}, 422, "MEDIA_NOT_SUPPORTED", ""},
		{"data lines without end", post, cam, offer + strings.Repeat("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", 300), []string{all, sdp}, 422, "MEDIA_LINE_LIMIT", ""},

		{"stream is somebody else's", post, "/whip/demo/r1/taken", offer, []string{all, sdp}, 409, "STREAM_EXISTS", ""},
		{"no such stream", post, "/whep/demo/r1/none", player(offer), []string{all, sdp}, 409, "STREAM_NOT_FOUND", "Retry-After: 2"},
		{"no such room", post, "/whep/demo/r2/cam", player(offer), []string{all, sdp}, 409, "STREAM_NOT_FOUND", "Retry-After"},
		{"bad stream id", post, "/whip/demo/r1/a%20b", offer, []string{all, sdp}, 400, "STREAM_ID_INVALID", ""},
		{"bad stream id, WHEP", post, "/whep/demo/r1/a%20b", player(offer), []string{all, sdp}, 400, "STREAM_ID_INVALID", ""},
		{"bad room id", post, "/whip/demo/r%2f1/cam", offer, []string{all, sdp}, 400, "ROOM_ID_INVALID", ""},
		{"room id too long", post, "/whip/demo/" + strings.Repeat("r", 128) + "/cam", offer, []string{all, sdp}, 400, "ROOM_ID_INVALID", ""},

		{"PUT", http.MethodPut, cam, offer, []string{all, sdp}, 405, "METHOD_NOT_ALLOWED", allowed},
		{"PATCH", http.MethodPatch, cam, offer, []string{all, fragType}, 405, "METHOD_NOT_ALLOWED", allowed},
		{"DELETE", http.MethodDelete, cam, "", []string{all}, 405, "METHOD_NOT_ALLOWED", allowed},
		{"PUT, WHEP", http.MethodPut, play, offer, []string{all, sdp}, 405, "METHOD_NOT_ALLOWED", allowed},
		{"an invented method", "BREW", cam, "", nil, 405, "METHOD_NOT_ALLOWED", allowed},
		{"prefix of a method", "POS", cam, "", nil, 405, "METHOD_NOT_ALLOWED", allowed},

		{"other path", post, "/", "", nil, 404, "NO_SUCH_PATH", ""},
		{"protocol alone", post, "/whip", "", nil, 404, "NO_SUCH_PATH", ""},
		{"no stream", post, "/whip/demo/r1", offer, []string{all, sdp}, 404, "NO_SUCH_PATH", ""},
		{"empty stream", post, "/whip/demo/r1/", offer, []string{all, sdp}, 404, "NO_SUCH_PATH", ""},
		{"empty app", post, "/whip//r1/cam", offer, []string{all, sdp}, 404, "NO_SUCH_PATH", ""},
		{"too deep", post, "/whip/demo/r1/cam/id/more", offer, []string{all, sdp}, 404, "NO_SUCH_PATH", ""},
		{"other protocol", post, "/wish/demo/r1/cam", offer, []string{all, sdp}, 404, "NO_SUCH_PATH", ""},
		{"HEAD elsewhere", http.MethodHead, "/whep/demo", "", nil, 404, "", ""},
	}
	s.refuse(list)
}

func TestRefusedOnResources(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	token := bearer(s.token(auth.Claims{}))
	a := s.open("/whip/demo/r1/cam", offerFile(t, "rfc9725"), s.token(auth.Claims{}))
	at, tag := a.header.Get("Location"), "If-Match: "+a.header.Get("ETag")
	other := strings.Replace(at, "/cam/", "/cam2/", 1)
	good := trickled("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
	const patch = http.MethodPatch
	with := func(condition string) []string { return []string{token, fragType, condition} }
	allowed := "Allow: " + resourceMethods
	list := []refusal{
		{"no token", patch, at, good, []string{fragType, tag}, 401, "BAD_CREDENTIALS", "WWW-Authenticate"},
		{"DELETE without a token", http.MethodDelete, at, "", nil, 401, "BAD_CREDENTIALS", "WWW-Authenticate"},
		{"another user", patch, at, good, []string{fragType, tag, bearer(s.token(authAs("bob")))}, 403, "GRANT_MISSING", "WWW-Authenticate"},
		{"DELETE by another user", http.MethodDelete, at, "", []string{bearer(s.token(authAs("bob")))}, 403, "GRANT_MISSING", "WWW-Authenticate"},
		{"DELETE by the user of that name in another app", http.MethodDelete, at, "", []string{bearer(s.token(auth.Claims{App: "other"}))}, 403, "GRANT_MISSING", ""},
		{"another session", http.MethodDelete, at + "0", "", []string{token}, 404, "SESSION_NOT_FOUND", ""},
		{"another stream's path", http.MethodDelete, other, "", []string{token}, 404, "SESSION_NOT_FOUND", ""},
		{"another protocol's path", http.MethodDelete, strings.Replace(at, "/whip/", "/whep/", 1), "", []string{token}, 404, "SESSION_NOT_FOUND", ""},
		{"GET of another session", http.MethodGet, at + "0", "", []string{token}, 404, "SESSION_NOT_FOUND", ""},
		{"POST", http.MethodPost, at, offerFile(t, "rfc9725"), []string{token, sdp}, 405, "METHOD_NOT_ALLOWED", allowed},
		{"PUT", http.MethodPut, at, good, with(tag), 405, "METHOD_NOT_ALLOWED", allowed},

		{"an offer", patch, at, offerFile(t, "rfc9725"), []string{token, sdp, tag}, 415, "MEDIA_TYPE", "Accept-Patch: application/trickle-ice-sdpfrag"},
		{"no media type", patch, at, good, []string{token, tag}, 415, "MEDIA_TYPE", "Accept-Patch"},
		{"too long", patch, at, good + strings.Repeat("a=x\r\n", 60_000), with(tag), 413, "BODY_TOO_LARGE", ""},
		{"no condition", patch, at, good, []string{token, fragType}, 428, "IF_MATCH_REQUIRED", ""},
		{"no condition on a restart", patch, at, trickled("neww", "0123456789012345678901"), []string{token, fragType}, 428, "IF_MATCH_REQUIRED", ""},
		{"another ETag", patch, at, good, with(`If-Match: "abc"`), 412, "STALE_ETAG", ""},
		{"weak ETag", patch, at, good, with("If-Match: W/" + a.header.Get("ETag")), 412, "STALE_ETAG", ""},
		{"ETag without quotes", patch, at, good, with("If-Match: " + strings.Trim(a.header.Get("ETag"), `"`)), 412, "STALE_ETAG", ""},
		{"another ETag on a restart", patch, at, trickled("neww", "0123456789012345678901"), with(`If-Match: "abc"`), 412, "STALE_ETAG", ""},

		{"empty", patch, at, "", with(tag), 400, "FRAGMENT_INVALID", ""},
		{"no SDP", patch, at, "candidates, please", with(tag), 400, "FRAGMENT_INVALID", ""},
		{"JSON", patch, at, `{"candidate":""}`, with(tag), 400, "FRAGMENT_INVALID", ""},
		{"whole offer as a fragment", patch, at, offerFile(t, "rfc9725"), with(tag), 400, "FRAGMENT_INVALID", ""},
		{"attribute without a name", patch, at, swap(good, "a=mid:0", "b=0"), with(tag), 400, "FRAGMENT_INVALID", ""},
		{"no mid", patch, at, without(good, "a=mid"), with(tag), 400, "FRAGMENT_INVALID", ""},
		{"mid outside", patch, at, "a=mid:0\r\n" + good, with(tag), 400, "FRAGMENT_INVALID", ""},
		{"two mids", patch, at, swap(good, "a=mid:0", "a=mid:0\r\na=mid:1"), with(tag), 400, "FRAGMENT_INVALID", ""},
		{"unknown mid", patch, at, swap(good, "a=mid:0", "a=mid:7"), with(tag), 400, "FRAGMENT_INVALID", ""},
		{"candidate outside", patch, at, "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n" + good, with(tag), 400, "FRAGMENT_INVALID", ""},
		{"half a candidate", patch, at, good + "a=candidate:1 1 udp 1\r\n", with(tag), 400, "FRAGMENT_INVALID", ""},
		{"candidate without a port", patch, at, good + "a=candidate:1 1 udp 1 192.0.2.1 x typ host\r\n", with(tag), 400, "FRAGMENT_INVALID", ""},
		{"candidate with an endless number", patch, at, good + "a=candidate:1 1 udp 99999999999 192.0.2.1 1 typ host\r\n", with(tag), 400, "FRAGMENT_INVALID", ""},
		{"too many candidates", patch, at, good + strings.Repeat("a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n", 64), with(tag), 400, "FRAGMENT_INVALID", ""},
		{"control character", patch, at, swap(good, "a=mid:0", "a=mid:0\x00"), with(tag), 400, "FRAGMENT_INVALID", ""},
		{"only a password", patch, at, without(good, "a=ice-ufrag"), with(tag), 400, "FRAGMENT_INVALID", ""},
		{"only a fragment's name", patch, at, without(good, "a=ice-pwd"), with(tag), 400, "FRAGMENT_INVALID", ""},
		{"short name", patch, at, swap(good, "EsAw", "abc"), with("If-Match: *"), 400, "FRAGMENT_INVALID", ""},
		{"short password", patch, at, trickled("neww", "012345678901234567890"), with("If-Match: *"), 400, "FRAGMENT_INVALID", ""},
		{"credentials of other characters", patch, at, trickled("n-ww", "0123456789012345678901"), with("If-Match: *"), 400, "FRAGMENT_INVALID", ""},
		{"two passwords", patch, at, good + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=ice-pwd:0123456789012345678901\r\n", with(tag), 400, "FRAGMENT_INVALID", ""},
		{"password alone is new", patch, at, trickled("EsAw", "0123456789012345678901"), with("If-Match: *"), 400, "FRAGMENT_INVALID", ""},
		{"name alone is new", patch, at, trickled("neww", "P2uYro0UCOQ4zxjKXaWCBui1"), with("If-Match: *"), 400, "FRAGMENT_INVALID", ""},
		{"malformed and without a condition", patch, at, "nonsense", []string{token, fragType}, 400, "FRAGMENT_INVALID", ""},
	}
	s.refuse(list)
	if got := s.ask(patch, at, good, with(tag)...); got.status != http.StatusNoContent {
		t.Errorf("after all that a good fragment is answered %d %s", got.status, got.body)
	}
}

// trickled is a fragment with these credentials and a candidate.
func trickled(ufrag, pwd string) string {
	return strings.Join([]string{
		"a=ice-options:trickle", "a=group:BUNDLE 0 1", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0",
		"a=ice-ufrag:" + ufrag, "a=ice-pwd:" + pwd,
		"a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag " + ufrag, "",
	}, "\r\n")
}

func TestRefusedWhenFullOrTooFast(t *testing.T) {
	t.Parallel()
	offer := offerFile(t, "rfc9725")
	s := start(t, func(_ *sfu.Config, c *Config) { c.MaxSessions = 1 })
	token := s.token(auth.Claims{})
	a := s.open("/whip/demo/r1/cam", offer, token)
	s.refuse([]refusal{
		{"full", http.MethodPost, "/whip/demo/r1/cam2", offer, []string{sdp, bearer(token)}, 503, "SESSION_LIMIT", "Retry-After: 5"},
		{"full, WHEP", http.MethodPost, "/whep/demo/r1/cam", player(offer), []string{sdp, bearer(token)}, 503, "SESSION_LIMIT", "Retry-After: 5"},
	})
	if got := s.ask(http.MethodDelete, a.header.Get("Location"), "", bearer(token)); got.status != http.StatusOK {
		t.Fatalf("DELETE: %d %s", got.status, got.body)
	}
	s.open("/whip/demo/r1/cam2", offer, token)

	s = start(t, func(n *sfu.Config, _ *Config) { n.Router.NodeSessions = 1 })
	s.open("/whip/demo/r1/cam", offer, s.token(auth.Claims{}))
	s.refuse([]refusal{{"node full", http.MethodPost, "/whip/demo/r1/cam2", offer, []string{sdp, bearer(s.token(auth.Claims{}))}, 503, "NODE_SESSION_LIMIT", "Retry-After: 5"}})

	s = start(t, nil)
	if err := s.node.Drain(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	s.refuse([]refusal{{"draining", http.MethodPost, "/whip/demo/r1/cam", offer, []string{sdp, bearer(s.token(auth.Claims{}))}, 503, "DRAINING", "Retry-After: 1"}})

	s = start(t, nil)
	s.server.rates.full[netip.MustParseAddr("127.0.0.1")] = time.Now().Add(time.Hour)
	s.refuse([]refusal{
		{"too fast", http.MethodPost, "/whip/demo/r1/cam", offer, []string{sdp, bearer(s.token(auth.Claims{}))}, 429, "CALL_RATE", "Retry-After"},
		{"too fast for anything", http.MethodOptions, "/whip/demo/r1/cam", "", nil, 429, "CALL_RATE", "Retry-After"},
	})
}

// TestAddresses gives each address its own bucket.
func TestAddresses(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	a := newAddresses(10, 3)
	one, other := addressOf("192.0.2.1:1000"), addressOf("[2001:db8::1]:1000")
	if addressOf("192.0.2.1:2000") != one || addressOf("[::ffff:192.0.2.1]:3000") != one || addressOf("[2001:db8::2:3:4:5]:1") != other {
		t.Error("a host's addresses and ports are not one")
	}
	if addressOf("[2001:db8:0:1::1]:1") == other || addressOf("nonsense") != (netip.Addr{}) {
		t.Error("different hosts are one")
	}
	for i, c := range []struct {
		at      time.Duration
		address netip.Addr
		wait    time.Duration // 0: allowed
	}{
		{0, one, 0},
		{0, one, 0},
		{0, one, 0},
		{0, one, 100 * time.Millisecond},
		{0, other, 0},
		{40 * time.Millisecond, one, 60 * time.Millisecond},
		{100 * time.Millisecond, one, 0},
		{100 * time.Millisecond, one, 100 * time.Millisecond},
		{time.Minute, one, 0},
	} {
		wait, ok := a.allow(c.address, now.Add(c.at))
		if ok != (c.wait == 0) || wait != c.wait {
			t.Errorf("%d: %v after %v: %v, %v", i, c.address, c.at, ok, wait)
		}
	}
	if len(a.full) != 1 {
		t.Errorf("%d buckets are kept, want that of the last", len(a.full))
	}
	for i := range mostAddresses + 10 {
		a.allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now.Add(time.Minute))
	}
	if len(a.full) > mostAddresses+1 {
		t.Errorf("%d buckets are kept", len(a.full))
	}
}

func TestBannedUser(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	offer := offerFile(t, "rfc9725")
	s.open("/whip/demo/r1/cam", offer, s.token(authAs("bob")))
	if _, err := sfu.Do[router.Stopped](t.Context(), s.node, router.KickUser{App: "demo", Room: "r1", User: "ada", Ban: time.Hour}); err != nil {
		t.Fatal(err)
	}
	token := bearer(s.token(authAs("ada")))
	s.refuse([]refusal{
		{"banned publisher", http.MethodPost, "/whip/demo/r1/cam2", offer, []string{sdp, token}, 403, "BANNED", ""},
		{"banned viewer", http.MethodPost, "/whep/demo/r1/cam", player(offer), []string{sdp, token}, 403, "BANNED", ""},
	})
	s.open("/whip/demo/r2/cam", offer, s.token(authAs("ada")))
}
