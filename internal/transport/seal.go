// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

const (
	gcmTag   = 16 // bytes
	gcmNonce = 12
)

// Errors of sealing.
var (
	// ErrRepeated says that this packet's SSRC and sequence number have been sent before, or long ago, and that this is not
	// known to be the very same packet. Two packets under one nonce of AES-GCM give away the key of its authentication
	// (RFC 5116, section 5.1.1), even when nothing but a time stamp in a header extension differs.
	ErrRepeated = errors.New("transport: the packet's index has been used before")
	errRTP      = errors.New("transport: not an RTP packet")
	errWorn     = errors.New("transport: the SRTP key is worn out")
)

// sealer encrypts RTP packets of one session, in place. The shard's.
type sealer interface {
	// seal encrypts the packet buf[:n]; buf has room for what it grows by, and no more.
	seal(buf []byte, n int) error
}

// gcmSealer is AEAD_AES_128_GCM (RFC 7714) for the outgoing direction. pion's context does the same, at a third more than
// the cipher itself; and it does not look whether a packet's index has been used.
//
// Why no nonce is ever used twice. The nonce is made of SSRC, rollover counter and sequence number, and of nothing else
// (RFC 7714, section 8.1). Keys come from one DTLS handshake, which both ends put fresh randomness in, and each direction
// has its own (RFC 5764, section 4.2); RTP and RTCP have different ones too (RFC 3711, section 4.3). There is one gcmSealer
// for the key, which lives as long as it does, and belongs to one Writer. It keeps, for every SSRC it has ever seen, the
// highest index and a window of bits below it. Nothing older than the window is sealed, and what is sealed for an index whose
// bit is set leaves only when it comes out the same as the first time: a retransmission without RTX, byte for byte, which
// tells nobody anything new. The index itself does not wrap: it would take 2^48 packets, and is checked.
type gcmSealer struct {
	aead    cipher.AEAD
	salt    [gcmNonce]byte
	nonce   [gcmNonce]byte // here so that it does not escape for each packet
	streams map[uint32]*sentStream
	last    *sentStream // packets come in runs of one stream
}

const (
	sentWindow = 2048 // packets; a power of two
	sentWords  = sentWindow / 64
	maxIndex   = 1<<48 - 1 // RFC 3711, section 9.2
)

// sentStream is one SSRC's.
type sentStream struct {
	ssrc uint32
	used bool   // anything was sent
	top  uint64 // highest index sent: rollover counter and sequence number (RFC 3711, section 3.3.1)
	sent [sentWords]uint64
	tags []uint64 // of what was sent, to know it again; made when a packet is first repeated: most streams have RTX
}

// String implements fmt.Stringer.
func (s *gcmSealer) String() string { return "[secret]" }

// GoString implements fmt.GoStringer.
func (s *gcmSealer) GoString() string { return "[secret]" }

func newGCMSealer(masterKey, masterSalt []byte) (*gcmSealer, error) {
	key, err := deriveKey(labelKey, masterKey, masterSalt, len(masterKey))
	if err != nil {
		return nil, err
	}
	defer clear(key)
	salt, err := deriveKey(labelSalt, masterKey, masterSalt, gcmNonce)
	if err != nil {
		return nil, err
	}
	defer clear(salt)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	s := &gcmSealer{streams: make(map[uint32]*sentStream)}
	copy(s.salt[:], salt)
	if s.aead, err = cipher.NewGCM(block); err != nil {
		return nil, err
	}

	return s, nil
}

func (s *gcmSealer) seal(buf []byte, n int) error {
	if n < rtpHeader || buf[0]>>6 != 2 || len(buf) < n+gcmTag {
		return errRTP
	}
	header := rtpHeader + 4*int(buf[0]&15) // CSRCs
	if buf[0]&0x10 != 0 {                  // extension
		if header+4 > n {
			return errRTP
		}
		header += 4 + 4*int(binary.BigEndian.Uint16(buf[header+2:]))
	}
	if header > n {
		return errRTP
	}
	ssrc := binary.BigEndian.Uint32(buf[8:])
	st := s.stream(ssrc)
	index, repeated, err := st.next(binary.BigEndian.Uint16(buf[2:]))
	if err != nil {
		return err
	}
	// RFC 7714, section 8.1: two zero bytes, SSRC, rollover counter and sequence number, by the salt.
	s.nonce = [gcmNonce]byte{}
	binary.BigEndian.PutUint32(s.nonce[2:], ssrc)
	binary.BigEndian.PutUint32(s.nonce[6:], uint32(index>>16))
	binary.BigEndian.PutUint16(s.nonce[10:], uint16(index))
	for i, v := range s.salt {
		s.nonce[i] ^= v
	}
	s.aead.Seal(buf[header:header], s.nonce[:], buf[header:n], buf[:header])
	if st.tags == nil {
		return nil
	}
	tag := binary.BigEndian.Uint64(buf[n:])
	if !repeated {
		st.tags[index%sentWindow] = tag
	} else if st.tags[index%sentWindow] != tag {
		clear(buf[header:])

		return ErrRepeated
	}

	return nil
}

func (s *gcmSealer) stream(ssrc uint32) *sentStream {
	if s.last != nil && s.last.ssrc == ssrc {
		return s.last
	}
	st := s.streams[ssrc]
	if st == nil {
		st = &sentStream{ssrc: ssrc}
		s.streams[ssrc] = st
	}
	s.last = st

	return st
}

// next gives the index of a packet that is about to be sealed, and notes it. A repeated one is given only when it can be
// known again.
func (st *sentStream) next(sequence uint16) (index uint64, repeated bool, err error) {
	index = uint64(sequence) // of the first packet: the rollover counter starts at 0
	if st.used {
		// The nearest to the highest that was sent, as the receiver takes it to be (RFC 3711, section 3.3.1).
		ahead := int64(int16(sequence - uint16(st.top)))
		if ahead+int64(st.top) < 0 {
			return 0, false, ErrRepeated
		}
		index = st.top + uint64(ahead)
	}
	word, bit := index%sentWindow/64, uint64(1)<<(index%64)
	switch {
	case index > maxIndex:
		return 0, false, errWorn
	case !st.used || index > st.top:
		st.skip(index)
		st.used, st.top = true, index
	case st.top-index >= sentWindow:
		return 0, false, ErrRepeated
	case st.sent[word]&bit != 0:
		if st.tags == nil {
			st.tags = make([]uint64, sentWindow)
		}
		if st.tags[index%sentWindow] == 0 {
			return 0, false, ErrRepeated // sent before tags were kept
		}

		return index, true, nil
	}
	st.sent[word] |= bit

	return index, false, nil
}

// skip moves the window on to end at an index above, and clears the bits of what comes in.
func (st *sentStream) skip(index uint64) {
	if index-st.top >= sentWindow {
		st.sent = [sentWords]uint64{}
		clear(st.tags)

		return
	}
	for i := st.top + 1; i <= index; i++ {
		st.sent[i%sentWindow/64] &^= 1 << (i % 64)
		if st.tags != nil {
			st.tags[i%sentWindow] = 0
		}
	}
}

// pionSealer is any other profile, by pion. AES-CM with HMAC-SHA1 may see a packet twice: its key stream only meets the same
// payload again, and what authenticates it is no use to anybody else.
type pionSealer struct {
	context *srtp.Context
	header  rtp.Header // here so that it is not made for each packet
}

func (s *pionSealer) seal(buf []byte, n int) error {
	out, err := s.context.EncryptRTP(buf[:0], buf[:n], &s.header)
	if err != nil {
		return fmt.Errorf("transport: SRTP: %w", err)
	}
	if len(out) != len(buf) {
		return errRTP
	}

	return nil
}

// Labels of RFC 3711, section 4.3.2.
const (
	labelKey  = 0x00
	labelSalt = 0x02
)

// deriveKey makes a session key of a master key, with AES-CM and a key derivation rate of 0 (RFC 3711, section 4.3.3; RFC
// 7714, section 11 says how salts of twelve bytes go in: with two zero bytes behind).
func deriveKey(label byte, key, salt []byte, size int) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("transport: key derivation: %w", err)
	}
	var iv [aes.BlockSize]byte
	copy(iv[:14], salt)
	iv[7] ^= label
	out := make([]byte, size)
	cipher.NewCTR(block, iv[:]).XORKeyStream(out, out)

	return out, nil
}
