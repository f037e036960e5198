// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/pion/rtp"
)

// fuzzOut is a Writer of a transport with datagrams of 1500 bytes, which looks at what it is given.
type fuzzOut struct {
	t    testing.TB
	room [1500]byte
	n    int
	sent uint64
}

func (w *fuzzOut) Reserve(n int) []byte {
	if n > len(w.room) {
		return nil
	}
	w.n = n
	return w.room[:n:n]
}

func (w *fuzzOut) Commit() error {
	var p rtp.Packet
	if err := p.Unmarshal(w.room[:w.n]); err != nil {
		w.t.Errorf("%x is sent: %v", w.room[:w.n], err)
	}
	if p.SSRC != 7 && p.SSRC != 8 || p.Padding || len(p.CSRC) > 0 {
		w.t.Errorf("%v is sent", p.Header)
	}
	if w.n%97 == 0 {
		return errors.New("not today")
	}
	w.sent++
	return nil
}

func (w *fuzzOut) WriteRTCP([]byte) error { return nil }

// FuzzEgress has a hostile publisher's packets go the whole way to a subscriber who asks for some again. All of it is on the
// shard's goroutine, where a panic is the node's end.
func FuzzEgress(f *testing.F) {
	f.Add([]byte{0, 30, 0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xbe, 0xde, 0, 2, 0x12, 1, 2, 3, 0x30, 5, 0, 0, 0x10, 0, 0, 0, 0x9d, 1, 0x2a, 1, 2, 0, 1})
	f.Add([]byte{0, 40, 0x90, 100, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0x10, 0, 0, 3, 1, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0xef, 0, 0, 2, 0x6f, 1, 2, 3, 1, 1, 2, 0, 0, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		fwd := New(Config{Shards: 1, VideoHistory: 64, AudioHistory: 64})
		defer fwd.Close()
		up := fwd.NewUplink(UplinkConfig{SSRC: 1})
		defer up.Close()
		layer := UpTrackConfig{SSRC: 5, NACK: true, Payloads: map[uint8]Format{}}
		var out ExtensionMap
		for i, k := range Extensions() {
			layer.Extensions.Set(k, uint8(i+1))
			out.Set(k, uint8(20-i))
		}
		var formats []OutFormat
		for i, codec := range []Codec{CodecVP8, CodecVP9, CodecH264, CodecAV1, CodecRED, CodecOpus} {
			format := Format{ID: uint16(i + 1), Codec: codec, ClockRate: 90000}
			layer.Payloads[uint8(96+i)] = format
			if codec != CodecRED {
				formats = append(formats, OutFormat{Format: format, Payload: uint8(110 + i), RTXPayload: uint8(i % 2 * 120), NACK: i < 4})
			}
		}
		var slots []*DownTrack
		for _, video := range []bool{true, false} {
			track := up.NewTrack(TrackConfig{Mid: "0", Video: video})
			u := track.NewUpTrack(layer)
			w := &fuzzOut{t: t}
			d := fwd.NewDownlink(DownlinkConfig{CNAME: "c", Extensions: out, TransportCC: true, NewWriter: func(int) Writer { return w }})
			d.SetReady(true)
			dt := d.NewDownTrack(DownTrackConfig{Mid: "0", Video: video, SSRC: 7, RTXSSRC: 8, Formats: formats})
			slots = append(slots, dt)
			<-dt.Bind(track, false)
			for rest := data; len(rest) >= 2; {
				op, n := rest[0], min(int(rest[1]), len(rest)-2)
				b := append([]byte(nil), rest[2:2+n]...)
				rest = rest[2+n:]
				switch {
				case op%4 == 3 && n >= 2: // asked for again
					nack := []byte{0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 7, b[0], b[1], 0xff, 0xff}
					d.HandleRTCP(nack)
				case n >= 12:
					b[0] = b[0]&0x3f | 0x80
					binary.BigEndian.PutUint32(b[8:], 5)
					if op%4 == 1 {
						b = append(b, make([]byte, int(op)*8)...)
					}
					u.Ingest(b)
				default:
					<-dt.SetPaused(op%2 == 0)
				}
			}
			<-dt.Unbind()
		}
		for _, dt := range slots {
			if s := dt.Stats(); s.Received != s.Forwarded+s.Drops.Total() {
				t.Errorf("received %d, forwarded %d, dropped %d", s.Received, s.Forwarded, s.Drops.Total())
			}
		}
	})
}
