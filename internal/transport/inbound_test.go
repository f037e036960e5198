// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/pion/datachannel"
	"github.com/pion/srtp/v3"
)

// taker is a Handler of media alone.
type taker struct {
	packets [][]byte
	rtcp    int
	count   int
	discard bool
}

func (h *taker) HandleState()                           {}
func (h *taker) HandleCheck(netip.AddrPort) bool        { return false }
func (h *taker) HandleChosen(netip.AddrPort)            {}
func (h *taker) HandleChannel(*datachannel.DataChannel) {}

func (h *taker) HandleMedia(packet []byte, rtcp bool) {
	h.count++
	if rtcp {
		h.rtcp++
	}
	if !h.discard {
		h.packets = append(h.packets, bytes.Clone(packet))
	}
}

// receiver is a Transport's way in alone, and a client's context to send to it.
func receiver(t testing.TB, p *profile) (*Transport, *taker, *srtp.Context) {
	t.Helper()
	h := &taker{}
	tr := &Transport{maker: &Maker{}, handler: h}
	tr.in.handler, tr.in.refusals = h, &tr.maker.refusals
	keys := randomKeys(t, p)
	if err := tr.install(p, keys); err != nil {
		t.Fatal(err)
	}
	client, err := srtp.CreateContext(keys.remoteKey, keys.remoteSalt, p.srtp)
	if err != nil {
		t.Fatal(err)
	}

	return tr, h, client
}

var report = []byte{0x80, 201, 0, 1, 0, 0, 0, 7}

// TestInbound takes packets of any form in place, over two turns of the sequence number.
func TestInbound(t *testing.T) {
	for _, p := range []*profile{profileGCM, profileSHA} {
		t.Run(p.name, func(t *testing.T) {
			tr, h, client := receiver(t, p)
			for index := uint64(65_000); index < 65_000+140_000; index += 37 {
				want := rtpBytes(t, uint16(index), 5, int(index%3), [][]byte{nil, {1}, {1, 2, 3, 4}}[index%3], make([]byte, index%200))
				packet, err := client.EncryptRTP(nil, want, nil)
				if err != nil {
					t.Fatal(err)
				}
				buf := append(make([]byte, 0, len(packet)+20), packet...)
				behind := buf[len(packet) : len(packet)+20]
				copy(behind, "not ours to touch...")
				h.packets = h.packets[:0]
				tr.HandleMedia(buf)
				if len(h.packets) != 1 || !bytes.Equal(h.packets[0], want) {
					t.Fatalf("index %d was not taken as it was sent", index)
				}
				if string(behind) != "not ours to touch..." {
					t.Fatal("bytes behind the datagram were written")
				}
			}
			packet, err := client.EncryptRTCP(nil, report, nil)
			if err != nil {
				t.Fatal(err)
			}
			h.packets = nil
			tr.HandleMedia(packet)
			if h.rtcp != 1 || !bytes.Equal(h.packets[0], report) {
				t.Error("the report was not taken as it was sent")
			}
			if r := tr.maker.Refusals(); r != (Refusals{}) {
				t.Errorf("refused: %+v", r)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, p := range []*profile{profileGCM, profileSHA} {
		t.Run(p.name, func(t *testing.T) {
			tr, h, client := receiver(t, p)
			seal := func(seq uint16) []byte {
				b, err := client.EncryptRTP(nil, rtpBytes(t, seq, 5, 0, nil, make([]byte, 50)), nil)
				if err != nil {
					t.Fatal(err)
				}

				return b
			}
			send := func(b []byte) { tr.HandleMedia(bytes.Clone(b)) }
			first := seal(10)
			sealedReport, err := client.EncryptRTCP(nil, report, nil)
			if err != nil {
				t.Fatal(err)
			}
			forged := bytes.Clone(seal(11))
			forged[20] ^= 1
			forgedReport := bytes.Clone(sealedReport)
			forgedReport[len(forgedReport)-1] ^= 1
			send(forged)
			send(forgedReport)
			for range 3 {
				send(first)
				send(sealedReport)
			}
			late := seal(12)
			send(seal(12 + replayWindow - 1)) // 12 is the last of the window
			send(late)
			older := seal(11)
			send(older)
			short := first[:rtpHeader+3]
			send(short)
			send(sealedReport[:rtpHeader])
			send([]byte{0x80, 1})
			send([]byte{0x40, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
			want := Refusals{Forged: 2, Replayed: 4 + 1, Malformed: 4}
			if got := tr.maker.Refusals(); got != want {
				t.Errorf("refusals %+v, want %+v", got, want)
			}
			if h.count != 4 {
				t.Errorf("%d packets were taken, want 4", h.count)
			}
		})
	}
	early := &Transport{maker: &Maker{}}
	early.in.refusals = &early.maker.refusals
	early.HandleMedia(make([]byte, 40))
	for range earlyMost + 1 {
		early.HandleMedia(append([]byte{0x80}, make([]byte, 40)...))
	}
	if got, want := early.maker.Refusals(), (Refusals{Early: 1, Malformed: 1}); got != want {
		t.Errorf("before the keys: %+v, want %+v", got, want)
	}
	early.in.close()
	early.HandleMedia(append([]byte{0x80}, make([]byte, 40)...))
	if got := early.maker.Refusals().Early; got != earlyMost+1 {
		t.Errorf("%d packets came before the keys that never came, or after Close: %d", earlyMost+1, got)
	}
}

// TestEarlyMediaWaits for the keys: it is handed over with them, in order, whole.
func TestEarlyMediaWaits(t *testing.T) {
	tr, h, client := receiver(t, profileGCM)
	keys := tr.in.context
	tr.in.context = nil
	for n := range uint16(3) {
		sealed, err := client.EncryptRTP(nil, rtpBytes(t, n, 5, 2, []byte{1}, make([]byte, 30)), nil)
		if err != nil {
			t.Fatal(err)
		}
		tr.HandleMedia(sealed)
		clear(sealed) // it was the socket's
	}
	if h.count != 0 {
		t.Errorf("%d packets were taken without keys", h.count)
	}
	tr.in.open(keys)
	if got := tr.maker.Refusals(); h.count != 3 || got != (Refusals{}) {
		t.Errorf("%d packets were taken, %+v refused", h.count, got)
	}
}

func TestInboundAllocates(t *testing.T) {
	for _, p := range []*profile{profileGCM, profileSHA} {
		tr, h, client := receiver(t, p)
		h.discard = true
		var packets, reports [][]byte
		for seq := range uint16(4100) {
			b, err := client.EncryptRTP(nil, rtpBytes(t, seq, 5, 0, []byte{1, 2}, make([]byte, 200)), nil)
			if err != nil {
				t.Fatal(err)
			}
			r, err := client.EncryptRTCP(nil, report, nil)
			if err != nil {
				t.Fatal(err)
			}
			packets, reports = append(packets, b), append(reports, r)
		}
		for kind, list := range map[string][][]byte{"packet": packets, "report": reports} {
			next := 0
			if n := testing.AllocsPerRun(4000, func() {
				tr.HandleMedia(list[next])
				next++
			}); n != 0 {
				t.Errorf("%s: %v allocations a %s", p.name, n, kind)
			}
		}
		if r := tr.maker.Refusals(); r != (Refusals{}) {
			t.Errorf("refused: %+v", r)
		}
	}
}

// FuzzHandleMedia feeds what anybody can send, to a transport with and one without keys.
func FuzzHandleMedia(f *testing.F) {
	tr, h, client := receiver(f, profileGCM)
	sha, shaTaker, _ := receiver(f, profileSHA)
	h.discard, shaTaker.discard = true, true
	early := &Transport{maker: &Maker{}}
	early.in.refusals = &early.maker.refusals
	good, err := client.EncryptRTP(nil, rtpBytes(f, 1, 5, 2, []byte{1}, make([]byte, 30)), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{0x9f, 0x60, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0xbf, 0x60, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xbe, 0xde, 0xff, 0xff})
	f.Add(append(slices.Clone(report), make([]byte, 24)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, tr := range []*Transport{tr, sha, early} {
			before := tr.accounted()
			tr.HandleMedia(bytes.Clone(b))
			if n := tr.accounted() - before; n != 1 {
				t.Fatalf("%x was counted %d times", b, n)
			}
		}
	})
}

// accounted is how many packets were taken or refused.
func (t *Transport) accounted() uint64 {
	r := t.maker.Refusals()
	n := r.Replayed + r.Forged + r.Malformed + r.Early + uint64(len(t.in.early))
	if h, ok := t.handler.(*taker); ok {
		n += uint64(h.count)
	}

	return n
}

// FuzzAdmit feeds records that anybody can send.
func FuzzAdmit(f *testing.F) {
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2})
	f.Add([]byte{23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0})
	f.Add([]byte{20, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 22, 254, 253, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, state := range []State{StateConnecting, StateSecure} {
			tr := &Transport{maker: &Maker{}}
			tr.state.Store(uint32(state))
			kept := bytes.Clone(b)
			kept = kept[:tr.admit(kept)]
			for at := kept; len(at) > 0; {
				size := recordHeader + int(at[11])<<8 + int(at[12])
				plain := at[3] == 0 && at[4] == 0
				if at[0] == recordApplication || plain && state == StateSecure && at[0] == recordAlert {
					t.Fatalf("%x is let in", at[:size])
				}
				at = at[size:]
			}
			again := bytes.Clone(kept)
			if n := tr.admit(again); n != len(kept) {
				t.Fatalf("what was let in is not let in again: %d of %d bytes", n, len(kept))
			}
		}
	})
}

// FuzzCheckUfrag feeds the first packet of a TCP connection.
func FuzzCheckUfrag(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x0c\x21\x12\xa4\x42............\x00\x06\x00\x05ab:cd\x00\x00\x00"), "ab")
	f.Add([]byte("\x00\x01\x00\x0c\x21\x12\xa4\x42............\x00\x06\xff\xffab:cd\x00\x00\x00"), "")
	f.Fuzz(func(t *testing.T, b []byte, want string) {
		got := checkUfrag(b)
		if len(got) > len(b) || got != "" && !bytes.Contains(b, []byte(got)) {
			t.Fatalf("%q is not of %x", got, b)
		}
		_ = want
	})
}
