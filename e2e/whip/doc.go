// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package whip has the tests of WHIP and WHEP with clients that are none of ours: a bare page in a headless Chromium that has
// nothing but fetch and RTCPeerConnection, and GStreamer's webrtcbin under a small script; both are in testdata. Each test says which program in which version it ran.
//
// The tests need a Chromium on PATH, GStreamer with its Python binding for /usr/bin/python3, and the build tag browser: make
// whip. Where GStreamer is not installed its tests fail and say what to install.
package whip
