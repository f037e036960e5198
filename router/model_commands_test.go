// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// apply does what the command says, and returns the reason of the refusal that is expected, empty for success. After a
// refusal the world is useless: callers apply to a clone.
func (w *world) apply(cmd Command) string {
	reason := w.carry(cmd)
	w.placeWaiting()

	return reason
}

func (w *world) carry(cmd Command) string {
	switch c := cmd.(type) {
	case CreateSession:
		return w.create(c)
	case CloseSession:
		if _, ok := w.sessions[string(c.Session)]; !ok {
			return "SESSION_NOT_FOUND"
		}
		w.end(string(c.Session), c.Reason == ReasonMediaFailed)
	case SetConnection:
		return w.connection(c)
	case SetLines:
		return w.setLines(string(c.Session), c.Lines)
	case SetSourceLive:
		return w.live(c)
	case Connect:
		return w.connect(c)
	case JoinRoom:
		return w.join(string(c.Session), c)
	case LeaveRoom:
		return w.leaveRoom(c)
	case LeaveAllRooms:
		if _, ok := w.sessions[string(c.Session)]; !ok {
			return "SESSION_NOT_FOUND"
		}
		for _, room := range w.roomsOf(string(c.Session)) {
			w.leave(room, string(c.Session), false)
		}
	case SwitchRoom:
		if _, ok := w.sessions[string(c.Session)]; !ok {
			return "SESSION_NOT_FOUND"
		}

		return w.move(string(c.Session), c.From, c.To, c.Grants, c.Weight)
	case KickUser:
		return w.kick(c)
	case CloseRoom:
		inside := w.inside(c.Room)
		if len(inside) == 0 {
			return "ROOM_NOT_FOUND"
		}
		for _, s := range inside {
			w.leave(c.Room, s, false)
		}
	case UpdateMember:
		return w.update(c)
	case Publish:
		return w.publish(string(c.Session), c)
	case Unpublish:
		return w.unpublish(c)
	case MuteStream:
		return w.mute(c)
	case Subscribe:
		return w.subscribe(string(c.Session), c)
	case SwitchSubscription:
		return w.switchSub(c)
	case UpdateSubscription:
		id, sub, ok := w.sub(c.ID)
		if !ok {
			return "SUBSCRIPTION_NOT_FOUND"
		}
		if sub.paused != *c.Paused {
			sub.unknown()
		}
		sub.paused = *c.Paused
		w.subs[id] = sub
	case Unsubscribe:
		id, _, ok := w.sub(c.ID)
		if !ok {
			return "SUBSCRIPTION_NOT_FOUND"
		}
		delete(w.subs, id)
	case SetSubscriptions:
		return w.setSubs(c)
	case ReportLayers:
		w.layers(c)
	case ReportPublisherLayers:
		w.publisherLayers(c)
	case SetRoomAudio:
		switch {
		case len(w.inside(c.Room)) == 0:
			return "ROOM_NOT_FOUND"
		case *c.Loudest > 64:
			return "INVALID_ARGUMENT"
		}
		w.loudest[c.Room] = *c.Loudest
	case Tick:
		w.tick()
	default:
		return fmt.Sprintf("no rule for %T", cmd)
	}

	return ""
}

func (w *world) sub(id SubscriptionID) (int, wSub, bool) {
	n, _ := strconv.Atoi(strings.TrimPrefix(string(id), "u1-"))
	sub, ok := w.subs[n]

	return n, sub, ok
}

func (w *world) create(c CreateSession) string {
	if s, ok := w.sessions[string(c.ID)]; ok {
		switch {
		case s.user != c.User.ID:
			return "USER_MISMATCH"
		case s.mode != c.Mode:
			return "ROOM_MODE_FIXED"
		}

		return ""
	}
	if earlier := w.sessionOf(c.User.ID); earlier != "" {
		w.end(earlier, true)
	}
	if len(w.sessions) >= w.limits.Sessions {
		return "NODE_SESSION_LIMIT"
	}
	w.serial++
	w.sessions[string(c.ID)] = wSession{user: c.User.ID, mode: c.Mode, serial: w.serial, created: w.now, state: ConnectionNew}

	return ""
}

func (w *world) connection(c SetConnection) string {
	s, ok := w.sessions[string(c.Session)]
	if !ok {
		return "SESSION_NOT_FOUND"
	}
	if c.State == ConnectionConnected {
		s.wasConnected = true
	} else if s.state == ConnectionConnected {
		s.lost = w.now
	}
	s.state = c.State
	w.sessions[string(c.Session)] = s

	return ""
}

func (w *world) setLines(id string, lines []Line) string {
	s, ok := w.sessions[id]
	if !ok {
		return "SESSION_NOT_FOUND"
	}
	if len(lines) < len(s.lines) {
		return "INVALID_ARGUMENT"
	}
	var homeless []int
	for i, l := range lines {
		mid := fmt.Sprint(i)
		s = w.sessions[id]
		if i == len(s.lines) {
			s.lines = append(s.lines, wLine{kind: l.Kind, dir: l.Direction})
			s.number(i)
			w.sessions[id] = s

			continue
		}
		old := s.lines[i]
		if old.kind != l.Kind {
			return "INVALID_ARGUMENT"
		}
		if old.dir == l.Direction {
			continue
		}
		s.lines[i] = wLine{kind: l.Kind, dir: l.Direction, pair: old.pair}
		s.number(i)
		if old.dir == LineUp {
			w.loseSource(id, l.Kind, mid)
		}
		for _, n := range w.subIDs() {
			if sub := w.subs[n]; sub.session == id && sub.slot[l.Kind] == mid {
				sub.slot[l.Kind] = ""
				if l.Kind == Video {
					sub.unknown()
				}
				w.subs[n] = sub
				homeless = append(homeless, n)
			}
		}
	}
	for _, n := range homeless {
		w.place(n)
	}

	return ""
}

// number gives a line that is a slot for the first time the next number of its kind.
func (s wSession) number(i int) {
	if s.lines[i].dir != LineDown || s.lines[i].pair != 0 {
		return
	}
	last := 0
	for _, l := range s.lines {
		if l.kind == s.lines[i].kind {
			last = max(last, l.pair)
		}
	}
	s.lines[i].pair = last + 1
}

func (w *world) loseSource(session string, k Kind, mid string) {
	for _, key := range sortedKeys(w.streams, byRoom) {
		st := w.streams[key]
		if st.owner != session || st.mids[k] != mid {
			continue
		}
		if st.mids[Audio] == "" || st.mids[Video] == "" {
			w.removeStream(key, true)

			continue
		}
		st.mids[k] = ""
		w.streams[key] = st
		for _, n := range w.subsOf(key.room, key.id) {
			w.place(n)
		}
	}
}

func (w *world) live(c SetSourceLive) string {
	s, ok := w.sessions[string(c.Session)]
	if !ok {
		return "SESSION_NOT_FOUND"
	}
	n, _ := strconv.Atoi(c.Mid)
	if n >= len(s.lines) || s.lines[n].dir != LineUp {
		return "UNKNOWN_MID"
	}
	s.lines[n].live = c.Live

	return ""
}

// layers is told of a slot; what shows nothing, or is paused, has no layers.
func (w *world) layers(c ReportLayers) {
	for n, sub := range w.subs {
		if sub.session != string(c.Session) || c.Mid == "" || sub.slot[Video] != c.Mid || sub.paused {
			continue
		}
		sub.layers, sub.starved = [3]int8{max(c.Spatial, -1), max(c.Temporal, -1), max(c.TargetSpatial, -1)}, c.Bandwidth
		if c.Spatial < 0 {
			sub.layers[1] = -1
		}
		w.subs[n] = sub
	}
}

// publisherLayers takes over what a source sends, unless only the bitrates are new.
func (w *world) publisherLayers(c ReportPublisherLayers) {
	lines := w.sessions[string(c.Session)].lines
	n, _ := strconv.Atoi(c.Mid)
	if n >= len(lines) || lines[n].dir != LineUp || lines[n].kind != Video {
		return
	}
	blind := func(layers []VideoLayer) []VideoLayer {
		layers = slices.Clone(layers)
		for i := range layers {
			layers[i].Bitrate = 0
		}

		return layers
	}
	if !slices.Equal(blind(lines[n].layers), blind(c.Layers)) {
		lines[n].layers = c.Layers
	}
}

func (w *world) connect(c Connect) string {
	id := string(c.Create.ID)
	if r := w.create(c.Create); r != "" {
		return r
	}
	if len(c.Lines) > 0 {
		if r := w.setLines(id, c.Lines); r != "" {
			return r
		}
	}
	for _, j := range c.Joins {
		if r := w.join(id, j); r != "" {
			return r
		}
	}
	for _, p := range c.Publishes {
		if r := w.publish(id, p); r != "" {
			return r
		}
	}
	for _, s := range c.Subscriptions {
		if r := w.subscribe(id, s); r != "" {
			return r
		}
	}

	return ""
}

func (w *world) join(id string, c JoinRoom) string {
	s, ok := w.sessions[id]
	if !ok {
		return "SESSION_NOT_FOUND"
	}
	if c.User != nil && c.User.ID != s.user {
		return "USER_MISMATCH"
	}
	if c.Weight > 1000 {
		return "INVALID_ARGUMENT"
	}
	if _, in := w.members[inRoom{c.Room, id}]; in {
		return ""
	}
	rooms, inside := w.roomsOf(id), w.inside(c.Room)
	switch {
	case s.mode == ModeSingle && len(rooms) > 0:
		return "SINGLE_ROOM_MODE"
	case w.bans[inRoom{c.Room, s.user}].After(w.now):
		return "BANNED"
	case len(rooms) >= w.limits.RoomsPerUser:
		return "USER_ROOM_LIMIT"
	case len(inside) >= w.limits.MembersPerRoom:
		return "ROOM_FULL"
	case len(inside) == 0 && w.roomCount() >= w.limits.Rooms:
		return "NODE_ROOM_LIMIT"
	}
	w.serial++
	m := wMember{grants: DefaultGrants(), expires: c.Expires, weight: max(c.Weight, 1), serial: w.serial}
	if c.Grants != nil {
		m.grants = *c.Grants
	}
	w.members[inRoom{c.Room, id}] = m

	return ""
}

// named is the room that a call means, and the reason when there is none.
func (w *world) named(id, room, required string) (string, string) {
	s, ok := w.sessions[id]
	if !ok {
		return "", "SESSION_NOT_FOUND"
	}
	if room == "" && s.mode == ModeMulti {
		return "", required
	}
	if rooms := w.roomsOf(id); room == "" && len(rooms) == 1 {
		room = rooms[0]
	}
	if _, in := w.members[inRoom{room, id}]; !in {
		return "", "NOT_IN_ROOM"
	}

	return room, ""
}

func (w *world) leaveRoom(c LeaveRoom) string {
	room, reason := w.named(string(c.Session), c.Room, "ROOM_ID_INVALID")
	if reason == "NOT_IN_ROOM" {
		return "NOT_A_MEMBER"
	}
	if reason == "" {
		w.leave(room, string(c.Session), false)
	}

	return reason
}

func (w *world) move(id, from, to string, grants *Grants, weight uint32) string {
	if rooms := w.roomsOf(id); from == "" && w.sessions[id].mode == ModeSingle && len(rooms) == 1 {
		from = rooms[0]
	}
	old, in := w.members[inRoom{from, id}]
	_, there := w.members[inRoom{to, id}]
	switch {
	case !in && there, in && from == to:
		return ""
	case !in:
		return "NOT_A_MEMBER"
	}
	if grants == nil {
		grants = &old.grants
	}
	if weight == 0 {
		weight = old.weight
	}
	w.leave(from, id, false)

	return w.join(id, JoinRoom{Room: to, Grants: grants, Expires: old.expires, Weight: weight})
}

// moveAll predicts the reasons of a batch.
func (w *world) moveAll(c MoveMembers) []string {
	out := make([]string, len(c.Items))
	for i, item := range c.Items {
		next := w.clone()
		id := next.sessionOf(item.User)
		switch {
		case id == "":
			out[i] = "SESSION_NOT_FOUND"
		case item.From == "":
			out[i] = next.join(id, JoinRoom{Room: item.To, Grants: item.Grants, Weight: item.Weight})
		default:
			out[i] = next.move(id, item.From, item.To, item.Grants, item.Weight)
		}
		if out[i] == "" {
			*w = next
		}
	}
	w.placeWaiting()

	return out
}

func (w *world) kick(c KickUser) string {
	session := w.sessionOf(c.User)
	_, in := w.members[inRoom{c.Room, session}]
	switch {
	case c.Ban == 0 && len(w.inside(c.Room)) == 0:
		return "ROOM_NOT_FOUND"
	case c.Ban == 0 && !in:
		return "NOT_A_MEMBER"
	case c.Ban > 0:
		w.bans[inRoom{c.Room, c.User}] = w.now.Add(c.Ban)
	}
	if in {
		w.leave(c.Room, session, false)
	}

	return ""
}

func (w *world) update(c UpdateMember) string {
	if len(w.inside(c.Room)) == 0 {
		return "ROOM_NOT_FOUND"
	}
	session := w.sessionOf(c.User)
	key := inRoom{c.Room, session}
	m, in := w.members[key]
	if !in {
		return "NOT_A_MEMBER"
	}
	if c.Weight != nil {
		if *c.Weight > 1000 {
			return "INVALID_ARGUMENT"
		}
		m.weight = max(*c.Weight, 1)
	}
	if c.Grants != nil {
		m.grants = *c.Grants
	}
	w.members[key] = m
	for _, k := range sortedKeys(w.streams, byRoom) {
		if k.room == c.Room && w.streams[k].owner == session && !m.grants.Publish {
			w.removeStream(k, false)
		}
	}
	for id, sub := range w.subs {
		if sub.room == c.Room && sub.session == session && !m.grants.Subscribe {
			delete(w.subs, id)
		}
	}

	return ""
}

func (w *world) publish(id string, c Publish) string {
	room, reason := w.named(id, c.Room, "ROOM_ID_REQUIRED")
	if reason != "" {
		return reason
	}
	if !w.members[inRoom{room, id}].grants.Publish {
		return "PUBLISH_DENIED"
	}
	mids := [kinds]string{Audio: c.AudioMid, Video: c.VideoMid}
	if mids == [kinds]string{} {
		return "MEDIA_REQUIRED"
	}
	lines, published := w.sessions[id].lines, 0
	for _, k := range bothKinds {
		n, err := strconv.Atoi(mids[k])
		if mids[k] != "" && (err != nil || n >= len(lines) || lines[n].kind != k || lines[n].dir != LineUp) {
			return "UNKNOWN_MID"
		}
	}
	for k, st := range w.streams {
		if st.owner == id {
			published++
		}
		if k == (inRoom{room, c.Stream}) {
			if st.owner == id && st.mids == mids {
				return ""
			}

			return "STREAM_EXISTS"
		}
	}
	if published >= w.limits.StreamsPerUser {
		return "STREAM_LIMIT"
	}
	w.streams[inRoom{room, c.Stream}] = wStream{owner: id, mids: mids}
	for _, n := range w.subsOf(room, c.Stream) {
		w.place(n)
	}

	return ""
}

func (w *world) unpublish(c Unpublish) string {
	room, reason := w.named(string(c.Session), c.Room, "ROOM_ID_REQUIRED")
	if reason != "" {
		return reason
	}
	key := inRoom{room, c.Stream}
	if w.streams[key].owner != string(c.Session) {
		return "STREAM_NOT_FOUND"
	}
	w.removeStream(key, false)

	return ""
}

func (w *world) mute(c MuteStream) string {
	key := inRoom{c.Room, c.Stream}
	st, ok := w.streams[key]
	switch {
	case len(w.inside(c.Room)) == 0:
		return "ROOM_NOT_FOUND"
	case !ok:
		return "STREAM_NOT_FOUND"
	}
	if c.Audio != nil {
		st.muted[Audio] = *c.Audio
	}
	if c.Video != nil {
		st.muted[Video] = *c.Video
	}
	w.streams[key] = st

	return ""
}

// may says whether a session may play in a room, and finds the room.
func (w *world) may(id, room string, audio, video bool) (string, string) {
	room, reason := w.named(id, room, "ROOM_ID_REQUIRED")
	switch {
	case reason != "":
		return "", reason
	case !w.members[inRoom{room, id}].grants.Subscribe:
		return "", "SUBSCRIBE_DENIED"
	case !audio && !video:
		return "", "MEDIA_REQUIRED"
	}

	return room, ""
}

func (w *world) existing(id, room, stream string) int {
	for n, sub := range w.subs {
		if sub.session == id && sub.room == room && sub.stream == stream {
			return n
		}
	}

	return 0
}

func (w *world) subscribe(id string, c Subscribe) string {
	room, reason := w.may(id, c.Room, c.Audio, c.Video)
	if reason != "" {
		return reason
	}
	n := w.existing(id, room, c.Stream)
	if n == 0 {
		count := 0
		for _, sub := range w.subs {
			if sub.session == id {
				count++
			}
		}
		if count >= w.limits.SubscriptionsPerUser {
			return "SUBSCRIPTION_LIMIT"
		}
		w.lastSub++
		n = w.lastSub
	}
	sub, repeat := w.subs[n]
	if !repeat || sub.paused != c.Paused {
		sub.unknown()
	}
	sub.session, sub.room, sub.stream = id, room, c.Stream
	sub.wants, sub.paused = [kinds]bool{Audio: c.Audio, Video: c.Video}, c.Paused
	w.subs[n] = sub
	w.place(n)

	return ""
}

func (w *world) switchSub(c SwitchSubscription) string {
	n, sub, ok := w.sub(c.ID)
	if !ok {
		return "SUBSCRIPTION_NOT_FOUND"
	}
	room, reason := w.may(sub.session, c.Room, true, true)
	if reason != "" {
		return reason
	}
	switch w.existing(sub.session, room, c.Stream) {
	case 0:
	case n:
		return ""
	default:
		return "SUBSCRIPTION_EXISTS"
	}
	sub.room, sub.stream = room, c.Stream
	sub.unknown()
	w.subs[n] = sub
	w.place(n)

	return ""
}

func (w *world) setSubs(c SetSubscriptions) string {
	id := string(c.Session)
	room, reason := w.named(id, c.Room, "ROOM_ID_REQUIRED")
	if reason != "" {
		return reason
	}
	m := w.members[inRoom{room, id}]
	if c.Generation < m.gen {
		return "STALE_GENERATION"
	}
	m.gen = c.Generation
	w.members[inRoom{room, id}] = m
	var keep []string
	for _, d := range c.Desired {
		if _, reason := w.may(id, room, d.Audio, d.Video); reason != "" {
			return reason
		}
		if slices.Contains(keep, d.Stream) {
			return "INVALID_ARGUMENT"
		}
		keep = append(keep, d.Stream)
	}
	for n, sub := range w.subs {
		if sub.session == id && sub.room == room && !slices.Contains(keep, sub.stream) {
			delete(w.subs, n)
		}
	}
	var fresh []Subscribe
	for _, d := range c.Desired {
		d.Room = room
		if w.existing(id, room, d.Stream) == 0 {
			fresh = append(fresh, d)
		} else if reason := w.subscribe(id, d); reason != "" {
			return reason
		}
	}
	w.placeWaiting()
	for _, d := range fresh {
		if reason := w.subscribe(id, d); reason != "" {
			return reason
		}
	}

	return ""
}
