// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// upward has the client send until the node has got a packet with that payload.
func upward(t testing.TB, p *peer, o *owner, mark byte) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for seq := uint16(1); ; seq++ {
		packet := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(mark)<<8 + seq}, Payload: []byte{0x10, mark, mark}}
		if err := p.video.WriteRTP(packet); err != nil {
			t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("media did not come up in time")
		}
		for {
			select {
			case got := <-o.media:
				var h rtp.Packet
				if h.Unmarshal(got) == nil && len(h.Payload) == 3 && h.Payload[1] == mark {
					return
				}

				continue
			default:
			}

			break
		}
	}
}

// downward has the node send until the client has got a packet with that payload.
func downward(t testing.TB, n *node, w *Writer, p *peer, mark byte) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for seq := uint16(1); ; seq++ {
		h := rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: uint16(mark)<<8 + seq, SSRC: outSSRC}
		room := w.Reserve(h.MarshalSize() + 3)
		if room == nil {
			t.Fatal("no room")
		}
		at, err := h.MarshalTo(room)
		if err != nil {
			t.Fatal(err)
		}
		copy(room[at:], []byte{0x10, mark, mark})
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		n.maker.Flush(0)
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("media did not come down in time")
		}
		for {
			select {
			case got := <-p.got:
				if len(got.Payload) == 3 && got.Payload[1] == mark {
					return
				}

				continue
			default:
			}

			break
		}
	}
}

func TestMedia(t *testing.T) {
	t.Parallel()
	sha := func(s *webrtc.SettingEngine) { s.SetSRTPProtectionProfiles(dtls.SRTP_AES128_CM_HMAC_SHA1_80) }
	for name, c := range map[string]struct {
		plain, full bool
		role        webrtc.DTLSRole
		change      func(*webrtc.SettingEngine)
		profile     string
	}{
		"direct":             {profile: "AEAD_AES_128_GCM"},
		"direct full ICE":    {full: true, profile: "AEAD_AES_128_GCM"},
		"direct SHA1":        {change: sha, profile: "AES128_CM_HMAC_SHA1_80"},
		"direct DTLS client": {role: webrtc.DTLSRoleServer, profile: "AEAD_AES_128_GCM"},
		"plain":              {plain: true, profile: "AEAD_AES_128_GCM"},
		"plain SHA1":         {plain: true, change: sha, profile: "AES128_CM_HMAC_SHA1_80"},
		"plain DTLS client":  {plain: true, role: webrtc.DTLSRoleServer, profile: "AEAD_AES_128_GCM"},
		"direct SHA1 client": {role: webrtc.DTLSRoleServer, change: sha, profile: "AES128_CM_HMAC_SHA1_80"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, func(cfg *Config) { cfg.PlainLane, cfg.Lite = c.plain, !c.full })
			o := newOwner()
			p := newPeer(t, peerOptions{role: c.role, change: c.change})
			tr := connect(t, n, p, o)
			if tr.Profile() != c.profile {
				t.Errorf("profile is %q, want %q", tr.Profile(), c.profile)
			}
			upward(t, p, o, 7)
			downward(t, n, tr.Writer(0), p, 9)
			if !tr.Paired() || !tr.RemoteAddr().IsValid() {
				t.Error("media flows without a pair")
			}
			if o.overlap.Load() {
				t.Error("two packets were handled at the same time")
			}
		})
	}
}

var rtpPacket = &rtp.Packet{Header: rtp.Header{Version: 2}, Payload: []byte{0x10, 1, 1}}
