// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"net/netip"
)

// STUN as far as a connectivity check needs it (RFC 8489, sections 5 and 14, and RFC 8445, section 16.1).
const (
	stunHeader = 20
	stunCookie = 0x2112a442

	stunRequest = 0x0001 // binding request
	stunSuccess = 0x0101 // binding success response

	stunUsername     = 0x0006
	stunIntegrity    = 0x0008
	stunMapped       = 0x0020 // XOR-MAPPED-ADDRESS
	stunPriority     = 0x0024
	stunUseCandidate = 0x0025
	stunOptional     = 0x8000 // attributes from here on need not be understood
	stunFingerprint  = 0x8028
	stunControlled   = 0x8029
	stunNomination   = 0xc001 // of renomination, which pion's agent knows

	stunHMAC        = sha1.Size
	stunTail        = 4 + stunHMAC + 4 + 4 // bytes of MESSAGE-INTEGRITY and FINGERPRINT
	stunCRC         = 0x5354554e           // what a fingerprint's CRC-32 is combined with
	stunMostAnswer  = stunHeader + 4 + 20 + stunTail
	stunMostAttribs = 64 // no honest request has more than about ten
)

// check is a connectivity check. Its slices lie in the datagram.
type check struct {
	transaction []byte // 12 bytes
	username    []byte
	signed      []byte // header, and what is in front of MESSAGE-INTEGRITY
	integrity   []byte // HMAC-SHA1 of it
}

// readCheck reads a connectivity check of the usual kind: integrity and a right fingerprint at its end, nothing in it that could
// change more than that the client was heard of again. False: it is of another kind, or none at all, and not judged here.
func readCheck(b []byte) (c check, ok bool) {
	if len(b) < stunHeader+stunTail || binary.BigEndian.Uint16(b) != stunRequest || binary.BigEndian.Uint32(b[4:]) != stunCookie ||
		int(binary.BigEndian.Uint16(b[2:])) != len(b)-stunHeader {
		return c, false
	}
	c.transaction = b[8:stunHeader]
	rest := b[stunHeader:]
	for range stunMostAttribs {
		if len(rest) < 4 {
			return c, false
		}
		attribute, size := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		padded := 4 + (size+3)&^3
		if padded > len(rest) {
			return c, false
		}
		switch {
		case attribute == stunIntegrity:
			c.signed, c.integrity = b[:len(b)-len(rest)], rest[4:4+size]

			return c, size == stunHMAC && c.username != nil && len(rest) == stunTail && fingerprinted(b)
		case attribute == stunUsername:
			if c.username != nil {
				return c, false
			}
			c.username = rest[4 : 4+size]
		case attribute == stunPriority, attribute == stunUseCandidate: // of the pair that is chosen already
		case attribute < stunOptional, attribute == stunFingerprint, attribute == stunControlled, attribute == stunNomination:
			return c, false
		}
		rest = rest[padded:]
	}

	return c, false
}

// fingerprinted says whether a message ends with its fingerprint (RFC 8489, section 14.7).
func fingerprinted(b []byte) bool {
	front, tail := b[:len(b)-8], b[len(b)-8:]

	return binary.BigEndian.Uint16(tail) == stunFingerprint && binary.BigEndian.Uint16(tail[2:]) == 4 &&
		binary.BigEndian.Uint32(tail[4:]) == crc32.ChecksumIEEE(front)^stunCRC
}

// signer computes MESSAGE-INTEGRITY (RFC 8489, section 14.5) without allocating. It is used by one goroutine at a time.
type signer struct {
	mac  hash.Hash // HMAC-SHA1 with the password
	head [4]byte
	sum  [stunHMAC]byte
}

// sign gives the integrity of a message of which b is all in front of that attribute. It is valid until the next call. What
// the header says of the length counts with the attribute included, whatever comes behind it.
func (s *signer) sign(b []byte) []byte {
	s.mac.Reset()
	copy(s.head[:], b)
	binary.BigEndian.PutUint16(s.head[2:], uint16(len(b)-stunHeader+4+stunHMAC))
	_, _ = s.mac.Write(s.head[:]) // never fails, says its documentation
	_, _ = s.mac.Write(b[len(s.head):])

	return s.mac.Sum(s.sum[:0])
}

// writeAnswer writes the success response to a check from an address, and gives its length. out has stunMostAnswer bytes.
func (s *signer) writeAnswer(out []byte, c *check, from netip.AddrPort) int {
	binary.BigEndian.PutUint16(out, stunSuccess)
	binary.BigEndian.PutUint32(out[4:], stunCookie)
	copy(out[8:], c.transaction)
	n := stunHeader + writeMapped(out[stunHeader:], out[4:stunHeader], from)
	integrity := s.sign(out[:n])
	binary.BigEndian.PutUint16(out[n:], stunIntegrity)
	binary.BigEndian.PutUint16(out[n+2:], stunHMAC)
	n += 4 + copy(out[n+4:], integrity)
	binary.BigEndian.PutUint16(out[2:], uint16(n+8-stunHeader))
	sum := crc32.ChecksumIEEE(out[:n]) ^ stunCRC
	binary.BigEndian.PutUint16(out[n:], stunFingerprint)
	binary.BigEndian.PutUint16(out[n+2:], 4)
	binary.BigEndian.PutUint32(out[n+4:], sum)

	return n + 8
}

// writeMapped writes XOR-MAPPED-ADDRESS (RFC 8489, section 14.2), and gives its length. key is cookie and transaction.
func writeMapped(out, key []byte, from netip.AddrPort) int {
	var ip [16]byte
	family, size := byte(1), 4
	if from.Addr().Is4() {
		four := from.Addr().As4()
		copy(ip[:], four[:])
	} else {
		family, size, ip = 2, 16, from.Addr().As16()
	}
	binary.BigEndian.PutUint16(out, stunMapped)
	binary.BigEndian.PutUint16(out[2:], uint16(4+size))
	out[4], out[5] = 0, family
	binary.BigEndian.PutUint16(out[6:], from.Port()^stunCookie>>16)
	for i := range size {
		out[8+i] = ip[i] ^ key[i]
	}

	return 8 + size
}

// checkUfrag gives the local ufrag of a STUN check: the user name up to the colon (RFC 8445, section 7.2.2). "": it is none.
func checkUfrag(b []byte) string {
	if len(b) < stunHeader || binary.BigEndian.Uint32(b[4:]) != stunCookie {
		return ""
	}
	for b = b[stunHeader:]; len(b) >= 4; {
		attribute, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		padded := 4 + (size+3)&^3
		if padded > len(b) {
			return ""
		}
		if attribute == stunUsername {
			ufrag, _, _ := bytes.Cut(b[4:4+size], []byte(":"))

			return string(ufrag)
		}
		b = b[padded:]
	}

	return ""
}
