// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"strings"
	"time"
)

// runCard says where a run is from.
type runCard struct {
	runRef
	File, Node, Commit, Machine, System, Started string
	Loads                                        string
	Settings                                     []string
	Notes                                        []string // what makes it hard to compare with the first
}

func newCard(ref runRef, r, first *Run) runCard {
	c, f := r.conditions, first.conditions
	out := runCard{runRef: ref, File: r.file, Commit: orUnknown(c.Version), Machine: orUnknown(c.Model), Settings: r.settings}
	if c.CPUs > 0 {
		out.Machine = plural(c.CPUs, "CPUs") + ", " + out.Machine
	}
	out.System = strings.Trim(c.Kernel+", "+c.Go, ", ")
	out.Node = strings.TrimSpace(c.Binary + " " + c.Args)
	out.Started = "unknown"
	if t := r.started(); !t.IsZero() {
		out.Started = t.UTC().Format(time.DateOnly + " 15:04 UTC")
	}
	var loads []string
	for _, l := range []struct {
		n    int
		many string
	}{{len(r.reports), "reports"}, {len(r.ramps), "ramps"}, {len(r.growths), "growth curves"}, {len(r.links), "links"}} {
		if l.n > 0 {
			loads = append(loads, plural(float64(l.n), l.many))
		}
	}
	out.Loads = strings.Join(loads, ", ")
	if c.Model != f.Model || c.CPUs != f.CPUs {
		out.Notes = append(out.Notes, "Another machine than A: differences are not those of the code alone; look at the ratio to the floor.")
	} else if c.Kernel != f.Kernel || c.Go != f.Go {
		out.Notes = append(out.Notes, "Another kernel or Go than A.")
	}
	if c.Rest != f.Rest || c.TransportCC != f.TransportCC {
		out.Notes = append(out.Notes, "The load generator's clients were set otherwise than in A.")
	}
	if c.Rest > 0 {
		out.Notes = append(out.Notes, "Clients rested "+number(c.Rest)+" ms after each read.")
	}

	return out
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}

	return s
}
