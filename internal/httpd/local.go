// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package httpd

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// localName reports whether a Host header names this machine: localhost, or a loopback address.
func localName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}

// forwarded are headers that proxies add. Behind one, everybody seems to be on this machine. One that adds none, and asks by the
// address that it connects to, is nginx as long as it is told nothing else; it does so with HTTP/1.0, which no browser speaks.
var forwarded = []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"}

// notLocal says why a request is not from a page of ours that is open on this machine; empty: it is. It keeps out other
// machines, pages of others by their origin, and pages of others that have pointed a name of theirs at 127.0.0.1 (DNS
// rebinding) by the name.
func notLocal(req *http.Request) string {
	peer, err := netip.ParseAddrPort(req.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return "only for browsers on the machine that the node runs on"
	}
	if !localName(req.Host) {
		return "only by the name localhost, or a loopback address"
	}
	if !req.ProtoAtLeast(1, 1) || slices.ContainsFunc(forwarded, func(name string) bool { return len(req.Header.Values(name)) > 0 }) {
		return "not through a proxy"
	}
	if site := req.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return "only for pages of this origin"
	}
	if origins := req.Header.Values("Origin"); len(origins) > 0 && (len(origins) > 1 || !strings.EqualFold(origins[0], ownOrigin(req))) {
		return "only for pages of this origin"
	}
	return ""
}

// ownOrigin is the origin of a page that was fetched as this request was.
func ownOrigin(req *http.Request) string {
	if req.TLS != nil {
		return "https://" + req.Host
	}
	return "http://" + req.Host
}
