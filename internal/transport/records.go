// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import "encoding/binary"

// The record types of DTLS (RFC 6347, section 4.1), and the size of a record's header.
const (
	recordCipherSpec  = 20
	recordAlert       = 21
	recordHandshake   = 22
	recordApplication = 23
	recordHeader      = 13
)

// mostHandshake is how many bytes of handshake records a connection gives to DTLS in all: some of the longest flights there
// are, and their repetitions. pion keeps pieces of messages that never become whole, by the megabyte.
const mostHandshake = 128 << 10

// admit takes out of a datagram the records that DTLS is not to see, in place, and returns how much is left.
//
// pion's DTLS hands application data to a reader through a channel, and stops reading when there is none: with it media on
// the plain lane would stop. So application data is for DTLS only once channels are accepted, and the first such record
// starts SCTP, which reads. Records in clear are part of a handshake or nothing: a later one ends no connection.
func (t *Transport) admit(b []byte) int {
	secure := t.State() == StateSecure
	kept := 0
	for at := 0; at < len(b); {
		rest := b[at:]
		if len(rest) < recordHeader {
			break
		}
		size := recordHeader + int(binary.BigEndian.Uint16(rest[11:]))
		if size > len(rest) {
			break
		}
		at += size
		record := rest[:size]
		if !t.wants(record, secure) {
			continue
		}
		kept += copy(b[kept:], record)
	}

	return kept
}

func (t *Transport) wants(record []byte, secure bool) bool {
	plain := record[3] == 0 && record[4] == 0 // epoch 0: in clear
	switch record[0] {
	case recordHandshake:
		t.handshake += len(record)

		return t.handshake <= mostHandshake
	case recordCipherSpec:
		return !plain || len(record) == recordHeader+1 && record[recordHeader] == 1
	case recordAlert:
		return !plain || !secure
	case recordApplication:
		return !plain && t.channelRecord()
	}

	return false
}
