// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package allocate

// Config is how cautious upgrades are. The zero value means the defaults.
type Config struct {
	// Headroom is what an upgrade leaves unused, as a part of the budget.
	// 0.01 to 0.5, default 0.1: the estimate goes up and down by itself, and that
	// must not take the layer away again.
	Headroom float64
	// FirstHeadroom is what the first layer of something that is paused leaves
	// unused, as a part of the budget. At most Headroom, default 0.04: to be seen at
	// all is worth more than calm.
	FirstHeadroom float64
	// UpHold is for how long an upgrade has to be affordable before it is made,
	// and the least time between two of them, in ns: each begins with a keyframe.
	// Default 1 s.
	UpHold int64
	// FirstHold is the same for what is paused. Default 500 ms.
	FirstHold int64
	// DownHold is for how long a subscription is not upgraded after it was
	// downgraded, in ns. Default 10 s. Each upgrade that fails within that time
	// doubles it, up to six times. What is paused within that time of having come
	// back stays so for as long. Neither holds once the budget is one and a half
	// times what it was before the failure.
	DownHold int64
	// ResumeHold is for how long anything else is paused at least, in ns: a link that
	// jams and drains takes a second or two. Default 1 s.
	ResumeHold int64
}

func (c Config) withDefaults() Config {
	c.Headroom = share(c.Headroom, 0.1)
	c.FirstHeadroom = min(share(c.FirstHeadroom, 0.04), c.Headroom)
	c.UpHold = orElse(c.UpHold, second)
	c.FirstHold = orElse(c.FirstHold, second/2)
	c.DownHold = orElse(c.DownHold, 10*second)
	c.ResumeHold = min(orElse(c.ResumeHold, second), c.DownHold)

	return c
}

// part of a budget.
func part(budget int64, of float64) int64 { return int64(of * float64(max(budget, 0))) }

func share(v, otherwise float64) float64 {
	if !(v > 0) {
		v = otherwise
	}

	return min(max(v, 0.01), 0.5)
}

func orElse(v, otherwise int64) int64 {
	if v <= 0 {
		return otherwise
	}

	return v
}
