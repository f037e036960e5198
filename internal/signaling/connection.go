// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// Codes that the tier closes connections with, see docs/signaling.md. 1000, 1001, 1003 and 1009 are those of RFC 6455.
const (
	closeProtocol     websocket.StatusCode = 4000 // a frame that is no request
	closeNoHello      websocket.StatusCode = 4001 // no Hello in time
	closeToken        websocket.StatusCode = 4002 // Hello's token is refused: a new one is needed
	closeReplaced     websocket.StatusCode = 4003 // another connection goes on with the session
	closeSlow         websocket.StatusCode = 4004 // the client does not read: resume
	closeRate         websocket.StatusCode = 4005 // refused requests did not slow it down
	closeSilent       websocket.StatusCode = 4006 // nothing came for three ping intervals
	closeSessionEnded websocket.StatusCode = 4007 // the session is over, SessionEnded has told why
	closeReadAgain    websocket.StatusCode = 4008 // the tier lost sight of the session: resume
)

// writeTimeout is how long one frame may take to leave, and cutTimeout how long the one may that is on its way when a client is
// cut off: the code of the close comes after it.
const (
	writeTimeout = 10 * time.Second
	cutTimeout   = time.Second
)

// connection is one WebSocket connection. Frames are put into it from anywhere; one goroutine writes them, one reads.
type connection struct {
	socket *websocket.Conn // immutable, as are the next four
	out    *outbox
	server *Server
	done   chan struct{} // closed when nothing is written any more
	late   *time.Timer   // fires when a frame has taken too long; runs while one is on its way

	writing atomic.Bool // one is; written by write, read by cut
	silence *time.Timer // fires when the client has been silent for too long; owned by the reader
}

func newConnection(s *Server, socket *websocket.Conn) *connection {
	socket.SetReadLimit(int64(min(s.config.MaxFrame, maxGreeting)))
	c := &connection{socket: socket, out: newOutbox(s.config.Queue, s.config.QueueBytes), server: s, done: make(chan struct{})}
	c.late = time.AfterFunc(writeTimeout, c.stuck)
	c.late.Stop()
	return c
}

// write sends frames until the outbox has ended, and closes the connection.
func (c *connection) write() {
	defer close(c.done)
	for {
		frame, ended := c.out.take()
		switch {
		case ended:
			_ = c.socket.Close(c.out.reason())
			return
		case frame == nil:
			<-c.out.wake
			continue
		}
		if err := c.send(frame); err != nil {
			c.out.end(closeSlow, "", false, nil)
			_ = c.socket.CloseNow()
			return
		}
	}
}

// send writes one frame. A context that can end would cost more than all else that the tier does for a notice.
func (c *connection) send(frame []byte) error {
	c.writing.Store(true)
	defer c.writing.Store(false)
	c.late.Reset(writeTimeout)
	defer c.late.Stop()
	return c.socket.Write(context.Background(), websocket.MessageText, frame)
}

// stuck cuts a client off that has not taken a frame in time.
func (c *connection) stuck() {
	c.drop("slow", closeSlow, "the client does not read")
	c.cut()
}

// cut ends the frame that is on its way, if there is one, and the connection with it.
func (c *connection) cut() {
	if c.writing.Load() {
		_ = c.socket.CloseNow()
	}
}

// put sends a frame some time, or cuts the client off.
func (c *connection) put(frame []byte) {
	if !c.out.put(frame) {
		c.drop("slow", closeSlow, "the client does not read")
	}
}

// drop cuts the client off and counts it; what waits is not sent.
func (c *connection) drop(reason string, code websocket.StatusCode, why string) {
	if c.out.end(code, why, false, func() { c.server.counts.drop(reason) }) {
		time.AfterFunc(cutTimeout, c.cut)
	}
}

// finish closes the connection when everything has been sent, and counts it under the reason, if there is one.
func (c *connection) finish(reason string, code websocket.StatusCode, why string) {
	c.out.end(code, why, true, func() {
		if reason != "" {
			c.server.counts.drop(reason)
		}
	})
}

// expect closes the connection when nothing comes for a while.
func (c *connection) expect(within time.Duration, reason string, code websocket.StatusCode, why string) {
	if c.silence != nil {
		c.silence.Stop()
	}
	c.silence = time.AfterFunc(within, func() { c.drop(reason, code, why) })
}

// greeted lets the client send frames as long as requests may be.
func (c *connection) greeted() { c.socket.SetReadLimit(int64(c.server.config.MaxFrame)) }

// relax takes expect back: now it is the tier that the client waits for.
func (c *connection) relax() { c.silence.Stop() }

// errBinary is read's answer to a frame that is no text.
var errBinary = errors.New("a frame is not text")

// read waits for the client's next frame.
func (c *connection) read() ([]byte, error) {
	kind, frame, err := c.socket.Read(context.Background())
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		c.server.counts.drop("protocol")
		return nil, err
	case err != nil:
		return nil, err
	case kind != websocket.MessageText:
		c.drop("protocol", websocket.StatusUnsupportedData, "frames are text")
		return nil, errBinary
	}
	return frame, nil
}

// close ends the connection, if nobody has, and waits until it is closed.
func (c *connection) close() {
	if c.silence != nil {
		c.silence.Stop()
	}
	c.out.end(websocket.StatusNormalClosure, "", true, nil)
	<-c.done
}
