// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"bytes"
	"testing"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// TestRefusedSRTP holds pion to the words by which refused packets are counted.
func TestRefusedSRTP(t *testing.T) {
	for _, profile := range []srtp.ProtectionProfile{srtp.ProtectionProfileAeadAes128Gcm, srtp.ProtectionProfileAes128CmHmacSha1_80} {
		t.Run(profile.String(), func(t *testing.T) {
			saltLen, err := profile.SaltLen()
			if err != nil {
				t.Fatal(err)
			}
			ends := make([]*srtp.Context, 2)
			for i := range ends {
				ends[i], err = srtp.CreateContext(make([]byte, 16), make([]byte, saltLen), profile,
					srtp.SRTPReplayProtection(64), srtp.SRTCPReplayProtection(64))
				if err != nil {
					t.Fatal(err)
				}
			}
			plain, _ := (&rtp.Packet{Header: rtp.Header{Version: 2, SSRC: 7, SequenceNumber: 9}, Payload: make([]byte, 50)}).Marshal()
			media, err := ends[0].EncryptRTP(nil, plain, nil)
			if err != nil {
				t.Fatal(err)
			}
			report, _ := (&rtcp.PictureLossIndication{SenderSSRC: 7, MediaSSRC: 8}).Marshal()
			control, err := ends[0].EncryptRTCP(nil, report, nil)
			if err != nil {
				t.Fatal(err)
			}
			unprotect := func(b []byte) error {
				if b[1] >= 192 && b[1] <= 223 {
					_, err := ends[1].DecryptRTCP(nil, bytes.Clone(b), nil)

					return err
				}
				_, err := ends[1].DecryptRTP(nil, bytes.Clone(b), nil)

				return err
			}
			for name, whole := range map[string][]byte{"SRTP": media, "SRTCP": control} {
				bad := bytes.Clone(whole)
				bad[12] ^= 1
				for _, step := range []struct {
					what string
					b    []byte
					want socketDrop // socketDrops: taken
				}{
					{"forged", bad, dropForged}, {"cut", whole[:4], dropSRTP}, {"whole", whole, socketDrops}, {"again", whole, dropReplayed},
				} {
					err := unprotect(step.b)
					got := socketDrops
					if err != nil {
						got = srtpRefusal(err.Error())
					}
					if got != step.want {
						t.Errorf("%s, %s: %d, want %d (%v)", name, step.what, got, step.want, err)
					}
				}
			}
		})
	}
}
