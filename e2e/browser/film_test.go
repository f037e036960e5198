// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	// spoilt is the mean difference of luma from which on a picture is not what was sent. What encoders make of the picture
	// differs by 3, or by 8 in the smallest layer on a busy machine; one that is built on the picture before the one it was made from differs by 17.
	spoilt = 12
	// frozen is how long a picture may stand.
	frozen = 500 * time.Millisecond
	// passed is how many pictures another viewer, who gets all of them, has to see meanwhile for it to be the node's doing. Who
	// gets the lowest temporal layer sees every fourth; on a busy machine a publisher sends few, and these come late.
	passed = 8
)

// frame is one that a page has watched.
type frame struct {
	At            float64 // ms since 1970
	Stamp         uint32  // of RTP
	Width, Height int
	Number        int
	Error         float64
	Trouble       string
	Left          float64 // when the node had sent it, ms since 1970
}

// film is what a viewer saw, in order.
type film []frame

// stand is a picture that stood.
type stand struct {
	From, To frame // the pictures before and after
}

// String says how long, and over which pictures.
func (s stand) String() string {
	return fmt.Sprintf("%.0f ms from %d to %d (%.0f ms at the node)", s.To.At-s.From.At, s.From.Number, s.To.Number, s.To.Left-s.From.Left)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// stands are the times longer than d between pictures that were right and newer than all before.
func (f film) stands(d time.Duration) []stand {
	var found []stand
	last := -1
	for i, now := range f {
		if now.Error > spoilt || last >= 0 && now.Number <= f[last].Number {
			continue
		}
		if last >= 0 && now.At-f[last].At > ms(d) {
			found = append(found, stand{f[last], now})
		}
		last = i
	}
	return found
}

// longest is the longest time that a picture stood.
func (f film) longest() stand {
	var longest stand
	for _, s := range f.stands(0) {
		if s.To.At-s.From.At > longest.To.At-longest.From.At {
			longest = s
		}
	}
	return longest
}

// wrong are the pictures that nobody has sent, or that are not newer than those before. The same one may come again in
// another size, where one stream of simulcast takes over from the other.
func (f film) wrong() []string {
	var found []string
	last := frame{Number: -1}
	for _, now := range f {
		switch {
		case now.Trouble != "" || now.Error > spoilt:
			found = append(found, fmt.Sprintf("%d after %d: off by %.1f at %d lines %s", now.Number, last.Number, now.Error, now.Height, now.Trouble))
		case now.Number < last.Number || now.Number == last.Number && now.Height == last.Height:
			found = append(found, fmt.Sprintf("%d at %d lines after %d at %d", now.Number, now.Height, last.Number, last.Height))
		default:
			last = now
		}
	}
	return found
}

// heights counts the pictures of each height, and how often it changed.
func (f film) heights() (counts map[int]int, changes int) {
	counts = make(map[int]int)
	for i, now := range f {
		counts[now.Height]++
		if i > 0 && now.Height != f[i-1].Height {
			changes++
		}
	}
	return counts, changes
}

// between cuts what was seen at some time out of a film.
func (f film) between(from, to float64) film {
	return slices.DeleteFunc(slices.Clone(f), func(now frame) bool { return now.At < from || now.At > to })
}

// blame divides the times that a viewer's picture froze into those that are the node's doing, and those that are not: there the
// node had sent the next picture in time, or another viewer did not get much either.
func blame(viewer, other film) (node, machine []stand) {
	for _, s := range viewer.stands(frozen) {
		meanwhile := 0
		for _, o := range other {
			if o.Left > s.From.Left && o.Left < s.To.Left {
				meanwhile++
			}
		}
		if s.To.Left-s.From.Left > ms(frozen) && meanwhile >= passed {
			node = append(node, s)
		} else {
			machine = append(machine, s)
		}
	}
	return node, machine
}

func TestBlame(t *testing.T) {
	const period = 50                               // ms
	shoot := func(count int, missing ...int) film { // the first and the last of a row that is missing
		var f film
		for i := range count {
			if len(missing) == 0 || i < missing[0] || i > missing[1] {
				f = append(f, frame{At: float64(i) * period, Left: float64(i) * period, Height: 90, Number: i})
			}
		}
		return f
	}
	steady := shoot(40)
	late := shoot(40)
	for i := 5; i < 15; i++ {
		late[i].At = 15 * period
	}
	for i := 15; i < 40; i++ {
		late[i].At += period
	}
	for _, test := range []struct {
		name          string
		viewer, other film
		node, machine string
	}{
		{"nothing", steady, steady, "", ""},
		{"short", shoot(40, 5, 13), steady, "", ""},
		{"node", shoot(40, 5, 14), steady, "550 ms from 4 to 15 (550 ms at the node)", ""},
		{"machine", shoot(40, 5, 14), shoot(40, 7, 12), "", "550 ms from 4 to 15 (550 ms at the node)"},
		{"machine, and then the node", shoot(40, 5, 24), shoot(40, 7, 12), "1050 ms from 4 to 25 (1050 ms at the node)", ""},
		{"the viewer's machine", late, steady, "", "550 ms from 4 to 5 (50 ms at the node)"},
		{"later", shoot(40, 5, 14), shoot(40, 14, 22), "550 ms from 4 to 15 (550 ms at the node)", ""},
	} {
		node, machine := blame(test.viewer, test.other)
		if diff := cmp.Diff([]string{test.node, test.machine}, []string{texts(node), texts(machine)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	spoil := slices.Clone(steady)
	for i := 5; i < 15; i++ {
		spoil[i].Error = 20
	}
	if node, _ := blame(spoil, steady); len(node) != 1 || len(spoil.wrong()) != 10 {
		t.Errorf("spoilt pictures: froze %v, wrong %v", node, spoil.wrong())
	}
	again := append(slices.Clone(steady), steady[39])
	if len(again.wrong()) != 1 || len(steady.wrong()) != 0 {
		t.Errorf("a picture that comes twice: %v", again.wrong())
	}
	again[40].Height *= 2
	if len(again.wrong()) != 0 {
		t.Errorf("a picture that comes again in another size: %v", again.wrong())
	}
}

func texts(stands []stand) string {
	var all []string
	for _, s := range stands {
		all = append(all, s.String())
	}
	return strings.Join(all, ", ")
}
