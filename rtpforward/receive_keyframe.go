// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "sync/atomic"

const (
	keyframeTimes   = 6          // requests for one keyframe, repetitions included
	keyframeBackoff = 8 * second // longest time between two of them
)

// keyframes merges the wishes for a keyframe of one layer and repeats the
// request upward until one comes.
type keyframes struct {
	// atomic: written by anyone who wishes, read by Uplink.run
	wished atomic.Int64 // when, the last time; 0 never
	wanted atomic.Bool  // a wish that run has not looked at

	came atomic.Int64 // atomic: written by the reader, read by Uplink.run; when the last keyframe started to arrive

	// owned by Uplink.run
	asking bool  // a request went out and was not answered
	asked  int64 // last time
	times  int
	serial uint8 // of the last FIR

	sent atomic.Uint64 // atomic: written by Uplink.run, read by anyone
}

// wish asks for a keyframe and tells if run has to be woken. Any goroutine; a
// storm of wishes wakes run once per throttling interval.
func (k *keyframes) wish(now int64) (wake bool) {
	k.wished.Store(max(now, 1))
	return !k.wanted.Swap(true)
}

// decide tells if a request shall go out now, and if it is another command or a
// repetition (https://www.rfc-editor.org/rfc/rfc5104#section-4.3.1.1 : a FIR
// that repeats keeps its number). next is when to call again, 0 for not before
// the next wish. forSomeone is whether any sink is bound: without one a request
// is not repeated.
func (k *keyframes) decide(now, every int64, forSomeone bool) (send, again bool, next int64) {
	if k.wanted.Load() {
		if k.sent.Load() != 0 && now < k.asked+every {
			return false, false, k.asked + every
		}
		k.wanted.Store(false) // first, so that a wish from now on is seen the next time
		if k.answered() {
			k.asking = false
			return false, false, 0
		}
		if !k.asking {
			k.times = 0
		}
		k.asking = true
		return true, false, k.note(now, every)
	}
	if !k.asking {
		return false, false, 0
	}
	if k.answered() || !forSomeone || k.times >= keyframeTimes {
		k.asking = false
		return false, false, 0
	}
	if due := k.asked + k.wait(every); now < due {
		return false, false, due
	}
	return true, true, k.note(now, every)
}

// answered tells if a keyframe started after the last wish: one that had
// started before is of no use to who then had nothing of it.
func (k *keyframes) answered() bool { return k.came.Load() > k.wished.Load() }

func (k *keyframes) note(now, every int64) (next int64) {
	k.asked = now
	k.times++
	k.sent.Add(1)
	return now + k.wait(every)
}

// wait is how long to wait for the answer to the latest request.
func (k *keyframes) wait(every int64) int64 {
	return max(min(every<<min(max(k.times-1, 0), 10), keyframeBackoff), every)
}
