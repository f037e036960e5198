// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

// Missing is how many slots of each kind the session's client must still offer, so that every waiting subscription finds
// its own; zeros for a session that does not exist.
func (r *Router) Missing(id SessionID) (audio, video int) {
	s, err := r.find(id, Fence{})
	if err != nil {
		return 0, 0
	}
	return s.missing.Audio, s.missing.Video
}

// Subscribers is how many subscriptions there are to a stream, 0 for one that does not exist.
func (r *Router) Subscribers(app, room, stream string) int {
	st, err := r.findStream(app, room, stream, Fence{})
	if err != nil {
		return 0
	}
	return len(st.member.room.wishers(stream))
}

// RoomLoudest is Room.Loudest of a room, 0 for one that does not exist.
func (r *Router) RoomLoudest(app, room string) uint32 {
	rm := r.lookRoom(app, room)
	if rm == nil {
		return 0
	}
	return rm.loudest
}

// SessionStreams are the streams that a session publishes, by room in the order it joined them, then by id.
func (r *Router) SessionStreams(id SessionID) []Stream {
	s, err := r.find(id, Fence{})
	if err != nil {
		return nil
	}
	var out []Stream
	for _, m := range s.members {
		for _, st := range m.streams {
			out = append(out, st.view())
		}
	}

	return out
}
