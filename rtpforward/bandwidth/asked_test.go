// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

import "testing"

// TestAsked: what is asked in short is what the long answer says, all along a round of probes and losses.
func TestAsked(t *testing.T) {
	e := New(Config{}, 0)
	refused, given := 0, 0
	var raw Feedback
	for round := range 400 {
		at := int64(round) * 50 * millisecond
		for i := range 5 {
			e.Sent(uint16(5*round+i), 1200, at, 0)
		}
		raw.Base, raw.Count, raw.Reference = uint16(5*round), 5, uint32(at/referenceTime)
		for i := range 5 {
			raw.ticks[i] = int32(at%referenceTime/tickTime) + 80
			if round%100 > 50 && i == round%5 {
				raw.ticks[i] = notReceived
			}
		}
		at += 20 * millisecond
		e.Feedback(&raw, at)
		if round == 200 {
			e.SetDemand(800_000)
		}
		if got, want := e.Target(), e.Estimate().Target; got != want {
			t.Fatalf("round %d: target %d, want %d", round, got, want)
		}
		may := e.MayProbe(at)
		switch _, ok := e.Probe(at); {
		case ok && !may:
			t.Fatalf("round %d: a probe that was ruled out", round)
		case ok:
			given++
		case !may:
			refused++
		}
	}
	if given == 0 || refused == 0 {
		t.Errorf("%d probes given, %d ruled out: nothing was tested", given, refused)
	}
}
