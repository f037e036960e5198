// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package metrics shows the node's counters to Prometheus. It reads the copies that sfu.Node and control.Server hand out,
// at each scrape, and counts nothing itself: the packet path knows no metrics library.
//
// All names start with sfu_, units are base units, counters end in _total. No label has a room, user, session or stream
// in it: such numbers are asked of the control API, and a label set here is bounded by what the code knows.
package metrics
