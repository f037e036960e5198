// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package links

import "fmt"

// Bound is what a link has to show, and what it has shown.
type Bound struct {
	What  string
	Unit  string
	Got   int64 // -1 of a time: never
	Limit int64
	Most  bool // Limit is an upper one
}

// Held says whether it did.
func (b Bound) Held() bool {
	if b.Most {
		return b.Got >= 0 && b.Got <= b.Limit
	}

	return b.Got >= b.Limit
}

// String is the bound for people.
func (b Bound) String() string {
	word := "at least"
	if b.Most {
		word = "at most"
	}

	return fmt.Sprintf("%s: %d %s, %s %d", b.What, b.Got, b.Unit, word, b.Limit)
}

// judge collects what is asked of one outcome.
type judge struct {
	o   Outcome
	all []Bound
}

func (j *judge) rate(from, to, least int64) {
	j.all = append(j.all, Bound{"received", "kbit/s", j.o.Mean(from, to, Received) / 1000, least / 1000, false})
}

func (j *judge) sent(from, to, least int64) {
	j.all = append(j.all, Bound{"sent", "kbit/s", j.o.Mean(from, to, Sent) / 1000, least / 1000, false})
}

func (j *judge) queue(from, to, most int64) {
	j.all = append(j.all, Bound{"95 % wait", "ms", j.o.Queued(from, to, 95) / Millisecond, most / Millisecond, true})
}

func (j *judge) reaches(what string, from, rate, within int64, field func(Point) int64) {
	j.by(what, from, within, func(v int64) bool { return v >= rate }, field)
}

func (j *judge) falls(what string, from, rate, within int64, field func(Point) int64) {
	j.by(what, from, within, func(v int64) bool { return v <= rate }, field)
}

func (j *judge) by(what string, from, within int64, good func(int64) bool, field func(Point) int64) {
	took := j.o.Reached(from, good, field)
	if took > 0 {
		took /= Millisecond
	}
	j.all = append(j.all, Bound{what, "ms", took, within / Millisecond, true})
}

// plain are the links of which a rate and a queue are asked after a while, and no more.
var plain = map[string]struct{ from, rate int64 }{
	"steady 1M": {10, 850_000}, "bloat 1s": {5, 800_000},
	"delay 50ms": {10, 1_600_000}, "delay 100ms": {10, 1_600_000}, "delay 200ms": {10, 1_600_000},
	"jitter 30ms": {10, 1_400_000}, "jitter ordered": {10, 1_400_000},
}

// Bounds are what docs/congestion.md asks of the node's estimator over one of All; none of those beyond the acceptance list.
func Bounds(sc Scenario, o Outcome) []Bound {
	j := &judge{o: o}
	const longest = 150 * Millisecond
	if p, ok := plain[sc.Name]; ok {
		j.rate(p.from*Second, sc.Length, p.rate)
		j.queue(p.from*Second, sc.Length, longest)

		return j.all
	}
	switch sc.Name {
	case "2M-300k-2M":
		j.rate(25*Second, 50*Second, 220_000)
		j.queue(25*Second, 50*Second, longest)
		j.falls("down to 300 kbit/s after the drop", 20*Second, 300_000, 2*Second, Sent)
		j.reaches("up to 1600 kbit/s after its end", 50*Second, 1_600_000, 15*Second, Received)
	case "loss 5%", "loss 10%":
		through := int64(95)
		if sc.Name == "loss 10%" {
			through = 90
		}
		j.rate(5*Second, sc.Length, 2_500_000*80/100*through/100)
		j.sent(5*Second, sc.Length, 2_000_000)
		j.queue(5*Second, sc.Length, 50*Millisecond)
	case "rival":
		j.rate(30*Second, sc.Length, 400_000)
		j.queue(30*Second, sc.Length, Second)
		j.all = append(j.all, Bound{"left to the other flow", "kbit/s", o.Mean(30*Second, sc.Length, Rival) / 1000, 400, false})
	case "limited then full":
		j.rate(35*Second, sc.Length, 2_400_000)
		j.queue(35*Second, sc.Length, longest)
		j.all = append(j.all, Bound{"target while 200 kbit/s are sent", "kbit/s", o.Mean(15*Second, 20*Second, Target) / 1000, 3300, true})
		j.reaches("up to 2400 kbit/s", 20*Second, 2_400_000, 10*Second, Received)
	case "fast start 3M":
		j.rate(3*Second, sc.Length, 2_400_000)
		j.queue(3*Second, sc.Length, longest)
		j.reaches("up to 2400 kbit/s", 0, 2_400_000, 3*Second, Received)
	}

	return j.all
}

// Figures sum up the last two thirds of a run, as docs/congestion.md does.
type Figures struct {
	Received, Rival int64 // bit/s
	Q95, Q50        int64 // ns: what 95 % and 50 % of packets wait at most
	Ready           int64 // ns until 80 % of what link and source allow came through; -1: never
}

// FiguresOf sums up.
func FiguresOf(sc Scenario, o Outcome) Figures {
	from, full := sc.Length/3, sc.Full()

	return Figures{
		Received: o.Mean(from, sc.Length, Received), Rival: o.Mean(from, sc.Length, Rival),
		Q95: o.Queued(from, sc.Length, 95), Q50: o.Queued(from, sc.Length, 50),
		Ready: o.Reached(0, func(v int64) bool { return v >= full*8/10 }, Received),
	}
}
