// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"

	"github.com/switchyard-media/sfu/internal/config"
	"github.com/switchyard-media/sfu/internal/httpd"
)

// banner says where everything is, one line each: the first word names it, the second is its address.
func banner(a addresses, config string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Switchyard sfu %s (%s %s/%s)\n\n", versionString(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	writeLinks(&b, links(a))
	fmt.Fprintf(&b, "  %-7s %s\n", "config", config)
	b.WriteString("\nCtrl-C drains and stops; a second one stops at once.\n")
	return b.String()
}

func writeLinks(b *strings.Builder, all []httpd.Link) {
	for _, l := range all {
		at := l.URL
		if at == "" {
			at = l.Address
		}
		fmt.Fprintf(b, "  %-7s %-34s %s\n", l.Name, at, l.Note)
	}
}

// faces says what there is for clients and people on the HTTP port.
type faces struct {
	tls, admin, signal, whip bool
	demoTokens               bool // the demo page gets its tokens by itself
}

func facesOf(cfg config.Config, c *clients) faces {
	return faces{
		tls: cfg.HTTP.TLSCertFile != "", admin: cfg.Admin.Enabled, signal: c.tier != nil, whip: c.whip != nil, demoTokens: cfg.DemoTokens(),
	}
}

// links are those on the HTTP port, the demo first: it is what somebody who sees them for the first time wants.
func (f faces) links(address string) []httpd.Link {
	scheme, socket := "http://", "ws://"
	if f.tls {
		scheme, socket = "https://", "wss://"
	}
	at := reachable(address)
	var out []httpd.Link
	add := func(on bool, name, url, note string) {
		if on {
			out = append(out, httpd.Link{Name: name, Address: url, URL: url, Note: note})
		}
	}
	demo := "try it here: rooms, camera, calls"
	if !f.demoTokens {
		demo += " (with a token: sfu token)"
	}
	add(f.signal, "demo", scheme+at+"/demo/", demo)
	add(f.admin, "admin", scheme+at+"/admin/", "what goes on: rooms, streams, load")
	if f.signal {
		out = append(out, httpd.Link{Name: "signal", Address: socket + at + "/signal", Note: "for clients of the SDK, " + scheme + at + "/sdk/switchyard.js"})
	}
	if f.whip {
		out = append(out, httpd.Link{Name: "whip", Address: scheme + at + "/whip/{app}/{room}/{stream}", Note: "ingest; playback at /whep/"})
	}
	return out
}

// links are the addresses with a note each.
func links(a addresses) []httpd.Link {
	out := a.faces.links(a.http)
	scheme := "http://"
	if a.faces.tls {
		scheme = "https://"
	}
	web := func(name, address, path, note string) {
		out = append(out, httpd.Link{Name: name, Address: address, URL: scheme + reachable(address) + path, Note: note})
	}
	web("http", a.http, "/", "a page with these addresses")
	web("live", a.http, "/livez", "the process works")
	web("ready", a.http, "/readyz", "it takes sessions (?verbose: why not)")
	web("metrics", a.http, "/metrics", "for Prometheus")
	out = append(out, httpd.Link{Name: "grpc", Address: a.grpc, Note: "control API sfu.v1, " + a.grpcHow})
	for _, at := range a.udp {
		out = append(out, httpd.Link{Name: "media", Address: at.String() + "/udp", Note: "WebRTC media"})
	}
	for _, at := range a.tcp {
		out = append(out, httpd.Link{Name: "media", Address: at.String() + "/tcp", Note: "the same over TCP"})
	}
	for _, c := range a.offered {
		out = append(out, httpd.Link{Name: "offered", Address: c.Address.String() + "/" + c.Protocol, Note: "to clients: " + c.Why})
	}
	if a.pprof != "" {
		scheme = "http://"
		web("pprof", a.pprof, "/debug/pprof/", "Go's profiler")
	}
	return out
}

// reachable is an address that a browser on this machine can open.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip, perr := netip.ParseAddr(host); err != nil || perr != nil || !ip.IsUnspecified() {
		return address
	}
	return net.JoinHostPort("localhost", port)
}

// grpcHow says who may call.
func grpcHow(g config.GRPC) string {
	how := "plain text"
	if g.TLSCertFile != "" {
		how = "TLS"
	}
	switch {
	case g.ClientCAFile != "" && g.TokenFile != "":
		how += ", client certificate and token"
	case g.ClientCAFile != "":
		how += ", client certificate"
	case g.TokenFile != "":
		how += ", token"
	default:
		how += ", no authentication"
	}
	return how
}

// page is the index page.
func (n *node) page() httpd.Page {
	return httpd.Page{Title: "Switchyard sfu " + versionString(), Links: links(n.addresses())}
}
