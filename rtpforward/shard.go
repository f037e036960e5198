// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchyard-media/sfu/rtpforward/bandwidth"
)

const (
	shardBatch   = 256                   // most packets collected before they are fanned out
	shardTick    = 50 * time.Millisecond // between two looks at what is periodic; counters and reports wait no longer
	feedbackKept = 256                   // unused buffers for feedback; more are made when more clients speak at once
	helpMost     = 32                    // sinks that a reader fans out to by itself, in place of waking the shard
	backoffLeast = 20 * time.Microsecond
	backoffMost  = 2 * time.Millisecond
)

// shard is an egress worker: one goroutine that owns the Downlinks placed on it,
// their DownTracks and, for each Track, the list of sinks among them. Everything
// reaches it through one queue.
type shard struct {
	// immutable after newShard
	f       *Forwarder
	index   int
	queue   *queue
	wake    chan struct{} // one token: look at the queue again
	stopped chan struct{} // closed by run when it has returned
	unused  chan *downFeedback
	phases  int // parts a report interval is cut into, a tick each; each session has its turn in one of them

	// guarded by Forwarder.mu
	nextPhase int // for the next session

	// gate orders posters and shut: nothing enters the queue behind closed.
	gate   sync.RWMutex
	closed bool // guarded by gate

	// atomic
	sleeping        atomic.Bool   // set by run before it parks; whoever swaps it to false wakes it
	quit            atomic.Bool   // set by shut, read by run
	pressing        atomic.Bool   // something is queued that kick has to see to; written by handed and take, read by kick
	placed          atomic.Int64  // sessions; written by Forwarder.place and the shard, read by both
	lately          atomic.Uint64 // packets sent in the last report interval; written by the shard, read by Forwarder.place
	bound           atomic.Int64  // sinks; written by the shard, read by stats
	packets         atomic.Uint64 // taken from the queue; written by the shard, read by stats
	flushes         atomic.Uint64 // groups fanned out; written by the shard, read by stats
	queueFull       atomic.Uint64 // packets refused; written by readers in push, read by stats
	feedbackDropped atomic.Uint64 // compound packets without room; written by HandleRTCP, read by stats
	sums            ledger        // over all DownTracks, also those that are gone; written by the shard

	// own is held by whoever is the shard at the moment: run, but while it is
	// parked, or a reader in kick. Who lets go of it looks at the queue again,
	// so that nobody has to wait for it to hand something over.
	own sync.Mutex

	// guarded by own
	downs       []*Downlink
	fans        []*fan // with collected packets
	collected   int    // packets in fans
	open        int    // fans whose last packet does not end its frame
	deadline    int64  // when the collected packets leave at the latest
	due         []*Downlink
	unpublished []*DownTrack
	total       tally // sums before it is published
	taken       uint64
	flushed     uint64
	sentBefore  uint64 // total of sent packets as of the last time that phase was 0
	phase       int
	hold        *time.Timer
	armed       int64 // what hold is set for while run waits for it, 0: it does not
	at          int64 // time of what is written now
	ticks       int
	pacing      []*Downlink         // with packets, or parts of a probe, that wait for their time
	dueAt       int64               // when the first of them is due, 0: none
	scratch     []*Packet           // of releaseRun
	feedback    *bandwidth.Feedback // scratch of heardNumbers; nil before the first
	padding     [paddingMost]byte   // of a packet; immutable
	division    division
	report      []byte // compound being built
	wrote       bool   // something was given to a Writer since the last send
}

// fan is one Track's list of sinks on one shard, and the packets collected for
// them. Element i of Track.egress is owned by shard i.
type fan struct {
	sinks []*DownTrack
	group []*Packet
	bytes int // that group takes of a link, see paceSize
	video bool
	open  bool // the last packet of group does not end its frame

	_ [64]byte // the next element is another processor's
}

func newShard(f *Forwarder, index int) *shard {
	hold := time.NewTimer(time.Hour)
	hold.Stop()
	s := &shard{
		f: f, index: index, queue: newQueue(f.cfg.QueueLength),
		wake: make(chan struct{}, 1), stopped: make(chan struct{}), unused: make(chan *downFeedback, feedbackKept),
		hold: hold, phases: int(max(f.cfg.ReportEvery/shardTick, 1)),
		scratch: make([]*Packet, 0, releaseMost),
	}
	s.padding[paddingMost-1] = paddingMost // https://www.rfc-editor.org/rfc/rfc3550#section-5.1 : the last byte counts
	return s
}

// push hands a packet over; false means that the queue has no room for packets.
// Any goroutine, lock-free, never waits, allocates nothing.
func (s *shard) push(p *Packet) bool {
	if !s.queue.push(p, nil, s.queue.reserve()) {
		s.queueFull.Add(1)
		return false
	}
	s.handed()
	return true
}

// handed has the shard look at what a reader has queued: kick, which follows, or
// else run.
func (s *shard) handed() {
	switch {
	case !s.f.cfg.Kicked:
		s.rouse()
	case !s.pressing.Load(): // written once a group, not once a packet
		s.pressing.Store(true)
	}
}

// kick has what is queued carried out: here and now when the shard is parked and
// there is little to do, which saves waking another thread for a few packets;
// otherwise by run. What only reports waits for something that does not: a
// hundred clients that each speak of their link are cheaper to hear together.
func (s *shard) kick() {
	for s.pressing.Load() && s.queue.ready() {
		if !s.own.TryLock() {
			return
		}
		done := s.help()
		s.own.Unlock()
		if !done {
			s.rouse()
			return
		}
	}
}

// help is what a reader does of a shard's work. It reports false when the rest
// is for run: a fan-out to many, or a frame to wait for.
func (s *shard) help() (done bool) {
	now := s.f.now()
	idle := s.take(now)
	if s.dueAt != 0 && now >= s.dueAt {
		s.release(now)
	}
	if s.collected > 0 && idle {
		switch {
		case s.open > 0 && now < s.deadline:
			s.send()
			return s.awaited()
		case s.reach() <= helpMost:
			s.flush(now)
		default:
			idle = false
		}
	}
	s.send()
	return idle && s.awaited()
}

// reach is how many sinks the collected packets are for.
func (s *shard) reach() (sinks int) {
	for _, fan := range s.fans {
		sinks += len(fan.sinks)
	}
	return sinks
}

// rouse wakes the shard if it sleeps. It is called after an entry has been
// published: either the shard's look at the queue, which follows setting
// sleeping, finds that entry, or sleeping is seen here.
func (s *shard) rouse() {
	if s.sleeping.Load() && s.sleeping.CompareAndSwap(true, false) {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// post queues do, waiting for room if there is none, and returns a channel that
// is closed when do has taken effect. A Forwarder that was closed acknowledges
// without effect. Not for media goroutines, and not for the shard itself.
func (s *shard) post(do func()) <-chan struct{} {
	c := &command{do: do, done: make(chan struct{})}
	for wait := backoffLeast; ; wait = min(2*wait, backoffMost) {
		posted, closed := s.tryPost(c)
		if posted {
			return c.done
		}
		if closed {
			<-s.stopped // then it is true that nothing leaves any more
			close(c.done)
			return c.done
		}
		time.Sleep(wait)
	}
}

func (s *shard) tryPost(c *command) (posted, closed bool) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return false, true
	}
	if !s.queue.push(nil, c, 0) {
		return false, false
	}
	s.rouse()
	return true, false
}

// tryFeedback queues c if there is room, and leaves half of the places that
// packets may not use to post. What is not urgent does not wake the shard: it is
// seen with the next packet, or at the next tick.
func (s *shard) tryFeedback(c *command, urgent bool) bool {
	if !s.queue.push(nil, c, s.queue.reserve()/2) {
		return false
	}
	if urgent {
		s.handed()
	}
	return true
}

// shut makes run return. Once.
func (s *shard) shut() {
	s.gate.Lock()
	s.closed = true
	s.gate.Unlock()
	s.quit.Store(true)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run is the shard's goroutine.
func (s *shard) run() {
	defer close(s.stopped)
	s.own.Lock() // and never let go of for good: nobody helps a shard that has ended
	ticker := time.NewTicker(max(s.f.cfg.ReportEvery/time.Duration(s.phases), time.Millisecond))
	defer ticker.Stop()
	for due := false; !s.quit.Load(); {
		now := s.f.now()
		idle := s.step(now)
		if !due {
			select {
			case <-ticker.C:
				due = true
			default:
			}
		}
		if due { // behind step, so that it publishes what feedback has changed
			s.tick(now)
		}
		due = idle && s.park(ticker)
	}
	s.abandon()
}

// step takes what is queued, up to a batch, and fans out what is due. It
// reports whether nothing was left to take.
func (s *shard) step(now int64) (idle bool) {
	idle = s.take(now)
	if s.dueAt != 0 && now >= s.dueAt {
		s.release(now)
	}
	if s.collected > 0 && (idle && s.open == 0 || s.collected >= shardBatch || now >= s.deadline) {
		s.flush(now)
	}
	s.send()
	return idle
}

// take obeys and collects what is queued, up to a batch.
func (s *shard) take(now int64) (idle bool) {
	if s.pressing.Load() {
		s.pressing.Store(false) // before the look at the queue: what is queued later sets it again
	}
	for range shardBatch {
		p, c, ok := s.queue.pop()
		if !ok {
			idle = true
			if s.f.cfg.Kicked && s.queue.length() > 0 {
				s.pressing.Store(true) // behind an entry that is being written: whoever writes it has to see to both
			}
			break
		}
		s.taken++
		if c != nil {
			s.execute(c)
			continue
		}
		if s.collected == 0 {
			s.deadline = now + int64(s.f.cfg.Hold)
		}
		s.collect(p)
		if s.collected >= shardBatch {
			break
		}
	}
	return idle
}

// send has what the Writers took leave.
func (s *shard) send() {
	if !s.wrote {
		return
	}
	s.wrote = false
	if s.f.cfg.Flush != nil {
		s.f.cfg.Flush(s.index)
	}
}

// park waits for the next entry, tick, for the end of the hold, or for what waits
// to come due. It reports
// whether a tick is due. Others may be the shard meanwhile.
func (s *shard) park(ticker *time.Ticker) (due bool) {
	var over <-chan time.Time
	if next := s.next(); next != 0 {
		if s.armed != next { // once a group, not once a packet
			s.armed = next
			s.hold.Reset(time.Duration(max(next-s.f.now(), 0)))
		}
		over = s.hold.C
	} else {
		s.armed = 0
	}
	s.sleeping.Store(true)
	s.own.Unlock()
	if !s.queue.ready() && !s.quit.Load() {
		select {
		case <-s.wake:
		case <-over:
		case <-ticker.C:
			due = true
		}
	}
	s.sleeping.Store(false)
	s.own.Lock()
	return due
}

// abandon ends the shard: commands are obeyed, packets dropped.
func (s *shard) abandon() {
	for {
		_, c, ok := s.queue.pop()
		if !ok {
			break
		}
		if c != nil {
			s.execute(c)
		}
	}
	for _, d := range s.downs {
		d.unbindAll()
	}
	s.send()
	s.publish()
}

// execute obeys c. What was written before it is acknowledged has left, so that
// nothing leaves afterwards; whoever sees the acknowledgement sees the counters
// as of then too.
func (s *shard) execute(c *command) {
	c.do()
	if c.done != nil {
		s.send()
		s.publish()
		close(c.done)
	}
}

// tick gives the sessions of the next phase their turn at everything periodic.
func (s *shard) tick(now int64) {
	s.phase = (s.phase + 1) % s.phases
	s.ticks++
	s.at = now
	for _, d := range s.downs {
		if d.phase == s.phase {
			d.tick(now)
		} else if d.reportSoon {
			d.sendReports(now)
		}
		d.control(now, (d.phase+s.ticks)%2 == 0)
	}
	s.send()
	s.publish()
	if s.phase == 0 {
		sent := s.total[countForwarded]
		s.lately.Store(sent - s.sentBefore)
		s.sentBefore = sent
	}
}

// publish lets other goroutines see the counters.
func (s *shard) publish() {
	for i, dt := range s.unpublished {
		dt.counters.publish(&dt.count, &s.total)
		dt.touched = false
		s.unpublished[i] = nil
	}
	s.unpublished = s.unpublished[:0]
	if s.packets.Load() != s.taken {
		s.packets.Store(s.taken)
		s.flushes.Store(s.flushed)
		var none tally
		s.sums.publish(&s.total, &none)
	}
}

func (s *shard) stats() ShardStats {
	return ShardStats{
		Downlinks: int(s.placed.Load()), Sinks: int(s.bound.Load()), Queue: s.queue.length(), Capacity: len(s.queue.cells),
		Packets: s.packets.Load(), QueueFull: s.queueFull.Load(), FeedbackDropped: s.feedbackDropped.Load(), Flushes: s.flushes.Load(),
	}
}
