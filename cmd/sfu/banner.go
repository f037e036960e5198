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
	for _, l := range links(a) {
		at := l.URL
		if at == "" {
			at = l.Address
		}
		fmt.Fprintf(&b, "  %-7s %-34s %s\n", l.Name, at, l.Note)
	}
	fmt.Fprintf(&b, "  %-7s %s\n", "config", config)
	b.WriteString("\nCtrl-C drains and stops; a second one stops at once.\n")
	return b.String()
}

// links are the addresses with a note each.
func links(a addresses) []httpd.Link {
	var out []httpd.Link
	web := func(name, address, path, note string) {
		out = append(out, httpd.Link{Name: name, Address: address, URL: "http://" + reachable(address) + path, Note: note})
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
