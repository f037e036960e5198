// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"slices"
	"strings"
	"time"
)

// stream is what a member publishes in its room. member and id never change.
type stream struct {
	member    *member
	id        string
	mid       [kinds]string // of the up lines behind it; empty: no such track
	muted     [kinds]bool
	state     StreamState
	metadata  string
	published time.Time
}

func (st *stream) view() Stream {
	m := st.member

	return Stream{
		App: m.room.app.ID, Room: m.room.id, Incarnation: m.room.incarnation, ID: st.id,
		Session: m.session.id, User: m.session.user,
		AudioMid: st.mid[Audio], VideoMid: st.mid[Video],
		AudioMuted: st.muted[Audio], VideoMuted: st.muted[Video],
		AudioCodec: st.codec(Audio), VideoCodec: st.codec(Video),
		State: st.state, Metadata: st.metadata, Published: st.published, Layers: st.layers(),
	}
}

// codec is that of the line behind the stream.
func (st *stream) codec(k Kind) string {
	if st.mid[k] == "" {
		return ""
	}
	l := st.member.session.source(st.mid[k], k)
	if l == nil {
		return ""
	}

	return l.codec
}

// layers are those of the line behind the stream's video.
func (st *stream) layers() []VideoLayer {
	if st.mid[Video] == "" {
		return nil
	}
	l := st.member.session.source(st.mid[Video], Video)
	if l == nil {
		return nil
	}

	return l.layers
}

// compareStream orders a slice of streams by id.
func compareStream(st *stream, id string) int { return strings.Compare(st.id, id) }

// stream returns the room's stream of that id; nil when there is none.
func (rm *room) stream(id string) *stream {
	if i, ok := slices.BinarySearchFunc(rm.streams, id, compareStream); ok {
		return rm.streams[i]
	}

	return nil
}

// findStream returns a stream named by app, room and id, if the fence fits.
func (r *Router) findStream(app, room, id string, fence Fence) (*stream, error) {
	rm, err := r.findRoom(app, room, fence)
	if err != nil {
		return nil, err
	}
	st := rm.stream(id)
	if st == nil {
		return nil, ErrStreamNotFound.About(id)
	}
	if err := st.member.session.fits(Fence{SessionEpoch: fence.SessionEpoch}); err != nil {
		return nil, err
	}

	return st, nil
}

func (c Publish) apply(r *Router, tx *transaction) (any, error) {
	s, err := r.find(c.Session, c.Fence)
	if err != nil {
		return nil, err
	}

	return r.publish(tx, s, c)
}

func (r *Router) publish(tx *transaction, s *session, c Publish) (any, error) {
	m, err := s.membership(c.Room, c.Fence, ErrPublishRoom)
	if err != nil {
		return nil, err
	}
	if !m.grants.Publish {
		return nil, ErrPublishDenied.About(m.room.id)
	}
	if err := checkStreamID(c.Stream); err != nil {
		return nil, err
	}
	if len(c.Metadata) > s.app.Limits.MetadataBytes {
		return nil, ErrMetadataTooLong
	}
	mids, err := s.sources(c.AudioMid, c.VideoMid)
	if err != nil {
		return nil, err
	}
	if st := m.room.stream(c.Stream); st != nil {
		if st.member != m || st.mid != mids {
			return nil, ErrStreamExists.About(c.Stream)
		}

		return st.view(), nil
	}
	if s.app.StreamIDScope == ScopeApp && s.app.streams[c.Stream] > s.published(c.Stream) {
		return nil, ErrStreamExists.About(c.Stream)
	}
	if s.streams >= s.app.Limits.StreamsPerUser {
		return nil, ErrStreamLimit.About(s.user.ID)
	}
	st := &stream{member: m, id: c.Stream, mid: mids, metadata: c.Metadata, published: tx.now}
	r.addStream(tx, st)

	return st.view(), nil
}

// published counts the rooms that the session itself publishes a stream of that id in: publish once, into several rooms.
func (s *session) published(stream string) int {
	n := 0
	for _, m := range s.members {
		if _, ok := slices.BinarySearchFunc(m.streams, stream, compareStream); ok {
			n++
		}
	}

	return n
}

// sources checks that the mids are up lines of their kinds.
func (s *session) sources(audio, video string) (mids [kinds]string, err error) {
	mids[Audio], mids[Video] = audio, video
	if audio == "" && video == "" {
		return mids, ErrMediaRequired
	}
	for _, k := range bothKinds {
		if mids[k] != "" && s.source(mids[k], k) == nil {
			return mids, ErrUnknownMid.About(mids[k])
		}
	}

	return mids, nil
}

func (r *Router) addStream(tx *transaction, st *stream) {
	m := st.member
	rm, s := m.room, m.session
	i, _ := slices.BinarySearchFunc(rm.streams, st.id, compareStream)
	insert(tx, &rm.streams, i, st)
	i, _ = slices.BinarySearchFunc(m.streams, st.id, compareStream)
	insert(tx, &m.streams, i, st)
	put(tx, rm.app.streams, st.id, rm.app.streams[st.id]+1)
	assign(tx, &s.streams, s.streams+1)
	r.counters.streams++
	st.state = st.stateNow()
	r.emit(tx, rm.app.ID, rm, s.id, StreamAddedEvent{Stream: st.view()})
	for _, sub := range rm.wishers(st.id) {
		r.settle(tx, sub, "", false)
	}
}

func (st *stream) stateNow() StreamState {
	for _, k := range bothKinds {
		if st.mid[k] == "" {
			continue
		}
		if l := st.member.session.source(st.mid[k], k); l != nil && l.live {
			return StreamLive
		}
	}

	return StreamWaiting
}

// refreshState tells of a stream that has another state, or anything else new.
func (r *Router) refreshState(tx *transaction, st *stream, anyway bool) {
	state := st.stateNow()
	if state == st.state && !anyway {
		return
	}
	assign(tx, &st.state, state)
	r.changed(tx, st)
}

func (r *Router) changed(tx *transaction, st *stream) {
	r.emit(tx, st.member.room.app.ID, st.member.room, st.member.session.id, StreamChangedEvent{Stream: st.view()})
}

// publisherLost tells the ends after which a publisher may be back under the same stream id: its subscribers wait for
// it. After all other ends their subscriptions end too.
func publisherLost(reason Reason) bool {
	switch reason {
	case ReasonConnectionLost, ReasonNeverConnected, ReasonDuplicateUser, ReasonMediaFailed, ReasonSourceGone:
		return true
	default:
		return false
	}
}

// removeStream ends a stream, and ends or parks the subscriptions to it.
func (r *Router) removeStream(tx *transaction, st *stream, reason Reason, stopped *Stopped) {
	m := st.member
	rm, s := m.room, m.session
	if i, ok := slices.BinarySearchFunc(rm.streams, st.id, compareStream); ok {
		remove(tx, &rm.streams, i)
	}
	if i, ok := slices.BinarySearchFunc(m.streams, st.id, compareStream); ok {
		remove(tx, &m.streams, i)
	}
	if n := rm.app.streams[st.id] - 1; n > 0 {
		put(tx, rm.app.streams, st.id, n)
	} else {
		drop(tx, rm.app.streams, st.id)
	}
	assign(tx, &s.streams, s.streams-1)
	r.counters.streams--
	stopped.Streams++
	r.emit(tx, rm.app.ID, rm, s.id, StreamRemovedEvent{Stream: st.view(), Reason: reason})
	park := publisherLost(reason)
	for _, sub := range slices.Clone(rm.wishers(st.id)) {
		if park {
			r.settle(tx, sub, ReasonStreamRemoved, false)
		} else {
			r.endSubscription(tx, sub, ReasonStreamRemoved, stopped)
		}
	}
}

// loseSource takes a line that is no source any more out of the session's streams. A stream without lines ends.
func (r *Router) loseSource(tx *transaction, s *session, l *line) {
	for _, m := range s.members {
		for _, st := range slices.Clone(m.streams) {
			if st.mid[l.kind] != l.mid {
				continue
			}
			if st.mid[Audio] == "" || st.mid[Video] == "" {
				r.removeStream(tx, st, ReasonSourceGone, &Stopped{})

				continue
			}
			assign(tx, &st.mid[l.kind], "")
			assign(tx, &st.state, st.stateNow())
			r.changed(tx, st)
			for _, sub := range m.room.wishers(st.id) {
				r.settle(tx, sub, ReasonSourceGone, false)
			}
		}
	}
}

func (c Unpublish) apply(r *Router, tx *transaction) (any, error) {
	s, err := r.find(c.Session, c.Fence)
	if err != nil {
		return nil, err
	}
	m, err := s.membership(c.Room, c.Fence, ErrPublishRoom)
	if err != nil {
		return nil, err
	}
	i, ok := slices.BinarySearchFunc(m.streams, c.Stream, compareStream)
	if !ok {
		return nil, ErrStreamNotFound.About(c.Stream)
	}
	var stopped Stopped
	r.removeStream(tx, m.streams[i], ReasonRequested, &stopped)

	return stopped, nil
}
