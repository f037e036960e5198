// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

// MaxLoudest is the largest Room.Loudest.
const MaxLoudest = 64

// MaxWeight is the largest weight of a room for a member.
const MaxWeight = 1000

// SetRoomAudio sets how many of a room's audio streams are forwarded, the loudest ones: 0 all of them, at most MaxLoudest.
// A room opens with its app's App.Loudest. Reply: RoomSummary.
type SetRoomAudio struct {
	App, Room string
	Fence     Fence
	Loudest   *uint32 // nil: as it is
}

func (c SetRoomAudio) apply(r *Router, tx *transaction) (any, error) {
	rm, err := r.findRoom(c.App, c.Room, c.Fence)
	if err != nil {
		return nil, err
	}
	if c.Loudest == nil || *c.Loudest == rm.loudest {
		return rm.summary(), nil
	}
	if err := checkLoudest(*c.Loudest); err != nil {
		return nil, err
	}
	assign(tx, &rm.loudest, *c.Loudest)
	r.emit(tx, c.App, rm, "", RoomAudioEvent{Loudest: rm.loudest})

	return rm.summary(), nil
}

func checkLoudest(n uint32) error {
	if n > MaxLoudest {
		return ErrArgument.In("loudest_audio").saying("loudest_audio must be 0 to 64")
	}

	return nil
}

func checkWeight(w uint32) error {
	if w > MaxWeight {
		return ErrArgument.In("weight").saying("weight must be 1 to 1000, or 0 for 1")
	}

	return nil
}
