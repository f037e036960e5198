// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

const (
	rigVideo = 0x11110001 // SSRCs
	rigAudio = 0x22220001
	rigSelf  = 0x99990001
)

var (
	formatVP8  = Format{ID: 1, Codec: CodecVP8, ClockRate: 90000}
	formatH264 = Format{ID: 2, Codec: CodecH264, ClockRate: 90000}
	formatOpus = Format{ID: 3, Codec: CodecOpus, ClockRate: 48000}
)

// rigTB is the part of testing.TB that rapid has too.
type rigTB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// rigReport is one compound packet that went up.
type rigReport struct {
	at      time.Duration // since the rig was made
	packets []rtcp.Packet
}

// uplinkRig is a publisher's side with one video layer, and what it sent up.
type uplinkRig struct {
	t     rigTB
	f     *Forwarder
	u     *Uplink
	track *Track
	layer *UpTrack

	// guarded by mu
	mu   sync.Mutex
	sent []rigReport
	live []bool

	onRTCP func(rigReport) // called as it is sent; nil for none
}

func rigLayer() UpTrackConfig {
	cfg := UpTrackConfig{
		SSRC: rigVideo, Payloads: map[uint8]Format{96: formatVP8, 102: formatH264, 111: formatOpus},
		NACK: true, TransportCC: true, PLI: true, FIR: true,
	}
	cfg.Extensions.Set(ExtTransportCC, 3)
	cfg.Extensions.Set(ExtAudioLevel, 1)
	return cfg
}

// newUplinkRig makes the rig on a Forwarder whose shards do not run. change,
// when given, changes the layer's configuration.
func newUplinkRig(t rigTB, cfg Config, change ...func(*UpTrackConfig)) *uplinkRig {
	r := &uplinkRig{t: t, f: newForwarder(cfg)}
	r.u = r.f.NewUplink(UplinkConfig{SSRC: rigSelf, WriteRTCP: r.write})
	r.track = r.u.NewTrack(TrackConfig{Mid: "0", Video: true, OnLive: r.onLive})
	layer := rigLayer()
	for _, c := range change {
		c(&layer)
	}
	r.layer = r.track.NewUpTrack(layer)
	return r
}

func (r *uplinkRig) onLive(live bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live = append(r.live, live)
}

func (r *uplinkRig) write(buf []byte) error {
	packets, err := rtcp.Unmarshal(buf)
	if err != nil {
		r.t.Errorf("we sent RTCP that pion does not read: %v: %x", err, buf)
		return err
	}
	if len(buf) > feedbackRoom {
		r.t.Errorf("compound packet of %d bytes", len(buf))
	}
	if _, ok := packets[0].(*rtcp.ReceiverReport); !ok {
		r.t.Errorf("compound packet starts with %T", packets[0])
	}
	report := rigReport{time.Duration(r.f.now()), packets}
	r.mu.Lock()
	r.sent = append(r.sent, report)
	r.mu.Unlock()
	if r.onRTCP != nil {
		r.onRTCP(report)
	}
	return nil
}

// reports returns what was sent up so far and forgets it.
func (r *uplinkRig) reports() []rigReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	sent := r.sent
	r.sent = nil
	return sent
}

// sentOf picks the packets of one type, with when they were sent.
func sentOf[P rtcp.Packet](reports []rigReport) (out []P, at []time.Duration) {
	for _, r := range reports {
		for _, p := range r.packets {
			if p, ok := p.(P); ok {
				out, at = append(out, p), append(at, r.at)
			}
		}
	}
	return out, at
}

func (r *uplinkRig) close() { r.u.Close() }

// ingestInto marshals p and ingests it; the bytes are used again at once.
func ingestInto(t rigTB, u *UpTrack, p *rtp.Packet) {
	t.Helper()
	buf, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	u.Ingest(buf)
	for i := range buf {
		buf[i] = 0xff
	}
}

// video makes a VP8 packet: of a keyframe when key is set, and the last of its
// frame.
func videoPacket(seq uint16, ts uint32, key bool) *rtp.Packet {
	payload := []byte{0x10, 0x01, 0x02, 0x03, 0x04, 0x05}
	if key {
		payload = []byte{0x10, 0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00, 0x00}
	}
	return &rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: true, PayloadType: 96, SequenceNumber: seq, Timestamp: ts, SSRC: rigVideo},
		Payload: payload,
	}
}

// stamped adds a transport-wide sequence number.
func stamped(p *rtp.Packet, transport uint16) *rtp.Packet {
	if err := p.SetExtension(3, []byte{byte(transport >> 8), byte(transport)}); err != nil {
		return nil
	}
	return p
}

func (r *uplinkRig) video(seq uint16, ts uint32) {
	r.t.Helper()
	ingestInto(r.t, r.layer, videoPacket(seq, ts, false))
}

func checkIdentity(t rigTB, s TrackStats) {
	t.Helper()
	if s.Received != s.Accepted+s.Drops.Total() {
		t.Errorf("received %d, accepted %d, dropped %d", s.Received, s.Accepted, s.Drops.Total())
	}
}
