// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// iceURL is what RFC 7064 and RFC 7065 allow, as far as clients care: a scheme, a host, maybe a port and a transport.
var iceURL = regexp.MustCompile(`^(stuns?|turns?):(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(\?transport=(udp|tcp))?$`)

// finding is a problem before its place is looked up.
type finding struct {
	path, message string
}

// Validate reports everything that is wrong with c; nil when it can be used. It changes nothing, and looks at nothing
// but c and whether the files that it names can be read. The error is an *Error.
func (c Config) Validate() error {
	return asError(c.problems(nil, nil))
}

// problems are the findings with their places.
func (c Config) problems(origins map[string]Origin, excerpt func(Origin) string) []Problem {
	out := make([]Problem, 0)
	for _, f := range c.findings() {
		p := Problem{Path: f.path, Message: f.message, Origin: originOf(origins, f.path)}
		if excerpt != nil {
			p.Excerpt = excerpt(p.Origin)
		}
		out = append(out, p)
	}
	return out
}

// originOf looks for the place of a key, or of what it stands in.
func originOf(origins map[string]Origin, path string) Origin {
	for path != "" {
		if at, ok := origins[path]; ok {
			return at
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return Origin{}
}

func (c Config) findings() []finding {
	var out []finding
	add := func(path, format string, args ...any) { out = append(out, finding{path, fmt.Sprintf(format, args...)}) }
	checkTags(reflect.ValueOf(c), "", add)
	c.checkApps(add)
	c.checkCongestion(add)
	c.checkAddresses(add)
	c.checkClash(add)
	c.checkTLS(add)
	c.checkOrigins(add)
	c.checkNodes(add)
	return out
}

// checkTags applies what the tags ask for to every scalar and list; it works on copies.
func checkTags(v reflect.Value, path string, add func(path, format string, args ...any)) {
	for _, f := range fieldsOf(v.Type()) {
		p, fv := join(path, f.key), v.Field(f.index)
		switch fv.Kind() {
		case reflect.Struct:
			checkTags(fv, p, add)
		case reflect.Map:
			for _, key := range fv.MapKeys() {
				if item := fv.MapIndex(key); item.Kind() == reflect.Struct {
					checkTags(item, join(p, key.String()), add)
				} else {
					checkScalar(item, f, join(p, key.String()), add)
				}
			}
		case reflect.Slice:
			for i := range fv.Len() {
				item, ip := fv.Index(i), fmt.Sprintf("%s[%d]", p, i)
				if item.Kind() == reflect.Struct {
					checkTags(item, ip, add)
				} else {
					checkScalar(item, field{}, ip, add)
				}
			}
		default:
			checkScalar(fv, f, p, add)
		}
	}
}

func checkScalar(v reflect.Value, f field, path string, add func(path, format string, args ...any)) {
	if err := setScalar(reflect.New(v.Type()).Elem(), f, plain(v)); err != nil {
		add(path, "%s", err)
		return
	}
	if f.kind == "file" && v.String() != "" {
		if err := readable(v.String()); err != nil {
			add(path, "%s", err)
		}
	}
}

// readable opens a file and closes it again; the message names it.
func readable(name string) error {
	f, err := os.Open(name)
	if err != nil {
		if pe, ok := errors.AsType[*os.PathError](err); ok {
			err = pe.Err
		}
		return fmt.Errorf("cannot read %s: %w", quote(name), err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a directory, not a file", quote(name))
	}
	return nil
}

// appID is what the router takes, too.
var appID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,63}$`)

func checkAppID(id string) error {
	if !appID.MatchString(id) {
		return fmt.Errorf("want an app id, 1 to 63 letters, digits, dots, hyphens and underscores, not %s", quote(id))
	}
	return nil
}

// checkCongestion holds the three bounds on an estimate against each other.
func (c Config) checkCongestion(add func(path, format string, args ...any)) {
	cc := c.Congestion
	if cc.StartBitrate < cc.MinBitrate {
		add("congestion.start_bitrate", "%d is below congestion.min_bitrate, %d", cc.StartBitrate, cc.MinBitrate)
	}
	if cc.StartBitrate > cc.MaxBitrate {
		add("congestion.start_bitrate", "%d is above congestion.max_bitrate, %d", cc.StartBitrate, cc.MaxBitrate)
	}
}

func (c Config) checkApps(add func(path, format string, args ...any)) {
	if _, ok := c.Apps[DefaultAppID]; !ok {
		add("apps", "there is no app called %s", DefaultAppID)
	}
	for _, id := range slices.Sorted(maps.Keys(c.Apps)) {
		app, path := c.Apps[id], join("apps", id)
		if err := checkAppID(id); err != nil {
			add(path, "%s", err)
		}
		if app.Limits.BroadcastPerUser > app.Limits.BroadcastPerSecond {
			add(path+".limits.broadcast_per_user_per_second", "%d is more than the whole room may send, broadcast_per_second: %d",
				app.Limits.BroadcastPerUser, app.Limits.BroadcastPerSecond)
		}
	}
}

func (c Config) checkAddresses(add func(path, format string, args ...any)) {
	for i, e := range c.Media.ExternalAddresses {
		p := fmt.Sprintf("media.external_addresses[%d]", i)
		addr, err := netip.ParseAddr(e.Address)
		if err != nil || addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast() {
			add(p+".address", "want an IP address that clients can reach, not %s", quote(e.Address))
			continue
		}
		if e.Internal == "" {
			continue
		}
		internal, err := netip.ParseAddr(e.Internal)
		switch {
		case err != nil || internal.IsUnspecified():
			add(p+".internal", "want the IP address of an interface, not %s", quote(e.Internal))
		case internal.Is4() != addr.Is4():
			add(p+".internal", "%s and %s are not of the same family", e.Internal, e.Address)
		}
	}
	for i, s := range c.Media.ICEServers {
		p := fmt.Sprintf("media.ice_servers[%d].urls", i)
		if len(s.URLs) == 0 {
			add(p, "want at least one URL")
		}
		for _, u := range s.URLs {
			if !iceURL.MatchString(u) {
				add(p, "want stun:host:port, turn:host:port or turns:host:port, not %s", quote(u))
			}
		}
	}
	for i, name := range c.Media.Interfaces {
		if name == "" || len(name) > 63 {
			add(fmt.Sprintf("media.interfaces[%d]", i), "want the name of a network interface, not %s", quote(name))
		}
	}
	if c.Pprof.Address != Off && !Loopback(c.Pprof.Address) {
		add("pprof.address", "want a loopback address, not %s: the profiler shows memory and asks nobody who they are", quote(c.Pprof.Address))
	}
}

// Loopback reports whether host:port can be reached from this machine only.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// checkClash finds two TCP listeners that cannot both have their port. (UDP has one listener.)
func (c Config) checkClash(add func(path, format string, args ...any)) {
	type listener struct{ path, address string }
	all := []listener{
		{"http.address", c.HTTP.Address},
		{"grpc.address", c.GRPC.Address},
		{"media.tcp_address", c.Media.TCPAddress},
		{"pprof.address", c.Pprof.Address},
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if clash(a.address, b.address) {
				add(a.path, "%s clashes with %s (%s): every TCP listener needs a port of its own", a.address, b.path, b.address)
				break
			}
		}
	}
}

func clash(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || strings.Trim(portA, "0") == "" {
		return false
	}
	return hostA == hostB || everywhere(hostA) || everywhere(hostB) || Loopback(a) && Loopback(b) && (hostA == "localhost" || hostB == "localhost")
}

func everywhere(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.IsUnspecified()
}

func (c Config) checkTLS(add func(path, format string, args ...any)) {
	checkPair(add, c.GRPC.TLSCertFile, c.GRPC.TLSKeyFile, "grpc.tls_cert_file", "grpc.tls_key_file")
	checkPair(add, c.HTTP.TLSCertFile, c.HTTP.TLSKeyFile, "http.tls_cert_file", "http.tls_key_file")
	checkPair(add, c.Media.DTLSCertFile, c.Media.DTLSKeyFile, "media.dtls_cert_file", "media.dtls_key_file")
	if c.GRPC.ClientCAFile != "" && c.GRPC.TLSCertFile == "" {
		add("grpc.client_ca_file", "needs grpc.tls_cert_file too: client certificates are shown in TLS only")
	}
	if len(c.GRPC.AllowedNames) > 0 && c.GRPC.ClientCAFile == "" {
		add("grpc.allowed_names", "needs grpc.client_ca_file too: names count in certificates that it has signed")
	}
}

// checkPair holds that a certificate and its key come together.
func checkPair(add func(path, format string, args ...any), cert, key, certPath, keyPath string) {
	if cert != "" && key == "" {
		add(certPath, "needs %s too", keyPath)
	}
	if cert == "" && key != "" {
		add(keyPath, "needs %s too", certPath)
	}
}

// Warnings are things that work and that somebody will be sorry for, one sentence each.
func (c Config) Warnings() []string {
	var out []string
	authenticated := c.GRPC.ClientCAFile != "" || c.GRPC.TokenFile != ""
	if !Loopback(c.GRPC.Address) {
		if !authenticated {
			out = append(out, fmt.Sprintf("grpc.address %s can be reached from other machines and asks for no authentication: whoever reaches it controls the node (set grpc.token_file or grpc.client_ca_file)", c.GRPC.Address))
		}
		if c.GRPC.TLSCertFile == "" {
			out = append(out, fmt.Sprintf("grpc.address %s can be reached from other machines without TLS: tokens and SDP can be read on the way (set grpc.tls_cert_file)", c.GRPC.Address))
		}
	}
	if !Loopback(c.HTTP.Address) {
		out = append(out, fmt.Sprintf("http.address %s can be reached from other machines: metrics are open to whoever reaches it", c.HTTP.Address))
	}
	out = append(out, c.warnClients()...)
	if c.GRPC.KeepaliveMinTime > c.GRPC.KeepaliveTime {
		out = append(out, "grpc.keepalive_min_time is longer than grpc.keepalive_time: clients that ping as often as the node does are disconnected")
	}
	return out
}
