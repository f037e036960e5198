// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package browser has the tests with a real browser: a headless Chromium with a fake camera and microphone, whose pages do
// nothing but WebRTC. The test is their signaling tier: it carries offers and answers between a page and the gRPC face of a
// node in its own process.
//
// Those about layers publish a numbered picture that knows what it has to look like, and read every frame that is decoded. So
// they see what no statistic counts: pictures that are spoilt, come twice, or stand. Where they judge times, a second viewer
// who should not notice anything tells the machine's doing from the node's.
//
// The tests need a Chromium on PATH and the build tag browser: make browser.
package browser
