// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

// What tests outside of the package need of it: those that play links are, since bench/links imports it.

// NotReceived is in place of a time in Ticks.
const NotReceived = notReceived

// Ticks are the times of arrival that a feedback tells.
func (f *Feedback) Ticks() []int32 { return f.ticks[:] }

// NextNumber is that of the next packet of e.
func NextNumber(e *Estimator) uint16 { return e.nextNumber() }

// AnswerAll says that all that is in flight has arrived.
func AnswerAll(e *Estimator) *Feedback { return answerAll(e) }
