// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/gcc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// ours feeds an Estimator what came over the wire.
type ours struct {
	t  testing.TB
	e  *Estimator
	fb Feedback
	// twist changes what the client says, for those that lie.
	twist  func(*Feedback)
	probed int
}

func newOurs(t testing.TB, cfg Config) *ours { return &ours{t: t, e: New(cfg, 0)} }

func (o *ours) sent(seq uint16, size int, at int64, probe uint8) {
	if probe != 0 {
		o.probed += size
	}
	o.e.Sent(seq, size, at, int(probe))
}

func (o *ours) feedback(fb *rtcp.TransportLayerCC, at int64) {
	raw, err := fb.Marshal()
	if err != nil {
		o.t.Fatal(err)
	}
	if err := o.fb.Parse(raw); err != nil {
		o.t.Fatalf("feedback at %v: %v", time.Duration(at), err)
	}
	if o.twist != nil {
		o.twist(&o.fb)
	}
	o.e.Feedback(&o.fb, at)
}

func (o *ours) target(at, demand int64) int64 {
	o.e.SetDemand(demand)
	o.e.Tick(at)

	return o.e.Estimate().Target
}

func (o *ours) probe(at int64) (Cluster, bool) { return o.e.Probe(at) }

// pions is the yard-stick: pion's gcc behind the same source and pacer. It reads
// the clock, so it runs in a bubble whose clock follows the simulation.
type pions struct {
	t      testing.TB
	e      *gcc.SendSideBWE
	writer interceptor.RTPWriter
	start  time.Time
}

func newPions(t testing.TB, cfg Config) *pions {
	cfg = cfg.withDefaults()
	e, err := gcc.NewSendSideBWE(
		gcc.SendSideBWEInitialBitrate(int(cfg.Start)), gcc.SendSideBWEMinBitrate(int(cfg.Min)),
		gcc.SendSideBWEMaxBitrate(int(cfg.Max)), gcc.SendSideBWEPacer(gcc.NewNoOpPacer()))
	if err != nil {
		t.Fatal(err)
	}
	p := &pions{t: t, e: e, start: time.Now()}
	p.writer = e.AddStream(&interceptor.StreamInfo{
		SSRC: 1,
		RTPHeaderExtensions: []interceptor.RTPHeaderExtension{
			{URI: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", ID: 1},
		},
	}, interceptor.RTPWriterFunc(func(*rtp.Header, []byte, interceptor.Attributes) (int, error) { return 0, nil }))

	return p
}

// at moves the bubble's clock; every goroutine of the estimator waits meanwhile.
func (p *pions) at(at int64) {
	if d := time.Duration(at) - time.Since(p.start); d > 0 {
		time.Sleep(d)
	}
}

func (p *pions) sent(seq uint16, size int, at int64, _ uint8) {
	p.at(at)
	ext, err := (&rtp.TransportCCExtension{TransportSequence: seq}).Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	h := rtp.Header{Version: 2, SSRC: 1, SequenceNumber: seq}
	if err := h.SetExtension(1, ext); err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.writer.Write(&h, make([]byte, size), interceptor.Attributes{}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pions) feedback(fb *rtcp.TransportLayerCC, at int64) {
	p.at(at)
	if err := p.e.WriteRTCP([]rtcp.Packet{fb}, nil); err != nil {
		p.t.Fatal(err)
	}
	synctest.Wait()
}

func (p *pions) target(int64, int64) int64   { return int64(p.e.GetTargetBitrate()) }
func (p *pions) probe(int64) (Cluster, bool) { return Cluster{}, false }
func (p *pions) close()                      { _ = p.e.Close() }

// runOurs and runPions play the same scenario.
func runOurs(t testing.TB, sc scenario) outcome { return run(sc, newOurs(t, sc.cfg)) }

func runPions(t *testing.T, sc scenario) (o outcome) {
	synctest.Test(t, func(t *testing.T) {
		p := newPions(t, sc.cfg)
		defer p.close()
		o = run(sc, p)
	})

	return o
}
