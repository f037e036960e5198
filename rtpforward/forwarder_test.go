// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp"
)

func TestConfigDefaults(t *testing.T) {
	want := Config{
		Shards: min(runtime.GOMAXPROCS(0), 64), QueueLength: 8192, Hold: time.Millisecond, VideoHistory: 1024, AudioHistory: 128,
		HistoryAge: 2 * time.Second, KeyframeEvery: 500 * time.Millisecond, ReportEvery: time.Second,
		TransportCCEvery: 50 * time.Millisecond, RetransmitShare: 0.25, RetransmitMax: 3,
		UnwantedAfter: 2 * time.Second, CacheBytes: 512 << 10, CacheAge: time.Second,
	}
	if diff := cmp.Diff(want, Config{}.withDefaults()); diff != "" {
		t.Errorf("(-want +got) %s", diff)
	}
	if got := (Config{Shards: 1000, Hold: -5}).withDefaults(); got.Shards != 64 || got.Hold != 0 {
		t.Errorf("%d shards, hold %v", got.Shards, got.Hold)
	}
}

func TestNTP(t *testing.T) {
	f := newForwarder(Config{Shards: 1})
	f.start = time.Unix(1_000_000_000, 500_000_000)
	if got, want := f.ntp(0), uint64(3_208_988_800)<<32|1<<31; got != want {
		t.Errorf("%x, want %x", got, want)
	}
	if got, want := f.ntp(750e6), uint64(3_208_988_801)<<32|1<<30; got != want {
		t.Errorf("%x, want %x", got, want)
	}
}

func TestSessionsAreSpread(t *testing.T) {
	f := New(Config{Shards: 4})
	defer f.Close()
	var downs []*Downlink
	for range 40 {
		downs = append(downs, f.NewDownlink(DownlinkConfig{}))
	}
	for i, s := range f.Stats().Shards {
		if s.Downlinks != 10 {
			t.Errorf("shard %d has %d sessions, want 10", i, s.Downlinks)
		}
	}
	left := downs[0].shard
	<-downs[0].Close()
	if d := f.NewDownlink(DownlinkConfig{}); d.shard != left {
		t.Error("the next session does not go to the least loaded shard")
	}
}

// TestPlacementGoesByLoad: a shard that sends much gets fewer sessions, but still
// some, when many join at once.
func TestPlacementGoesByLoad(t *testing.T) {
	f := newForwarder(Config{Shards: 3})
	for i, packets := range []uint64{3000, 0, 1000} {
		f.shards[i].lately.Store(packets)
	}
	for range 30 {
		f.place()
	}
	var sessions []int64
	for _, s := range f.shards {
		sessions = append(sessions, s.placed.Load())
	}
	if sessions[1] <= sessions[2] || sessions[2] <= sessions[0] || sessions[0]+sessions[1]+sessions[2] != 30 {
		t.Errorf("sessions of shards that send 3000, 0 and 1000 packets: %v", sessions)
	}
}

// TestShardsMeasureTheirLoad over a report interval.
func TestShardsMeasureTheirLoad(t *testing.T) {
	r := newEgressRig(t, Config{})
	up := r.source(false)
	r.slot(up, &discard{}, audioSlot())
	for second := range uint64(3) {
		for n := range uint64(50) {
			r.push(packet(up, base+100*second+n, n*960, 0, 98, nil))
		}
		r.step(0)
		for range r.s.phases {
			r.s.tick(0)
		}
		if got := r.s.lately.Load(); got != 50 {
			t.Errorf("%d packets in an interval, want 50", got)
		}
	}
}

// TestCloseAcknowledges: whoever waits is let go, whenever the Forwarder closes.
func TestCloseAcknowledges(t *testing.T) {
	for range 20 {
		f := New(Config{Shards: 2, QueueLength: 16})
		u := f.NewUplink(UplinkConfig{})
		up := u.NewTrack(TrackConfig{Video: true}).NewUpTrack(upConfig())
		var wg sync.WaitGroup
		for range 4 {
			d := f.NewDownlink(DownlinkConfig{NewWriter: out(&discard{})})
			wg.Go(func() {
				for range 50 {
					dt := d.NewDownTrack(videoSlot())
					<-dt.Bind(up.track, false)
					<-dt.SetPaused(true)
					<-dt.Unbind()
				}
				<-d.Close()
			})
		}
		wg.Go(f.Close)
		wg.Wait()
		f.Close()
		if st := f.Stats(); st.Shards[0].Sinks+st.Shards[1].Sinks != 0 {
			t.Errorf("sinks are left: %+v", st.Shards)
		}
		u.Close()
	}
}

func TestFullQueueRefusesPacketsOnly(t *testing.T) {
	r := newEgressRig(t, Config{QueueLength: 64})
	up, w := r.source(true), &recorder{}
	_, dt := r.slot(up, w, videoSlot())
	taken := 0
	for n := range uint64(100) {
		if r.s.push(keyPacket(up, base+n, 0, 0)) {
			taken++
		}
	}
	paused := dt.SetPaused(true) // does not wait
	r.step(0)
	<-paused
	if n := len(w.take()); n != taken || taken != 56 {
		t.Errorf("%d packets left, %d were taken, want 56", n, taken)
	}
	if st := r.s.stats(); st.QueueFull != 44 {
		t.Errorf("%d refusals counted, want 44", st.QueueFull)
	}
}

// TestPosterWaitsForRoom: a command is never lost.
func TestPosterWaitsForRoom(t *testing.T) {
	r := newEgressRig(t, Config{QueueLength: 16})
	d, dt := r.slot(r.source(true), &recorder{}, videoSlot())
	for r.s.queue.push(nil, &command{do: func() {}}, 0) {
	}
	d.HandleRTCP(appendPLI(nil, 1, slotSSRC))
	if d.shard.feedbackDropped.Load() != 1 {
		t.Error("feedback was not dropped")
	}
	var posted atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		ack := dt.Unbind()
		posted.Store(true)
		<-ack
	}()
	for range 1000 {
		runtime.Gosched()
	}
	if posted.Load() {
		t.Error("posted into a full queue")
	}
	for open := true; open; {
		r.s.step(0)
		select {
		case <-done:
			open = false
		default:
			runtime.Gosched()
		}
	}
	if dt.track != nil {
		t.Error("the command had no effect")
	}
}

// slotWatch knows which sources may leave through a slot.
type slotWatch struct {
	// atomic: bit i set: source i may leave; written by the test, read by the shard
	allowed atomic.Uint64
	wrong   atomic.Uint64 // atomic: written by the shard, read by the test
	packets atomic.Uint64 // atomic: written by the shard, read by the test
	last    atomic.Uint32 // atomic: written by the shard, read by the test; sequence number
}

// slotWatches are those of a session.
type slotWatches []slotWatch

func (s slotWatches) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	w := &s[h.SSRC&0xff]
	w.packets.Add(1)
	if h.PayloadType == slotVP8 {
		w.last.Store(uint32(h.SequenceNumber))
	}
	if source := payload[len(payload)-9]; w.allowed.Load()&(1<<source) == 0 {
		w.wrong.Add(1)
	}
	return len(payload), nil
}

// TestLeftMeansStopped: publishers send as fast as they can, subscribers ask for
// everything again, and slots are bound, switched, paused and unbound at random.
// Once one of these is acknowledged, nothing that it ended leaves.
func TestLeftMeansStopped(t *testing.T) {
	t.Run("woken", func(t *testing.T) { leftMeansStopped(t, false) })
	t.Run("kicked", func(t *testing.T) { leftMeansStopped(t, true) })
}

func leftMeansStopped(t *testing.T, kicked bool) {
	const publishers, sessions, slots, turns = 4, 8, 3, 60
	flushes := newFlushWatch(2)
	f := New(Config{Shards: 2, QueueLength: 1024, Kicked: kicked, Flush: flushes.flush})
	u := f.NewUplink(UplinkConfig{})
	ups := make([]*UpTrack, publishers)
	stop := make(chan struct{})
	var senders, users sync.WaitGroup
	for i := range ups {
		cfg := upConfig()
		cfg.SSRC = uint32(i)
		ups[i] = u.NewTrack(TrackConfig{Video: true}).NewUpTrack(cfg)
		senders.Go(func() { publish(ups[i], stop) })
	}
	for session := range sessions {
		users.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(session)))
			watches, tracks := make(slotWatches, slots), make([]*DownTrack, slots)
			d := f.NewDownlink(DownlinkConfig{Extensions: subscriberExtensions(), NewWriter: flushes.out(watches)})
			d.SetReady(true)
			for i := range tracks {
				cfg := videoSlot()
				cfg.SSRC, cfg.RTXSSRC = uint32(slotSSRC+i), uint32(slotRTXSSRC+i)
				tracks[i] = d.NewDownTrack(cfg)
			}
			for range turns {
				i := random.IntN(slots)
				w, dt := &watches[i], tracks[i]
				switch to := random.IntN(publishers); random.IntN(4) {
				case 0:
					<-dt.Unbind()
					w.allowed.Store(0)
				case 1:
					<-dt.SetPaused(true)
					was := w.allowed.Swap(0)
					d.HandleRTCP(appendNACK(nil, 1, uint32(slotSSRC+i), w.lately()))
					runtime.Gosched()
					w.allowed.Store(was)
					dt.SetPaused(false)
				default:
					w.allowed.Or(1 << to)
					<-dt.Bind(ups[to].track, false)
					w.allowed.Store(1 << to)
				}
				d.HandleRTCP(appendNACK(nil, 1, uint32(slotSSRC+i), w.lately()))
				before := w.packets.Load()
				for n := 0; n < 200 && w.packets.Load() == before; n++ {
					runtime.Gosched()
				}
			}
			<-d.Close()
			for i := range watches {
				w := &watches[i]
				w.allowed.Store(0)
				if n := w.wrong.Load(); n != 0 {
					t.Errorf("session %d, slot %d: %d packets left after they should have stopped", session, i, n)
				}
				checkDownIdentity(t, tracks[i].Stats())
			}
			runtime.Gosched()
			for i := range watches {
				if watches[i].wrong.Load() != 0 {
					t.Errorf("session %d, slot %d: packets left after the session was closed", session, i)
				}
			}
		})
	}
	users.Wait()
	close(stop)
	senders.Wait()
	u.Close()
	f.Close()
	st := f.Stats()
	if st.Out == 0 || st.Shards[0].Sinks+st.Shards[1].Sinks != 0 {
		t.Errorf("%+v", st)
	}
	t.Logf("%d packets in, %d out, %d again, drops %v", st.In, st.Out, st.Retransmitted, st.Drops)
}

// publish sends keyframes and others until stop is closed.
func publish(up *UpTrack, stop chan struct{}) {
	for n := base; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		payload := rigDelta
		if n%8 == 0 {
			payload = rigKey
		}
		ingest(up, packet(up, n, n*3000, 0, 96, payload))
		if up.f.cfg.Kicked {
			up.f.Kick()
		}
		runtime.Gosched()
	}
}

// lately is the sequence numbers that were sent last.
func (w *slotWatch) lately() (seqs []uint16) {
	last := uint16(w.last.Load())
	for n := range uint16(64) {
		seqs = append(seqs, last-n)
	}
	return seqs
}

// TestOneBadSubscriber: a writer that fails, and one that fails now and then,
// cost the others nothing: not a packet, not their order.
func TestOneBadSubscriber(t *testing.T) {
	f := New(Config{Shards: 1})
	defer f.Close()
	u := f.NewUplink(UplinkConfig{})
	defer u.Close()
	up := u.NewTrack(TrackConfig{}).NewUpTrack(upConfig())
	open := func(w packetSink) *DownTrack {
		d := f.NewDownlink(DownlinkConfig{NewWriter: out(w)})
		dt := d.NewDownTrack(audioSlot())
		d.SetReady(true)
		<-dt.Bind(up.track, false)
		return dt
	}
	good := []*recorder{{}, {}, {}}
	var slots []*DownTrack
	slots = append(slots, open(good[0]))
	dead := open(&recorder{err: errors.New("the socket is gone")})
	slots = append(slots, open(good[1]))
	flaky := open(&flakyWriter{})
	slots = append(slots, open(good[2]))
	const packets = 2000
	for n := range uint64(packets) {
		for !f.shards[0].push(packet(up, base+n, n*960, 0, 98, nil)) {
			runtime.Gosched()
		}
	}
	<-dead.Unbind()
	<-flaky.Unbind()
	for i, w := range good {
		<-slots[i].SetPaused(true) // what came before it has left
		if got := sources(t, w.take()); len(got) != packets || got[0] != base || got[packets-1] != base+packets-1 {
			t.Errorf("subscriber %d got %d packets of %d", i, len(got), packets)
		}
	}
	for _, dt := range []*DownTrack{dead, flaky} {
		st := dt.Stats()
		checkDownIdentity(t, st)
		if st.Drops[DropWrite] == 0 || st.Drops[DropWrite]+st.Drops[DropClosed]+st.Forwarded != packets {
			t.Errorf("%+v", st)
		}
	}
}

type flakyWriter struct{ n int }

func (w *flakyWriter) WriteRTP(_ *rtp.Header, payload []byte) (int, error) {
	if w.n++; w.n%3 == 0 {
		return 0, errRefused
	}
	return len(payload), nil
}

// TestTotals: what was counted stays counted when tracks and sessions are gone.
func TestTotals(t *testing.T) {
	f := New(Config{Shards: 2})
	u := f.NewUplink(UplinkConfig{})
	up := u.NewTrack(TrackConfig{}).NewUpTrack(upConfig())
	var downs []*Downlink
	var slots []*DownTrack
	for range 4 {
		d := f.NewDownlink(DownlinkConfig{NewWriter: out(&recorder{})})
		dt := d.NewDownTrack(audioSlot())
		d.SetReady(true)
		<-dt.Bind(up.track, false)
		downs, slots = append(downs, d), append(slots, dt)
	}
	for n := range uint64(100) {
		ingest(up, packet(up, base+n, n*960, 0, 98, nil))
		if n == 50 {
			<-downs[0].Close()
		}
	}
	var want Stats
	for i, d := range downs {
		<-d.Close()
		st := slots[i].Stats()
		checkDownIdentity(t, st)
		want.Out += st.Forwarded
		want.OutBytes += st.Bytes
		want.Drops[DropClosed] += st.Drops[DropClosed]
	}
	u.Close()
	f.Close()
	got := f.Stats()
	if got.In != 100 || got.Out != want.Out || got.OutBytes != want.OutBytes || got.Drops != want.Drops {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got.Out+got.Drops[DropClosed] < 350 {
		t.Errorf("%d out", got.Out)
	}
}

// TestStatsWhileForwarding: a copy of the counters never shows half a change.
func TestStatsWhileForwarding(t *testing.T) {
	f := New(Config{Shards: 1, Hold: -1})
	defer f.Close()
	u := f.NewUplink(UplinkConfig{})
	defer u.Close()
	up := u.NewTrack(TrackConfig{Video: true}).NewUpTrack(upConfig())
	d := f.NewDownlink(DownlinkConfig{NewWriter: out(&flakyWriter{})})
	dt := d.NewDownTrack(videoSlot())
	d.SetReady(true)
	<-dt.Bind(up.track, false)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { publish(up, stop) })
	for last, n := uint64(0), 0; n < 2000 || last == 0; n++ {
		st := dt.Stats()
		checkDownIdentity(t, st)
		if st.Received < last {
			t.Fatalf("received goes back from %d to %d", last, st.Received)
		}
		last = st.Received
		runtime.Gosched()
	}
	close(stop)
	wg.Wait()
}
