// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import "github.com/switchyard-media/sfu/router"

// Transport is what a session's transport has agreed on so far.
type Transport struct {
	OfferID     uint64 // answered last; 0 before the first
	DataChannel bool   // the client has the node's data channel open
	Profile     string // of SRTP, for example "AEAD_AES_128_GCM"; empty before DTLS is done
}

// Transport describes a session's transport; the zero value for a session that does not exist. Safe from any goroutine.
func (n *Node) Transport(id router.SessionID) Transport {
	s, err := n.find(id, router.Fence{})
	if err != nil {
		return Transport{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	return Transport{OfferID: s.offerID, DataChannel: s.channel != nil, Profile: s.profile}
}

// setProfile notes the SRTP profile. Loop only.
func (s *session) setProfile(name string) {
	s.node.countProfile(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.profile = name
}
