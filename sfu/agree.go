// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import "github.com/switchyard-media/sfu/rtpforward"

// lineFormats is what an answered m-line says about payloads and header extensions, in the form the packet path uses. It
// is not changed once agree has returned it.
type lineFormats struct {
	out        []rtpforward.OutFormat // in order of preference
	payloads   map[uint8]rtpforward.Format
	repairs    map[uint8]uint8 // retransmission payload types (RFC 4588), to the payload type that each stands for
	extensions rtpforward.ExtensionMap
	nack       bool
	transport  bool // transport-wide congestion control
	pli, fir   bool
}

// repaired says whether a slot with these formats needs an SSRC for retransmissions.
func (f *lineFormats) repaired() bool { return len(f.repairs) > 0 }

// agreed is what the node takes of one m-line, and what the answer says of it.
type agreed struct {
	lineFormats
	answered []payload // payload types of the answer, in the offer's order, with the feedback and fmtp that it gives them

	// What the client says of its streams; empty but on lines that it sends on.
	ssrcs       []uint32          // of media, in the offer's order; with simulcast by rid none
	repairSSRCs map[uint32]uint32 // retransmission SSRCs (ssrc-group FID, RFC 5576), to the one of media that each repairs
	rids        []string          // simulcast layers (RFC 8853), in the offer's order
}

// agree works out what the answer says of each line. It has no effects but new formats in the table.
func (o *offer) agree(lines []line, formats *formats) ([]agreed, error) {
	return nil, nil // being written
}
