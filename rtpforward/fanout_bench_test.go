// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"testing"
)

// arena is room for packets one behind the other, used again from its beginning
// when it is full: what a socket's batch is to its Writers.
type arena struct {
	bytes []byte
	at    int
}

func newArena() *arena { return &arena{bytes: make([]byte, 512<<10)} }

func (a *arena) room(n int) []byte {
	if a.at+n > len(a.bytes) {
		a.at = 0
	}
	return a.bytes[a.at : a.at+n]
}

// arenaWriter leaves packets in an arena, encrypted as SRTP does it with
// AEAD_AES_128_GCM when it has a cipher.
type arenaWriter struct {
	arena *arena
	gcm   cipher.AEAD
	nonce [12]byte
	n     int
	sent  *int
}

const gcmTag = 16

func newArenaWriter(a *arena, encrypt bool, sent *int) *arenaWriter {
	w := &arenaWriter{arena: a, sent: sent}
	if encrypt {
		block, err := aes.NewCipher(make([]byte, 16))
		if err != nil {
			panic(err)
		}
		if w.gcm, err = cipher.NewGCM(block); err != nil {
			panic(err)
		}
	}
	return w
}

func (w *arenaWriter) Reserve(n int) []byte {
	w.n = n
	return w.arena.room(n + gcmTag)[:n]
}

func (w *arenaWriter) Commit() error {
	b := w.arena.room(w.n + gcmTag)
	if w.gcm != nil {
		head := rtpFixedHeader
		if b[0]&0x10 != 0 {
			head += 4 + 4*int(binary.BigEndian.Uint16(b[14:]))
		}
		copy(w.nonce[:], b[2:10])
		w.gcm.Seal(b[head:head], w.nonce[:], b[head:w.n], b[:head])
	}
	w.arena.at += w.n + gcmTag
	*w.sent++
	return nil
}

func (w *arenaWriter) WriteRTCP([]byte) error { return nil }

// fanLoad is tracks whose packets go to some sessions each, as in a webinar or a
// meeting, into arenas.
type fanLoad struct {
	*egressRig
	sent int
	ups  []*UpTrack
	ring [][]*Packet // by track: used again and again
	next uint64
	now  int64
}

// fanPackets is a whole number of frames, and more than are ever on their way.
const fanPackets = 1024

// newFanLoad has sessions that get every track. Of video four packets make a
// frame, of audio one.
func newFanLoad(t testing.TB, tracks, sessions int, video, encrypt bool) *fanLoad {
	r := &fanLoad{egressRig: newEgressRig(t, Config{})}
	a := newArena()
	size, slot := 80, audioSlot
	if video {
		size, slot = 1080, videoSlot
	}
	for range tracks {
		up := r.source(video)
		r.ups = append(r.ups, up)
		ring := make([]*Packet, fanPackets)
		for n := range ring {
			payload, kind := make([]byte, size), uint8(98)
			if video {
				kind = 96
				copy(payload, rigKey)
			}
			ring[n] = packet(up, 0, 0, 0, kind, payload)
			ring[n].Descriptor.FrameEnd = !video || n%4 == 3
		}
		r.ring = append(r.ring, ring)
	}
	for range sessions {
		d := r.f.NewDownlink(DownlinkConfig{
			CNAME: "c", Extensions: subscriberExtensions(), TransportCC: true, NewWriter: out(newArenaWriter(a, encrypt, &r.sent)),
		})
		d.SetReady(true)
		for i := range tracks {
			cfg := slot()
			cfg.SSRC, cfg.RTXSSRC = uint32(slotSSRC+i), uint32(slotRTXSSRC+i)
			d.NewDownTrack(cfg).Bind(r.ups[i].track, false)
		}
		r.step(0)
		d.HandleRTCP(appendReceiverReport(nil, 1, fanReports(tracks))) // packets go without the mid
		r.step(0)
	}
	return r
}

func fanReports(tracks int) (blocks []ReportBlock) {
	for i := range min(tracks, reportsMost) {
		blocks = append(blocks, ReportBlock{SSRC: uint32(slotSSRC + i)})
	}
	return blocks
}

// turn has one packet of each track come in, and the shard look at the queue
// once, as it does when it has been woken.
func (r *fanLoad) turn() {
	r.now += 5e6
	for i, ring := range r.ring {
		p := ring[r.next%fanPackets]
		p.Sequence = base + r.next
		p.Timestamp = r.next / 4 * 3000
		p.Arrival = r.now
		r.ups[i].hist.put(p)
		r.s.push(p)
	}
	r.next++
	r.settle()
}

// settle is what run does from waking up to parking.
func (r *fanLoad) settle() {
	for !r.s.step(r.now) {
	}
	if r.now%int64(shardTick) == 0 {
		r.s.publish()
	}
}

func BenchmarkFanOutLoad(b *testing.B) {
	for _, kind := range []struct {
		name  string
		video bool
	}{{"video", true}, {"audio", false}} {
		for _, size := range []struct{ tracks, sessions int }{{1, 1}, {1, 10}, {1, 100}, {1, 1000}, {10, 10}, {30, 30}} {
			for _, encrypt := range []bool{false, true} {
				name := fmt.Sprintf("%s/%dto%d/encrypt=%v", kind.name, size.tracks, size.sessions, encrypt)
				b.Run(name, func(b *testing.B) {
					r := newFanLoad(b, size.tracks, size.sessions, kind.video, encrypt)
					for range 8 {
						r.turn()
					}
					r.sent = 0
					b.ReportAllocs()
					for b.Loop() {
						r.turn()
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(r.sent), "ns/forwarded")
				})
			}
		}
	}
}
