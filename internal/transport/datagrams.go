// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
)

// datagrams is what DTLS reads and writes: the ICE connection, less what is not for DTLS. Media that comes this way, from
// ICE-TCP or on the plain lane, is handled where DTLS reads, so that no goroutine is needed for it.
type datagrams struct {
	// immutable
	transport *Transport
	link      *ice.Conn

	closed   sync.Once
	notified atomic.Bool // written by whoever writes, read by Close: an alert was sent since the last read
}

// ReadFrom implements net.PacketConn. One of DTLS's goroutines calls it.
func (d *datagrams) ReadFrom(b []byte) (int, net.Addr, error) {
	d.notified.Store(false)
	for {
		n, err := d.link.Read(b)
		switch {
		case errors.Is(err, io.ErrShortBuffer):
			continue // larger than any packet of ours: not to end DTLS for
		case errors.Is(err, ice.ErrClosed):
			return 0, nil, io.EOF
		case err != nil:
			return 0, nil, err
		case n == 0:
			continue
		}
		switch first := b[0]; {
		case first >= 128 && first < 192: // RFC 7983, section 7
			d.transport.HandleMedia(b[:n])
			d.transport.afterMedia()
		case first >= 20 && first < 64:
			if n = d.transport.admit(b[:n]); n > 0 {
				return n, nil, nil
			}
		}
	}
}

// WriteTo implements net.PacketConn.
func (d *datagrams) WriteTo(b []byte, _ net.Addr) (int, error) {
	if len(b) > 0 && b[0] == recordAlert {
		d.notified.Store(true)
	}
	n, err := d.link.Write(b)
	switch {
	case errors.Is(err, ice.ErrNoCandidatePairs):
		return len(b), nil // amid an ICE restart: as good as lost on the way
	case errors.Is(err, ice.ErrClosed):
		return 0, io.ErrClosedPipe
	}

	return n, err
}

// Close implements net.PacketConn. DTLS calls it when it ends, by Transport.Close or by an alert. It has answered a
// close_notify by then (RFC 5246, section 7.2.1), and no other alert.
func (d *datagrams) Close() error {
	d.closed.Do(func() {
		state := StateFailed
		if d.notified.Load() {
			state = StateClosed
		}
		d.transport.left(state)
	})

	return nil
}

// LocalAddr implements net.PacketConn.
func (d *datagrams) LocalAddr() net.Addr { return d.link.LocalAddr() }

// RemoteAddr is for DTLS to have one; it says nothing of where datagrams go.
func (d *datagrams) RemoteAddr() net.Addr {
	if a := d.link.RemoteAddr(); a != nil {
		return a
	}

	return net.UDPAddrFromAddrPort(netip.AddrPort{})
}

// SetDeadline implements net.PacketConn.
func (d *datagrams) SetDeadline(t time.Time) error { return d.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (d *datagrams) SetReadDeadline(t time.Time) error { return d.link.SetReadDeadline(t) }

// SetWriteDeadline implements net.PacketConn. Writing never waits.
func (d *datagrams) SetWriteDeadline(time.Time) error { return nil }
