// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"net/http"
	"slices"
)

// exposed are the header fields that scripts may read beside the few that they always may.
const exposed = "Accept-Patch, Accept-Post, Allow, ETag, Link, Location, Retry-After, WWW-Authenticate"

// options answers OPTIONS, preflight or not (RFC 9725, section 4.2). ICE servers are not in it: they may come with credentials,
// and this is asked without a token.
func (s *Server) options(t target, allowed string) reply {
	out := reply{status: http.StatusOK, header: [][2]string{
		{"Allow", allowed},
		{"Access-Control-Allow-Methods", allowed},
		{"Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match"},
		{"Access-Control-Max-Age", "7200"}, // browsers take no more
	}}
	if t.id == "" {
		out.header = append(out.header, [2]string{"Accept-Post", typeSDP})
	} else {
		out.header = append(out.header, [2]string{"Accept-Post", typeSDP}, [2]string{"Accept-Patch", typeFragment})
	}
	return out
}

// allowOrigin says whose scripts may read the answer. Others are not refused: what they lack is a token, not an origin.
func (s *Server) allowOrigin(h http.Header, r *http.Request) {
	origin := r.Header.Get("Origin")
	switch {
	case len(s.cfg.AllowedOrigins) == 0:
		h.Set("Access-Control-Allow-Origin", "*")
	case origin != "" && slices.Contains(s.cfg.AllowedOrigins, origin):
		h.Set("Access-Control-Allow-Origin", origin)
		h.Add("Vary", "Origin")
	default:
		h.Add("Vary", "Origin")
		h.Del("Access-Control-Allow-Methods")
		h.Del("Access-Control-Allow-Headers")
		h.Del("Access-Control-Max-Age")
		return
	}
	h.Set("Access-Control-Expose-Headers", exposed)
}
