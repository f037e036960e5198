// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/url"
	"strings"
)

// checkOrigins looks at the lists of pages' origins.
func (c Config) checkOrigins(add func(path, format string, args ...any)) {
	for _, list := range []struct {
		path    string
		origins []string
	}{{"signal.allowed_origins", c.Signal.AllowedOrigins}, {"whip.allowed_origins", c.WHIP.AllowedOrigins}} {
		for i, origin := range list.origins {
			if !validOrigin(origin) {
				add(fmt.Sprintf("%s[%d]", list.path, i), "want an origin as browsers send it, like https://example.org or http://localhost:8080, not %s", quote(origin))
			}
		}
	}
}

// validOrigin reports whether a browser may send s (RFC 6454 section 6.2): scheme, host in lower case, port if not the usual
// one. One that is written otherwise would match nothing, and nobody would know why.
func validOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return false
	}
	usual := u.Scheme == "http" && u.Port() == "80" || u.Scheme == "https" && u.Port() == "443"
	return s == u.Scheme+"://"+u.Host && s == strings.ToLower(s) && !usual
}

// checkNodes looks at the nodes behind a tier that runs alone.
func (c Config) checkNodes(add func(path, format string, args ...any)) {
	seen := make(map[string]bool)
	for i, n := range c.Signal.Nodes {
		p := fmt.Sprintf("signal.nodes[%d]", i)
		switch {
		case !appID.MatchString(n.ID):
			add(p+".id", "want 1 to 63 letters, digits, dots, hyphens and underscores, not %s", quote(n.ID))
		case seen[n.ID]:
			add(p+".id", "another node is called %s already", n.ID)
		}
		seen[n.ID] = true
		checkPair(add, n.TLSCertFile, n.TLSKeyFile, p+".tls_cert_file", p+".tls_key_file")
		if n.TLSCAFile == "" && (n.TLSCertFile != "" || n.TLSServerName != "") {
			add(p+".tls_ca_file", "is needed for TLS: what is the node's certificate signed by?")
		}
	}
}

// warnClients are the warnings about what clients reach.
func (c Config) warnClients() []string {
	var out []string
	if !Loopback(c.HTTP.Address) {
		if c.HTTP.TLSCertFile == "" {
			out = append(out, fmt.Sprintf("http.address %s can be reached from other machines without TLS: browsers there give the pages neither camera nor microphone, and tokens can be read on the way (set http.tls_cert_file, or have a proxy do it)", c.HTTP.Address))
		}
		if c.Tokens.KeyFile == "" && (c.Signal.Enabled || c.WHIP.Enabled) {
			out = append(out, fmt.Sprintf("http.address %s can be reached from other machines, and nobody there can have a token: set tokens.key_file", c.HTTP.Address))
		}
	}
	if Loopback(c.HTTP.Address) && c.Tokens.KeyFile != "" && c.Admin.Enabled && !c.Admin.TokenOnly {
		out = append(out, fmt.Sprintf("http.address %s is reached from this machine alone, and clients with tokens of tokens.key_file come by a proxy then: where that does not say that it is one, whoever it lets through administers the node (set admin.token_only)", c.HTTP.Address))
	}
	for i, n := range c.Signal.Nodes {
		if n.TLSCAFile == "" && n.TokenFile != "" && !Loopback(n.Address) {
			out = append(out, fmt.Sprintf("signal.nodes[%d]: the token for %s can be read on the way (set tls_ca_file)", i, n.Address))
		}
	}
	return out
}
