// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"
)

// world is the rules once more, written the slow and plain way: flat maps, no indexes, everything looked for by walking
// over all there is. The router must agree with it after every command. It has one app, entitled to MULTI.
type world struct {
	now      time.Time
	limits   Limits
	sessions map[string]wSession
	members  map[inRoom]wMember
	streams  map[inRoom]wStream
	subs     map[int]wSub
	bans     map[inRoom]time.Time
	loudest  map[string]uint32 // by room, when set
	lastSub  int
	serial   int // of sessions and members, in order of creation
}

// inRoom is a session, user or stream id in a room.
type inRoom struct{ room, id string }

type wSession struct {
	user         string
	mode         RoomMode
	lines        []wLine
	serial       int
	created      time.Time
	state        ConnectionState
	wasConnected bool
	lost         time.Time
}

type wLine struct {
	kind   Kind
	dir    LineDirection
	pair   int
	live   bool
	layers []VideoLayer
}

type wMember struct {
	grants  Grants
	expires time.Time
	weight  uint32
	serial  int
	gen     uint64
}

type wStream struct {
	owner string
	mids  [kinds]string
	muted [kinds]bool
}

type wSub struct {
	session, room, stream string
	wants                 [kinds]bool
	paused                bool
	slot                  [kinds]string // mids
	state                 SubscriptionState
	layers                [3]int8 // spatial, temporal, target; in use with a slot of video only
	starved               bool
}

// unknown is what is known of a slot's layers before it is told.
func (s *wSub) unknown() { s.layers, s.starved = [3]int8{-1, -1, -1}, false }

const (
	modelTTL   = 40 * time.Second
	modelGrace = 20 * time.Second

	modelLoudest = 2 // of the app
)

func newWorld(now time.Time, limits Limits) world {
	return world{
		now: now, limits: limits, sessions: map[string]wSession{}, members: map[inRoom]wMember{},
		streams: map[inRoom]wStream{}, subs: map[int]wSub{}, bans: map[inRoom]time.Time{},
		loudest: map[string]uint32{},
	}
}

func (w world) clone() world {
	w.sessions, w.members = maps.Clone(w.sessions), maps.Clone(w.members)
	w.streams, w.subs, w.bans = maps.Clone(w.streams), maps.Clone(w.subs), maps.Clone(w.bans)
	w.loudest = maps.Clone(w.loudest)
	for id, s := range w.sessions {
		s.lines = slices.Clone(s.lines)
		w.sessions[id] = s
	}

	return w
}

func sortedKeys[K comparable, V any](m map[K]V, less func(a, b K) int) []K {
	return slices.SortedFunc(maps.Keys(m), less)
}

func byRoom(a, b inRoom) int { return cmp.Or(cmp.Compare(a.room, b.room), cmp.Compare(a.id, b.id)) }

func (w *world) subIDs() []int { return sortedKeys(w.subs, cmp.Compare[int]) }

// subsOf lists the subscriptions to a stream, oldest first.
func (w *world) subsOf(room, stream string) []int {
	return slices.DeleteFunc(w.subIDs(), func(id int) bool { return w.subs[id].room != room || w.subs[id].stream != stream })
}

func (w *world) roomsOf(session string) []string {
	var out []string
	for _, k := range sortedKeys(w.members, byRoom) {
		if k.id == session {
			out = append(out, k.room)
		}
	}

	return out
}

func (w *world) sessionOf(user string) string {
	for id, s := range w.sessions {
		if s.user == user {
			return id
		}
	}

	return ""
}

func (w *world) inside(room string) []string {
	var out []string
	for k := range w.members {
		if k.room == room {
			out = append(out, k.id)
		}
	}
	// Members go by user id, which is not the order of session ids.
	sort.Slice(out, func(i, j int) bool { return w.sessions[out[i]].user < w.sessions[out[j]].user })

	return out
}

func (w *world) roomCount() int {
	rooms := map[string]bool{}
	for k := range w.members {
		rooms[k.room] = true
	}

	return len(rooms)
}

// free finds a slot of a kind that no subscription of the session holds: the one that goes best with what this one holds
// and needs, and of those the first.
func (w *world) free(by wSub, need [kinds]bool, k Kind) string {
	held := map[string]bool{}
	for _, sub := range w.subs {
		if sub.session == by.session {
			held[sub.slot[Audio]], held[sub.slot[Video]] = true, true
		}
	}
	lines := w.sessions[by.session].lines
	idle := func(i int) bool { return lines[i].dir == LineDown && !held[fmt.Sprint(i)] }
	worth := func(pair int) int {
		at := slices.IndexFunc(lines, func(l wLine) bool { return l.kind == k.other() && l.pair == pair })
		switch {
		case at >= 0 && by.slot[k.other()] == fmt.Sprint(at):
			return 0
		case at >= 0 && idle(at) && need[k.other()] && by.slot[k.other()] == "":
			return 1
		case at < 0:
			return 2
		case !idle(at):
			return 3
		default:
			return 4
		}
	}
	best, mid := []int{9, 0}, ""
	for i, l := range lines {
		if l.kind != k || !idle(i) {
			continue
		}
		if v := []int{worth(l.pair), l.pair}; slices.Compare(v, best) < 0 {
			best, mid = v, fmt.Sprint(i)
		}
	}

	return mid
}

func (w *world) needs(sub wSub) (need [kinds]bool) {
	st, ok := w.streams[inRoom{sub.room, sub.stream}]
	for _, k := range bothKinds {
		need[k] = ok && sub.wants[k] && st.mids[k] != ""
	}

	return need
}

// place binds one subscription to what it needs, or to nothing.
func (w *world) place(id int) {
	sub := w.subs[id]
	need := w.needs(sub)
	for _, k := range bothKinds {
		if !need[k] {
			sub.slot[k] = ""
		}
	}
	w.subs[id] = sub
	sub.state = SubscriptionActive
	if !need[Audio] && !need[Video] {
		sub.state = SubscriptionPending
	}
	for _, k := range bothKinds {
		if need[k] && sub.slot[k] == "" {
			w.subs[id] = sub
			if sub.slot[k] = w.free(sub, need, k); sub.slot[k] == "" {
				sub.state = SubscriptionNeedsNegotiation
			}
		}
	}
	if sub.state == SubscriptionNeedsNegotiation {
		sub.slot = [kinds]string{}
	}
	if sub.slot[Video] == "" {
		sub.unknown()
	}
	w.subs[id] = sub
}

// placeWaiting gives those that wait what is free, oldest first.
func (w *world) placeWaiting() {
	for _, id := range w.subIDs() {
		if w.subs[id].state == SubscriptionNeedsNegotiation {
			w.place(id)
		}
	}
}

func (w *world) removeStream(k inRoom, park bool) {
	delete(w.streams, k)
	for _, id := range w.subsOf(k.room, k.id) {
		if park {
			w.place(id)
		} else {
			delete(w.subs, id)
		}
	}
}

func (w *world) leave(room, session string, park bool) {
	for _, k := range sortedKeys(w.streams, byRoom) {
		if k.room == room && w.streams[k].owner == session {
			w.removeStream(k, park)
		}
	}
	for id, sub := range w.subs {
		if sub.room == room && sub.session == session {
			delete(w.subs, id)
		}
	}
	delete(w.members, inRoom{room, session})
	if len(w.inside(room)) == 0 {
		delete(w.loudest, room)
	}
}

func (w *world) end(session string, park bool) {
	for _, room := range w.roomsOf(session) {
		w.leave(room, session, park)
	}
	delete(w.sessions, session)
}

// tick ends what is due, in order of deadline and creation.
func (w *world) tick() {
	type due struct {
		at     time.Time
		serial int
		do     func()
	}
	var list []due
	for id, s := range w.sessions {
		at := s.created.Add(modelTTL)
		if s.wasConnected {
			at = s.lost.Add(modelGrace)
		}
		if s.state != ConnectionConnected && !at.After(w.now) {
			list = append(list, due{at, s.serial, func() { w.end(id, true) }})
		}
	}
	for k, m := range w.members {
		if !m.expires.IsZero() && !m.expires.After(w.now) {
			list = append(list, due{m.expires, m.serial, func() { w.leave(k.room, k.id, false) }})
		}
	}
	slices.SortFunc(list, func(a, b due) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.serial, b.serial)) })
	for _, d := range list {
		d.do()
	}
	maps.DeleteFunc(w.bans, func(_ inRoom, until time.Time) bool { return !until.After(w.now) })
}

// dump lists everything the world and a Snapshot both know, in one notation.
func (w *world) dump() []string {
	var out []string
	for id, s := range w.sessions {
		out = append(out, fmt.Sprint("session ", id, " ", s.user, " ", s.mode, " ", s.state, " ", w.roomsOf(id)))
		for i, l := range s.lines {
			out = append(out, fmt.Sprint("line ", id, " ", i, " ", l.kind, " ", l.dir, " ", l.pair, " ", l.live))
		}
	}
	for k, m := range w.members {
		out = append(out, fmt.Sprint("member ", k.room, " ", k.id, " ", m.grants, " ", m.expires.Unix(), " ", m.weight))
		loudest, ok := w.loudest[k.room]
		if !ok {
			loudest = modelLoudest
		}
		out = append(out, fmt.Sprint("room of ", k.id, " ", k.room, " ", loudest))
	}
	for k, st := range w.streams {
		state, layers := StreamWaiting, []VideoLayer(nil)
		for i, l := range w.sessions[st.owner].lines {
			if mid := fmt.Sprint(i); st.mids[l.kind] == mid && l.live {
				state = StreamLive
			}
			if st.mids[Video] == fmt.Sprint(i) {
				layers = l.layers
			}
		}
		out = append(out, fmt.Sprint("stream ", k.room, " ", k.id, " ", st.owner, " ", st.mids, " ", st.muted, " ", state, " ", layers))
	}
	for id, s := range w.subs {
		if s.starved {
			s.state = SubscriptionPausedByBandwidth
		}
		out = append(out, fmt.Sprint("sub u1-", id, " ", s.session, " ", s.room, " ", s.stream, " ", s.wants, " ", s.paused, " ", s.state, " ", s.slot, " ", s.layers))
	}
	slices.Sort(out)

	return out
}

func dumpSnapshot(s Snapshot) []string {
	var out []string
	for _, x := range s.Sessions {
		out = append(out, fmt.Sprint("session ", x.ID, " ", x.User.ID, " ", x.Mode, " ", x.Connection, " ", x.Rooms))
		for i, l := range x.Lines {
			out = append(out, fmt.Sprint("line ", x.ID, " ", i, " ", l.Kind, " ", l.Direction, " ", l.Pair, " ", l.Live))
		}
	}
	for _, rm := range s.Rooms {
		for _, m := range rm.Members {
			out = append(out, fmt.Sprint("member ", rm.ID, " ", m.Session, " ", m.Grants, " ", m.Expires.Unix(), " ", m.Weight))
			out = append(out, fmt.Sprint("room of ", m.Session, " ", rm.ID, " ", rm.Loudest))
		}
		for _, st := range rm.Streams {
			mids, muted := [kinds]string{Audio: st.AudioMid, Video: st.VideoMid}, [kinds]bool{Audio: st.AudioMuted, Video: st.VideoMuted}
			out = append(out, fmt.Sprint("stream ", rm.ID, " ", st.ID, " ", st.Session, " ", mids, " ", muted, " ", st.State, " ", st.Layers))
		}
	}
	for _, x := range s.Subscriptions {
		wants, slot := [kinds]bool{Audio: x.Audio, Video: x.Video}, [kinds]string{Audio: x.AudioMid, Video: x.VideoMid}
		out = append(out, fmt.Sprint("sub ", x.ID, " ", x.Session, " ", x.Room, " ", x.Stream, " ", wants, " ", x.Paused, " ", x.State, " ", slot, " ", [3]int8{x.Spatial, x.Temporal, x.TargetSpatial}))
	}
	slices.Sort(out)

	return out
}
