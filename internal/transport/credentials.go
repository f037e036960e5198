// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import "crypto/rand"

// Lengths in ice-chars, of six bits each: RFC 8445, section 5.3 asks for 24 and 128 bits of randomness at least. The ufrag
// is what a node tells its sessions apart by, so it has more.
const (
	ufragLength = 12
	pwdLength   = 24
)

const iceChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// NewCredentials makes the credentials of one ICE generation.
func NewCredentials() Credentials {
	var b [ufragLength + pwdLength]byte
	_, _ = rand.Read(b[:]) // never fails, says its documentation
	for i, v := range b {
		b[i] = iceChars[v&63]
	}

	return Credentials{Ufrag: string(b[:ufragLength]), Pwd: string(b[ufragLength:])}
}
