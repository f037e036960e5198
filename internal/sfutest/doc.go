// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package sfutest is what tests of the whole node are made of: a node in the test's process behind its real gRPC face, real
// pion clients that drive it only through that face, publish real encoded media and check every packet they get, and
// networks that lose and delay.
//
// Goroutines:
//   - go (*schedule).run: delivers delayed datagrams; ended by close
//   - go (*Link).readFront: client to node; ended by Link.Close
//   - go (*Link).readBack: node to client; ended by Link.Close
//   - go (*Source).readRTCP: takes keyframe requests; ended by Client.Close
//   - go (*Source).play: plays a clip in real time; ended by Source.Stop
//   - go (*Receiver).readRTCP: lets interceptors see reports; ended by Client.Close
//   - go (*Watcher).read: takes events; ended by Watcher.Drop
//   - go start: serves the gRPC face; ended with the test
package sfutest
