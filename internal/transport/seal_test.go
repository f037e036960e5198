// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

func randomKeys(t testing.TB, p *profile) masterKeys {
	t.Helper()
	k := masterKeys{make([]byte, p.key), make([]byte, p.salt), make([]byte, p.key), make([]byte, p.salt)}
	for _, b := range [][]byte{k.localKey, k.localSalt, k.remoteKey, k.remoteSalt} {
		_, _ = rand.Read(b)
	}

	return k
}

// rtpBytes is a packet with what a header can have.
func rtpBytes(t testing.TB, seq uint16, ssrc uint32, csrcs int, extension, payload []byte) []byte {
	t.Helper()
	h := rtp.Header{Version: 2, SequenceNumber: seq, SSRC: ssrc, PayloadType: 96, Timestamp: 1}
	for i := range csrcs {
		h.CSRC = append(h.CSRC, uint32(i))
	}
	if extension != nil {
		if err := h.SetExtension(3, extension); err != nil {
			t.Fatal(err)
		}
	}
	b, err := (&rtp.Packet{Header: h, Payload: payload}).Marshal()
	if err != nil {
		t.Fatal(err)
	}

	return b
}

func sealed(t testing.TB, s sealer, packet []byte, overhead int) ([]byte, error) {
	t.Helper()
	buf := make([]byte, len(packet)+overhead)
	copy(buf, packet)

	return buf, s.seal(buf, len(packet))
}

// TestSealAgainstPion holds our cipher text to pion's, byte for byte, over three turns of the sequence number, with losses
// and packets out of order.
func TestSealAgainstPion(t *testing.T) {
	for _, first := range []uint16{1, 32767, 65000} {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			keys := randomKeys(t, profileGCM)
			ours, err := newGCMSealer(keys.localKey, keys.localSalt)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := srtp.CreateContext(keys.localKey, keys.localSalt, profileGCM.srtp)
			if err != nil {
				t.Fatal(err)
			}
			open, err := srtp.CreateContext(keys.localKey, keys.localSalt, profileGCM.srtp, srtp.SRTPReplayProtection(replayWindow))
			if err != nil {
				t.Fatal(err)
			}
			r := mathrand.New(mathrand.NewPCG(1, uint64(first)))
			var late []uint64
			check := func(index uint64) {
				extension := []byte(nil)
				if index%2 == 0 {
					extension = []byte{byte(index), 2, 3}
				}
				packet := rtpBytes(t, uint16(index), 77, int(index%3), extension, make([]byte, 20+index%50))
				got, err := sealed(t, ours, packet, gcmTag)
				if err != nil {
					t.Fatal(index, err)
				}
				want, err := theirs.EncryptRTP(nil, packet, nil)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Fatalf("index %d: cipher text differs from pion's", index)
				}
				plain, err := open.DecryptRTP(nil, got, nil)
				if err != nil || !bytes.Equal(plain, packet) {
					t.Fatalf("index %d does not open: %v", index, err)
				}
			}
			for index := uint64(first); index < uint64(first)+3*65536; index += 1 + r.Uint64N(40) {
				check(index)
				if r.IntN(3) == 0 && index > uint64(first) {
					late = append(late, index+1)
				}
				if len(late) > 0 && r.IntN(3) == 0 { // a gap is filled
					if l := late[0]; l < index && index-l < 900 && ours.unused(77, l) {
						check(l)
					}
					late = late[1:]
				}
			}
		})
	}
}

// unused says whether an index within the window has not been sent.
func (s *gcmSealer) unused(ssrc uint32, index uint64) bool {
	st := s.stream(ssrc)

	return st.sent[index%sentWindow/64]&(1<<(index%64)) == 0
}

// TestNonceNeverRepeats seals sequence numbers at random, jumps, repeats and all, and looks at every nonce.
func TestNonceNeverRepeats(t *testing.T) {
	keys := randomKeys(t, profileGCM)
	s, err := newGCMSealer(keys.localKey, keys.localSalt)
	if err != nil {
		t.Fatal(err)
	}
	r := mathrand.New(mathrand.NewPCG(3, 4))
	seen := make(map[[gcmNonce]byte]string) // what was sealed with it
	refused, taken, again := 0, 0, 0
	at := uint16(0)
	for range 300_000 {
		switch r.IntN(20) {
		case 0:
			at += uint16(r.UintN(65536))
		case 1, 2, 3:
			at -= uint16(r.UintN(3000))
		default:
			at++
		}
		packet := rtpBytes(t, at, uint32(r.UintN(3)), 0, []byte{byte(r.UintN(2))}, nil)
		_, err := sealed(t, s, packet, gcmTag)
		if err != nil {
			if !errors.Is(err, ErrRepeated) {
				t.Fatal(err)
			}
			refused++

			continue
		}
		taken++
		if was, ok := seen[s.nonce]; !ok {
			seen[s.nonce] = string(packet)
		} else if again++; was != string(packet) {
			t.Fatalf("nonce %x came twice, for two packets", s.nonce)
		}
	}
	if refused == 0 || taken == 0 || again == 0 {
		t.Fatalf("%d refused, %d taken, %d again: not all was tried", refused, taken, again)
	}
}

func TestSealRefuses(t *testing.T) {
	keys := randomKeys(t, profileGCM)
	s, err := newGCMSealer(keys.localKey, keys.localSalt)
	if err != nil {
		t.Fatal(err)
	}
	good := rtpBytes(t, 9, 1, 1, []byte{1}, []byte("payload"))
	if _, err := sealed(t, s, good, gcmTag); err != nil {
		t.Fatal(err)
	}
	other := rtpBytes(t, 9, 1, 1, []byte{2}, []byte("payload"))
	for name, c := range map[string]struct {
		packet   []byte
		overhead int
		want     error
	}{
		"again":              {good, gcmTag, ErrRepeated},
		"same index":         {other, gcmTag, ErrRepeated},
		"before the first":   {rtpBytes(t, 65535, 1, 0, nil, nil), gcmTag, ErrRepeated},
		"short":              {good[:11], gcmTag, errRTP},
		"half its CSRCs":     {good[:14], gcmTag, errRTP},
		"half its extension": {good[:18], gcmTag, errRTP},
		"no room":            {rtpBytes(t, 10, 1, 0, nil, nil), gcmTag - 1, errRTP},
	} {
		if _, err := sealed(t, s, c.packet, c.overhead); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// Once it has been asked for, it knows its packets again.
	for seq := uint16(20); seq < 20+3*sentWindow; seq += 3 {
		packet := rtpBytes(t, seq, 1, 0, []byte{1}, []byte("payload"))
		once, err := sealed(t, s, packet, gcmTag)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := sealed(t, s, packet, gcmTag); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("the same packet again: %v", err)
		}
		buf, err := sealed(t, s, rtpBytes(t, seq, 1, 0, []byte{2}, []byte("payload")), gcmTag)
		if !errors.Is(err, ErrRepeated) || !bytes.Equal(buf[rtpHeader+8:], make([]byte, len(buf)-rtpHeader-8)) {
			t.Fatalf("another packet of the same index: %v, %x left behind", err, buf)
		}
	}
	st := s.stream(5)
	st.used, st.top = true, maxIndex-1
	if _, _, err := st.next(65535); err != nil {
		t.Errorf("the last index of all: %v", err)
	}
	if _, _, err := st.next(0); !errors.Is(err, errWorn) {
		t.Errorf("after the last index: %v", err)
	}
}

// TestDeriveKey takes the test vectors of RFC 3711, appendix B.3.
func TestDeriveKey(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}

		return b
	}
	key, salt := unhex("E1F97A0D3E018BE0D64FA32C06DE4139"), unhex("0EC675AD498AFEEBB6960B3AABE6")
	for label, want := range map[byte]string{
		labelKey: "C61E7A93744F39EE10734AFE3FF7A087", labelSalt: "30CBBC08863D8C85D49DB34A9AE1",
	} {
		got, err := deriveKey(label, key, salt, len(want)/2)
		if err != nil || !bytes.Equal(got, unhex(want)) {
			t.Errorf("label %d: %X, %v", label, got, err)
		}
	}
}

func TestSealAllocates(t *testing.T) {
	for _, p := range []*profile{profileGCM, profileSHA} {
		keys, err := newOutKeys(p, randomKeys(t, p))
		if err != nil {
			t.Fatal(err)
		}
		packet := rtpBytes(t, 1, 7, 0, []byte{1, 2, 3}, make([]byte, 900))
		buf := make([]byte, len(packet)+p.overhead)
		seq := uint16(0)
		if n := testing.AllocsPerRun(2000, func() {
			copy(buf, packet)
			seq++
			buf[2], buf[3] = byte(seq>>8), byte(seq)
			if err := keys.rtp.seal(buf, len(packet)); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a packet", p.name, n)
		}
		report := []byte{0x80, 201, 0, 1, 0, 0, 0, 7}
		room := make([]byte, len(report)+p.rtcpOverhead)
		if n := testing.AllocsPerRun(2000, func() {
			if err := keys.sealRTCP(room, report); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a report", p.name, n)
		}
	}
}

// BenchmarkSeal compares a packet's encryption by the cipher alone, by us and by pion.
func BenchmarkSeal(b *testing.B) {
	for _, size := range []int{100, 1100} {
		keys := randomKeys(b, profileGCM)
		packet := rtpBytes(b, 1, 7, 0, []byte{1, 2, 3}, make([]byte, size-20))
		buf := make([]byte, len(packet)+gcmTag)
		copy(buf, packet)
		b.Run(fmt.Sprintf("cipher/%d", size), func(b *testing.B) {
			block, err := aes.NewCipher(keys.localKey)
			if err != nil {
				b.Fatal(err)
			}
			gcm, err := cipher.NewGCM(block)
			if err != nil {
				b.Fatal(err)
			}
			nonce := make([]byte, gcmNonce)
			for b.Loop() {
				gcm.Seal(buf[20:20], nonce, buf[20:len(packet)], buf[:20])
			}
		})
		b.Run(fmt.Sprintf("ours/%d", size), func(b *testing.B) {
			s, err := newGCMSealer(keys.localKey, keys.localSalt)
			if err != nil {
				b.Fatal(err)
			}
			for seq := uint16(1); b.Loop(); seq++ {
				buf[2], buf[3] = byte(seq>>8), byte(seq)
				if err := s.seal(buf, len(packet)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("pion/%d", size), func(b *testing.B) {
			c, err := srtp.CreateContext(keys.localKey, keys.localSalt, profileGCM.srtp)
			if err != nil {
				b.Fatal(err)
			}
			s := &pionSealer{context: c}
			for seq := uint16(1); b.Loop(); seq++ {
				buf[2], buf[3] = byte(seq>>8), byte(seq)
				if err := s.seal(buf, len(packet)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
