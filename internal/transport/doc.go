// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package transport is one client's connection: ICE, DTLS, SRTP and data channels, put together from pion's parts.
package transport
