// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"log/slog"
	"net/http"

	"google.golang.org/grpc"

	"github.com/switchyard-media/sfu/internal/auth"
)

// Config of a Handler.
type Config struct {
	Nodes         []Node     // at least one
	Keys          *auth.Keys // of admin tokens; required
	TokenOnly     bool       // ask for a token on loopback too
	MaxStreams    int        // event streams at once; default 16
	AllowMutation bool       // offer the calls that change something, not only those that look

	Logger *slog.Logger // nil: discard
}

// Node is a media node that is administered.
type Node struct {
	ID   string
	Conn grpc.ClientConnInterface
}

// New makes the handler of the admin page's API, for /admin/api/.
//
//	GET  /admin/api/nodes                       {"nodes":["local"],"mutation":true}
//	POST /admin/api/{node}/{Service}/{Method}   a call of sfu.v1, request and response in protobuf JSON; methods of a fixed list only
//	GET  /admin/api/{node}/events               WatchEvents as server-sent events, each data a WatchEventsResponse in protobuf JSON
//
// Who comes from loopback, to a host name that is loopback, needs no token unless TokenOnly; everybody else one with the admin
// claim, as "authorization: Bearer …". Errors are JSON: {"status":"NOT_FOUND","reason":"ROOM_NOT_FOUND","message":"…","code":0}.
func New(c Config) (http.Handler, error) { return newHandler(c) }
