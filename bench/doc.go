// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Command bench loads a media node with WebRTC clients and says what it costs.
//
//	go run ./bench -scenario webinar -subscribers 50 -duration 10s -json
//
// builds the node, starts it as a process of its own on loopback, plays the scenario and measures: CPU time of the node per
// packet delivered, beside the bare cost of encrypting and sending the same packets (the floor), loss, latency, joins,
// memory. With -node it loads a running node instead, whose CPU time and memory it reads over the control API. Modes raise the
// load until the node does not keep up (-ramp), look at who waits for locks in it (-contention), at sessions without media
// (-idle), and at how costs grow (-grow). With several -node-bin or -node-args nodes are compared.
// Scenarios that begin with "link" put clients behind emulated access links (bench/path) and judge what they are shown; -links
// simulates such links without a node (bench/links); -cost compares the CPU time with and without congestion control and simulcast.
// docs/performance.md says how to read the figures.
//
// Goroutines:
//   - go (*nodeProcess).drain: reads the node's output to its end; ends with the node
//   - go eachOf: runs one call of a bounded number; waited for by eachOf
//   - go (*progress).run: writes the progress line; stopped by progress.stop
//   - go (*run).churn: joins at a rate while the window is open; waited for by measureWindow
//   - go (*run).joinAndLeave: one of those clients; waited for by churn
//   - go (*run).steer: lets pilots call while the window is open; waited for by measureWindow
//   - go (*run).pilotUntil: one of those pilots; waited for by steer
//   - go (*watch).read: reads events; stopped by watch.stop
//   - go (*watch).resumeUntil: resumes event streams; waited for by steer
//   - go (*pauses).read: reads events about subscriptions; stopped by pauses.stop
//   - go (*run).capture: fetches profiles of the node during the window; waited for by measureWindow
package main
