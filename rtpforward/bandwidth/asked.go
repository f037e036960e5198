// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

// Target is Estimate().Target without the rest, which takes longer to work out.
func (e *Estimator) Target() int64 { return max(min(e.rate.target, e.ceiling()), e.cfg.Min) }

// MayProbe is false when Probe will not give a cluster at that time; true says
// nothing. It changes nothing, and is asked before what a cluster needs is looked
// for.
func (e *Estimator) MayProbe(at int64) bool {
	return !e.probe.active && at >= e.probe.nextAt && e.rate.target < min(e.demand+e.demand/5, e.ceiling())
}
