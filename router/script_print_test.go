// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// query answers commands that only look.
func (s *script) query(verb string, w words) bool {
	switch verb {
	case "show":
		s.show(w)
	case "after":
		n := uint64(w.number(s.t, "revision"))
		events, ok := s.r.EventsAfter(n, w.number(s.t, "max"))
		if !ok {
			s.say("gap")
		}
		for _, e := range events {
			s.say("%s", s.event(e))
		}
	case "next":
		if at := s.r.NextTick(); at.IsZero() {
			s.say("nothing is due")
		} else {
			s.say("due in %v", at.Sub(s.now))
		}
	default:
		return false
	}

	return true
}

func (s *script) show(w words) {
	switch w.at(0) {
	case "session":
		v, err := s.r.Session(SessionID(w.at(1)))
		s.result(s.session(v), err)
	case "lines":
		v, err := s.r.Lines(SessionID(w.at(1)))
		s.result(showLines(v), err)
	case "room":
		v, err := s.r.Room(w.app(), w.at(1))
		s.result(s.room(v), err)
	case "subs":
		v, err := s.r.Subscriptions(SessionID(w.at(1)), w.at(2))
		for _, sub := range v {
			s.say("%s", showSubscription(sub))
		}
		if err != nil {
			s.say("%s", showError(err))
		}
	case "counts":
		s.say("%+v", s.r.Counts())
	case "rooms":
		v, next, err := s.r.Rooms(RoomFilter{}, Page{Size: w.number(s.t, "size"), Token: w.at(1)})
		for _, rm := range v {
			s.say("%s", s.room(rm))
		}
		s.result("next "+next, err)
	case "sessions":
		v, next, err := s.r.Sessions(SessionFilter{Room: w.named["room"]}, Page{Size: w.number(s.t, "size"), Token: w.at(1)})
		for _, x := range v {
			s.say("%s", s.session(x))
		}
		s.result("next "+next, err)
	default:
		s.t.Fatalf("show what? %v", w)
	}
}

func (s *script) result(text string, err error) {
	if err != nil {
		text = showError(err)
	}
	s.say("%s", text)
}

func showError(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return "an error that is no *Error: " + err.Error()
	}
	out := "refused " + e.Reason
	if e.Code != 0 {
		out += fmt.Sprint(" ", e.Code)
	}
	if e.Field != "" {
		out += " in " + e.Field
	}
	if e.Subject != "" {
		out += " about " + e.Subject
	}
	if e.Current != 0 {
		out += fmt.Sprint(" now ", e.Current)
	}
	if e.RetryAfter != 0 {
		out += fmt.Sprint(" retry after ", e.RetryAfter)
	}

	return out
}

func (s *script) reply(reply any) string {
	switch v := reply.(type) {
	case nil:
		return "ok"
	case Session:
		return "ok " + s.session(v)
	case []Line:
		return "ok " + showLines(v)
	case JoinReply:
		return s.joined(v)
	case Stopped:
		return fmt.Sprintf("ok stopped %d rooms, %d streams, %d subscriptions", v.Rooms, v.Streams, v.Subscriptions)
	case []MoveResult:
		return s.moved(v)
	case Member:
		return "ok " + s.member(v)
	case Stream:
		return "ok " + showStream(v)
	case Subscription:
		return "ok " + showSubscription(v)
	case []Subscription:
		out := "ok"
		for _, sub := range v {
			out += "\n    " + showSubscription(sub)
		}

		return out
	case ConnectReply:
		return s.connected(v)
	case Metadata:
		return fmt.Sprintf("ok %s=%s etag %s", v.Key, v.Value, v.ETag)
	case MessageReply:
		out := fmt.Sprintf("ok %s to %d, %d dropped", v.ID, v.Accepted, v.Dropped)
		if v.Repeated {
			out += ", repeated"
		}

		return out
	case App:
		return "ok " + showApp(v)
	case RoomSummary:
		return fmt.Sprintf("ok room %s#%d rev %d members %d streams %d loudest %d", v.ID, v.Incarnation, v.Revision, v.Members, v.Streams, v.Loudest)
	default:
		return fmt.Sprintf("unknown reply %T", reply)
	}
}

func (s *script) joined(v JoinReply) string {
	out := "ok " + s.member(v.Member)
	if v.Repeated {
		out += ", repeated"
	}

	return fmt.Sprintf("%s; as of %d: %s", out, v.Revision, s.room(v.Room))
}

func (s *script) moved(v []MoveResult) string {
	out := "ok"
	for _, m := range v {
		if m.Err != nil {
			out += "\n    " + showError(m.Err)
		} else {
			out += "\n    " + s.member(m.Member)
		}
	}

	return out
}

func (s *script) connected(v ConnectReply) string {
	out := "ok " + s.session(v.Session)
	for _, j := range v.Rooms {
		out += "\n    " + s.joined(j)
	}
	for _, st := range v.Streams {
		out += "\n    " + showStream(st)
	}
	for _, sub := range v.Subscriptions {
		out += "\n    " + showSubscription(sub)
	}

	return out + "\n    " + showLines(v.Lines)
}

func showApp(a App) string {
	out := fmt.Sprintf("app %s multi %v rooms per user %d", a.ID, a.MultiRoom, a.Limits.RoomsPerUser)
	if a.Loudest != 0 {
		out += fmt.Sprint(" loudest ", a.Loudest)
	}

	return out
}

func (s *script) session(v Session) string {
	mode := map[RoomMode]string{ModeSingle: "single", ModeMulti: "multi"}[v.Mode]
	state := map[ConnectionState]string{
		ConnectionNew: "new", ConnectionConnected: "connected", ConnectionDisconnected: "disconnected", ConnectionClosed: "closed",
	}[v.Connection]
	out := fmt.Sprintf("session %s (%s) of %s epoch %d %s", v.ID, v.User.Name, v.App, v.Epoch, mode)
	if len(v.Rooms) > 0 {
		out += fmt.Sprint(" in ", v.Rooms)
	}
	if len(v.Lines) > 0 {
		out += " lines " + showLines(v.Lines)
	}

	return out + " " + state
}

// showLines prints mid:direction+kind, and what a slot is bound to.
func showLines(lines []Line) string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.Mid + map[LineDirection]string{LineUp: "^", LineDown: "v", LineInactive: "-"}[l.Direction] + kindName(l.Kind)
		if l.Live {
			out[i] += "*"
		}
		if l.Subscription != "" {
			out[i] += fmt.Sprintf("=%s:%s/%s@%s/%s", l.Subscription, l.Room, l.Stream, l.Source, l.SourceMid)
		}
	}

	return "[" + strings.Join(out, " ") + "]"
}

func kindName(k Kind) string { return map[Kind]string{Audio: "a", Video: "v"}[k] }

func (s *script) member(m Member) string {
	out := fmt.Sprintf("member %s in %s#%d %s", m.User.ID, m.Room, m.Incarnation, showGrants(m.Grants))
	if m.Metadata != "" {
		out += " meta " + m.Metadata
	}
	if !m.Expires.IsZero() {
		out += " until " + s.clock(m.Expires)
	}
	if m.Weight != 1 {
		out += fmt.Sprint(" weight ", m.Weight)
	}

	return out
}

func (s *script) clock(t time.Time) string { return "+" + t.Sub(scriptStart).String() }

func showGrants(g Grants) string {
	out := ""
	for i, on := range []bool{g.Publish, g.Subscribe, g.Message, g.Manage} {
		if on {
			out += string("psmg"[i])
		}
	}

	return "(" + out + ")"
}

func showStream(v Stream) string {
	out := fmt.Sprintf("stream %s/%s of %s", v.Room, v.ID, v.Session)
	if v.AudioMid != "" {
		out += " a=" + v.AudioMid
	}
	if v.VideoMid != "" {
		out += " v=" + v.VideoMid
	}
	if v.AudioMuted {
		out += " audio muted"
	}
	if v.VideoMuted {
		out += " video muted"
	}
	if v.Metadata != "" {
		out += " meta " + v.Metadata
	}

	if len(v.Layers) > 0 {
		out += " layers " + showVideoLayers(v.Layers)
	}

	return out + map[StreamState]string{StreamWaiting: " waiting", StreamLive: " live"}[v.State]
}

// showVideoLayers prints rid:widthxheight:bitrate and letters: l for live, w for wanted.
func showVideoLayers(layers []VideoLayer) string {
	out := make([]string, len(layers))
	for i, l := range layers {
		out[i] = fmt.Sprintf("%s:%dx%d:%d", l.RID, l.Width, l.Height, l.Bitrate)
		if l.Live {
			out[i] += "l"
		}
		if l.Wanted {
			out[i] += "w"
		}
	}

	return "[" + strings.Join(out, " ") + "]"
}

// showLayer prints spatial.temporal>target, with - for none.
func showLayer(spatial, temporal, target int8) string {
	out := "-"
	if spatial >= 0 {
		out = fmt.Sprintf("%d.%d", spatial, temporal)
	}
	if target < 0 {
		return out + ">-"
	}

	return fmt.Sprintf("%s>%d", out, target)
}

func showSubscription(v Subscription) string {
	out := fmt.Sprintf("%s %s->%s/%s ", v.ID, v.Session, v.Room, v.Stream)
	if v.Audio {
		out += "a"
	}
	if v.Video {
		out += "v"
	}
	out += map[SubscriptionState]string{
		SubscriptionActive: " ACTIVE", SubscriptionPending: " PENDING", SubscriptionNeedsNegotiation: " NEEDS_NEGOTIATION",
		SubscriptionEnded: " ENDED", SubscriptionPausedByBandwidth: " PAUSED_BY_BANDWIDTH",
	}[v.State]
	if v.AudioMid != "" {
		out += " a=" + v.AudioMid
	}
	if v.VideoMid != "" {
		out += " v=" + v.VideoMid
	}
	if v.Paused {
		out += " paused"
	}
	if v.Priority != 0 {
		out += fmt.Sprint(" priority ", v.Priority)
	}
	if v.Preference.Height != 0 {
		out += fmt.Sprint(" height ", v.Preference.Height)
	}
	if layer := showLayer(v.Spatial, v.Temporal, v.TargetSpatial); layer != "->-" {
		out += " layer " + layer
	}
	if v.BandwidthPaused != (v.State == SubscriptionPausedByBandwidth) {
		out += " CONTRADICTION"
	}

	return out
}

func (s *script) room(v Room) string {
	out := fmt.Sprintf("room %s#%d rev %d members", v.ID, v.Incarnation, v.Revision)
	for _, m := range v.Members {
		out += " " + m.User.ID
	}
	if len(v.Streams) > 0 {
		out += " streams"
		for _, st := range v.Streams {
			out += " " + st.ID
		}
	}
	if v.Loudest != 0 {
		out += fmt.Sprint(" loudest ", v.Loudest)
	}
	for _, m := range v.Metadata {
		out += " " + m.Key + "=" + m.Value
	}

	return out
}

func because(r Reason, why string) string {
	out := ""
	if r != "" {
		out = " " + string(r)
	}
	if why != "" {
		out += " why " + why
	}

	return out
}

// event prints revision, room/revision in the room, and the payload.
func (s *script) event(e *Event) string {
	at := fmt.Sprint(e.Revision)
	if e.Room != "" {
		at += fmt.Sprintf(" %s/%d", e.Room, e.RoomRevision)
	}

	return at + " " + e.Payload.Kind() + s.payload(e.Payload)
}

func (s *script) payload(p Payload) string {
	switch p := p.(type) {
	case SessionEvent:
		return " " + s.session(p.Session) + because(p.Reason, "")
	case NegotiationNeededEvent:
		return fmt.Sprintf(" audio %d video %d", p.Audio, p.Video)
	case MemberJoinedEvent:
		return " " + s.member(p.Member)
	case MemberLeftEvent:
		return " " + p.Member.User.ID + because(p.Reason, p.Why)
	case MemberKickedEvent:
		out := " " + p.Member.User.ID + because(p.Reason, p.Why)
		if !p.BanUntil.IsZero() {
			out += " banned until " + s.clock(p.BanUntil)
		}

		return out
	case MemberExpiringEvent:
		return " " + s.member(p.Member)
	case MemberUpdatedEvent:
		return " " + s.member(p.Member)
	case StreamAddedEvent:
		return " " + showStream(p.Stream)
	case StreamRemovedEvent:
		return " " + showStream(p.Stream) + because(p.Reason, "")
	case StreamChangedEvent:
		return " " + showStream(p.Stream)
	case StreamMutedEvent:
		return " " + showStream(p.Stream)
	case SubscriptionEvent:
		return " " + showSubscription(p.Subscription) + because(p.Reason, "")
	case LayersEvent:
		return fmt.Sprintf(" %s->%s %s", p.Subscription, p.Stream, showLayer(p.Spatial, p.Temporal, p.TargetSpatial))
	case PublisherLayersEvent:
		return " " + p.Stream + " " + showVideoLayers(p.Layers)
	case RoomAudioEvent:
		return fmt.Sprint(" loudest ", p.Loudest)
	case SpeakersEvent:
		return fmt.Sprint(" ", p.Speakers)
	case MessageEvent:
		to := fmt.Sprint(p.To)
		if p.All {
			to = "all"
		}

		return fmt.Sprintf(" %s from %q to %s: %s", p.ID, p.From.ID, to, p.Payload)
	case RoomMetadataEvent:
		out := fmt.Sprintf(" %s=%s etag %s", p.Metadata.Key, p.Metadata.Value, p.Metadata.ETag)
		if p.Removed {
			out += " removed"
		}

		return out
	case RoomOpenedEvent:
		if p.Loudest != 0 {
			return fmt.Sprint(" loudest ", p.Loudest)
		}

		return ""
	case RoomClosedEvent:
		return because(p.Reason, p.Why)
	case LimitsEvent:
		return " " + showApp(p.App)
	case NodeEvent:
		return fmt.Sprintf(" draining %v", p.Draining)
	default:
		return fmt.Sprintf(" unknown payload %T", p)
	}
}

func weighing(weight uint32) string {
	if weight == 1 {
		return ""
	}

	return fmt.Sprint(" weight ", weight)
}

func showEffect(e Effect) string {
	switch e := e.(type) {
	case BindSlot:
		out := fmt.Sprintf("! %s bind %s%s %s <- %s/%s@%s/%s", e.Session, e.Mid, kindName(e.Kind), e.Subscription, e.Room, e.Stream, e.Source, e.SourceMid)
		if e.Paused {
			out += " paused"
		}

		return out + weighing(e.Weight)
	case UnbindSlot:
		return fmt.Sprintf("! %s unbind %s%s %s <- %s/%s", e.Session, e.Mid, kindName(e.Kind), e.Subscription, e.Room, e.Stream)
	case UpdateSlot:
		return fmt.Sprintf("! %s update %s%s %s paused %v priority %d height %d", e.Session, e.Mid, kindName(e.Kind), e.Subscription, e.Paused, e.Priority, e.Preference.Height) + weighing(e.Weight)
	case AskKeyframe:
		return fmt.Sprintf("! %s keyframe %s", e.Session, e.Mid)
	case DeliverMessage:
		return fmt.Sprintf("! %s deliver %s of %s", e.Session, e.Message.ID, e.Room)
	case EndSession:
		return fmt.Sprintf("! %s end %s", e.Session, e.Reason)
	default:
		return fmt.Sprintf("! unknown effect %T", e)
	}
}
