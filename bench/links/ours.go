// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package links

import (
	"github.com/pion/rtcp"

	"github.com/switchyard-media/sfu/rtpforward/bandwidth"
)

// Ours is the node's estimator, fed with what came over the wire.
type Ours struct {
	E *bandwidth.Estimator
	// Twist, if there is one, changes what the client says, for those that lie.
	Twist  func(*bandwidth.Feedback)
	Probed int // bytes

	fb bandwidth.Feedback
}

// NewOurs makes one that begins at time 0.
func NewOurs(cfg bandwidth.Config) *Ours { return &Ours{E: bandwidth.New(cfg, 0)} }

// Sent implements Sender.
func (o *Ours) Sent(seq uint16, size int, at int64, probe uint8) error {
	if probe != 0 {
		o.Probed += size
	}
	o.E.Sent(seq, size, at, int(probe))

	return nil
}

// Feedback implements Sender.
func (o *Ours) Feedback(fb *rtcp.TransportLayerCC, at int64) error {
	raw, err := fb.Marshal()
	if err != nil {
		return err
	}
	if err := o.fb.Parse(raw); err != nil {
		return err
	}
	if o.Twist != nil {
		o.Twist(&o.fb)
	}
	o.E.Feedback(&o.fb, at)

	return nil
}

// Target implements Sender.
func (o *Ours) Target(at, demand int64) int64 {
	o.E.SetDemand(demand)
	o.E.Tick(at)

	return o.E.Estimate().Target
}

// Probe implements Sender.
func (o *Ours) Probe(at int64) (bandwidth.Cluster, bool) { return o.E.Probe(at) }
