// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"sync"
)

// kept is what the checks say of a datagram that is not to be dropped.
const kept = Drops

const (
	stunHeader          = 20
	stunCookie          = 0x2112a442
	stunRequest         = 0x0001 // binding request
	stunSuccess         = 0x0101 // binding success response
	stunUsername        = 0x0006
	stunFingerprint     = 0x8028
	stunMaxAttributes   = 64         // no honest request has more than about ten
	stunFingerprintSize = 8          // bytes, header included
	stunFingerprintXOR  = 0x5354554e // of its CRC-32
	shortest            = 12         // bytes of the smallest header of all, RTP's
)

// kind is what a datagram is.
type kind int

const (
	kindNone    kind = iota
	kindRequest      // STUN request
	kindSTUN         // any other STUN message
	kindDTLS
	kindMedia // RTP or RTCP
)

// classify says what a datagram is by its first bytes: STUN 0 to 3, DTLS 20 to 63, RTP and RTCP 128 to 191 (RFC 7983, section
// 7). For a STUN request it gives the part of the user name before the colon too, which lies in b.
func classify(b []byte) (kind, []byte, Drop) {
	switch {
	case len(b) < shortest:
		return kindNone, nil, DropShort
	case b[0] < 4:
		return checkSTUN(b)
	case b[0] >= 20 && b[0] < 64:
		return kindDTLS, nil, checkDTLS(b)
	case b[0] >= 128 && b[0] < 192:
		return kindMedia, nil, kept
	default:
		return kindNone, nil, DropKind
	}
}

// checkSTUN finds what is no STUN message, and whom a request is for, without allocating: anybody may send those, at any rate.
func checkSTUN(b []byte) (kind, []byte, Drop) {
	if len(b) < stunHeader || binary.BigEndian.Uint32(b[4:]) != stunCookie {
		return kindSTUN, nil, DropSTUN
	}
	if size := int(binary.BigEndian.Uint16(b[2:])); size%4 != 0 || size != len(b)-stunHeader {
		return kindSTUN, nil, DropSTUN
	}
	if binary.BigEndian.Uint16(b) != stunRequest {
		return kindSTUN, nil, kept
	}
	rest := b[stunHeader:]
	for range stunMaxAttributes {
		if len(rest) < 4 {
			break
		}
		attribute, size := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		padded := 4 + (size+3)&^3
		if padded > len(rest) {
			return kindRequest, nil, DropSTUN
		}
		if attribute == stunUsername {
			return kindRequest, beforeColon(rest[4 : 4+size]), kept
		}
		rest = rest[padded:]
	}

	return kindRequest, nil, DropSTUN
}

// fingerprinted says whether a STUN message has the fingerprint that it has at its end, if it has one there (RFC 8489, section
// 14.7): the agent does not look.
func fingerprinted(b []byte) bool {
	front, tail := b[:len(b)-stunFingerprintSize], b[len(b)-stunFingerprintSize:]

	return len(front) < stunHeader || binary.BigEndian.Uint32(tail) != stunFingerprint<<16|4 ||
		binary.BigEndian.Uint32(tail[4:]) == crc32.ChecksumIEEE(front)^stunFingerprintXOR
}

func beforeColon(username []byte) []byte {
	for i, c := range username {
		if c == ':' {
			return username[:i]
		}
	}

	return username
}

const (
	dtlsHeader     = 13
	dtlsCipherSpec = 20
	dtlsAlert      = 21
	dtlsHandshake  = 22
	dtlsFragment   = 12 // header of a piece of a handshake message
)

// checkDTLS looks at records in clear (RFC 6347, section 4.1). pion ends a connection for one that it cannot read, even when
// the handshake is long done, and whoever can write the client's address on a datagram can send one. Records of a later epoch
// must decrypt first.
func checkDTLS(b []byte) Drop {
	for len(b) > 0 {
		if len(b) < dtlsHeader || b[1] != 0xfe {
			return DropDTLS
		}
		size := int(binary.BigEndian.Uint16(b[11:]))
		if size > len(b)-dtlsHeader {
			return DropDTLS
		}
		record, body, plain := b[0], b[dtlsHeader:dtlsHeader+size], b[3] == 0 && b[4] == 0
		if plain && !(record == dtlsHandshake && size >= dtlsFragment || record == dtlsAlert && size == 2 || record == dtlsCipherSpec && size == 1 && body[0] == 1) {
			return DropDTLS
		}
		b = b[dtlsHeader+size:]
	}

	return kept
}

// checksKept is how many requests of a ufrag are remembered: a minute of a browser's, once it is connected.
const checksKept = 32

// checks are the newest STUN requests for a ufrag. A copy of a request is valid from wherever it comes, and would turn the
// session's media there. Clients number them at random (RFC 8489, section 6.1), so that nobody can say in advance what
// another one's will be. Whoever knows the ufrag can send enough to have old ones forgotten; what is left then is the
// consent of the client (RFC 7675).
type checks struct {
	mu   sync.Mutex // guards the rest: a client's address decides which socket reads it, and may change
	ring []noted    // made with the first request
	next int
}

type noted struct {
	transaction [12]byte
	from        netip.AddrPort
}

// fresh notes a request, unless it has come from another address before. Clients do repeat theirs from where they are.
func (c *checks) fresh(transaction [12]byte, from netip.AddrPort) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ring == nil {
		c.ring = make([]noted, checksKept)
	}
	for i := range c.ring {
		if r := &c.ring[i]; r.transaction == transaction && r.from.IsValid() {
			return r.from == from
		}
	}
	c.ring[c.next] = noted{transaction, from}
	c.next = (c.next + 1) % checksKept

	return true
}
