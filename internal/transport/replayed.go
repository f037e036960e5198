// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"errors"
	"sync"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// replayError is what pion's SRTP says of a packet that came before. It does not export that error, so it is asked for it
// once, by replaying a packet to it.
var replayError = sync.OnceValue(func() error {
	p := profileGCM
	seal, err := srtp.CreateContext(make([]byte, p.key), make([]byte, p.salt), p.srtp)
	if err != nil {
		return nil
	}
	open, err := srtp.CreateContext(make([]byte, p.key), make([]byte, p.salt), p.srtp, srtp.SRTPReplayProtection(64))
	if err != nil {
		return nil
	}
	plain, err := (&rtp.Header{Version: 2, SequenceNumber: 1}).Marshal()
	if err != nil {
		return nil
	}
	packet, err := seal.EncryptRTP(nil, plain, nil)
	if err != nil {
		return nil
	}
	_, first := open.DecryptRTP(nil, packet, nil)
	_, second := open.DecryptRTP(nil, packet, nil)
	if first != nil {
		return nil
	}

	return errors.Unwrap(second)
})

func replayed(err error) bool {
	sentinel := replayError()

	return sentinel != nil && errors.Is(err, sentinel)
}
