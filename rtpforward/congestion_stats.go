// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"math"
	"sync/atomic"
	"time"
)

// The places of linkTally.
const (
	linkControlled = iota
	linkTarget
	linkAcknowledged
	linkSending
	linkLoss // the bits of a float
	linkQueue
	linkRTT
	linkBacklog
	linkProbes
	linkProbeBytes
	linkPaused
	linkValues
)

// linkLedger is a LinkStats that other goroutines may read, see ledger.
type linkLedger struct {
	version atomic.Uint64             // odd while publish is at work; written by the shard, read by read
	values  [linkValues]atomic.Uint64 // written by the shard, read by read
}

func (l *linkLedger) publish(values *[linkValues]uint64) {
	l.version.Add(1)
	for i, v := range values {
		l.values[i].Store(v)
	}
	l.version.Add(1)
}

func (l *linkLedger) read() (values [linkValues]uint64) {
	stable(&l.version, func() {
		for i := range values {
			values[i] = l.values[i].Load()
		}
	})
	return values
}

// publishLink copies what is known of the link for Link.
func (d *Downlink) publishLink() {
	l := d.link
	if l == nil {
		return
	}
	e := l.est.Estimate()
	v := [linkValues]uint64{
		linkAcknowledged: uint64(e.Acknowledged), linkSending: uint64(e.Sending), linkLoss: math.Float64bits(e.Loss),
		linkQueue: uint64(e.Queue), linkRTT: uint64(e.RTT), linkBacklog: uint64(l.backlog.n),
		linkProbes: d.probes + l.probing.clusters, linkProbeBytes: d.probeBytes + l.probing.bytes, linkPaused: uint64(l.starved),
	}
	if e.RTT == 0 {
		v[linkRTT] = uint64(d.rtt)
	}
	if l.controlled() {
		v[linkControlled], v[linkTarget] = 1, uint64(e.Target)
	}
	d.stats.publish(&v)
}

// Link describes the session's link, as of 100 ms ago at most. Any goroutine.
func (d *Downlink) Link() LinkStats {
	v := d.stats.read()
	return LinkStats{
		Controlled: v[linkControlled] == 1, Target: int64(v[linkTarget]), Acknowledged: int64(v[linkAcknowledged]),
		Sending: int64(v[linkSending]), Loss: math.Float64frombits(v[linkLoss]),
		Queue: time.Duration(v[linkQueue]), RTT: time.Duration(v[linkRTT]), Backlog: int(v[linkBacklog]),
		Probes: v[linkProbes], ProbeBytes: v[linkProbeBytes], Paused: int(v[linkPaused]),
	}
}
