// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

import (
	"math/rand/v2"
	"testing"
)

// TestSwitchBackIsNotIntoThePast: a keyframe that the receiver has had, or that
// is older than what it has had, does not begin a run.
func TestSwitchBackIsNotIntoThePast(t *testing.T) {
	var s Selector
	s.Reset(true)
	s.SetTarget(Layer{0, 7})
	key, delta := Unit{Known: true, Key: true, FrameStart: true}, Unit{Known: true, FrameStart: true}
	expect := func(what string, got Decision, want Action, reason Reason, start bool) {
		t.Helper()
		if got.Action != want || got.Reason != reason || got.Start != start {
			t.Errorf("%s: %+v", what, got)
		}
	}
	expect("delta first", s.Choose(0, 500, &delta), Ignore, KeyframeWait, false)
	expect("beyond the target", s.Choose(1, 1000, &key), Ignore, OtherLayer, false)
	expect("keyframe", s.Choose(0, 1000, &key), Forward, Chosen, true)
	expect("next", s.Choose(0, 2000, &delta), Forward, Chosen, false)
	s.SetTarget(Layer{1, 7})
	if stream, need := s.NeedsKeyframe(); stream != 1 || !need {
		t.Errorf("needs a keyframe of %d: %v", stream, need)
	}
	expect("goes on meanwhile", s.Choose(0, 3000, &delta), Forward, Chosen, false)
	expect("other stream", s.Choose(1, 77000, &delta), Ignore, OtherLayer, false)
	expect("its keyframe", s.Choose(1, 78000, &key), Forward, Chosen, true)
	if got := s.Current(); got != (Layer{1, 0}) {
		t.Errorf("at %v", got)
	}
	expect("late, of before the run", s.Choose(1, 77000, &delta), Ignore, Stale, false)
	s.SetTarget(Layer{0, 7})
	expect("late keyframe of the first", s.Choose(0, 3000, &key), Ignore, Stale, false)
	expect("new keyframe", s.Choose(0, 4000, &key), Forward, Chosen, true)
	s.SetTarget(None)
	expect("paused", s.Choose(0, 5000, &key), Ignore, Paused, false)
	if _, need := s.NeedsKeyframe(); need || s.Current() != None {
		t.Error("paused, and needs something")
	}
	s.SetTarget(Layer{0, 7})
	expect("after the pause", s.Choose(0, 6000, &delta), Ignore, KeyframeWait, false)
	expect("again", s.Choose(0, 7000, &key), Forward, Chosen, true)
	expect("begun anew", s.Choose(0, 10, &delta), Ignore, Stale, false)
	s.Renew()
	expect("renewed", s.Choose(0, 11, &delta), Forward, Chosen, false)
}

// TestRunBeginsWithWhatRefersToNothing: in a simulcast in one stream the run's
// keyframe is not the one that brought the structure. Without it, what follows
// would refer to numbers of the run before.
func TestRunBeginsWithWhatRefersToNothing(t *testing.T) {
	specForModel = specStructures(t)
	w := &world{dice: rand.New(rand.NewPCG(2, 2))}
	e := &encoder{mode: "S3T3", spatial: 3, structure: keySVC(specForModel["L3T3"], true), byLayer: map[[2]int]int{}, clock: 1 << 20}
	r := Reader{Codec: AV1}
	var s Selector
	s.Reset(false)
	s.SetTarget(Layer{1, 0})
	forwarded := 0
	for picture := range 9 {
		e.wantsKey = picture == 8
		for _, p := range e.picture(w) {
			u := r.Read(p.payload, p.extension, 0, p.marker)
			if picture == 0 && p.frame.spatial == 1 {
				continue // lost
			}
			d := s.Choose(0, p.timestamp, &u)
			if d.Action != Forward {
				continue
			}
			if picture < 8 && !p.frame.key {
				t.Errorf("%v forwarded", p.frame)
			}
			if d.Start != (forwarded == 0) || d.Start && !d.Attach {
				t.Errorf("%v: %+v", p.frame, d)
			}
			forwarded++
		}
		if _, need := s.NeedsKeyframe(); need != (forwarded == 0) {
			t.Errorf("picture %d: needs a keyframe: %v", picture, need)
		}
	}
	if forwarded == 0 {
		t.Error("never began")
	}
}

// TestUnreadableStreamPassesWhole: without a word about layers everything passes
// from the keyframe on that the caller names.
func TestUnreadableStreamPassesWhole(t *testing.T) {
	r := Reader{Codec: VP8, Opaque: true}
	var s Selector
	var w Rewriter
	s.Reset(false)
	s.SetTarget(Layer{0, 0})
	for n := range 100 {
		payload := []byte{byte(n * 37), byte(n), 0xff, byte(n * 91)}
		u := r.Read(payload, nil, uint32(n), n%3 == 2)
		u.Key = n == 5
		d := s.Choose(0, uint64(n/3), &u)
		if want := n >= 5; (d.Action == Forward) != want {
			t.Fatalf("%d: %+v", n, d)
		}
		if d.Action != Forward {
			continue
		}
		stamp, ok := w.Forward(&u, &d)
		out := append([]byte(nil), payload...)
		if stamp.Payload(&u, out); !ok || string(out) != string(payload) || d.Marker != (n%3 == 2) {
			t.Fatalf("%d: %x became %x, marker %v", n, payload, out, d.Marker)
		}
	}
}
