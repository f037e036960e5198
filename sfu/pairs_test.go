// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/switchyard-media/sfu/router"
)

// TestSlotPairs: whatever a client offers and offers next, the k-th audio slot and the k-th video slot are answered as one
// stream, with tracks of their own; what a slot was answered as once stays, and is the pair that the router has.
func TestSlotPairs(t *testing.T) {
	f := newFormats()
	rapid.Check(t, func(rt *rapid.T) {
		r := router.New(router.Config{Epoch: 1, DefaultApp: router.App{MultiRoom: true}})
		apply := func(cmd router.Command) any {
			reply, _, err := r.Apply(time.Unix(1000, 0), cmd)
			if err != nil {
				rt.Fatalf("%#v: %v", cmd, err)
			}

			return reply
		}
		apply(router.CreateSession{App: "app", ID: "s", User: router.User{ID: "u", Name: "u"}, Mode: router.ModeMulti})
		var kinds []string
		var before []line
		answered := map[string]string{} // msid by mid
		for range rapid.IntRange(1, 4).Draw(rt, "offers") {
			for range rapid.IntRange(0, 5).Draw(rt, "new lines") {
				kinds = append(kinds, rapid.SampledFrom([]string{"audio", "video"}).Draw(rt, "kind"))
			}
			if len(kinds) == 0 {
				continue
			}
			sections, group := make([]string, len(kinds)), ""
			for i, kind := range kinds {
				direction := rapid.SampledFrom([]string{"recvonly", "recvonly", "recvonly", "sendonly", "sendrecv", "inactive"}).Draw(rt, "direction")
				sections[i] = section(i, kind, direction)
				if i > 0 && rapid.IntRange(0, 9).Draw(rt, "rejected") == 0 {
					sections[i] = strings.Replace(sections[i], "m="+kind+" 9", "m="+kind+" 0", 1)
				} else {
					group += fmt.Sprint(" ", i)
				}
			}
			all := sdpText(sections...)
			from := strings.Index(all, "a=group:BUNDLE")
			raw := all[:from] + "a=group:BUNDLE" + group + all[from+strings.Index(all[from:], "\r\n"):]
			e := exchange(t, f, raw, before)
			before = e.lines
			lines := apply(router.SetLines{Session: "s", Lines: routerLines(e.lines)}).([]router.Line)
			counted := map[string]int{}
			for i, l := range e.lines {
				if lines[i].Pair != l.pair || (l.role == roleSlot) != (l.pair > 0) {
					rt.Fatalf("line %d is of pair %d, the router has %d", i, l.pair, lines[i].Pair)
				}
				msids := values(e.parsed.MediaDescriptions[i].Attributes, "msid")
				if l.role != roleSlot {
					if len(msids) > 0 {
						rt.Fatalf("line %d is no slot, and is named %q", i, msids)
					}

					continue
				}
				counted[kinds[i]]++
				want := fmt.Sprintf("pair-%d track-%d", counted[kinds[i]], i)
				if e.parsed.MediaDescriptions[i].MediaName.Port.Value == 0 {
					continue // a rejected line has no attributes
				}
				if len(msids) != 1 || msids[0] != want {
					rt.Fatalf("line %d is answered as %q, want %q", i, msids, want)
				}
				if was, ok := answered[l.mid]; ok && was != want {
					rt.Fatalf("line %d was answered as %q, is now %q", i, was, want)
				}
				answered[l.mid] = want
			}
		}
	})
}
