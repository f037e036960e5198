// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"sync"
	"time"

	"github.com/switchyard-media/sfu/bench/stats"
)

// tickEvery is how often clients' timers are looked at.
const tickEvery = 5 * time.Millisecond

// linkBatches are read at most in one turn of a client behind a link.
const linkBatches = 16

// FloorSSRC marks packets of the cost floor: clients count and drop them. It is none that a client or the node uses.
const FloorSSRC = 0xf1007000

// Counters are of all clients of a Poller, since its start.
type Counters struct {
	Packets      uint64 // RTP with a stamp, with duplicates
	Bytes        uint64 // of their datagrams
	Duplicates   uint64 // on the stream that they belong to
	Again        uint64 // of packets that had come, as retransmissions: nodes probe a link with them
	Reordered    uint64
	Unexpected   uint64 // of a track that the client has not subscribed to
	Foreign      uint64 // RTP without a stamp: padding and probes
	Undecrypted  uint64 // could not be decrypted
	Repaired     uint64 // came as retransmissions
	Floor        uint64 // with FloorSSRC
	KernelDrops  uint64 // dropped at clients' sockets because they were full
	RTCPIn       uint64 // datagrams
	Reports      uint64 // sent: receiver reports
	NACKs        uint64 // sent
	PLIs         uint64 // sent
	TransportCC  uint64 // sent: transport-wide feedback
	KeyframeAsks uint64 // received: PLI and FIR
	Thrown       uint64 // away on arrival, by clients with a Loss
}

// Poller serves the sockets of clients. All methods may be called from any goroutine.
type Poller struct {
	window *Window
	reader *reader
	rest   time.Duration
	merge  bool
	stop   chan struct{}
	done   chan struct{}

	mu       sync.Mutex // guards what follows and, in every Client, what is said to be the Poller's
	clients  []*Client  // by id; nil where one has gone
	free     []int32
	latency  stats.Histogram
	apart    stats.Histogram // of clients that are counted apart
	counters Counters
	ticked   int64
	linked   int             // clients with a link
	late     stats.Histogram // how late datagrams left links of clients
	behind   stats.Histogram // how much later than they came datagrams entered links
}

// NewPoller starts a Poller; Close stops it. Having read packets it rests for a while (0: not at all) before it waits for
// more, so that the node does not pay for waking it up with every packet: a network card does not wake receivers on the
// sender's time either. Arrival times are the kernel's and do not change. With merge the kernel may hand clients several
// packets at once (UDP_GRO): on loopback it then need not take apart what the node has sent as one, which saves CPU time on
// both sides, and on the node's more than a network card would.
func NewPoller(w *Window, rest time.Duration, merge bool) (*Poller, error) {
	r, err := newReader(merge)
	if err != nil {
		return nil, err
	}
	p := &Poller{window: w, reader: r, rest: rest, merge: merge, stop: make(chan struct{}), done: make(chan struct{})}
	go p.run()

	return p, nil
}

// Close stops reading. Clients are to be closed before.
func (p *Poller) Close() {
	close(p.stop)
	<-p.done
	p.reader.close()
}

// Locked runs f while nothing is received or sent, so that f sees all clients at one moment. It must be short.
func (p *Poller) Locked(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// Counters are the counters now.
func (p *Poller) Counters() Counters {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.counters
}

// TakeLatency gives the one-way latency of the packets of the window that have come since the last call.
func (p *Poller) TakeLatency() stats.Histogram { return p.take(&p.latency) }

// TakeApart is TakeLatency for the clients that are counted apart.
func (p *Poller) TakeApart() stats.Histogram { return p.take(&p.apart) }

func (p *Poller) take(from *stats.Histogram) stats.Histogram {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := *from
	*from = stats.Histogram{}

	return h
}

func (p *Poller) add(c *Client) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		c.id, p.free = p.free[n-1], p.free[:n-1]
	} else {
		c.id = int32(len(p.clients))
		p.clients = append(p.clients, nil)
	}
	if err := p.reader.add(c.socket, c.id); err != nil {
		p.free = append(p.free, c.id)

		return err
	}
	p.clients[c.id] = c
	if c.access != nil {
		p.linked++
	}

	return nil
}

// remove takes the client out and closes its socket: nobody else's file descriptor can take its place meanwhile.
func (p *Poller) remove(c *Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.clients[c.id] != c {
		return
	}
	p.clients[c.id] = nil
	if c.access != nil {
		p.linked--
	}
	p.free = append(p.free, c.id)
	if !c.stalled {
		p.reader.remove(c.socket)
	}
	c.socket.close()
}

func (p *Poller) run() {
	defer close(p.done)
	for {
		select {
		case <-p.stop:
			return
		default:
		}
		asOf := time.Now().UnixNano() // what came before is reported by wait
		n := p.reader.wait(p.patience())
		p.turn(n, asOf)
		if n > 0 && p.rest > 0 {
			time.Sleep(p.rest)
		}
	}
}

// patience is how long to wait for packets: links have to be moved meanwhile.
func (p *Poller) patience() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.linked > 0 {
		return time.Millisecond
	}

	return tickEvery
}

// TakeLinkErrors tells how exact the links of clients were since the last call: how much later than they came from the node
// datagrams entered a link, and how late they were handed over behind it. Times that clients tell the node are those of the link, and
// not late.
func (p *Poller) TakeLinkErrors() (behind, late stats.Histogram) {
	return p.take(&p.behind), p.take(&p.late)
}

// turn handles what n sockets have, and then what is due. Links are moved to a time up to which all has been read.
func (p *Poller) turn(n int, asOf int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range n {
		if c := p.clients[p.reader.id(i)]; c != nil {
			p.read(c)
		}
	}
	now := time.Now().UnixNano()
	if p.linked > 0 {
		for _, c := range p.clients {
			if c != nil && c.access != nil {
				c.access.move(asOf)
			}
		}
	}
	if now-p.ticked < int64(tickEvery) {
		return
	}
	p.ticked = now
	for _, c := range p.clients {
		if c != nil {
			c.tick(now)
		}
	}
}

// read takes one batch; the socket is reported again if it has more. Behind a link it takes all there is, within reason.
func (p *Poller) read(c *Client) {
	for range linkBatches {
		if n := p.readBatch(c); n < batch || c.access == nil {
			return
		}
	}
}

func (p *Poller) readBatch(c *Client) int {
	n := p.reader.receive(c.socket)
	now := int64(0)
	for i := range n {
		at, dropped, segment := p.reader.meta(i)
		if at == 0 {
			if now == 0 {
				now = time.Now().UnixNano()
			}
			at = now
		}
		if dropped > c.dropped {
			p.counters.KernelDrops += uint64(dropped - c.dropped)
			c.dropped = dropped
		}
		if c.access != nil {
			c.access.enter(p.reader.packet(i), segment, at)

			continue
		}
		c.handleAll(p.reader.packet(i), segment, at)
	}

	return n
}
