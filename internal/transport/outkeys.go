// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"fmt"
	"sync"

	"github.com/pion/rtcp"
	"github.com/pion/srtp/v3"
)

// outKeys is the outgoing direction. Made once, when DTLS is done.
type outKeys struct {
	profile *profile // immutable
	rtp     sealer   // owned by the shard of the session's one Writer

	// rtcpMu guards the rest: reports of the uplink and of the shard share it. The index counts up by itself (RFC 3711,
	// section 3.4), so that no SRTCP nonce comes twice. It is never held during a system call.
	rtcpMu sync.Mutex
	rtcp   *srtp.Context
	header rtcp.Header // here so that it is not made for each packet
}

func newOutKeys(p *profile, keys masterKeys) (*outKeys, error) {
	context, err := srtp.CreateContext(keys.localKey, keys.localSalt, p.srtp)
	if err != nil {
		return nil, fmt.Errorf("transport: SRTCP: %w", err)
	}
	out := &outKeys{profile: p, rtcp: context}
	if p == profileGCM {
		if out.rtp, err = newGCMSealer(keys.localKey, keys.localSalt); err != nil {
			return nil, err
		}

		return out, nil
	}
	context, err = srtp.CreateContext(keys.localKey, keys.localSalt, p.srtp)
	if err != nil {
		return nil, fmt.Errorf("transport: SRTP: %w", err)
	}
	out.rtp = &pionSealer{context: context}

	return out, nil
}

// sealRTCP encrypts a compound packet into room, which has just the size.
func (k *outKeys) sealRTCP(room, packet []byte) error {
	k.rtcpMu.Lock()
	out, err := k.rtcp.EncryptRTCP(room[:0], packet, &k.header)
	k.rtcpMu.Unlock()
	if err != nil {
		return fmt.Errorf("transport: SRTCP: %w", err)
	}
	if len(out) != len(room) {
		return errRTP
	}

	return nil
}
