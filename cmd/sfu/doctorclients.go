// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/switchyard-media/sfu/internal/config"
)

// examineClients says where people find the pages, and how clients get tokens.
func examineClients(cfg config.Config) []finding {
	var out []finding
	f := faces{tls: cfg.HTTP.TLSCertFile != ""}
	pages := f.base(cfg.HTTP.Address) + "/demo/"
	switch {
	case !cfg.Signal.Enabled:
		out = append(out, finding{note, "pages", "the signaling tier is off here (signal.enabled): clients use sfu signal, or a tier of your own", ""})
	case config.Loopback(cfg.HTTP.Address):
		out = append(out, finding{fine, "pages", pages + ", for browsers on this machine only", ""})
	case !f.tls:
		out = append(out, finding{
			note, "pages", pages + ", and elsewhere by this machine's name, but browsers there give it no camera without TLS",
			"set http.tls_cert_file and http.tls_key_file, or have a proxy do TLS",
		})
	default:
		out = append(out, finding{fine, "pages", pages + ", and elsewhere by this machine's name", ""})
	}
	if _, err := loadCertificate(cfg); err != nil {
		out = append(out, finding{problem, "http.tls_cert_file", err.Error(), "check that certificate and key are PEM files and belong together"})
	}
	return append(out, examineTokens(cfg))
}

func examineTokens(cfg config.Config) finding {
	switch _, err := loadKeys(cfg); {
	case err != nil:
		return finding{problem, "tokens", err.Error(), "sfu token key makes a line for it"}
	case cfg.Tokens.KeyFile != "":
		return finding{fine, "tokens", "checked with the keys of " + cfg.Tokens.KeyFile, ""}
	case cfg.DemoTokens():
		return finding{note, "tokens", "only the demo's, for pages on this machine", "for clients elsewhere set tokens.key_file; sfu token key makes a line for it"}
	default:
		return finding{warning, "tokens", "nobody can have one: tokens.key_file is not set, and tokens.demo is false", "sfu token key makes a line for a key file"}
	}
}
