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
	base := f.base(address)
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
	add(f.signal, "demo", base+"/demo/", demo)
	add(f.admin, "admin", base+"/admin/", "what goes on: rooms, streams, load")
	if f.signal {
		out = append(out, httpd.Link{Name: "signal", Address: "ws" + strings.TrimPrefix(base, "http") + "/signal", Note: "for clients of the SDK, " + base + "/sdk/switchyard.js"})
	}
	if f.whip {
		out = append(out, httpd.Link{Name: "whip", Address: base + "/whip/{app}/{room}/{stream}", Note: "ingest; playback at /whep/"})
	}
	return out
}

// healthLinks are those for machines.
func (f faces) healthLinks(address string) []httpd.Link {
	var out []httpd.Link
	for _, l := range []struct{ name, path, note string }{
		{"http", "/", "a page with these addresses"},
		{"live", "/livez", "the process works"},
		{"ready", "/readyz", "it takes sessions (?verbose: why not)"},
		{"metrics", "/metrics", "for Prometheus"},
	} {
		out = append(out, httpd.Link{Name: l.name, Address: address, URL: f.base(address) + l.path, Note: l.note})
	}
	return out
}

// base is the beginning of every URL on the HTTP port.
func (f faces) base(address string) string {
	if f.tls {
		return "https://" + reachable(address)
	}
	return "http://" + reachable(address)
}

// links are the addresses with a note each.
func links(a addresses) []httpd.Link {
	out := append(a.faces.links(a.http), a.faces.healthLinks(a.http)...)
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
		out = append(out, httpd.Link{Name: "pprof", Address: a.pprof, URL: "http://" + reachable(a.pprof) + "/debug/pprof/", Note: "Go's profiler"})
	}
	return out
}

// reachable is an address that a browser on this machine can open.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err == nil && host == "" {
		return net.JoinHostPort("localhost", port)
	}
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
