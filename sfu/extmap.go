// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"strconv"
	"strings"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
)

// extmap is a header extension that a line offers and the node understands (RFC 8285, section 5).
type extmap struct {
	kind      rtpforward.ExtensionKind
	id        uint8
	direction direction
	directed  bool // the offer states the direction
}

// readExtmap reads the value of an extmap attribute. ok is false for what the node has no use for.
func readExtmap(value string) (e extmap, ok bool) {
	number, rest, _ := strings.Cut(value, " ")
	number, way, directed := strings.Cut(number, "/")
	n, err := strconv.ParseUint(number, 10, 8)
	// The one-byte form (RFC 8285, section 4.2) reaches 14; higher ids would force the two-byte form on every packet.
	if err != nil || n < 1 || n > 14 {
		return extmap{}, false
	}
	uri, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	e = extmap{id: uint8(n), directed: directed}
	if directed {
		if e.direction, ok = directionNamed(way); !ok {
			return extmap{}, false
		}
	}
	e.kind, ok = rtpforward.ExtensionFromURI(uri)

	return e, ok
}

// fits says whether an extension makes sense on a line, and is offered for the way in which the line works.
func (e *extmap) fits(kind router.Kind, role role) bool {
	way := sendonly
	if role == roleSlot {
		way = recvonly
	}
	if e.direction != sendrecv && e.direction != way {
		return false
	}
	switch e.kind {
	case rtpforward.ExtAudioLevel:
		return kind == router.Audio
	case rtpforward.ExtVideoOrientation, rtpforward.ExtPlayoutDelay, rtpforward.ExtDependencyDescriptor:
		return kind == router.Video
	case rtpforward.ExtRid, rtpforward.ExtRepairedRid, rtpforward.ExtVideoLayersAllocation:
		return kind == router.Video && role != roleSlot
	case rtpforward.ExtMid, rtpforward.ExtAbsSendTime, rtpforward.ExtTransportCC, rtpforward.ExtAbsCaptureTime:
	}

	return true
}
