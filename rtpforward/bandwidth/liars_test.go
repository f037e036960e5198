// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth_test

import (
	"math/rand/v2"
	"testing"

	"github.com/pion/rtcp"

	"github.com/switchyard-media/sfu/bench/links"
	"github.com/switchyard-media/sfu/bench/path"
	"github.com/switchyard-media/sfu/rtpforward/bandwidth"
)

// TestLiarsAreBounded: a client may say what it likes, it does not get above the
// configured maximum, and probes stay a small part of what is sent.
func TestLiarsAreBounded(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 9))
	for _, c := range []struct {
		name  string
		twist func(*bandwidth.Feedback)
	}{
		{"everything arrived at once", func(fb *bandwidth.Feedback) {
			for i := range fb.Count {
				fb.Ticks()[i] = 0
			}
		}},
		{"nothing was lost", func(fb *bandwidth.Feedback) {
			for i := range fb.Count {
				if fb.Ticks()[i] == bandwidth.NotReceived {
					fb.Ticks()[i] = 0
				}
			}
		}},
		{"more and more arrived than was sent", func(fb *bandwidth.Feedback) {
			for i := fb.Count; i < 2000; i++ {
				fb.Ticks()[i] = 0
			}
			fb.Count = 2000
		}},
		{"the clock jumps", func(fb *bandwidth.Feedback) { fb.Reference = uint32(rnd.Int32N(1 << 24)) }},
		{"the clock runs backwards", func(fb *bandwidth.Feedback) { fb.Reference = 1<<24 - fb.Reference }},
		{"times are noise", func(fb *bandwidth.Feedback) {
			for i := range fb.Count {
				fb.Ticks()[i] = rnd.Int32N(1<<20) - 1<<19
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			sc := links.Scenario{Length: 60 * links.Second, Link: path.Shape{Capacity: path.Constant(links.Mbit), Queue: 60_000, Delay: 25 * links.Millisecond}, Config: bandwidth.Config{Max: 4 * links.Mbit}}
			s := links.NewOurs(sc.Config)
			s.Twist = c.twist
			o := play(t, sc, s)
			sent := int64(0)
			for _, p := range o.Points {
				if p.Target > 4*links.Mbit || p.Target < 30_000 {
					t.Fatalf("target %d at %d ms", p.Target, p.At/links.Millisecond)
				}
				sent += p.Sent / 80
			}
			// A frame may be a quarter above the average: the source's noise.
			if rate := o.Mean(0, sc.Length, links.Sent); rate > 4*links.Mbit*11/10 {
				t.Errorf("sent %d bit/s, the maximum is %d", rate, 4*links.Mbit)
			}
			if int64(s.Probed) > sent/20+100_000 {
				t.Errorf("%d of %d bytes were probes", s.Probed, sent)
			}
		})
	}
}

func TestSilenceHalves(t *testing.T) {
	sc := links.Scenario{Length: 20 * links.Second, Link: path.Shape{Capacity: path.Constant(3 * links.Mbit), Queue: 60_000, Delay: 25 * links.Millisecond}}
	s := links.NewOurs(sc.Config)
	play(t, sc, s)
	at, before := sc.Length, s.E.Estimate().Target
	if before < 2*links.Mbit {
		t.Fatalf("target %d before the silence", before)
	}
	// Nothing is sent: nothing can be answered, and nothing is concluded.
	s.E.Sent(bandwidth.NextNumber(s.E), 1000, at, 0)
	s.E.Feedback(bandwidth.AnswerAll(s.E), at+50*links.Millisecond)
	before = s.E.Estimate().Target
	s.E.Tick(at + 10*links.Second)
	if got := s.E.Estimate().Target; got != before {
		t.Errorf("target %d after a pause of our own, before %d", got, before)
	}
	at += 10 * links.Second
	s.E.Sent(bandwidth.NextNumber(s.E), 1000, at, 0)
	for range 60 {
		at += 50 * links.Millisecond
		s.E.Tick(at)
	}
	if got := s.E.Estimate().Target; got > before/4 || got < before/16 {
		t.Errorf("target %d after 3 s without answers, before %d", got, before)
	}
	if _, ok := s.E.Probe(at); ok {
		t.Error("probes into a silence")
	}
}

// late shifts our clock: times have no beginning that matters.
type late struct {
	*links.Ours
	by int64
}

func (l late) Sent(seq uint16, size int, at int64, probe uint8) error {
	return l.Ours.Sent(seq, size, at+l.by, probe)
}

func (l late) Feedback(fb *rtcp.TransportLayerCC, at int64) error {
	return l.Ours.Feedback(fb, at+l.by)
}
func (l late) Target(at, demand int64) int64            { return l.Ours.Target(at+l.by, demand) }
func (l late) Probe(at int64) (bandwidth.Cluster, bool) { return l.Ours.Probe(at + l.by) }

func TestAnyClock(t *testing.T) {
	sc := links.Scenario{Length: 30 * links.Second, Link: path.Shape{Capacity: path.Constant(2 * links.Mbit), Queue: 75_000, Delay: 25 * links.Millisecond}}
	for _, by := range []int64{links.Millisecond, 1_790_000_000 * links.Second, 1 << 61} {
		s := late{links.NewOurs(sc.Config), by}
		s.E = bandwidth.New(sc.Config, by)
		if rate := play(t, sc, s).Mean(5*links.Second, sc.Length, links.Received); rate < 1_700_000 {
			t.Errorf("received %d bit/s, the clock starting at %d", rate, by)
		}
	}
}
