// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package allocate

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// simulcast is what a camera usually sends.
var simulcast = []Layer{
	{150_000, Quality(320, 180, 30)},
	{500_000, Quality(640, 360, 30)},
	{1_500_000, Quality(1280, 720, 30)},
}

var voice = []Layer{{40_000, 1}}

func camera(weight, priority float64) Subscription {
	return Subscription{Weight: weight, Priority: priority, Layers: simulcast}
}

// settle runs until hysteresis has nothing more to wait for.
func settle(a *Allocator, budget int64, subs []Subscription, from int64) (layers []int, at int64) {
	at = from
	for range 30 {
		at += second
		for i, d := range a.Run(budget, subs, at) {
			subs[i].Memory = d.Memory
		}
	}
	for i := range subs {
		layers = append(layers, subs[i].Memory.Layer)
	}

	return layers, at
}

func TestBudgets(t *testing.T) {
	paused := camera(1, 1)
	paused.Pause = true
	capped := camera(1, 1)
	capped.Cap = 2
	audio := Subscription{Audio: true, Layers: voice}
	gone := camera(1, 1)
	gone.Layers = []Layer{simulcast[0], simulcast[1], {1_500_000, 0}}
	for _, c := range []struct {
		name   string
		budget int64
		subs   []Subscription
		want   []int
	}{
		{"nothing", 1_000_000, nil, nil},
		{"all of it", 10_000_000, []Subscription{camera(1, 1), audio}, []int{2, 0}},
		{"audio is the floor", 10_000, []Subscription{camera(1, 1), audio, audio}, []int{Paused, 0, 0}},
		{"paused by the subscriber", 10_000_000, []Subscription{paused, camera(1, 1)}, []int{Paused, 2}},
		{"capped by the subscriber", 10_000_000, []Subscription{capped}, []int{1}},
		{"the best layer has stopped", 10_000_000, []Subscription{gone}, []int{1}},
		{"equal ones share", 1_200_000, []Subscription{camera(1, 1), camera(1, 1)}, []int{1, 1}},
		{"the room that counts more goes first", 2_500_000, []Subscription{camera(1, 1), camera(4, 1)}, []int{1, 2}},
		{"priority within a room", 2_500_000, []Subscription{camera(1, 1), camera(1, 4)}, []int{1, 2}},
		{
			"the last ones are paused, the others not starved", 400_000,
			[]Subscription{camera(2, 1), camera(2, 1), camera(1, 1), camera(1, 1)},
			[]int{0, 0, Paused, Paused},
		},
		{
			"five rooms at 1 Mbit/s: every voice, and every face small", 1_000_000,
			[]Subscription{audio, audio, audio, audio, audio, camera(4, 1), camera(1, 1), camera(1, 1), camera(1, 1), camera(1, 1)},
			[]int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		},
		{
			"five rooms at 600 kbit/s: faces by weight", 600_000,
			[]Subscription{audio, audio, audio, audio, audio, camera(1, 1), camera(1, 1), camera(1, 1), camera(2, 1), camera(3, 1)},
			[]int{0, 0, 0, 0, 0, Paused, Paused, Paused, 0, 0},
		},
		{"no budget", -1, []Subscription{camera(1, 1)}, []int{Paused}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := settle(New(Config{}), c.budget, c.subs, 0)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDownAtOnceUpLater(t *testing.T) {
	a := New(Config{})
	subs := []Subscription{camera(1, 1)}
	_, at := settle(a, 3_000_000, subs, 0)
	apply := func(budget int64) Decision {
		d := a.Run(budget, subs, at)[0]
		subs[0].Memory = d.Memory

		return d
	}
	at += 100 * millisecond
	if d := apply(400_000); d.Layer != 0 || !d.Short || d.Memory.DownAt != at {
		t.Fatalf("after the drop %+v, want the first layer, at once, for want of budget", d)
	}
	down := at
	for apply(3_000_000).Layer == 0 {
		at += 100 * millisecond
		if at > down+60*second {
			t.Fatal("never went up again")
		}
	}
	if waited := at - down; waited < 10*second || waited > 12*second {
		t.Errorf("went up after %d ms, want 10 to 12 s", waited/millisecond)
	}
	if d := apply(3_000_000); d.Layer != 2 || d.Short {
		t.Errorf("then %+v, want the best", d)
	}
}

// TestFailedUpgradesWaitLonger: a budget that allows an upgrade and breaks under
// it tempts less and less often.
func TestFailedUpgradesWaitLonger(t *testing.T) {
	a := New(Config{})
	subs := []Subscription{camera(1, 1)}
	_, at := settle(a, 700_000, subs, 0)
	var ups []int64
	for range 4000 {
		budget := int64(2_000_000)
		if subs[0].Memory.Layer == 2 {
			budget = 1_000_000 // it was not there
		}
		at += 100 * millisecond
		before := subs[0].Memory.Layer
		subs[0].Memory = a.Run(budget, subs, at)[0].Memory
		if subs[0].Memory.Layer > before {
			ups = append(ups, at)
		}
	}
	if len(ups) < 5 || len(ups) > 12 {
		t.Fatalf("%d upgrades in 400 s, want 5 to 12", len(ups))
	}
	first, last := ups[1]-ups[0], ups[len(ups)-1]-ups[len(ups)-2]
	if first < 10*second || first > 13*second || last < 60*second {
		t.Errorf("the second came after %d ms, the last after %d", first/millisecond, last/millisecond)
	}
}

func TestNoFlappingOnSawtooth(t *testing.T) {
	// The estimate of a steady link goes down to 85 % when it has found the
	// link's end, and up again, every few seconds. Whatever the link carries,
	// layers may not follow that.
	rnd := rand.New(rand.NewPCG(3, 4))
	for link := int64(100_000); link < 6_000_000; link += 50_000 {
		a := New(Config{})
		subs := []Subscription{camera(1, 1), camera(2, 1), {Audio: true, Layers: voice}}
		last := [3]int{Paused, Paused, Paused}
		var changes [3][]int64
		share := 0.85
		for at := second; at < 120*second; at += 100 * millisecond {
			share += 0.004 + 0.004*rnd.Float64()
			if share > 1 {
				share = 0.85
			}
			for i, d := range a.Run(int64(share*float64(link)), subs, at) {
				subs[i].Memory = d.Memory
				if d.Layer != last[i] {
					changes[i], last[i] = append(changes[i], at), d.Layer
				}
			}
		}
		for i, c := range changes {
			for j := 2; j < len(c); j++ {
				if c[j]-c[j-2] < 10*second && c[j] > 20*second {
					t.Errorf("link of %d: subscription %d changed at %d, %d and %d ms", link, i, c[j-2]/millisecond, c[j-1]/millisecond, c[j]/millisecond)
				}
			}
		}
	}
}

// TestPausedResumesSoon: a jam pauses, and its end brings back what was shown for
// long; what is paused again soon after waits longer.
func TestPausedResumesSoon(t *testing.T) {
	a := New(Config{})
	subs := []Subscription{camera(1, 1)}
	_, at := settle(a, 300_000, subs, 0)
	paused := func() int64 {
		subs[0].Memory = a.Run(50_000, subs, at)[0].Memory
		if subs[0].Memory.Layer != Paused {
			t.Fatalf("shows %d of nothing", subs[0].Memory.Layer)
		}
		from := at
		for subs[0].Memory.Layer == Paused && at < from+60*second {
			at += 100 * millisecond
			subs[0].Memory = a.Run(300_000, subs, at)[0].Memory
		}

		return at - from
	}
	if d := paused(); d > 4*second {
		t.Errorf("resumed after %d ms, want 2 to 4 s", d/millisecond)
	}
	at += second
	if d := paused(); d < 10*second {
		t.Errorf("resumed after %d ms though it was paused again at once, want 10 s", d/millisecond)
	}
}

func TestPausedComesBackAtOnceWhenAskedFor(t *testing.T) {
	a := New(Config{})
	subs := []Subscription{camera(1, 1)}
	subs[0].Pause = true
	_, at := settle(a, 3_000_000, subs, 0)
	subs[0].Pause = false
	if d := a.Run(3_000_000, subs, at+1)[0]; d.Layer == Paused {
		t.Error("a subscription that was resumed waits")
	}
}

// TestAgainstBruteForce compares with the best there is, found by trying all.
// Step by step is not exact (this is a knapsack), but at most one step away,
// and near it for layers as they are.
func TestAgainstBruteForce(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	const cases = 3000
	exact, sum, worst := 0, 0.0, 1.0
	for range cases {
		subs := make([]Subscription, 1+rnd.IntN(5))
		for i := range subs {
			subs[i].Weight = []float64{1, 1, 2, 4}[rnd.IntN(4)]
			scale := 0.5 + rnd.Float64()
			for _, l := range simulcast[:1+rnd.IntN(3)] {
				subs[i].Layers = append(subs[i].Layers, Layer{int64(float64(l.Rate) * scale), l.Quality})
			}
		}
		budget := rnd.Int64N(1_500_000 * int64(len(subs)))
		a := New(Config{})
		a.grow(len(subs))
		got := a.fill(a.keep, budget, subs, func(i int) int { return subs[i].allowed() })
		best, step := bruteForce(subs, budget)
		if got > best+1e-9 || got < best-step-1e-9 {
			t.Fatalf("%v of %v (one step %v): budget %d, %+v", got, best, step, budget, subs)
		}
		share := 1.0
		if best > 0 {
			share = got / best
		}
		if share > 1-1e-9 {
			exact++
		}
		sum += share
		worst = min(worst, share)
	}
	t.Logf("%d %% exact, %.4f of the best on average, %.3f at worst", exact*100/cases, sum/cases, worst)
	if sum/cases < 0.97 {
		t.Errorf("%.4f of the best on average, want at least 0.97", sum/cases)
	}
}

// bruteForce gives the highest value, and the greatest gain of a single step.
func bruteForce(subs []Subscription, budget int64) (best, step float64) {
	for i := range subs {
		step = max(step, subs[i].factor()*subs[i].Layers[len(subs[i].Layers)-1].Quality)
	}
	var try func(i int, left int64, value float64)
	try = func(i int, left int64, value float64) {
		if i == len(subs) {
			best = max(best, value)

			return
		}
		s := &subs[i]
		for layer := Paused; layer < len(s.Layers); layer++ {
			if s.rate(layer) <= left {
				try(i+1, left-s.rate(layer), value+s.factor()*s.quality(layer))
			}
		}
	}
	try(0, budget, 0)

	return best, step
}

func TestQualityGrows(t *testing.T) {
	for _, c := range []struct {
		name        string
		worse, good float64
	}{
		{"size", Quality(640, 360, 30), Quality(1280, 720, 30)},
		{"frames", Quality(640, 360, 7.5), Quality(640, 360, 15)},
		{"anything at all", 0, Quality(0, 0, 0)},
	} {
		if !(c.good > c.worse) || math.IsInf(c.good, 0) || math.IsNaN(c.good) {
			t.Errorf("%s: %v is not better than %v", c.name, c.good, c.worse)
		}
	}
}

// hundred is a session in five rooms with a hundred faces.
func hundred() []Subscription {
	rnd := rand.New(rand.NewPCG(5, 6))
	subs := make([]Subscription, 100)
	for i := range subs {
		subs[i] = camera(float64(1+i%5), 1+rnd.Float64())
	}

	return subs
}

func TestNoAllocations(t *testing.T) {
	a, subs, at := New(Config{}), hundred(), second
	if n := testing.AllocsPerRun(100, func() {
		at += 100 * millisecond
		for i, d := range a.Run(20_000_000+at%7_000_000, subs, at) {
			subs[i].Memory = d.Memory
		}
	}); n != 0 {
		t.Errorf("%v allocations a run, want 0", n)
	}
}

func BenchmarkRun100x3(b *testing.B) {
	a, subs, at := New(Config{}), hundred(), second
	b.ReportAllocs()
	for b.Loop() {
		at += 100 * millisecond
		for i, d := range a.Run(20_000_000, subs, at) {
			subs[i].Memory = d.Memory
		}
	}
}

// faces are the layers of a camera with temporal layers, with headers.
func faces(rate int64) []Layer {
	return []Layer{
		{rate / 4, Quality(320, 180, 7.5)},
		{rate / 2, Quality(320, 180, 15)},
		{rate, Quality(320, 180, 30)},
		{rate * 3 / 2, Quality(640, 360, 7.5)},
		{rate * 10 / 3, Quality(640, 360, 30)},
	}
}

// fiveRooms are a face and a voice in each of five rooms.
func fiveRooms() (subs []Subscription) {
	for _, weight := range []float64{4, 2, 1, 1, 1} {
		subs = append(subs, Subscription{Weight: weight, Layers: faces(157_000)})
	}

	return append(subs, Subscription{Audio: true, Layers: []Layer{{305_000, 1}}})
}

// TestFiveRoomsOverTime: a link that jams, is thin and is wide again, with an
// estimate that is never quite still. Everything is seen soon, by weight, and
// nothing comes and goes all the time.
func TestFiveRoomsOverTime(t *testing.T) {
	for seed := range uint64(50) {
		rnd, a, subs := rand.New(rand.NewPCG(seed, 1)), New(Config{}), fiveRooms()
		var last [5]int
		var changes [5][]int64 // of what is paused or shown
		for at := second; at <= 90*second; at += 100 * millisecond {
			budget, ups, downs := 950_000.0, 0, 0
			switch {
			case at < 3*second:
				budget = 350_000 // a jam at the start
			case at > 40*second && at < 60*second:
				budget = 400_000
			}
			for i, d := range a.Run(int64(budget*(0.97+0.06*rnd.Float64())), subs, at)[:5] {
				if d.Layer > subs[i].Memory.Layer && subs[i].Memory.Known {
					ups++
				} else if d.Layer < subs[i].Memory.Layer {
					downs++
				}
				subs[i].Memory = d.Memory
				if shown := min(d.Layer, 0); shown != last[i] {
					last[i], changes[i] = shown, append(changes[i], at)
				}
			}
			if ups > 1 && downs == 0 {
				t.Errorf("seed %d: %d upgrades at once at %d ms", seed, ups, at/millisecond)
			}
			for i := range 4 {
				if at == 15*second || at == 39*second || at == 80*second {
					if last[i] == Paused || last[4] == Paused {
						t.Errorf("seed %d: paused %v at %d ms", seed, last, at/millisecond)
					}
				}
				if at == 39*second && subs[i].Memory.Layer < subs[i+1].Memory.Layer {
					t.Errorf("seed %d: room %d shows %d, the next one %d", seed, i, subs[i].Memory.Layer, subs[i+1].Memory.Layer)
				}
			}
		}
		if subs[0].Memory.Layer <= subs[4].Memory.Layer {
			t.Errorf("seed %d: the room that counts most shows %d, the last %d", seed, subs[0].Memory.Layer, subs[4].Memory.Layer)
		}
		for i, c := range changes {
			for j := 2; j < len(c); j++ {
				if c[j]-c[j-2] < 10*second && c[j] > 15*second {
					t.Errorf("seed %d: room %d is paused or back at %d, %d and %d ms", seed, i, c[j-2]/millisecond, c[j-1]/millisecond, c[j]/millisecond)
				}
			}
		}
	}
}

// TestSeenBeforeSeenWell: what is paused comes before a better layer of others, at
// once and with little to spare.
func TestSeenBeforeSeenWell(t *testing.T) {
	a := New(Config{})
	subs := []Subscription{camera(4, 1), camera(1, 1)}
	_, at := settle(a, 170_000, subs, 0)
	if subs[0].Memory.Layer != 0 || subs[1].Memory.Layer != Paused {
		t.Fatalf("layers %d and %d over 170 kbit/s", subs[0].Memory.Layer, subs[1].Memory.Layer)
	}
	from := at
	for subs[1].Memory.Layer == Paused && at < from+20*second {
		at += 100 * millisecond
		for i, d := range a.Run(320_000, subs, at) {
			subs[i].Memory = d.Memory
		}
	}
	if waited := at - from; waited > second {
		t.Errorf("came after %d ms", waited/millisecond)
	}
}

// TestWiderLinkForgets: failures over a thin link do not hold what a wide one carries.
func TestWiderLinkForgets(t *testing.T) {
	a := New(Config{})
	subs := []Subscription{{Layers: faces(157_000)}}
	at := second
	run := func(budget int64) {
		at += 100 * millisecond
		subs[0].Memory = a.Run(budget, subs, at)[0].Memory
	}
	for range 3 { // comes back and is paused again
		for before := at; subs[0].Memory.Layer == Paused || before == at; {
			run(60_000)
		}
		for subs[0].Memory.Layer != Paused {
			run(20_000)
		}
	}
	from := at
	for subs[0].Memory.Layer == Paused {
		run(220_000)
	}
	if waited := at - from; waited > 2*second {
		t.Errorf("was paused for %d ms over a link that carries it", waited/millisecond)
	}
	for range 100 {
		run(220_000)
	}
	from = at
	for subs[0].Memory.Layer < 4 {
		if run(2_000_000); at > from+60*second {
			t.Fatalf("shows %d", subs[0].Memory.Layer)
		}
	}
	if waited := at - from; waited > 10*second {
		t.Errorf("the best came after %d ms", waited/millisecond)
	}
}

// TestEagerNeedNotWait: what was asked for comes at once, beside other upgrades.
func TestEagerNeedNotWait(t *testing.T) {
	a := New(Config{})
	subs := []Subscription{camera(1, 1), camera(1, 1), camera(1, 1)}
	for i := range subs {
		subs[i].Cap = 1
	}
	_, at := settle(a, 10_000_000, subs, 0)
	for i := range subs {
		subs[i].Cap, subs[i].Eager = 0, true
	}
	for i, d := range a.Run(10_000_000, subs, at+millisecond) {
		if d.Layer != 2 {
			t.Errorf("%d shows %d", i, d.Layer)
		}
	}
}

// TestHalfAnUpgradeHasNotFailed: the wait is doubled only if nothing is left of an upgrade.
func TestHalfAnUpgradeHasNotFailed(t *testing.T) {
	for _, c := range []struct {
		name   string
		budget int64 // after the upgrade
		waits  int64 // s
	}{{"half of it is left", 600_000, 10}, {"nothing is left", 200_000, 20}} {
		a := New(Config{})
		subs := []Subscription{camera(1, 1)}
		_, at := settle(a, 3_000_000, subs, 0)
		run := func(budget int64) int {
			at += 100 * millisecond
			subs[0].Memory = a.Run(budget, subs, at)[0].Memory

			return subs[0].Memory.Layer
		}
		at += 20 * second
		run(200_000)
		for run(3_000_000) != 2 {
		}
		down := at
		for run(c.budget) == 2 {
		}
		for run(2_500_000) != 2 {
		}
		if waited := (at - down) / second; waited < c.waits || waited > c.waits+2 {
			t.Errorf("%s: went up after %d s, want %d", c.name, waited, c.waits)
		}
	}
}
