// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"slices"
	"strings"
)

// answeredSimulcast is the list of layers that the answer takes: all, in the offer's order (RFC 8853, section 5.3.2).
func (l *offerLine) answeredSimulcast() string {
	if l.simulcast == "" || len(l.rids) == 0 {
		return ""
	}
	list := strings.ReplaceAll(l.simulcast, "~", "") // layers that start paused are welcome at any time
	for stream := range strings.SplitSeq(list, ";") {
		for rid := range strings.SplitSeq(stream, ",") {
			if !slices.Contains(l.rids, rid) {
				return strings.Join(l.rids, ";")
			}
		}
	}

	return list
}

// ridPlaces numbers the simulcast streams as the simulcast attribute lists them, which need not be the order of the rid
// attributes. Alternatives (RFC 8853, section 5.1: only one of them is sent at a time) have one place. Rids that the list
// leaves out come behind those that are in it.
func (a *agreed) ridPlaces(rids []string) map[string]int {
	if len(rids) == 0 {
		return nil
	}
	places, next := make(map[string]int, len(rids)), 0
	for stream := range strings.SplitSeq(a.simulcast, ";") {
		if stream == "" {
			continue
		}
		for rid := range strings.SplitSeq(stream, ",") {
			if at := slices.Index(rids, rid); at >= 0 {
				places[rids[at]] = next
			}
		}
		next++
	}
	for _, rid := range rids {
		if _, has := places[rid]; !has {
			places[rid] = next
			next++
		}
	}

	return places
}

// place is where a stream stands among its line's simulcast streams.
func (l *upLine) place(ssrc uint32, rid string) int {
	if rid != "" {
		return l.places[rid]
	}
	order := l.ladder
	if len(order) == 0 {
		order = l.ssrcs
	}

	return min(max(slices.Index(order, ssrc), 0), maxRIDs-1)
}
