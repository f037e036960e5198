// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
)

const (
	slotSSRC    = 0x5000
	slotRTXSSRC = 0x6000
	slotVP8     = 100 // payload types of the subscriber
	slotVP8RTX  = 101
	slotH264    = 102
	slotOpus    = 120
)

// Extension ids of the subscriber, none of them the publisher's.
const (
	idMid           = 4
	idAbsSendTime   = 5
	idTransportCC   = 6
	idAudioLevel    = 7
	idDependency    = 8
	idOrientation   = 9
	idCaptureTime   = 10
	idPlayoutDelay  = 11
	upIDDependency  = 12
	upIDOrientation = 13
)

func subscriberExtensions() ExtensionMap {
	var m ExtensionMap
	m.Set(ExtMid, idMid)
	m.Set(ExtAbsSendTime, idAbsSendTime)
	m.Set(ExtTransportCC, idTransportCC)
	m.Set(ExtAudioLevel, idAudioLevel)
	m.Set(ExtDependencyDescriptor, idDependency)
	m.Set(ExtVideoOrientation, idOrientation)
	m.Set(ExtAbsCaptureTime, idCaptureTime)
	m.Set(ExtPlayoutDelay, idPlayoutDelay)
	return m
}

// written is one packet that left.
type written struct {
	header  rtp.Header
	payload []byte
	at      time.Time
}

// source is the sequence number that a test packet carries in its payload.
func (w written) source() (layer byte, sequence uint64) {
	n := len(w.payload)
	return w.payload[n-9], binary.BigEndian.Uint64(w.payload[n-8:])
}

// packetSink is what a test has a session's packets handed to, taken apart.
type packetSink interface {
	WriteRTP(h *rtp.Header, payload []byte) (int, error)
}

// outlet is a Writer that hands packets to a packetSink.
type outlet struct {
	sink   packetSink
	rtcp   func(buf []byte) error // nil: it is thrown away
	room   []byte
	header rtp.Header
}

func (o *outlet) Reserve(n int) []byte {
	o.room = slices.Grow(o.room[:0], n)[:n]
	for i := range o.room {
		o.room[i] = 0xee // whatever was there
	}
	return o.room
}

func (o *outlet) Commit() error {
	n, err := o.header.Unmarshal(o.room)
	if err != nil {
		return err
	}
	_, err = o.sink.WriteRTP(&o.header, o.room[n:])
	return err
}

func (o *outlet) WriteRTCP(buf []byte) error {
	if o.rtcp == nil {
		return nil
	}
	return o.rtcp(buf)
}

// out gives a session a way out into sink, which may be a Writer itself.
func out(sink any) func(shard int) Writer {
	if w, ok := sink.(Writer); ok {
		return func(int) Writer { return w }
	}
	return outWith(sink.(packetSink), nil)
}

// outWith gives RTCP another way.
func outWith(sink packetSink, rtcp func(buf []byte) error) func(shard int) Writer {
	return func(int) Writer { return &outlet{sink: sink, rtcp: rtcp} }
}

// bySSRC gives each slot's packets to another sink.
type bySSRC map[uint32]packetSink

func (s bySSRC) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	return s[h.SSRC].WriteRTP(h, payload)
}

// recorder is a packetSink that keeps what it is given.
type recorder struct {
	// guarded by mu
	mu   sync.Mutex
	sent []written
	err  error
}

var errRefused = errors.New("refused")

func (r *recorder) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return 0, r.err
	}
	r.sent = append(r.sent, written{h.Clone(), bytes.Clone(payload), time.Now()})
	return len(payload), nil
}

func (r *recorder) setErr(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// take returns what was written since the last time.
func (r *recorder) take() []written {
	r.mu.Lock()
	defer r.mu.Unlock()
	sent := r.sent
	r.sent = nil
	return sent
}

// discard is a Writer, and a packetSink, that only counts.
type discard struct {
	packets, bytes int
	room           [2048]byte
}

func (d *discard) Reserve(n int) []byte { d.bytes += n; return d.room[:n] }

func (d *discard) Commit() error { d.packets++; return nil }

func (d *discard) WriteRTCP([]byte) error { return nil }

// reportCounter counts compound packets.
type reportCounter struct {
	*discard
	n *int
}

func (c reportCounter) WriteRTCP([]byte) error { *c.n++; return nil }

func (d *discard) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	d.packets++
	d.bytes += len(payload)
	return len(payload), nil
}

// egressRig is a Forwarder with a single shard that the test steps by hand.
type egressRig struct {
	t testing.TB
	f *Forwarder
	s *shard
	u *Uplink
}

// newEgressRig makes one whose shard does not run.
func newEgressRig(t testing.TB, cfg Config) *egressRig {
	cfg.Shards = 1
	f := newForwarder(cfg)
	r := &egressRig{t: t, f: f, s: f.shards[0], u: f.NewUplink(UplinkConfig{})}
	t.Cleanup(r.u.Close)
	return r
}

// step lets the shard do all it has to do at now, the end of Hold included.
func (r *egressRig) step(now int64) {
	for !r.s.step(now) {
	}
	r.s.flush(now)
	r.s.publish()
}

// source makes a track with one layer.
func (r *egressRig) source(video bool) *UpTrack {
	return r.u.NewTrack(TrackConfig{Video: video}).NewUpTrack(upConfig())
}

func upConfig() UpTrackConfig {
	cfg := UpTrackConfig{SSRC: 77, Payloads: map[uint8]Format{96: formatVP8, 97: formatH264, 98: formatOpus, 99: formatRED, 95: formatOpaque}}
	cfg.Extensions.Set(ExtDependencyDescriptor, upIDDependency)
	cfg.Extensions.Set(ExtVideoOrientation, upIDOrientation)
	cfg.Extensions.Set(ExtAudioLevel, 1)
	return cfg
}

var (
	formatRED    = Format{ID: 21, Codec: CodecRED, ClockRate: 48000}
	formatOpaque = Format{ID: 22, Codec: CodecUnknown, ClockRate: 90000}
)

func videoSlot() DownTrackConfig {
	return DownTrackConfig{
		Mid: "m7", Video: true, SSRC: slotSSRC, RTXSSRC: slotRTXSSRC,
		Formats: []OutFormat{
			{Format: formatVP8, Payload: slotVP8, RTXPayload: slotVP8RTX, NACK: true},
			{Format: formatOpaque, Payload: slotH264, NACK: true},
		},
	}
}

func audioSlot() DownTrackConfig {
	return DownTrackConfig{
		Mid: "a7", SSRC: slotSSRC + 1,
		Formats: []OutFormat{{Format: formatOpus, Payload: slotOpus}},
	}
}

// slot makes a session with one slot, ready and bound to up's track. The
// commands are queued.
func (r *egressRig) slot(up *UpTrack, sink any, cfg DownTrackConfig) (*Downlink, *DownTrack) {
	d := r.f.NewDownlink(DownlinkConfig{CNAME: "c", Extensions: subscriberExtensions(), TransportCC: true, NewWriter: out(sink)})
	dt := d.NewDownTrack(cfg)
	d.SetReady(true)
	if up != nil {
		dt.Bind(up.track, false)
	}
	r.step(0)
	return d, dt
}

// Payloads that say what they are by their codec's descriptor, see written.source
// for what follows.
var (
	rigKey   = []byte{0x10, 0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00}
	rigDelta = []byte{0x10, 0x01, 0x00}
)

// packet makes a packet of up with numbers of the test's choice.
func packet(up *UpTrack, sequence, timestamp uint64, arrival int64, payloadType uint8, payload []byte, ext ...rtpExt) *Packet {
	body := append(slices.Clone(payload), byte(up.cfg.SSRC))
	body = binary.BigEndian.AppendUint64(body, sequence)
	raw := rtp.Packet{
		Header: rtp.Header{
			Version: 2, Marker: true, PayloadType: payloadType, SequenceNumber: uint16(sequence), Timestamp: uint32(timestamp), SSRC: up.cfg.SSRC,
		},
		Payload: body,
	}
	for _, e := range ext {
		if err := raw.SetExtensionWithProfile(e.id, e.bytes, rtp.ExtensionProfileTwoByte); err != nil {
			panic(err)
		}
	}
	buf, err := raw.Marshal()
	if err != nil {
		panic(err)
	}
	p := &Packet{Buf: buf, Format: up.formats[payloadType], Up: up, Sequence: sequence, Timestamp: timestamp, Arrival: arrival}
	if err := ParseHeader(buf, &up.cfg.Extensions, &p.Header); err != nil {
		panic(err)
	}
	up.describe(p)
	return p
}

type rtpExt struct {
	id    uint8
	bytes []byte
}

func keyPacket(up *UpTrack, sequence, timestamp uint64, arrival int64) *Packet {
	return packet(up, sequence, timestamp, arrival, 96, rigKey)
}

func deltaPacket(up *UpTrack, sequence, timestamp uint64, arrival int64) *Packet {
	return packet(up, sequence, timestamp, arrival, 96, rigDelta)
}

func (r *egressRig) push(p *Packet) {
	r.t.Helper()
	p.Up.arrived.Store(max(p.Arrival, p.Up.arrived.Load(), 1))
	if p.Up.counts != nil {
		p.Up.accountVideo(p, p.Arrival)
	}
	if !r.s.push(p) {
		r.t.Fatal("the queue is full")
	}
}

func checkDownIdentity(t testing.TB, st DownTrackStats) {
	t.Helper()
	if st.Received != st.Forwarded+st.Drops.Total() {
		t.Errorf("received %d, forwarded %d, dropped %d: %v", st.Received, st.Forwarded, st.Drops.Total(), st.Drops)
	}
}
