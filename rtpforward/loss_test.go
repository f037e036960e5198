// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// lossyLine delays what is sent by 50 ms and loses 5 % of it.
type lossyLine struct {
	rng     *rand.Rand
	under   []lineEntry // way
	deliver func([]byte)
}

type lineEntry struct {
	at  time.Time
	buf []byte
}

func (l *lossyLine) send(buf []byte) {
	if l.rng.IntN(100) >= 5 {
		l.under = append(l.under, lineEntry{time.Now().Add(50 * ms), bytes.Clone(buf)})
	}
}

// arrive delivers what is due.
func (l *lossyLine) arrive() {
	for len(l.under) > 0 && !l.under[0].at.After(time.Now()) {
		l.deliver(l.under[0].buf)
		l.under = l.under[1:]
	}
}

// lossyPath is a publisher, the node and a subscriber, with a bad network
// between each two. The subscriber is an UpTrack of another Forwarder: it asks
// for what is missing in the way that a client does.
type lossyPath struct {
	t          *testing.T
	sent       [][]byte // by the publisher, by sequence number
	up, upBack lossyLine
	out, back  lossyLine
	node       *uplinkRig
	slot       *DownTrack
	writer     recorder
	client     *uplinkRig
	offset     uint16 // of the slot's numbering, once it is known
	heard      bool

	mu      sync.Mutex // guards reports
	reports [][]byte   // sender reports that the shard has written
}

const lossyFirst = 65000 // sequence number

func newLossyPath(t *testing.T) *lossyPath {
	p := &lossyPath{t: t}
	rng := rand.New(rand.NewPCG(5, 6))
	for _, l := range []*lossyLine{&p.up, &p.upBack, &p.out, &p.back} {
		l.rng = rng
	}
	p.node = newUplinkRig(t, Config{Shards: 1}, func(c *UpTrackConfig) { c.TransportCC = false })
	go p.node.f.shards[0].run()
	client := rigLayer()
	client.SSRC, client.TransportCC, client.PLI, client.FIR = slotSSRC, false, false, false
	client.Payloads = map[uint8]Format{slotVP8: formatVP8}
	p.client = &uplinkRig{t: t, f: newForwarder(Config{Shards: 1})}
	p.client.u = p.client.f.NewUplink(UplinkConfig{SSRC: 9, WriteRTCP: func(b []byte) error { return p.client.write(b) }})
	p.client.track = p.client.u.NewTrack(TrackConfig{Video: true})
	p.client.layer = p.client.track.NewUpTrack(client)

	d := p.node.f.NewDownlink(DownlinkConfig{CNAME: "c", NewWriter: outWith(&p.writer, func(b []byte) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.reports = append(p.reports, bytes.Clone(b))
		return nil
	})})
	p.slot = d.NewDownTrack(videoSlot())
	d.SetReady(true)
	<-p.slot.Bind(p.node.track, false)

	p.up.deliver = func(b []byte) { ingestBytes(p.node.layer, b) }
	p.upBack.deliver = p.answer
	p.out.deliver = p.play
	p.back.deliver = d.HandleRTCP
	return p
}

func ingestBytes(u *UpTrack, b []byte) {
	u.Ingest(b)
}

// publish sends the next packet: three a frame, and a keyframe at the start.
func (p *lossyPath) publish() {
	n := len(p.sent)
	payload := slices.Clone(rigDelta)
	if n == 0 {
		payload = slices.Clone(rigKey)
	} else if n%3 != 0 {
		payload[0] = 0 // not the start of a frame
	}
	payload = binary.BigEndian.AppendUint64(append(payload, make([]byte, 500)...), uint64(n))
	packet := &rtp.Packet{Header: rtp.Header{
		Version: 2, Marker: n%3 == 2, PayloadType: 96, SequenceNumber: uint16(lossyFirst + n), Timestamp: uint32(n / 3 * 3000), SSRC: rigVideo,
	}, Payload: payload}
	raw := mustMarshal(p.t, packet)
	p.sent = append(p.sent, raw)
	p.up.send(raw)
}

// answer is the publisher's: it sends again what is asked for.
func (p *lossyPath) answer(b []byte) {
	var ev RTCPEvents
	if err := ScanRTCP(b, &ev); err != nil {
		p.t.Error(err)
	}
	for _, nack := range ev.NACKs {
		if n := int(nack.Sequence - uint16(lossyFirst&0xffff)); n < len(p.sent) {
			p.up.send(p.sent[n])
		}
	}
}

// play is the subscriber's: it undoes RTX (RFC 4588) and takes the packet.
func (p *lossyPath) play(b []byte) {
	if b[1] >= 200 && b[1] <= 206 {
		p.client.u.HandleRTCP(b)
		return
	}
	var packet rtp.Packet
	if err := packet.Unmarshal(b); err != nil {
		p.t.Error(err)
		return
	}
	if packet.SSRC == slotRTXSSRC {
		packet.SSRC, packet.PayloadType = slotSSRC, slotVP8
		packet.SequenceNumber = binary.BigEndian.Uint16(packet.Payload)
		packet.Payload = packet.Payload[2:]
	}
	n := binary.BigEndian.Uint64(packet.Payload[len(packet.Payload)-8:])
	if n >= uint64(len(p.sent)) || !bytes.Equal(packet.Payload, p.sent[n][12:]) {
		p.t.Errorf("packet %d is not what was published", n)
	}
	offset := packet.SequenceNumber - uint16(n)
	if !p.heard {
		p.offset, p.heard = offset, true
	}
	if offset != p.offset {
		p.t.Errorf("packet %d has number %d", n, packet.SequenceNumber)
	}
	ingestInto(p.t, p.client.layer, &packet)
}

// millisecond moves everything that is due now.
func (p *lossyPath) millisecond() {
	for _, l := range []*lossyLine{&p.up, &p.upBack, &p.out, &p.back} {
		l.arrive()
	}
	synctest.Wait()
	for _, w := range p.writer.take() {
		p.out.send(mustMarshal(p.t, &rtp.Packet{Header: w.header, Payload: w.payload}))
	}
	p.mu.Lock()
	reports := p.reports
	p.reports = nil
	p.mu.Unlock()
	for _, r := range reports {
		p.out.send(r)
	}
	for _, r := range p.node.reports() {
		p.upBack.send(p.marshal(r))
	}
	for _, r := range p.client.reports() {
		p.back.send(p.marshal(r))
	}
	time.Sleep(ms)
}

func (p *lossyPath) marshal(r rigReport) []byte {
	b, err := rtcp.Marshal(r.packets)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

// Through 5 % loss and 50 ms on each of four lines, requests and
// retransmissions included, the subscriber gets in the end what the publisher
// sent, byte for byte and, but for the first moments, nothing twice.
func TestLossBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 15_000 // 60 s at 250 packets/s
		p := newLossyPath(t)
		for i := range 4*n + 3000 {
			if i%4 == 0 && len(p.sent) < n {
				p.publish()
			}
			p.millisecond()
		}
		in, out, got := p.node.track.Stats(), p.slot.Stats(), p.client.track.Stats()
		t.Logf("node: accepted %d, recovered %d, asked %d, duplicates %d", in.Accepted, in.Recovered, in.NACKsSent, in.Drops[DropDuplicate])
		t.Logf("slot: forwarded %d, retransmitted %d, refused %d", out.Forwarded, out.Retransmitted, out.RetransmitRefused)
		t.Logf("client: accepted %d, recovered %d, asked %d, duplicates %d, lost %d", got.Accepted, got.Recovered, got.NACKsSent, got.Drops[DropDuplicate], got.Lost)
		checkIdentity(t, in)
		checkIdentity(t, got)
		checkDownIdentity(t, out)
		if missing := n - int(in.Accepted); missing > n/1000 {
			t.Errorf("the node misses %d of %d packets", missing, n)
		}
		if missing := n - int(got.Accepted); missing > n/1000 {
			t.Errorf("the subscriber misses %d of %d packets", missing, n)
		}
		// Some may come twice until the first report has told the round trip.
		if twice := got.Drops[DropDuplicate]; twice > n/1000 {
			t.Errorf("the subscriber got %d packets twice", twice)
		}
		p.client.close()
		p.node.close()
		p.node.f.Close()
	})
}
