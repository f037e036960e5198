// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// BenchmarkShards is the trial behind docs/adr/0014: the same packets at the same
// times, fanned out by one shard, by one a processor, and by the goroutines that
// read the sockets. Each run takes two seconds, whatever b.N is:
//
//	go test -run '^$' -bench Shards -benchtime 1x ./rtpforward
const trialTime = 2 * time.Second

// trialBatch is a shard's way out: datagrams in an arena, runs of equal-sized
// ones to one destination in a message each, all messages in a system call.
type trialBatch struct {
	conn     *ipv4.PacketConn
	arena    []byte
	used     int
	messages []ipv4.Message
	control  []byte
	runs     []trialRun
	stamps   []trialStamp // of packets that wait to be flushed
	latency  [2][]int64   // by kind, ns from when it was due to come in until the flush is over
	now      func() int64
	packets  int
	flushes  int
}

type trialRun struct {
	to        *trialWriter
	at, size  int // bytes
	each, sum int // size of a segment; segments
	closed    bool
}

type trialStamp struct {
	at   int64
	kind byte
}

const trialSegments = 64 // most in one message

func newTrialBatch(t testing.TB, now func() int64) *trialBatch {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetWriteBuffer(4 << 20)
	return &trialBatch{conn: ipv4.NewPacketConn(c), arena: make([]byte, 512<<10), now: now}
}

func (b *trialBatch) flush() {
	b.messages, b.control = b.messages[:0], b.control[:0]
	for i := range b.runs {
		r := &b.runs[i]
		m := ipv4.Message{Buffers: r.to.buffers[:], Addr: r.to.addr}
		if i > 0 && b.runs[i-1].to == r.to { // its buffers are in use
			m.Buffers = make([][]byte, 1)
		}
		m.Buffers[0] = b.arena[r.at : r.at+r.size]
		if r.sum > 1 {
			start := len(b.control)
			b.control = binary.NativeEndian.AppendUint64(b.control, uint64(unix.CmsgLen(2)))
			b.control = binary.NativeEndian.AppendUint32(b.control, unix.SOL_UDP)
			b.control = binary.NativeEndian.AppendUint32(b.control, unix.UDP_SEGMENT)
			b.control = binary.NativeEndian.AppendUint64(b.control, uint64(r.each))
			m.OOB = b.control[start:len(b.control):len(b.control)]
		}
		b.messages = append(b.messages, m)
	}
	for left := b.messages; len(left) > 0; {
		n, err := b.conn.WriteBatch(left, unix.MSG_DONTWAIT)
		if err != nil {
			break
		}
		left = left[n:]
	}
	at := b.now()
	for _, s := range b.stamps {
		b.latency[s.kind] = append(b.latency[s.kind], at-s.at)
	}
	b.packets += len(b.stamps)
	b.flushes++
	b.used, b.runs, b.stamps = 0, b.runs[:0], b.stamps[:0]
}

// trialWriter is a session's.
type trialWriter struct {
	batch   *trialBatch
	addr    *net.UDPAddr
	gcm     cipher.AEAD
	nonce   [12]byte
	n       int
	buffers [1][]byte
}

func (w *trialWriter) Reserve(n int) []byte {
	if w.batch.used+n+gcmTag > len(w.batch.arena) {
		w.batch.flush()
	}
	w.n = n
	return w.batch.arena[w.batch.used : w.batch.used+n]
}

func (w *trialWriter) Commit() error {
	b := w.batch
	p := b.arena[b.used : b.used+w.n]
	b.stamps = append(b.stamps, trialStamp{int64(binary.BigEndian.Uint64(p[w.n-8:])), p[w.n-9]})
	head := rtpFixedHeader
	if p[0]&0x10 != 0 {
		head += 4 + 4*int(binary.BigEndian.Uint16(p[14:]))
	}
	copy(w.nonce[:], p[2:12])
	w.gcm.Seal(p[head:head], w.nonce[:], p[head:], p[:head])
	size := w.n + gcmTag
	if last := len(b.runs) - 1; last >= 0 {
		if r := &b.runs[last]; r.to == w && !r.closed && size <= r.each && r.sum < trialSegments && r.size+size < 65000 {
			r.size, r.sum, r.closed = r.size+size, r.sum+1, size < r.each
			b.used += size
			return nil
		}
	}
	b.runs = append(b.runs, trialRun{to: w, at: b.used, size: size, each: size, sum: 1})
	b.used += size
	return nil
}

func (w *trialWriter) WriteRTCP([]byte) error { return nil }

// trialRoom is some publishers, each of whom all others in the room get.
type trialRoom struct {
	publishers, listeners int // listeners publish nothing
	video                 bool
	kind                  byte // 1: what the figures are about beside something else
}

// trial is one run.
type trial struct {
	f       *Forwarder
	inline  bool
	batches []*trialBatch
	locks   []sync.Mutex // inline: of the shards
	sinks   []*net.UDPConn
	ups     []*UpTrack
	rooms   []trialRoom // by up track
}

func newTrial(t testing.TB, shards int, inline bool, hold time.Duration, rooms []trialRoom) *trial {
	r := &trial{inline: inline, locks: make([]sync.Mutex, shards)}
	flush := func(i int) { r.batches[i].flush() }
	if r.f = newForwarder(Config{Shards: shards, Flush: flush, Hold: hold}); !inline {
		for _, s := range r.f.shards {
			go s.run()
		}
	}
	for range shards {
		r.batches = append(r.batches, newTrialBatch(t, r.f.now))
	}
	for range 32 { // nobody reads them: what does not fit the kernel drops
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetReadBuffer(4096)
		r.sinks = append(r.sinks, c)
	}
	for _, room := range rooms {
		r.open(room)
	}
	return r
}

func (r *trial) open(room trialRoom) {
	var ups []*UpTrack
	for i := range room.publishers {
		cfg := upConfig()
		cfg.SSRC = uint32(i)
		up := r.f.NewUplink(UplinkConfig{}).NewTrack(TrackConfig{Video: room.video}).NewUpTrack(cfg)
		ups, r.ups, r.rooms = append(ups, up), append(r.ups, up), append(r.rooms, room)
	}
	for i := range room.publishers + room.listeners {
		w := &trialWriter{addr: r.sinks[rand.IntN(len(r.sinks))].LocalAddr().(*net.UDPAddr)}
		block, err := aes.NewCipher(make([]byte, 16))
		if err != nil {
			panic(err)
		}
		w.gcm, _ = cipher.NewGCM(block)
		d := r.f.NewDownlink(DownlinkConfig{CNAME: "c", Extensions: subscriberExtensions(), NewWriter: func(shard int) Writer {
			w.batch = r.batches[shard]
			return w
		}})
		d.SetReady(true)
		for n, up := range ups {
			if n == i {
				continue
			}
			slot := audioSlot()
			if room.video {
				slot = videoSlot()
			}
			slot.SSRC, slot.RTXSSRC = uint32(slotSSRC+n), uint32(slotRTXSSRC+n)
			d.NewDownTrack(slot).Bind(up.track, false)
			r.step()
		}
	}
	r.step()
}

// step is what shards do, inline.
func (r *trial) step() {
	if !r.inline {
		return
	}
	for i, s := range r.f.shards {
		r.locks[i].Lock()
		for !s.step(r.f.now()) {
		}
		r.locks[i].Unlock()
	}
}

// trialEvent is a datagram, or a frame of several, that comes in.
type trialEvent struct {
	at      time.Duration
	up      int
	packets int
	size    int
}

// schedule is when what comes in, of one reader's publishers: 30 frames/s of eight
// packets, or 50 audio packets/s, at times of their own.
func (r *trial) schedule(reader, readers int) (events []trialEvent) {
	random := rand.New(rand.NewPCG(3, uint64(reader)))
	for i, room := range r.rooms {
		if i%readers != reader {
			continue
		}
		every, packets := 20*time.Millisecond, 1
		if room.video {
			every, packets = time.Second/30, 8
		}
		for at := time.Duration(random.Int64N(int64(every))); at < trialTime; at += every {
			size := 60 + random.IntN(60)
			if room.video {
				size = 1050
			}
			jitter := time.Duration(random.Int64N(int64(time.Millisecond)))
			events = append(events, trialEvent{at + jitter, i, packets, size})
		}
	}
	slices.SortFunc(events, func(a, b trialEvent) int { return cmp.Compare(a.at, b.at) })
	return events
}

// read plays a schedule, as a goroutine that reads a socket would.
func (r *trial) read(events []trialEvent, start time.Time) {
	timer := time.NewTimer(0)
	<-timer.C
	sequence := make([]uint16, len(r.ups))
	raw := make([]byte, 1500)
	began := int64(start.Sub(r.f.start)) // what waits in the socket while its reader is busy has come all the same
	for i, e := range events {
		if wait := time.Until(start.Add(e.at)); wait > 0 {
			timer.Reset(wait)
			<-timer.C
		}
		room := r.rooms[e.up]
		for n := range e.packets {
			raw = raw[:rtpFixedHeader+e.size]
			raw[0], raw[1] = 0x80, 98
			if room.video {
				raw[1] = 96
			}
			if n == e.packets-1 {
				raw[1] |= 0x80
			}
			copy(raw[rtpFixedHeader:], rigKey)
			binary.BigEndian.PutUint16(raw[2:], sequence[e.up])
			sequence[e.up]++
			binary.BigEndian.PutUint32(raw[4:], uint32(e.at/time.Microsecond))
			raw[len(raw)-9] = room.kind
			binary.BigEndian.PutUint64(raw[len(raw)-8:], uint64(began+int64(e.at)))
			r.ups[e.up].Ingest(raw)
		}
		// What the next call of recvmmsg would have brought at once, it brings.
		if r.inline && (i+1 == len(events) || time.Until(start.Add(events[i+1].at)) > 0) {
			r.step()
		}
	}
}

func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (r *trial) play() (cpu time.Duration) {
	readers := runtime.GOMAXPROCS(0)
	var schedules [][]trialEvent
	for i := range readers {
		schedules = append(schedules, r.schedule(i, readers))
	}
	runtime.GC()
	before, start := cpuTime(), time.Now()
	var wg sync.WaitGroup
	for _, events := range schedules {
		wg.Go(func() { r.read(events, start) })
	}
	wg.Wait()
	return cpuTime() - before
}

func (r *trial) close() {
	for _, up := range r.ups {
		up.uplink.Close()
	}
	if !r.inline {
		r.f.Close()
	}
}

func (r *trial) report(b *testing.B, cpu time.Duration) {
	packets, flushes := 0, 0
	var latency [2][]int64
	for _, batch := range r.batches {
		packets += batch.packets
		flushes += batch.flushes
		for i := range latency {
			latency[i] = append(latency[i], batch.latency[i]...)
		}
	}
	watched := latency[1]
	slices.Sort(watched)
	at := func(part float64) float64 { return float64(watched[int(part*float64(len(watched)-1))]) / 1e3 }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(packets)/cpu.Seconds(), "packets/cpu-s")
	b.ReportMetric(float64(packets)/float64(flushes), "packets/flush")
	b.ReportMetric(at(0.5), "p50-µs")
	b.ReportMetric(at(0.99), "p99-µs")
}

func BenchmarkShards(b *testing.B) {
	rooms := func(n int, room trialRoom) (all []trialRoom) { return slices.Repeat([]trialRoom{room}, n) }
	for _, load := range []struct {
		name  string
		rooms []trialRoom
	}{
		{"webinar 100", rooms(1, trialRoom{publishers: 1, listeners: 100, video: true, kind: 1})},
		{"meeting 10x10", rooms(1, trialRoom{publishers: 10, video: true, kind: 1})},
		{"audio 30x30", rooms(1, trialRoom{publishers: 30, kind: 1})},
		{"calls beside webinar 150", append(rooms(30, trialRoom{publishers: 2, kind: 1}), trialRoom{publishers: 1, listeners: 150, video: true})},
	} {
		for _, way := range []struct {
			name   string
			shards int
			inline bool
		}{
			{"1 shard", 1, false},
			{"a shard a processor", runtime.GOMAXPROCS(0), false},
			{"in the reader, one lock", 1, true},
			{"in the reader, a lock a processor", runtime.GOMAXPROCS(0), true},
		} {
			b.Run(fmt.Sprint(load.name, "/", way.name), func(b *testing.B) {
				r := newTrial(b, way.shards, way.inline, 0, load.rooms)
				defer r.close()
				r.report(b, r.play())
			})
		}
	}
}
