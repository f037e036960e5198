// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package links

import (
	"cmp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/gcc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/switchyard-media/sfu/rtpforward/bandwidth"
)

const transportURI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

// pions is the yard-stick: pion's gcc behind the same source and pacer. It reads the clock, so it runs in a bubble whose clock
// follows the simulation.
type pions struct {
	e      *gcc.SendSideBWE
	writer interceptor.RTPWriter
	start  time.Time
}

func newPions(cfg bandwidth.Config) (*pions, error) {
	e, err := gcc.NewSendSideBWE(
		gcc.SendSideBWEInitialBitrate(int(cmp.Or(cfg.Start, startTarget))), gcc.SendSideBWEMinBitrate(int(cmp.Or(cfg.Min, 30_000))),
		gcc.SendSideBWEMaxBitrate(int(cmp.Or(cfg.Max, 20_000_000))), gcc.SendSideBWEPacer(gcc.NewNoOpPacer()))
	if err != nil {
		return nil, err
	}
	p := &pions{e: e, start: time.Now()}
	p.writer = e.AddStream(&interceptor.StreamInfo{
		SSRC: 1, RTPHeaderExtensions: []interceptor.RTPHeaderExtension{{URI: transportURI, ID: 1}},
	}, interceptor.RTPWriterFunc(func(*rtp.Header, []byte, interceptor.Attributes) (int, error) { return 0, nil }))

	return p, nil
}

// at moves the bubble's clock; every goroutine of the estimator waits meanwhile.
func (p *pions) at(at int64) {
	if d := time.Duration(at) - time.Since(p.start); d > 0 {
		time.Sleep(d)
	}
}

// Sent implements Sender.
func (p *pions) Sent(seq uint16, size int, at int64, _ uint8) error {
	p.at(at)
	ext, err := (&rtp.TransportCCExtension{TransportSequence: seq}).Marshal()
	if err != nil {
		return err
	}
	h := rtp.Header{Version: 2, SSRC: 1, SequenceNumber: seq}
	if err := h.SetExtension(1, ext); err != nil {
		return err
	}
	_, err = p.writer.Write(&h, make([]byte, size), interceptor.Attributes{})

	return err
}

// Feedback implements Sender.
func (p *pions) Feedback(fb *rtcp.TransportLayerCC, at int64) error {
	p.at(at)
	err := p.e.WriteRTCP([]rtcp.Packet{fb}, nil)
	synctest.Wait()

	return err
}

// Target implements Sender.
func (p *pions) Target(int64, int64) int64 { return int64(p.e.GetTargetBitrate()) }

// Probe implements Sender: gcc has no probes.
func (p *pions) Probe(int64) (bandwidth.Cluster, bool) { return bandwidth.Cluster{}, false }

// RunPions plays a scenario with pion's gcc, in a bubble of t.
func RunPions(t *testing.T, sc Scenario) (Outcome, error) {
	var o Outcome
	var err error
	synctest.Test(t, func(*testing.T) {
		var p *pions
		if p, err = newPions(sc.Config); err != nil {
			return
		}
		defer func() { _ = p.e.Close() }()
		o, err = Run(sc, p)
	})

	return o, err
}
