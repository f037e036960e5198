// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"strconv"
	"strings"
	"time"
)

func (s *script) command(verb string, w words) Command {
	if c := s.sessionCommand(verb, w); c != nil {
		return c
	}
	if c := s.roomCommand(verb, w); c != nil {
		return c
	}
	if c := s.streamCommand(verb, w); c != nil {
		return c
	}
	s.t.Fatalf("no command %q", verb)

	return nil
}

func (w words) app() string {
	if a := w.named["app"]; a != "" {
		return a
	}

	return "app"
}

func (s *script) fence(w words) Fence {
	return Fence{SessionEpoch: uint64(w.number(s.t, "epoch")), Incarnation: uint64(w.number(s.t, "inc"))}
}

func (w words) user(id string) User {
	if u := w.named["user"]; u != "" {
		id = u
	}
	u := User{ID: id, Name: strings.ToUpper(id)}
	if n, ok := w.named["name"]; ok {
		u.Name = n
	}

	return u
}

func (s *script) expires(v string) time.Time {
	if v == "" || v == "never" {
		return time.Time{}
	}

	return s.now.Add(duration(s.t, v))
}

// grants reads letters: p, s, m, g for publish, subscribe, message, manage; "none" for none.
func (w words) grants() *Grants {
	v, ok := w.named["grants"]
	if !ok {
		return nil
	}
	if v == "none" {
		v = ""
	}

	return &Grants{
		Publish: strings.Contains(v, "p"), Subscribe: strings.Contains(v, "s"),
		Message: strings.Contains(v, "m"), Manage: strings.Contains(v, "g"),
	}
}

func (s *script) create(w words) CreateSession {
	c := CreateSession{
		App: w.app(), ID: SessionID(w.at(0)), User: w.user(w.at(0)), Mode: ModeMulti, TTL: w.duration(s.t, "ttl"),
	}
	if w.named["mode"] == "single" {
		c.Mode = ModeSingle
	}
	if k, v, ok := strings.Cut(w.named["label"], ":"); ok {
		c.Labels = map[string]string{k: v}
	}

	return c
}

// lines reads up:a down:v inactive:a …; mids are the positions, or the third part.
func lines(list []string) []Line {
	var out []Line
	for i, item := range list {
		parts := strings.Split(item, ":")
		l := Line{Mid: strconv.Itoa(i), Direction: LineInactive, Kind: Audio}
		switch parts[0] {
		case "up":
			l.Direction = LineUp
		case "down":
			l.Direction = LineDown
		}
		if parts[1] == "v" {
			l.Kind = Video
		}
		if len(parts) > 2 {
			l.Mid = parts[2]
		}
		out = append(out, l)
	}

	return out
}

func list(v string) []string {
	if v == "" {
		return nil
	}

	return strings.Split(v, ",")
}

func (s *script) connect(w words) Connect {
	c := Connect{Create: s.create(w), Lines: lines(list(w.named["lines"]))}
	for _, item := range list(w.named["join"]) { // room, or room*weight
		room, weight, _ := strings.Cut(item, "*")
		n, _ := strconv.Atoi(weight)
		c.Joins = append(c.Joins, JoinRoom{Room: room, Weight: uint32(n)})
	}
	for _, item := range list(w.named["publish"]) { // room/stream/audio mid/video mid
		p := append(strings.Split(item, "/"), "", "", "")
		c.Publishes = append(c.Publishes, Publish{Room: p[0], Stream: p[1], AudioMid: p[2], VideoMid: p[3]})
	}
	for _, item := range list(w.named["subscribe"]) { // room/stream/kinds
		p := append(strings.Split(item, "/"), "", "")
		c.Subscriptions = append(c.Subscriptions, Subscribe{
			Room: p[0], Stream: p[1], Audio: strings.Contains(p[2], "a"), Video: strings.Contains(p[2], "v"),
		})
	}

	return c
}

// layer reads spatial.temporal; "none" for no layer.
func (s *script) layer(v string) (spatial, temporal int8) {
	if v == "none" || v == "" {
		return -1, -1
	}
	a, b, _ := strings.Cut(v, ".")
	x, err := strconv.Atoi(a)
	if err != nil {
		s.t.Fatalf("layer %q: %v", v, err)
	}
	y, _ := strconv.Atoi(b)

	return int8(x), int8(y)
}

// videoLayers reads rid:height:bitrate and letters: l for live, w for wanted. The smallest comes first.
func (s *script) videoLayers(items []string) []VideoLayer {
	var out []VideoLayer
	for i, item := range items {
		p := append(strings.Split(item, ":"), "", "", "")
		height, _ := strconv.Atoi(p[1])
		rate, _ := strconv.Atoi(p[2])
		out = append(out, VideoLayer{
			Spatial: uint32(i), RID: p[0], Width: uint32(height * 16 / 9), Height: uint32(height), TemporalLayers: 1,
			Bitrate: uint64(rate), Live: strings.Contains(p[3], "l"), Wanted: strings.Contains(p[3], "w"),
		})
	}

	return out
}

func (s *script) sessionCommand(verb string, w words) Command {
	id := SessionID(w.at(0))
	switch verb {
	case "create":
		return s.create(w)
	case "connect":
		return s.connect(w)
	case "close":
		return CloseSession{Session: id, Fence: s.fence(w), Reason: Reason(w.at(1))}
	case "connection":
		states := map[string]ConnectionState{
			"connected": ConnectionConnected, "disconnected": ConnectionDisconnected, "closed": ConnectionClosed, "new": ConnectionNew,
		}

		return SetConnection{Session: id, State: states[w.at(1)]}
	case "lines":
		return SetLines{Session: id, Fence: s.fence(w), Lines: lines(w.plain[1:])}
	case "live":
		return SetSourceLive{Session: id, Mid: w.at(1), Live: w.at(2) == "on"}
	case "layers":
		c := ReportLayers{Session: id, Mid: w.at(1), Bandwidth: w.named["bandwidth"] == "short"}
		c.Spatial, c.Temporal = s.layer(w.at(2))
		c.TargetSpatial, _ = s.layer(w.at(3))

		return c
	case "sends":
		return ReportPublisherLayers{Session: id, Mid: w.at(1), Layers: s.videoLayers(w.plain[2:])}
	case "tick":
		if d := w.at(0); d != "" {
			s.now = s.now.Add(duration(s.t, d))
		}

		return Tick{}
	case "app":
		a := App{ID: w.at(0), MultiRoom: w.named["multi"] == "yes", Loudest: uint32(w.number(s.t, "loudest"))}
		s.limits(&a.Limits, w)

		return SetApp{App: a}
	case "drain":
		return SetDraining{Draining: w.at(0) == "on", Deadline: s.expires(w.named["deadline"])}
	}

	return nil
}

func (s *script) roomCommand(verb string, w words) Command {
	id := SessionID(w.at(0))
	switch verb {
	case "join":
		c := JoinRoom{
			Session: id, Fence: s.fence(w), Room: w.at(1), Grants: w.grants(), Expires: s.expires(w.named["expires"]),
			Metadata: w.named["meta"], Weight: uint32(w.number(s.t, "weight")),
		}
		if w.named["user"] != "" || w.named["name"] != "" {
			u := w.user(w.at(0))
			c.User = &u
		}

		return c
	case "leave":
		return LeaveRoom{Session: id, Fence: s.fence(w), Room: w.at(1)}
	case "leaveall":
		return LeaveAllRooms{Session: id, Fence: s.fence(w)}
	case "switchroom":
		return SwitchRoom{
			Session: id, Fence: s.fence(w), From: w.at(1), To: w.at(2), Grants: w.grants(), Expires: s.expires(w.named["expires"]),
			Weight: uint32(w.number(s.t, "weight")),
		}
	case "move":
		c := MoveMembers{App: w.app()}
		for _, item := range w.plain {
			p := strings.Split(item, ":")
			c.Items = append(c.Items, Move{User: p[0], From: p[1], To: p[2], Weight: uint32(w.number(s.t, "weight"))})
		}

		return c
	case "kick":
		return KickUser{
			App: w.app(), Room: w.at(0), User: w.at(1), Fence: s.fence(w), Why: w.named["why"], Ban: w.duration(s.t, "ban"),
		}
	case "closeroom":
		return CloseRoom{App: w.app(), Room: w.at(0), Fence: s.fence(w), Why: w.named["why"]}
	case "member":
		c := UpdateMember{App: w.app(), Room: w.at(0), User: w.at(1), Fence: s.fence(w), Grants: w.grants()}
		if v, ok := w.named["meta"]; ok {
			c.Metadata = &v
		}
		if _, ok := w.named["weight"]; ok {
			n := uint32(w.number(s.t, "weight"))
			c.Weight = &n
		}

		return c
	case "renew":
		return RenewMember{App: w.app(), Room: w.at(0), User: w.at(1), Fence: s.fence(w), Expires: s.expires(w.at(2))}
	case "audio":
		c := SetRoomAudio{App: w.app(), Room: w.at(0), Fence: s.fence(w)}
		if _, ok := w.named["loudest"]; ok {
			n := uint32(w.number(s.t, "loudest"))
			c.Loudest = &n
		}

		return c
	case "roommeta":
		c := SetRoomMetadata{App: w.app(), Room: w.at(0), Fence: s.fence(w), Key: w.at(1), ETag: w.named["etag"]}
		if v := w.at(2); v != "" {
			c.Value = &v
		}

		return c
	case "message":
		return SendMessage{
			App: w.app(), Room: w.at(0), From: w.at(1), FromServer: w.named["server"] == "yes", Fence: s.fence(w),
			Kind: map[string]MessageKind{"broadcast": MessageBroadcast, "barrage": MessageBarrage, "command": MessageCommand}[w.at(2)],
			To:   list(w.named["to"]), Payload: []byte(w.at(3)), ClientMessageID: w.named["id"],
		}
	case "speakers":
		c := ReportSpeakers{App: w.app(), Room: w.at(0)}
		for _, u := range w.plain[1:] {
			c.Speakers = append(c.Speakers, Speaker{Stream: u, User: u, Level: 20})
		}

		return c
	}

	return nil
}

func onOff(w words, key string) *bool {
	v, ok := w.named[key]
	if !ok {
		return nil
	}
	on := v == "on"

	return &on
}

func (s *script) subscribe(w words) Subscribe {
	return Subscribe{
		Session: SessionID(w.at(0)), Fence: s.fence(w), Room: w.at(1), Stream: w.at(2),
		Audio: strings.Contains(w.at(3), "a"), Video: strings.Contains(w.at(3), "v"),
		Priority: uint32(w.number(s.t, "priority")), Paused: w.named["paused"] == "on",
		Preference: Preference{Height: uint32(w.number(s.t, "height"))},
	}
}

func (s *script) streamCommand(verb string, w words) Command {
	id := SessionID(w.at(0))
	switch verb {
	case "publish":
		return Publish{
			Session: id, Fence: s.fence(w), Room: w.at(1), Stream: w.at(2), AudioMid: w.named["a"], VideoMid: w.named["v"],
			Metadata: w.named["meta"],
		}
	case "unpublish":
		return Unpublish{Session: id, Fence: s.fence(w), Room: w.at(1), Stream: w.at(2)}
	case "mute":
		return MuteStream{
			App: w.app(), Room: w.at(0), Stream: w.at(1), Fence: s.fence(w), Audio: onOff(w, "audio"), Video: onOff(w, "video"),
		}
	case "streammeta":
		return SetStreamMetadata{App: w.app(), Room: w.at(0), Stream: w.at(1), Fence: s.fence(w), Metadata: w.at(2)}
	case "keyframe":
		return RequestKeyframe{App: w.app(), Room: w.at(0), Stream: w.at(1), Fence: s.fence(w)}
	case "subscribe":
		return s.subscribe(w)
	case "switch":
		return SwitchSubscription{ID: SubscriptionID(w.at(0)), Room: w.at(1), Stream: w.at(2)}
	case "unsubscribe":
		return Unsubscribe{ID: SubscriptionID(w.at(0))}
	case "sub":
		c := UpdateSubscription{ID: SubscriptionID(w.at(0)), Paused: onOff(w, "paused")}
		if n := uint32(w.number(s.t, "priority")); n != 0 {
			c.Priority = &n
		}
		if n := uint32(w.number(s.t, "height")); n != 0 {
			c.Preference = &Preference{Height: n}
		}

		return c
	case "setsubs":
		gen, _ := strconv.ParseUint(w.at(2), 10, 64)
		c := SetSubscriptions{Session: id, Fence: s.fence(w), Room: w.at(1), Generation: gen}
		for _, item := range w.plain[3:] {
			stream, want, _ := strings.Cut(item, "/")
			c.Desired = append(c.Desired, Subscribe{
				Stream: stream, Audio: strings.Contains(want, "a"), Video: strings.Contains(want, "v"),
			})
		}

		return c
	}

	return nil
}
