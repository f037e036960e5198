// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/switchyard-media/sfu/internal/auth"
)

// Bad tokens of one address: so many at once, one more for each refill. Addresses are remembered up to a bound; past it all
// new ones share what is left.
const (
	badBurst     = 10
	badRefill    = 6 * time.Second
	maxAddresses = 4096
)

// caller is who was let in.
type caller struct {
	name    string    // "loopback", or what the token says
	expires time.Time // when the token is of no more use; zero: never
}

// access decides who may ask. Safe for concurrent use.
type access struct {
	keys      *auth.Keys // immutable
	tokenOnly bool       // immutable

	mu     sync.Mutex                     // guards what follows
	bad    map[netip.Prefix]*rate.Limiter // bad tokens of an address
	others *rate.Limiter                  // and of all for whom there is no place in bad
	swept  time.Time                      // when bad was last looked through for places
}

func newAccess(keys *auth.Keys, tokenOnly bool) *access {
	return &access{keys: keys, tokenOnly: tokenOnly, bad: make(map[netip.Prefix]*rate.Limiter), others: newLimiter()}
}

func newLimiter() *rate.Limiter { return rate.NewLimiter(rate.Every(badRefill), badBurst) }

// check says who asks, or why they are refused. A token that was brought is looked at, even where none is needed: one that
// is wrong should be noticed.
func (a *access) check(r *http.Request) (caller, *failure) {
	if len(r.Header.Values("Authorization")) > 0 {
		return a.checkToken(r)
	}
	if why := a.notLocal(r); why != "" {
		f := failf(http.StatusUnauthorized, "UNAUTHENTICATED", "TOKEN_REQUIRED", "an admin token is needed: %s", why)
		f.challenge = true
		return caller{}, f
	}
	return caller{name: "loopback"}, nil
}

// proxied are headers that a proxy on this machine adds: behind it everybody comes from loopback. One that adds none, and asks by
// the address that it connects to, is nginx as long as it is told nothing else; it does so with HTTP/1.0, which nobody here speaks.
var proxied = []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"}

// notLocal says why a request is not this machine's own user; empty: it is. The connection alone does not tell: a page of
// another site, open in a browser on this machine, can connect too, under its own origin or, by DNS rebinding, its own name.
func (a *access) notLocal(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	switch {
	case a.tokenOnly:
		return "this node asks everybody for one"
	case err != nil || !peer.Addr().Unmap().IsLoopback():
		return "the request does not come from the node's own machine"
	case !localName(r.Host):
		return "the name in the Host header is not localhost or a loopback address"
	case !r.ProtoAtLeast(1, 1), slices.ContainsFunc(proxied, func(h string) bool { return len(r.Header.Values(h)) > 0 }):
		return "the request comes through a proxy"
	case !sameOrigin(r):
		return "the request comes from another site's page"
	}
	return ""
}

// localName reports whether a Host header is localhost or a loopback address.
func localName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil && addr.IsLoopback()
}

// sameOrigin looks at what browsers say of the page that asks. Other ports of this machine are "same-site", and others all
// the same.
func sameOrigin(r *http.Request) bool {
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != scheme || !strings.EqualFold(u.Host, r.Host) {
			return false
		}
	}
	return true
}

func (a *access) checkToken(r *http.Request) (caller, *failure) {
	token, ok := bearer(r)
	err := errors.New(`authorization must be "Bearer" and one token`)
	var claims *auth.Claims
	if ok {
		claims, err = a.keys.Check(token)
	}
	// Good ones are let in all the same: behind a proxy all have its address, and anybody could lock the administrators out. There
	// is nothing to gain by guessing on either, as keys have 32 bytes.
	if err != nil && !a.limiterOf(r.RemoteAddr).Allow() {
		f := failf(http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", "TOKEN_RATE", "too many bad tokens came from this address")
		f.retry = badRefill
		return caller{}, f
	}
	if err != nil {
		f := failf(http.StatusUnauthorized, "UNAUTHENTICATED", "TOKEN_INVALID", "%v", err)
		if errors.Is(err, auth.ErrExpired) {
			f.Reason = "TOKEN_EXPIRED"
		}
		f.challenge = true
		return caller{}, f
	}
	if !claims.Admin {
		return caller{}, failf(http.StatusForbidden, "PERMISSION_DENIED", "ADMIN_REQUIRED", "the token is good, but not an administrator's")
	}
	return caller{name: "token " + claims.ID + " of " + claims.UserID, expires: claims.Expires.Add(auth.Leeway)}, nil
}

// bearer takes the token out of the header (RFC 6750, section 2.1).
func bearer(r *http.Request) (string, bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// limiterOf finds the limiter of an address; of IPv6 the /64, which is one customer's.
func (a *access) limiterOf(remote string) *rate.Limiter {
	peer, _ := netip.ParseAddrPort(remote) // what cannot be read shares the zero address
	addr := peer.Addr().Unmap().WithZone("")
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	prefix, _ := addr.Prefix(bits)
	a.mu.Lock()
	defer a.mu.Unlock()
	if l, ok := a.bad[prefix]; ok {
		return l
	}
	if now := time.Now(); len(a.bad) >= maxAddresses && now.Sub(a.swept) >= badRefill {
		a.swept = now
		for p, l := range a.bad {
			if l.Tokens() >= badBurst {
				delete(a.bad, p)
			}
		}
	}
	if len(a.bad) >= maxAddresses {
		return a.others
	}
	l := newLimiter()
	a.bad[prefix] = l
	return l
}
