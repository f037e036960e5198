// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"log/slog"
	"time"

	"google.golang.org/grpc"

	"github.com/switchyard-media/sfu/internal/auth"
)

// Config of a Server. Zero fields mean their default.
type Config struct {
	Nodes []Node     // at least one; the order does not matter, ids do
	Keys  *auth.Keys // of clients' tokens; required

	MaxClients     int           // connections at once; default 10000
	MaxPerAddress  int           // connections at once from one IP address that have not shown a token yet; default 64
	MaxFrame       int           // longest frame of a client in bytes; default 512 KiB
	Queue          int           // frames waiting for one client before it is cut off (it resumes and gets all anew); default 1024
	QueueBytes     int           // and bytes; default 4 MiB
	Rate           int           // requests per second of one client; default 50
	Burst          int           // and at once; default 200
	PingInterval   time.Duration // clients send something this often; after three times as long a connection is closed; default 5 s
	HelloTimeout   time.Duration // the first frame has to come within; default 10 s
	RequestTimeout time.Duration // of one call to a node; default 10 s
	AllowedOrigins []string      // of browsers; empty: any, since a token is needed and nothing is in cookies

	Logger *slog.Logger // nil: discard
}

// Node is a media node behind the tier.
type Node struct {
	ID   string // unique among Nodes; a session's node is chosen by it, the app and the token's group
	Conn grpc.ClientConnInterface
}

// Stats count what the server did since it started.
type Stats struct {
	Clients  int               // connected now
	Accepted uint64            // connections since start
	Requests map[string]uint64 // by kind, for example "login_room"
	Failures map[string]uint64 // requests that failed, by reason
	Notices  uint64            // sent to clients
	Dropped  map[string]uint64 // connections the server cut off, by reason: slow, rate, silent, protocol, no_hello, too_many, replaced, token, lost, panic
	Resyncs  uint64            // times that events of a node were missed
}
