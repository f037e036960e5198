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
	// differs by less than 3; one that is built on the picture before the one it was made from differs by 17.
	spoilt = 8
	// frozen is how long a picture may stand.
	frozen = 500 * time.Millisecond
	// stalled is how long another viewer's picture has to stand within that time for it to be the machine's or the
	// publisher's doing.
	stalled = frozen / 2
)

// frame is one that a page has watched.
type frame struct {
	At            float64 // ms since 1970
	Width, Height int
	Number        int
	Error         float64
	Trouble       string
}

// film is what a viewer saw, in order.
type film []frame

// stand is a picture that stood.
type stand struct {
	From, To float64 // ms since 1970
	Numbers  [2]int  // of the pictures before and after
}

// String says how long, and over which pictures.
func (s stand) String() string {
	return fmt.Sprintf("%.0f ms from %d to %d", s.To-s.From, s.Numbers[0], s.Numbers[1])
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
			found = append(found, stand{f[last].At, now.At, [2]int{f[last].Number, now.Number}})
		}
		last = i
	}
	return found
}

// longest is the longest time that a picture stood.
func (f film) longest() stand {
	var longest stand
	for _, s := range f.stands(0) {
		if s.To-s.From > longest.To-longest.From {
			longest = s
		}
	}
	return longest
}

// wrong are the pictures that nobody has sent, or that came once more.
func (f film) wrong() []string {
	var found []string
	last := -1
	for _, now := range f {
		switch {
		case now.Trouble != "" || now.Error > spoilt:
			found = append(found, fmt.Sprintf("%d after %d: off by %.1f at %d lines %s", now.Number, last, now.Error, now.Height, now.Trouble))
		case now.Number <= last:
			found = append(found, fmt.Sprintf("%d after %d", now.Number, last))
		default:
			last = now.Number
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

// within is how much of a stand falls into another, in ms.
func (s stand) within(o stand) float64 { return min(s.To, o.To) - max(s.From, o.From) }

// blame divides the times that a viewer's picture froze into those that are the node's doing, and those at which another
// viewer's stood too.
func blame(viewer, other film) (node, machine []stand) {
	elsewhere := other.stands(stalled)
	for _, s := range viewer.stands(frozen) {
		if slices.ContainsFunc(elsewhere, func(o stand) bool { return o.within(s) >= ms(stalled) }) {
			machine = append(machine, s)
		} else {
			node = append(node, s)
		}
	}
	return node, machine
}

func TestBlame(t *testing.T) {
	shoot := func(period float64, missing ...int) film {
		var f film
		for i := range 40 {
			if !slices.Contains(missing, i) {
				f = append(f, frame{At: float64(i) * period, Height: 90, Number: i})
			}
		}
		return f
	}
	steady := shoot(100)
	for _, test := range []struct {
		name          string
		viewer, other film
		node, machine string
	}{
		{"nothing", steady, steady, "", ""},
		{"short", shoot(100, 5, 6, 7), steady, "", ""},
		{"node", shoot(100, 5, 6, 7, 8, 9), steady, "600 ms from 4 to 10", ""},
		{"machine", shoot(100, 5, 6, 7, 8, 9), shoot(100, 8, 9), "", "600 ms from 4 to 10"},
		{"later", shoot(100, 5, 6, 7, 8, 9), shoot(100, 10, 11), "600 ms from 4 to 10", ""},
		{"both", shoot(100, 5, 6, 7, 8, 9, 20, 21, 22, 23, 24, 25), shoot(100, 22, 23, 24, 25), "600 ms from 4 to 10", "700 ms from 19 to 26"},
	} {
		node, machine := blame(test.viewer, test.other)
		if diff := cmp.Diff([]string{test.node, test.machine}, []string{texts(node), texts(machine)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	spoil := slices.Clone(steady)
	for i := 5; i < 10; i++ {
		spoil[i].Error = 20
	}
	if node, _ := blame(spoil, steady); len(node) != 1 || len(spoil.wrong()) != 5 {
		t.Errorf("spoilt pictures: froze %v, wrong %v", node, spoil.wrong())
	}
	if again := append(slices.Clone(steady), steady[39]); len(again.wrong()) != 1 || len(steady.wrong()) != 0 {
		t.Errorf("a picture that comes twice: %v", again.wrong())
	}
}

func texts(stands []stand) string {
	var all []string
	for _, s := range stands {
		all = append(all, s.String())
	}
	return strings.Join(all, ", ")
}
