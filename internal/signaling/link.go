// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"errors"
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

// link is one WebSocket connection. Frames are put into it from anywhere; one goroutine writes them, one reads.
type link struct {
	socket *websocket.Conn // immutable, as are the next four
	out    *outbox
	server *Server
	writes context.Context // of what write sends
	cut    func()          // ends it
	done   chan struct{}   // closed when nothing is written any more

	silence *time.Timer // fires when the client has been silent for too long; owned by the reader
}

func newLink(s *Server, socket *websocket.Conn) *link {
	socket.SetReadLimit(int64(s.config.MaxFrame))
	l := &link{socket: socket, out: newOutbox(s.config.Queue, s.config.QueueBytes), server: s, done: make(chan struct{})}
	l.writes, l.cut = context.WithCancel(context.Background())
	return l
}

// write sends frames until the outbox has ended, and closes the connection.
func (l *link) write() {
	defer close(l.done)
	defer l.cut()
	for {
		frame, ended := l.out.take()
		switch {
		case ended:
			_ = l.socket.Close(l.out.reason())
			return
		case frame == nil:
			<-l.out.wake
			continue
		}
		ctx, cancel := context.WithTimeout(l.writes, writeTimeout)
		err := l.socket.Write(ctx, websocket.MessageText, frame)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			l.drop("slow", closeSlow, "the client does not read")
		}
		cancel()
		if err != nil {
			l.out.end(closeSlow, "", false)
			_ = l.socket.CloseNow()
			return
		}
	}
}

// put sends a frame some time, or cuts the client off.
func (l *link) put(frame []byte) {
	if !l.out.put(frame) {
		l.drop("slow", closeSlow, "the client does not read")
	}
}

// drop cuts the client off and counts it; what waits is not sent.
func (l *link) drop(reason string, code websocket.StatusCode, why string) {
	if l.out.end(code, why, false) {
		l.server.counts.drop(reason)
		time.AfterFunc(cutTimeout, l.cut)
	}
}

// finish closes the connection when everything has been sent, and counts it under the reason, if there is one.
func (l *link) finish(reason string, code websocket.StatusCode, why string) {
	if l.out.end(code, why, true) && reason != "" {
		l.server.counts.drop(reason)
	}
}

// expect closes the connection when nothing comes for a while.
func (l *link) expect(within time.Duration, reason string, code websocket.StatusCode, why string) {
	if l.silence != nil {
		l.silence.Stop()
	}
	l.silence = time.AfterFunc(within, func() { l.drop(reason, code, why) })
}

// relax takes expect back: now it is the tier that the client waits for.
func (l *link) relax() { l.silence.Stop() }

// errBinary is read's answer to a frame that is no text.
var errBinary = errors.New("a frame is not text")

// read waits for the client's next frame.
func (l *link) read() ([]byte, error) {
	kind, frame, err := l.socket.Read(context.Background())
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		l.server.counts.drop("protocol")
		return nil, err
	case err != nil:
		return nil, err
	case kind != websocket.MessageText:
		l.drop("protocol", websocket.StatusUnsupportedData, "frames are text")
		return nil, errBinary
	}
	return frame, nil
}

// close ends the connection, if nobody has, and waits until it is closed.
func (l *link) close() {
	if l.silence != nil {
		l.silence.Stop()
	}
	l.out.end(websocket.StatusNormalClosure, "", true)
	<-l.done
}
