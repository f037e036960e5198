// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// errPanic is work that a fault in the tier has ended.
var errPanic = errors.New("a fault in the tier")

// contain runs f. A panic in it becomes an error: the process may be a node's, whose media is not to end with a request, and
// what it was about can be asked for again.
func (s *Server) contain(what string, f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.config.Logger.Error("contained a panic", "in", what, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	f()
	return nil
}

// contain does it for a client: one whose request or frame made the tier panic reads everything again.
func (c *client) contain(what string, f func()) {
	if c.server.contain(what, f) != nil {
		c.conn.finish("panic", closeReadAgain, "an internal error")
	}
}
