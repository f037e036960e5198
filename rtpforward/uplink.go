// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Uplink is the publishing side of one session: it sends the RTCP for all its
// layers, which share a transport. Its one goroutine, run, starts with the
// first layer and ends with Close.
type Uplink struct {
	// immutable after NewUplink
	f    *Forwarder
	cfg  UplinkConfig
	wake chan struct{} // capacity 1: there is something urgent
	stop chan struct{} // closed by Close
	done chan struct{} // closed when run has ended

	// atomic: written under mu, read by anyone; the slice is immutable
	tracks atomic.Pointer[[]*Track]

	transport atomic.Pointer[transportRecorder] // atomic: written under mu, read by anyone; nil without such a layer
	shift     atomic.Int64                      // atomic: written by HandleRTCP, read by shards; NTP of the node less the publisher's, 0 unknown

	// guarded by mu
	mu              sync.Mutex
	started, closed bool

	// owned by run
	reportAt int64
	buf      []byte // the compound packet that is being made
	blocks   []ReportBlock
	seqs     []uint16

	events RTCPEvents // owned by the one that calls HandleRTCP
}

// NewUplink makes the publishing side of a session. Close it when the session
// ends.
func (f *Forwarder) NewUplink(cfg UplinkConfig) *Uplink {
	return &Uplink{
		f:    f,
		cfg:  cfg,
		wake: make(chan struct{}, 1),
		stop: make(chan struct{}),
		done: make(chan struct{}),
	}
}

// NewTrack adds a source. That of a closed Uplink is closed already.
func (u *Uplink) NewTrack(cfg TrackConfig) *Track {
	t := &Track{f: u.f, uplink: u, cfg: cfg, egress: make([]fan, len(u.f.shards)), takers: make([]takers, len(u.f.shards))}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		t.closed = true
		return t
	}
	tracks := append(slices.Clone(u.eachTrack()), t)
	u.tracks.Store(&tracks)
	u.f.addTrack(t)
	return t
}

func (u *Uplink) eachTrack() []*Track {
	if tracks := u.tracks.Load(); tracks != nil {
		return *tracks
	}
	return nil
}

func (u *Uplink) remove(t *Track) {
	u.mu.Lock()
	defer u.mu.Unlock()
	tracks := slices.DeleteFunc(slices.Clone(u.eachTrack()), func(o *Track) bool { return o == t })
	u.tracks.Store(&tracks)
}

// start makes what the first layer needs.
func (u *Uplink) start(transportCC bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if transportCC && u.transport.Load() == nil {
		r := new(transportRecorder)
		r.idle.Store(true)
		u.transport.Store(r)
	}
	if !u.started && !u.closed {
		u.started = true
		go u.run()
	}
}

// ObserveTransport notes the arrival of a packet that Ingest never sees, such
// as padding on a retransmission stream, for transport-wide feedback. Any
// goroutine; does not block.
func (u *Uplink) ObserveTransport(seq uint16) { u.observe(seq, u.f.now()) }

func (u *Uplink) observe(sequence uint16, now int64) {
	if r := u.transport.Load(); r != nil && r.observe(sequence, now) {
		u.wakeRun()
	}
}

// wakeRun makes run look at everything soon. Any goroutine; does not block.
func (u *Uplink) wakeRun() {
	select {
	case u.wake <- struct{}{}:
	default: // it is about to look already
	}
}

// HandleRTCP takes a compound packet from the publisher, whichever of its layers
// it is about. It keeps no reference to buf and does not block. Calls must not
// overlap.
func (u *Uplink) HandleRTCP(buf []byte) {
	now := u.f.now()
	_ = ScanRTCP(buf, &u.events) // what was valid is in events
	for i := range u.events.SenderReports {
		s := &u.events.SenderReports[i]
		if l := u.layer(s.SSRC); l != nil {
			u.align(s.NTP, now)
			l.reception.sender.note(s.NTP, s.RTP, now)
		}
	}
	for _, ssrc := range u.events.Byes {
		if l := u.layer(ssrc); l != nil {
			l.bye.Store(max(now, 1))
			u.wakeRun()
		}
	}
}

// layer returns the one that is sent with ssrc.
func (u *Uplink) layer(ssrc uint32) *UpTrack {
	for _, t := range u.eachTrack() {
		for _, l := range t.eachLayer() {
			if l.cfg.SSRC == ssrc {
				return l
			}
		}
	}
	return nil
}

// align fixes, with the first sender report of any layer, how the publisher's
// clock relates to ours. All layers share it, so they stay in step with each
// other however long a report of one was on its way. Only a clock that was set
// is worth another look.
func (u *Uplink) align(ntp uint64, now int64) {
	shift := int64(u.f.ntp(now) - ntp)
	old := u.shift.Load()
	apart := shift - old
	if old == 0 || apart > alignLimit || apart < -alignLimit {
		u.shift.CompareAndSwap(old, shift)
	}
}

const alignLimit = 10 << 32 // 10 s of NTP time

// Close ends the RTCP of the session, waits for the goroutine and closes the
// tracks. It must not be called from OnLive or WriteRTCP.
func (u *Uplink) Close() {
	u.mu.Lock()
	started, closed := u.started, u.closed
	u.closed = true
	u.mu.Unlock()
	if !closed {
		close(u.stop)
	}
	if started {
		<-u.done
	}
	for _, t := range u.eachTrack() {
		t.Close()
	}
}

// run sends what is due and sleeps until something else is, or is urgent.
func (u *Uplink) run() {
	defer close(u.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-u.stop:
			return
		case <-u.wake:
		case <-timer.C:
		}
		now := u.f.now()
		timer.Reset(time.Duration(u.turn(now) - now))
	}
}

// turn sends everything that is due and returns when something is due next.
func (u *Uplink) turn(now int64) (next int64) {
	if now >= u.reportAt {
		u.report(now)
		u.reportAt = now + int64(u.f.cfg.ReportEvery)
	}
	next = u.reportAt
	for _, t := range u.eachTrack() {
		for _, l := range t.eachLayer() {
			next = sooner(next, u.askMissing(l, now))
			next = sooner(next, u.askKeyframe(l, now))
		}
		next = sooner(next, t.checkLive(now))
		next = sooner(next, t.measure(now))
		next = sooner(next, t.checkWanted(now))
	}
	next = sooner(next, u.sendTransport(now))
	u.flush()
	return next
}

// sooner is the earlier of two times, where 0 is never.
func sooner(a, b int64) int64 {
	if b == 0 {
		return a
	}
	return min(a, b)
}

// open makes room for n bytes in the compound packet, which starts with a
// receiver report whatever it is for.
func (u *Uplink) open(n int) {
	if len(u.buf)+n > feedbackRoom {
		u.flush()
	}
	if len(u.buf) == 0 {
		u.buf = appendReceiverReport(u.buf, u.cfg.SSRC, nil)
	}
}

func (u *Uplink) flush() {
	if len(u.buf) > 0 && u.cfg.WriteRTCP != nil {
		_ = u.cfg.WriteRTCP(u.buf) // RTCP may be lost anyway; what matters is repeated
	}
	u.buf = u.buf[:0]
}

// report writes blocks about the layers that were heard since the last one.
func (u *Uplink) report(now int64) {
	u.blocks = u.blocks[:0]
	for _, t := range u.eachTrack() {
		for _, l := range t.eachLayer() {
			if l.reception.received.Load() != l.reception.priorReceived {
				u.blocks = append(u.blocks, l.reception.block(l.cfg.SSRC, l.hist.highest.Load(), now))
			}
		}
	}
	for blocks := range slices.Chunk(u.blocks, reportsMost) {
		if len(u.buf)+8+len(blocks)*rtcpBlockSize > feedbackRoom {
			u.flush()
		}
		u.buf = appendReceiverReport(u.buf, u.cfg.SSRC, blocks)
	}
}

func (u *Uplink) askMissing(l *UpTrack, now int64) (next int64) {
	if !l.cfg.NACK {
		return 0
	}
	u.seqs, next = l.missing.ask(&l.hist, now, int64(u.f.cfg.HistoryAge), u.seqs[:0])
	for seqs := range slices.Chunk(u.seqs, missingMost/2) {
		u.open(12 + 4*len(seqs))
		u.buf = appendNACK(u.buf, u.cfg.SSRC, l.cfg.SSRC, seqs)
	}
	return next
}

func (u *Uplink) askKeyframe(l *UpTrack, now int64) (next int64) {
	if !l.cfg.PLI && !l.cfg.FIR {
		return 0
	}
	send, again, next := l.keyframes.decide(now, int64(u.f.cfg.KeyframeEvery), l.track.taken(l))
	if !send {
		return next
	}
	u.open(20)
	if l.cfg.PLI {
		u.buf = appendPLI(u.buf, u.cfg.SSRC, l.cfg.SSRC)
		return next
	}
	if !again {
		l.keyframes.serial++
	}
	u.buf = appendFIR(u.buf, u.cfg.SSRC, l.cfg.SSRC, l.keyframes.serial)
	return next
}

// sendTransport sends the transport-wide feedback when it is due. Each packet
// of it ends its compound, since it may be padded.
func (u *Uplink) sendTransport(now int64) (next int64) {
	r := u.transport.Load()
	if r == nil || r.idle.Load() {
		return 0
	}
	pending := r.pending.Load()
	due := r.due(int64(u.f.cfg.TransportCCEvery), pending, now)
	if now < due && pending < transportMany {
		return due
	}
	if pending == 0 {
		r.idle.Store(true)
		if r.pending.Load() == 0 || !r.idle.CompareAndSwap(true, false) {
			return 0 // the next packet wakes run
		}
	}
	r.sent = now
	if grid := int64(u.f.cfg.TransportCCEvery) / transportSlow; grid > 0 {
		r.sent -= now % grid // so that the goroutines of all sessions wake together
	}
	for first, last, ok := r.take(now); ok && first <= last; u.flush() {
		u.open(statusRoom)
		u.buf, first = r.appendTransportCC(u.buf, u.cfg.SSRC, u.transportSSRC(), first, last, now)
	}
	return r.sent + int64(u.f.cfg.TransportCCEvery)
}

// transportSSRC is a source of the transport that feedback is about; which one
// does not matter.
func (u *Uplink) transportSSRC() uint32 {
	for _, t := range u.eachTrack() {
		for _, l := range t.eachLayer() {
			if l.cfg.TransportCC {
				return l.cfg.SSRC
			}
		}
	}
	return 0
}
