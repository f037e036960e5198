// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

// Units of time, in nanoseconds.
const (
	microsecond = int64(1000)
	millisecond = 1000 * microsecond
	second      = 1000 * millisecond
)

// Config is what one session's estimator is held to. Rates are bit/s, counted
// as Estimator.Sent counts them. The zero value means the defaults.
type Config struct {
	// Start is the target before anything is known. Default 300 000.
	Start int64
	// Min is what the target never falls below. Default 30 000: one voice.
	Min int64
	// Max is what the target and every probe never exceed, whatever the client
	// says. At most 1 000 000 000, default 20 000 000.
	Max int64
	// History is how many sent packets are remembered for feedback to come, a
	// power of two from 256 to 16 384; 16 bytes each. Default 2048. Feedback on
	// older ones is ignored.
	History int
}

const (
	leastHistory = 256
	mostHistory  = 16384
	mostRate     = 1_000_000_000 // below it no product overflows
)

// withDefaults fills zero fields and pulls the others into their ranges, so
// that no configuration can break an invariant.
func (c Config) withDefaults() Config {
	if c.Start <= 0 {
		c.Start = 300_000
	}
	if c.Min <= 0 {
		c.Min = 30_000
	}
	if c.Max <= 0 {
		c.Max = 20_000_000
	}
	c.Min = min(c.Min, mostRate)
	c.Max = min(max(c.Max, c.Min), mostRate)
	c.Start = min(max(c.Start, c.Min), c.Max)
	if c.History <= 0 {
		c.History = 2048
	}
	size := leastHistory
	for size < min(c.History, mostHistory) {
		size *= 2
	}
	c.History = size

	return c
}
