// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package links

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtcp"

	"github.com/switchyard-media/sfu/rtpforward/bandwidth"
)

// TestRunsAreTheSame: nothing but the seed is chance.
func TestRunsAreTheSame(t *testing.T) {
	sc, err := Named("jitter 30ms")
	if err != nil {
		t.Fatal(err)
	}
	sc.Length = 10 * Second
	play := func(seed uint64) []Point {
		sc.Seed = seed
		o, err := Run(sc, NewOurs(sc.Config))
		if err != nil {
			t.Fatal(err)
		}

		return o.Points
	}
	if diff := cmp.Diff(play(1), play(1)); diff != "" {
		t.Errorf("two runs of one seed:\n%s", diff)
	}
	if cmp.Equal(play(1), play(2)) {
		t.Error("the seed changes nothing")
	}
	if _, err := Named("none"); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown name is %v", err)
	}
}

var errFull = errors.New("full")

// broken is a sender that fails.
type broken struct{}

func (broken) Sent(uint16, int, int64, uint8) error         { return errFull }
func (broken) Feedback(*rtcp.TransportLayerCC, int64) error { return nil }
func (broken) Target(int64, int64) int64                    { return 100_000 }
func (broken) Probe(int64) (bandwidth.Cluster, bool)        { return bandwidth.Cluster{}, false }

func TestErrorsEndARun(t *testing.T) {
	o, err := Run(Scenario{Length: Second, Link: steady(Mbit)}, broken{})
	if !errors.Is(err, errFull) || len(o.Points) > 1 {
		t.Errorf("%v after %d points", err, len(o.Points))
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		b    Bound
		held bool
	}{
		{Bound{Got: 10, Limit: 10}, true},
		{Bound{Got: 9, Limit: 10}, false},
		{Bound{Got: 10, Limit: 10, Most: true}, true},
		{Bound{Got: 11, Limit: 10, Most: true}, false},
		{Bound{Got: -1, Limit: 10, Most: true}, false}, // never
	} {
		if c.b.Held() != c.held {
			t.Errorf("%v: held %v", c.b, !c.held)
		}
	}
	for _, sc := range All()[:12] {
		if len(Bounds(sc, Outcome{})) < 2 {
			t.Errorf("nothing is asked of %s", sc.Name)
		}
	}
}

// TestYardstickRuns: gcc plays in a bubble, and finds a link that does nothing to it.
func TestYardstickRuns(t *testing.T) {
	sc := Scenario{Length: 30 * Second, Link: steady(Mbit)}
	o, err := RunPions(t, sc)
	if err != nil {
		t.Fatal(err)
	}
	f := FiguresOf(sc, o)
	if f.Received < 500_000 || f.Received > Mbit || f.Ready < 0 {
		t.Errorf("%+v", f)
	}
}
