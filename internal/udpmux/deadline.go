// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"fmt"
	"os"
	"sync"
	"time"
)

var errDeadline = fmt.Errorf("udpmux: %w", os.ErrDeadlineExceeded)

// deadline is a channel that is closed when the time has come. Whoever waits on it sees a deadline that is set later.
type deadline struct {
	mu    sync.Mutex // guards the rest
	timer *time.Timer
	done  chan struct{} // closed: it is over
	past  bool          // done is closed
}

func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()

	return d.done
}

// set makes t the deadline; the zero time is none.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	wait := time.Until(t)
	switch {
	case !t.IsZero() && wait <= 0:
		d.expire()

		return
	case d.past:
		d.done, d.past = make(chan struct{}), false
	}
	if t.IsZero() {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.timer == timer {
			d.expire()
		}
	})
	d.timer = timer
}

// expire closes the channel. With mu held.
func (d *deadline) expire() {
	if !d.past {
		d.past = true
		close(d.done)
	}
}
