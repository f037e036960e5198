// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"sync"

	"github.com/coder/websocket"
)

// outbox holds the frames that wait for one connection. Whoever puts something in never waits: a client that does not read
// loses its connection, and nobody else notices.
type outbox struct {
	maxFrames, maxBytes int           // immutable
	wake                chan struct{} // immutable; one token when there is something to do

	mu     sync.Mutex // guards the rest
	frames [][]byte
	bytes  int
	ending bool // nothing more goes in
	code   websocket.StatusCode
	why    string
}

func newOutbox(frames, bytes int) *outbox {
	return &outbox{maxFrames: frames, maxBytes: bytes, wake: make(chan struct{}, 1)}
}

// put adds a frame. It reports false when the client is too slow for it.
func (o *outbox) put(frame []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ending {
		return true
	}
	if len(o.frames) >= o.maxFrames || o.bytes+len(frame) > o.maxBytes {
		return false
	}
	o.frames = append(o.frames, frame)
	o.bytes += len(frame)
	o.signal()
	return true
}

// end takes nothing more. What waits is still sent, or not, then the connection is closed. It reports whether it was the
// first to say so; then count, unless it is nil, is called before anybody can see that the connection is closed.
func (o *outbox) end(code websocket.StatusCode, why string, send bool, count func()) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ending {
		return false
	}
	o.ending, o.code, o.why = true, code, why
	if !send {
		o.frames, o.bytes = nil, 0
	}
	if count != nil {
		count()
	}
	o.signal()
	return true
}

// take removes the oldest frame. Without one, ended says that none will come.
func (o *outbox) take() (frame []byte, ended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.frames) == 0 {
		return nil, o.ending
	}
	frame = o.frames[0]
	o.frames[0] = nil
	o.frames = o.frames[1:]
	o.bytes -= len(frame)
	return frame, false
}

// reason is what end was told.
func (o *outbox) reason() (websocket.StatusCode, string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.code, o.why
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}
