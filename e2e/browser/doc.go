// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package browser has the tests with a real browser: a headless Chromium with a fake camera and microphone, whose pages do
// nothing but WebRTC. The test is their signaling tier: it carries offers and answers between a page and the gRPC face of a
// node in its own process.
//
// The tests need a Chromium on PATH and the build tag browser: make browser. They wait for what getStats tells and assert
// nothing about time.
package browser
