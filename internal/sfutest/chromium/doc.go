// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package chromium drives a headless Chromium with a fake camera and microphone, for tests with real pages: a Browser of its own
// for each test that asks for one, Tabs in it that are asked in JSON, and what pages complained of.
//
// Goroutines:
//   - go (*Tab).read: takes what the page says on its console; ended with the tab
package chromium
