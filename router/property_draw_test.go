// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// fair draws a number below n. rapid's own ranges favour small numbers, which is no way to reach deep states; bits are
// fair, and still shrink to 0.
func fair(n int) *rapid.Generator[int] {
	return rapid.Custom(func(t *rapid.T) int {
		v := 0
		for top := 1; top < 4*n; top *= 2 {
			v *= 2
			if rapid.Bool().Draw(t, "bit") {
				v++
			}
		}

		return v % n
	})
}

func (m *machine) index(label string, n int) int { return fair(n).Draw(m.t, label) }

func (m *machine) below(label string, low, high int) int { return low + m.index(label, high-low+1) }

func pick[T any](m *machine, label string, from ...T) T { return from[m.index(label, len(from))] }

func (m *machine) yes(label string) bool { return rapid.Bool().Draw(m.t, label) }

// rarely is true once in n times.
func (m *machine) rarely(label string, n int) bool { return m.index(label, n) == n-1 }

var sessionIDs = []SessionID{"s1", "s2", "s3", "s4", "s5"}

// session is mostly one that exists.
func (m *machine) session() SessionID {
	live := sortedKeys(m.w.sessions, strings.Compare)
	if len(live) == 0 || m.rarely("any session", 16) {
		return pick(m, "session", sessionIDs...)
	}

	return SessionID(pick(m, "session", live...))
}

func (m *machine) user() string { return pick(m, "user", "ua", "ub", "uc", "ud", "ue") }

// userFor is mostly the same one for a session id, so that repeats are repeats.
func (m *machine) userFor(id SessionID) string {
	if m.rarely("other user", 8) {
		return m.user()
	}

	return map[SessionID]string{"s1": "ua", "s2": "ub", "s3": "uc", "s4": "ud", "s5": "ue"}[id]
}

// realRoom is a room id; room may be left out too, and is mostly one that the session is in.
func (m *machine) realRoom() string { return pick(m, "room", "r1", "r1", "r2", "r2", "r3", "r4") }

func (m *machine) room(id SessionID) string {
	rooms := m.w.roomsOf(string(id))
	switch {
	case m.rarely("no room", 12):
		return ""
	case len(rooms) == 0 || m.rarely("any room", 8):
		return m.realRoom()
	default:
		return pick(m, "room", rooms...)
	}
}

func (m *machine) stream() string { return pick(m, "stream", "x", "y", "z") }

// streamKey is mostly a stream that exists.
func (m *machine) streamKey() inRoom {
	if keys := sortedKeys(m.w.streams, byRoom); len(keys) > 0 && !m.rarely("any stream", 8) {
		return pick(m, "stream", keys...)
	}

	return inRoom{m.realRoom(), m.stream()}
}

// memberKey is mostly somebody who is in the room: room and user.
func (m *machine) memberKey() inRoom {
	if keys := sortedKeys(m.w.members, byRoom); len(keys) > 0 && !m.rarely("any member", 6) {
		k := pick(m, "member", keys...)

		return inRoom{k.room, m.w.sessions[k.id].user}
	}

	return inRoom{m.realRoom(), m.user()}
}

func (m *machine) subscriptionID() SubscriptionID {
	ids := m.w.subIDs()
	if len(ids) == 0 || m.rarely("no such subscription", 12) {
		ids = []int{m.w.lastSub + 1}
	}

	return SubscriptionID(fmt.Sprint("u1-", pick(m, "subscription", ids...)))
}

func (m *machine) grants() *Grants {
	if !m.rarely("grants", 5) {
		return nil
	}

	return &Grants{Publish: m.yes("publish"), Subscribe: m.yes("subscribe"), Message: true}
}

// weight is mostly none, rarely one that is refused.
func (m *machine) weight() uint32 {
	if !m.rarely("weight", 4) {
		return 0
	}

	return pick[uint32](m, "weight", 1, 2, 500, 1000, 1000, 1001)
}

// layers is mostly about a slot of video that is bound.
func (m *machine) layers(id SessionID) ReportLayers {
	c := ReportLayers{
		Session: id, Mid: fmt.Sprint(m.below("mid", 0, 8)), Spatial: int8(m.below("spatial", -2, 2)),
		Temporal: int8(m.below("temporal", -1, 2)), TargetSpatial: int8(m.below("target", -1, 2)), Bandwidth: m.yes("bandwidth"),
	}
	var bound []int
	for _, n := range m.w.subIDs() {
		if m.w.subs[n].slot[Video] != "" {
			bound = append(bound, n)
		}
	}
	if len(bound) > 0 && !m.rarely("any slot", 6) {
		sub := m.w.subs[pick(m, "bound", bound...)]
		c.Session, c.Mid = SessionID(sub.session), sub.slot[Video]
	}

	return c
}

// furnish opens a few sessions that are in rooms and have sources and slots, so that not every run begins with nothing.
func (m *machine) furnish() {
	for i, id := range sessionIDs[:m.below("sessions", 0, 4)] {
		user := string("uaubucud"[2*i : 2*i+2])
		c := Connect{Create: CreateSession{App: "app", ID: id, User: User{ID: user, Name: user}, Mode: ModeMulti}}
		for j := range m.below("first lines", 2, 8) {
			l := Line{Mid: fmt.Sprint(j), Kind: Kind(1 + j%2), Direction: LineDown}
			if j < 2 {
				l.Direction = LineUp
			}
			c.Lines = append(c.Lines, l)
		}
		c.Joins = []JoinRoom{{Room: "r1"}, {Room: "r2", Weight: 7}}[:m.below("first rooms", 1, 2)]
		m.one(c)
	}
}

// draw picks the next command.
func (m *machine) draw() Command {
	id := m.session()
	switch m.index("command", 32) {
	case 0, 1:
		return m.create()
	case 2, 3, 4:
		return m.connect()
	case 5:
		if !m.rarely("close", 4) {
			return Tick{}
		}

		return CloseSession{Session: id, Reason: pick[Reason](m, "reason", "", ReasonMediaFailed)}
	case 6:
		return SetConnection{Session: id, State: pick(m, "state", ConnectionConnected, ConnectionConnected, ConnectionDisconnected)}
	case 7, 8:
		return m.lines(id)
	case 9, 10, 11, 12:
		c := m.join()
		c.Session = id

		return c
	case 13:
		return LeaveRoom{Session: id, Room: m.room(id)}
	case 14:
		return SwitchRoom{Session: id, From: m.room(id), To: m.realRoom(), Grants: m.grants(), Weight: m.weight()}
	case 15, 16:
		return m.drawServer(id)
	default:
		return m.drawMedia(id)
	}
}

// drawServer picks among what is done to users rather than by them.
func (m *machine) drawServer(id SessionID) Command {
	switch m.index("server command", 10) {
	case 0:
		return m.move()
	case 1:
		k := m.memberKey()

		return KickUser{App: "app", Room: k.room, User: k.id, Ban: time.Duration(m.below("ban", 0, 5)) * time.Second}
	case 2:
		return CloseRoom{App: "app", Room: m.realRoom()}
	case 3, 4:
		k := m.memberKey()
		g := Grants{Publish: m.yes("publish"), Subscribe: m.yes("subscribe"), Message: true}

		return UpdateMember{App: "app", Room: k.room, User: k.id, Grants: &g}
	case 5:
		return LeaveAllRooms{Session: id}
	case 6:
		k, n := m.memberKey(), m.weight()

		return UpdateMember{App: "app", Room: k.room, User: k.id, Weight: &n}
	case 7:
		n := pick[uint32](m, "loudest", 0, 1, modelLoudest, 64, 65)

		return SetRoomAudio{App: "app", Room: m.realRoom(), Loudest: &n}
	default:
		return Tick{}
	}
}

func (m *machine) drawMedia(id SessionID) Command {
	switch m.index("media command", 20) {
	case 0, 1, 2, 3:
		c := m.publish(id)
		c.Session = id

		return c
	case 4:
		k := m.streamKey()

		return Unpublish{Session: SessionID(m.w.streams[k].owner), Room: k.room, Stream: k.id}
	case 5:
		k, audio, video := m.streamKey(), m.yes("audio"), m.yes("video")

		return MuteStream{App: "app", Room: k.room, Stream: k.id, Audio: &audio, Video: &video}
	case 6:
		return SetSourceLive{Session: id, Mid: fmt.Sprint(m.below("mid", 0, 3)), Live: m.yes("live")}
	case 7, 8, 9, 10:
		c := m.subscribe(id)
		c.Session = id

		return c
	case 11, 12:
		sub := m.subscriptionID()
		_, old, _ := m.w.sub(sub)

		return SwitchSubscription{ID: sub, Room: m.room(SessionID(old.session)), Stream: m.stream()}
	case 13:
		paused := m.yes("paused")

		return UpdateSubscription{ID: m.subscriptionID(), Paused: &paused}
	case 14:
		return Unsubscribe{ID: m.subscriptionID()}
	case 15, 16, 17:
		return m.layers(id)
	case 18:
		c := ReportPublisherLayers{Session: id, Mid: fmt.Sprint(m.below("mid", 0, 3))}
		for i := range m.below("layers", 0, 2) {
			c.Layers = append(c.Layers, VideoLayer{
				Spatial: uint32(i), TemporalLayers: 1, Bitrate: uint64(m.below("bitrate", 0, 3)), Live: m.yes("live"), Wanted: m.yes("wanted"),
			})
		}

		return c
	default:
		c := SetSubscriptions{Session: id, Room: m.room(id), Generation: uint64(m.below("generation", 0, 3))}
		for range m.below("desired", 0, 3) {
			c.Desired = append(c.Desired, m.subscribe(id))
		}

		return c
	}
}

func (m *machine) create() CreateSession {
	id := pick(m, "session", sessionIDs...)
	user := m.userFor(id)
	mode := ModeMulti
	if id == "s3" != m.rarely("other mode", 12) {
		mode = ModeSingle
	}

	return CreateSession{App: "app", ID: id, User: User{ID: user, Name: user}, Mode: mode}
}

func (m *machine) join() JoinRoom {
	c := JoinRoom{Room: m.realRoom(), Grants: m.grants(), Weight: m.weight()}
	if m.rarely("with user", 10) {
		user := m.user()
		c.User = &User{ID: user, Name: user}
	}
	if m.rarely("with end", 5) {
		c.Expires = m.w.now.Add(time.Duration(m.below("end", 1, 60)) * time.Second)
	}

	return c
}

func (m *machine) publish(id SessionID) Publish {
	c := Publish{Room: m.room(id), Stream: m.stream()}
	if !m.rarely("no audio", 4) {
		c.AudioMid = pick(m, "audio mid", "0", "0", "0", "2")
	}
	if !m.rarely("no video", 3) {
		c.VideoMid = pick(m, "video mid", "1", "1", "1", "3")
	}

	return c
}

func (m *machine) subscribe(id SessionID) Subscribe {
	return Subscribe{
		Room: m.room(id), Stream: m.stream(), Audio: !m.rarely("no audio", 4), Video: !m.rarely("no video", 4), Paused: m.yes("paused"),
	}
}

// lines is an offer that adds lines to those there are, or now and then turns some.
func (m *machine) lines(id SessionID) SetLines {
	c := SetLines{Session: id}
	s := m.w.sessions[string(id)]
	turn := m.rarely("turn", 3)
	for i, l := range s.lines {
		dir := l.dir
		if turn {
			dir = pick(m, "direction", l.dir, l.dir, l.dir, LineInactive, LineUp, LineDown)
		}
		c.Lines = append(c.Lines, Line{Mid: fmt.Sprint(i), Kind: l.kind, Direction: dir})
	}
	if len(c.Lines) < 8 {
		c.Lines = append(c.Lines, m.offer(len(c.Lines))...)
	}

	return c
}

// offer is new lines from an index on: two sources first, then slots.
func (m *machine) offer(from int) []Line {
	var out []Line
	end := from + m.below("new lines", 0, 6)
	for i := from; i < end; i++ {
		l := Line{Mid: fmt.Sprint(i), Kind: Kind(1 + i%2), Direction: LineDown}
		if i < 2 {
			l.Direction = LineUp
		}
		out = append(out, l)
	}

	return out
}

func (m *machine) connect() Connect {
	c := Connect{Create: m.create()}
	s, exists := m.w.sessions[string(c.Create.ID)]
	c.Lines = m.offer(0)
	if exists && len(c.Lines) < len(s.lines) {
		c.Lines = nil
	}
	var joined []string
	for range m.below("joins", 1, 3) {
		j := m.join()
		c.Joins, joined = append(c.Joins, j), append(joined, j.Room)
	}
	for range m.below("publishes", 0, 2) {
		p := m.publish(c.Create.ID)
		p.Room = pick(m, "publish in", joined...)
		c.Publishes = append(c.Publishes, p)
	}
	for range m.below("subscriptions", 0, 2) {
		sub := m.subscribe(c.Create.ID)
		sub.Room = pick(m, "subscribe in", joined...)
		c.Subscriptions = append(c.Subscriptions, sub)
	}

	return c
}

func (m *machine) move() MoveMembers {
	c := MoveMembers{App: "app"}
	for range m.below("items", 1, 3) {
		k := m.memberKey()
		if m.rarely("from nowhere", 6) {
			k.room = ""
		}
		c.Items = append(c.Items, Move{User: k.id, From: k.room, To: m.realRoom(), Grants: m.grants(), Weight: m.weight()})
	}

	return c
}
