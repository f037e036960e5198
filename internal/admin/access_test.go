// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchyard-media/sfu/internal/auth"
)

// Who gets in, and who does not. Everything is asked of a node's list of nodes, which needs nothing but access.
func TestAccess(t *testing.T) {
	keys := newKeys(t)
	admin := "Bearer " + sign(t, keys, auth.Claims{Admin: true})
	user := "Bearer " + sign(t, keys, auth.Claims{UserID: "u"})
	old := "Bearer " + sign(t, keys, auth.Claims{Admin: true, Issued: time.Now().Add(-time.Hour), Expires: time.Now().Add(-time.Minute)})
	foreign := "Bearer " + sign(t, newKeys(t), auth.Claims{Admin: true})
	const here, local, away = "127.0.0.1:5000", "localhost:7780", "192.0.2.7:5000"
	for _, c := range []struct {
		name, peer, host, headers string // headers: name: value, one a line
		only, tls, one            bool   // one: HTTP/1.0
		want                      string // reason; empty: let in
	}{
		{name: "this machine", peer: here, host: local},
		{name: "by address", peer: here, host: "127.0.0.1:7780"},
		{name: "by another loopback address", peer: "127.8.0.1:1", host: "127.9.9.9"},
		{name: "by IPv6", peer: "[::1]:5000", host: "[::1]:7780"},
		{name: "by IPv6 without a port", peer: "[::1]:5000", host: "[::1]"},
		{name: "IPv4 on an IPv6 socket", peer: "[::ffff:127.0.0.1]:5000", host: local},
		{name: "capitals", peer: here, host: "LocalHost:7780"},
		{name: "own page", peer: here, host: local, headers: "Origin: http://localhost:7780\nSec-Fetch-Site: same-origin"},
		{name: "own page by TLS", peer: here, host: local, headers: "Origin: https://localhost:7780", tls: true},
		{name: "typed in", peer: here, host: local, headers: "Sec-Fetch-Site: none"},

		{name: "another machine", peer: away, host: local, want: "TOKEN_REQUIRED"},
		{name: "a peer of no address", peer: "@", host: local, want: "TOKEN_REQUIRED"},
		{name: "DNS rebinding", peer: here, host: "evil.example:7780", want: "TOKEN_REQUIRED"},
		{name: "a name that begins well", peer: here, host: "localhost.evil.example", want: "TOKEN_REQUIRED"},
		{name: "an address that begins well", peer: here, host: "127.0.0.1.evil.example", want: "TOKEN_REQUIRED"},
		{name: "all addresses", peer: here, host: "0.0.0.0:7780", want: "TOKEN_REQUIRED"},
		{name: "no host", peer: here, host: "", want: "TOKEN_REQUIRED"},
		{name: "another site", peer: here, host: local, headers: "Origin: http://evil.example", want: "TOKEN_REQUIRED"},
		{name: "another port", peer: here, host: local, headers: "Origin: http://localhost:8080", want: "TOKEN_REQUIRED"},
		{name: "another scheme", peer: here, host: local, headers: "Origin: https://localhost:7780", want: "TOKEN_REQUIRED"},
		{name: "a sandbox", peer: here, host: local, headers: "Origin: null", want: "TOKEN_REQUIRED"},
		{name: "an empty origin", peer: here, host: local, headers: "Origin: ", want: "TOKEN_REQUIRED"},
		{name: "two origins", peer: here, host: local, headers: "Origin: http://localhost:7780\nOrigin: http://evil.example", want: "TOKEN_REQUIRED"},
		{name: "an image of another site", peer: here, host: local, headers: "Sec-Fetch-Site: cross-site", want: "TOKEN_REQUIRED"},
		{name: "a page on another port", peer: here, host: local, headers: "Sec-Fetch-Site: same-site", want: "TOKEN_REQUIRED"},
		{name: "a proxy", peer: here, host: local, headers: "X-Forwarded-For: 192.0.2.7", want: "TOKEN_REQUIRED"},
		{name: "a proxy that names nobody", peer: here, host: local, headers: "X-Forwarded-For: ", want: "TOKEN_REQUIRED"},
		{name: "a modern proxy", peer: here, host: local, headers: "Forwarded: for=127.0.0.1", want: "TOKEN_REQUIRED"},
		{name: "another proxy", peer: here, host: local, headers: "Via: 1.1 p", want: "TOKEN_REQUIRED"},
		{name: "nginx", peer: here, host: local, headers: "X-Real-IP: 127.0.0.1", want: "TOKEN_REQUIRED"},
		{name: "nginx that was told nothing", peer: here, host: "127.0.0.1:7780", one: true, want: "TOKEN_REQUIRED"},
		{name: "tokens only", peer: here, host: local, only: true, want: "TOKEN_REQUIRED"},

		{name: "an admin from away", peer: away, host: "sfu.example", headers: "Authorization: " + admin},
		{name: "an admin here", peer: here, host: local, headers: "Authorization: " + admin, only: true},
		{name: "an admin behind a proxy", peer: here, host: "sfu.example", headers: "X-Forwarded-For: 192.0.2.7\nAuthorization: " + admin},
		{name: "bearer in small letters", peer: away, host: local, headers: "Authorization: b" + admin[1:]},
		{name: "a user", peer: away, host: local, headers: "Authorization: " + user, want: "ADMIN_REQUIRED"},
		{name: "a user here", peer: here, host: local, headers: "Authorization: " + user, want: "ADMIN_REQUIRED"},
		{name: "an old token", peer: away, host: local, headers: "Authorization: " + old, want: "TOKEN_EXPIRED"},
		{name: "another's token", peer: away, host: local, headers: "Authorization: " + foreign, want: "TOKEN_INVALID"},
		{name: "a bad token here", peer: here, host: local, headers: "Authorization: Bearer x", want: "TOKEN_INVALID"},
		{name: "no token", peer: away, host: local, headers: "Authorization: Bearer ", want: "TOKEN_INVALID"},
		{name: "a password", peer: away, host: local, headers: "Authorization: Basic dTpw", want: "TOKEN_INVALID"},
		{name: "two tokens", peer: away, host: local, headers: "Authorization: " + admin + "\nAuthorization: " + admin, want: "TOKEN_INVALID"},
	} {
		h, err := New(Config{Nodes: []Node{{ID: "local", Conn: &fakeNode{}}}, Keys: keys, TokenOnly: c.only})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", root+"nodes?token="+strings.TrimPrefix(admin, "Bearer "), nil) // a token there opens nothing
		r.RemoteAddr, r.Host = c.peer, c.host
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if c.one {
			r.ProtoMinor = 0
		}
		for line := range strings.Lines(c.headers) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			r.Header.Add(name, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		checkAccess(t, c.name, w, c.want)
	}
}

func checkAccess(t *testing.T, name string, w *httptest.ResponseRecorder, want string) {
	t.Helper()
	var answer struct{ Reason, Status, Message string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	status := map[string]int{"": 200, "ADMIN_REQUIRED": 403}[want]
	if status == 0 {
		status = 401
	}
	if answer.Reason != want || w.Code != status || want != "" && (answer.Status == "" || answer.Message == "") {
		t.Errorf("%s: %d %s, want %q", name, w.Code, w.Body, want)
	}
	if (w.Code == 401) != (w.Header().Get("WWW-Authenticate") != "") {
		t.Errorf("%s: %d with WWW-Authenticate %q", name, w.Code, w.Header().Get("WWW-Authenticate"))
	}
	for header := range w.Header() {
		if strings.HasPrefix(header, "Access-Control-") {
			t.Errorf("%s: CORS header %s", name, header)
		}
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%s: may be kept", name)
	}
}

func TestNoPreflight(t *testing.T) {
	r := httptest.NewRequest("OPTIONS", root+"local/NodeService/GetNode", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
	r.Header.Set("Access-Control-Request-Method", "POST")
	w := httptest.NewRecorder()
	newServer(t, &fakeNode{}).ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("Allow") != "POST" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// Bad tokens of one address are answered only so often, whatever comes after; others do not suffer.
func TestBadTokensAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newKeys(t)
		a := newAccess(keys, false)
		good := sign(t, keys, auth.Claims{Admin: true})
		ask := func(peer, token string) int {
			r := httptest.NewRequest("GET", root+"nodes", nil)
			r.RemoteAddr = peer
			r.Header.Set("Authorization", "Bearer "+token)
			if _, f := a.check(r); f != nil {
				return f.http
			}
			return 200
		}
		for range badBurst {
			if got := ask("[2001:db8::1]:1", "bad"); got != 401 {
				t.Fatalf("bad token: %d", got)
			}
		}
		for _, c := range []struct {
			peer, token string
			want        int
		}{
			{"[2001:db8::1]:2", "bad", 429}, {"[2001:db8::2]:2", "bad", 429}, // the same customer
			{"[2001:db8::1]:2", good, 200}, // nobody is locked out by others behind the same proxy
			{"[2001:db8:0:1::1]:1", good, 200}, {"192.0.2.1:1", "bad", 401},
		} {
			if got := ask(c.peer, c.token); got != c.want {
				t.Errorf("from %s: %d, want %d", c.peer, got, c.want)
			}
		}
		time.Sleep(badRefill)
		if got := ask("[2001:db8::1]:2", good); got != 200 {
			t.Errorf("after a while: %d", got)
		}
		for range 100 { // good ones cost nothing
			if got := ask("[2001:db8::1]:2", good); got != 200 {
				t.Fatalf("a good token: %d", got)
			}
		}
	})
}

func TestAddressesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccess(newKeys(t), false)
		for i := range 2 * maxAddresses {
			a.limiterOf(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1).String()).Allow()
		}
		if len(a.bad) != maxAddresses {
			t.Errorf("%d addresses are kept, want %d", len(a.bad), maxAddresses)
		}
		if a.limiterOf("192.0.2.1:1") != a.others {
			t.Error("a new address has a limiter of its own while there is no place")
		}
		time.Sleep(badRefill) // everybody is forgiven
		if a.limiterOf("192.0.2.1:1") == a.others || len(a.bad) != 1 {
			t.Errorf("%d addresses are kept after a while", len(a.bad))
		}
	})
}
