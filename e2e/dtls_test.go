// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// Kinds of DTLS records (RFC 6347, section 4.1).
const (
	recordCipherSpec = 20
	recordAlert      = 21
	recordHandshake  = 22
	recordData       = 23
)

// record is a DTLS record.
func record(kind byte, epoch uint16, number uint32, body []byte) []byte {
	b := []byte{kind, 0xfe, 0xfd}
	b = binary.BigEndian.AppendUint16(b, epoch)
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint32(b, number)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...)
}

// fragment is a piece of a handshake message, which says it is size bytes long and this piece is at offset.
func fragment(kind byte, message uint16, size, offset int, body []byte) []byte {
	u24 := func(b []byte, v int) []byte { return append(b, byte(v>>16), byte(v>>8), byte(v)) }
	b := u24([]byte{kind}, size)
	b = binary.BigEndian.AppendUint16(b, message)
	b = u24(u24(b, offset), len(body))
	return append(b, body...)
}

// hello is the body of a ClientHello that offers these cipher suites and nothing else.
func hello(rng *rand.Rand, suites ...uint16) []byte {
	b := append([]byte{0xfe, 0xfd}, noise(rng, 0, 32)...)
	b = append(b, 0, 0) // no session id, no cookie
	b = binary.BigEndian.AppendUint16(b, uint16(2*len(suites)))
	for _, s := range suites {
		b = binary.BigEndian.AppendUint16(b, s)
	}
	return append(b, 1, 0, 0, 0) // no compression, no extensions
}

// garbled are handshakes that lead nowhere: zero-length and overlapping fragments, one of 16 MB, a made-up ClientHello, and
// records that are encrypted with nothing.
func garbled(rng *rand.Rand) [][]byte {
	number := rng.Uint32()
	whole := hello(rng, 0xc02b)
	return [][]byte{
		record(recordHandshake, 0, number, fragment(1, 0, 0, 0, nil)),
		record(recordHandshake, 0, number+1, fragment(11, 9, 100, 0, make([]byte, 60))),
		record(recordHandshake, 0, number+2, fragment(11, 9, 100, 40, make([]byte, 60))),
		record(recordHandshake, 0, number+3, fragment(11, 9, 90, 80, make([]byte, 60))),
		record(recordHandshake, 0, number+4, fragment(16, 8, 1<<24-1, 1<<23, make([]byte, 200))),
		record(recordHandshake, 0, number+5, fragment(1, 7, len(whole), 0, whole)),
		record(recordHandshake, 1, number+6, fragment(20, 6, 12, 0, make([]byte, 12))),
		record(recordData, 1, number+7, noise(rng, 1, 100)),
		record(recordData, 0, number+8, []byte("in clear")),
		record(99, 0, number+9, make([]byte, 40)),
		noise(rng, recordHandshake, 13), noise(rng, recordAlert, 15), noise(rng, recordCipherSpec, 14),
	}
}

// endings are attempts to end a connection: close_notify and a fatal alert in clear, and with keys that nobody has.
func endings(rng *rand.Rand) [][]byte {
	return [][]byte{
		record(recordAlert, 0, rng.Uint32(), []byte{1, 0}), record(recordAlert, 0, rng.Uint32(), []byte{2, 40}),
		record(recordAlert, 1, rng.Uint32(), []byte{1, 0}), record(recordAlert, 1, rng.Uint32(), noise(rng, 1, 26)),
	}
}

// TestHostileDTLS: strangers meddle with a client's DTLS before, during and after its handshake; after it also somebody in the
// client's name.
func TestHostileDTLS(t *testing.T) {
	c := newCall(t, nil)
	rng := rand.New(rand.NewPCG(21, 1))
	link, stranger := c.link(sfutest.Shape{}, sfutest.Shape{}), c.stranger()
	var sent atomic.Uint64
	var connected atomic.Bool
	before := c.dropped("unknown_source", "dtls_malformed", "protocol")
	link.Extra(func(data []byte) [][]byte { // rng is of the link's goroutine until Extra(nil)
		for _, d := range append(append(garbled(rng), endings(rng)...), clientHello(rng, sent.Load())) {
			if sent.Load() < 2000 && len(d) >= 12 {
				sent.Add(1)
				_, _ = stranger.Write(d)
			}
		}
		if !connected.Load() {
			return nil // until then DTLS cannot tell who is who: an alert in clear ends the handshake
		}
		return append(append(garbled(rng), endings(rng)...), clientHello(rng, 1<<40))
	})
	eve := c.one("eve", cast{audio: 1, video: 1, config: sfutest.ClientConfig{Link: link, DataChannel: true}})
	connected.Store(true)
	c.join(eve, "room")
	c.subscribe(eve, "room", "ann", c.ann)
	c.begin()
	goroutines := c.goroutines()
	for range 20 {
		c.advance(100 * time.Millisecond)
	}
	link.Extra(nil)
	c.verify()
	c.noMore(goroutines)
	if got := sessionOf(c.stage, eve).GetState(); got != sfuv1.SessionState_SESSION_STATE_CONNECTED {
		t.Errorf("eve is %v", got)
	}
	if !sfutest.Eventually(c.ctx, func() bool { return c.dropped("unknown_source", "dtls_malformed", "protocol") >= before+sent.Load() }) || sent.Load() == 0 {
		t.Errorf("%d datagrams of a stranger are counted, of %d", c.dropped("unknown_source", "dtls_malformed", "protocol")-before, sent.Load())
	}
}

// TestNoWeakCipher: a client that has the session's ICE password, and offers cipher suites without encryption or without
// authentication, gets no connection.
func TestNoWeakCipher(t *testing.T) {
	t.Parallel()
	c := newCall(t, nil)
	w := watch(t, c.API, &sfuv1.WatchEventsRequest{})
	eve := &person{Client: c.ClientWith(t, sfutest.ClientConfig{User: "eve"})}
	c.must(eve.AddSlots(1, 1))
	offer, err := eve.Offer(nil)
	c.must(err)
	reply, err := c.Session.Negotiate(c.ctx, &sfuv1.NegotiateRequest{SessionId: eve.ID, OfferSdp: offer, OfferId: 1})
	c.must(err)
	answer := reply.GetAnswerSdp()
	rng := rand.New(rand.NewPCG(21, 2))
	conn := c.stranger()
	_, err = conn.Write(check(t, ufragOf(answer)+":"+ufragOf(offer), passwordLine.FindStringSubmatch(answer)[1], 1))
	c.must(err)
	buf := make([]byte, 2048)
	c.must(conn.SetReadDeadline(time.Now().Add(patience)))
	if n, err := conn.Read(buf); err != nil || buf[0] != 1 || buf[1] != 1 {
		t.Fatalf("the check was answered with %x, %v", buf[:n], err)
	}
	body := hello(rng, 0x0000, 0x0001, 0x0002, 0x003b, 0x0018, 0xc006) // NULL, and DH without authentication
	_, err = conn.Write(record(recordHandshake, 0, 0, fragment(1, 0, len(body), 0, body)))
	c.must(err)
	n, err := conn.Read(buf)
	c.must(err)
	if buf[0] != recordAlert || n < 15 || buf[13] != 2 {
		t.Errorf("the hello was answered with %x, and not with a fatal alert", buf[:n])
	}
	closed := await(t, w, "the end of eve's session", stateEvent(eve.ID, sfuv1.SessionState_SESSION_STATE_CLOSED))
	if got := closed.GetSessionState().GetReason(); got != sfuv1.EndReason_END_REASON_MEDIA_FAILED {
		t.Errorf("it ended by %v", got)
	}
	for _, e := range w.Events() {
		if stateEvent(eve.ID, sfuv1.SessionState_SESSION_STATE_CONNECTED)(e) {
			t.Error("it was connected")
		}
	}
	c.advance(100 * time.Millisecond)
	c.verify()
}
