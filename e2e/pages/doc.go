// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package pages has the tests of everything that a browser gets from Switchyard: the SDK in bare pages, the signaling tier
// behind it, and the demo and admin pages, in a headless Chromium with a fake camera and microphone.
//
// Where pictures have to be told apart, each publisher sends numbered ones with numbers of its own, and viewers read the number
// of every frame that is decoded. Nodes are in the test's process where that will do, and checked there when the test ends;
// where something is killed, it is the program itself.
//
// The tests need a Chromium on PATH and the build tag browser: make browser.
//
// It starts no goroutines.
package pages
