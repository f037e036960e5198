// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// replica is what a watcher can build from a Snapshot and the events after it, and nothing else. It must always equal the
// Snapshot of now. On the way it checks what is promised about the order of events.
type replica struct {
	revision uint64
	draining bool
	sessions map[SessionID]Session
	rooms    map[string]*Room // by app/id
	subs     map[SubscriptionID]Subscription
	missing  map[SessionID]NegotiationNeededEvent // the last one told
}

func newReplica(s Snapshot) *replica {
	p := &replica{
		revision: s.Revision, draining: s.Draining, sessions: map[SessionID]Session{}, rooms: map[string]*Room{},
		subs: map[SubscriptionID]Subscription{}, missing: map[SessionID]NegotiationNeededEvent{},
	}
	for _, x := range s.Sessions {
		x.Rooms, x.Lines = slices.Clone(x.Rooms), slices.Clone(x.Lines)
		p.sessions[x.ID] = x
	}
	for _, x := range s.Rooms {
		x.Members, x.Streams, x.Metadata = slices.Clone(x.Members), slices.Clone(x.Streams), slices.Clone(x.Metadata)
		p.rooms[x.App+"/"+x.ID] = &x
	}
	for _, x := range s.Subscriptions {
		p.subs[x.ID] = x
	}

	return p
}

// apply takes over one event; the error says which promise it breaks.
func (p *replica) apply(e *Event) error {
	if e.Revision != p.revision+1 {
		return fmt.Errorf("revision %d after %d", e.Revision, p.revision)
	}
	p.revision = e.Revision
	if e.Room != "" {
		return p.inRoom(e)
	}
	switch x := e.Payload.(type) {
	case SessionEvent:
		if x.Session.Connection == ConnectionClosed {
			if len(p.sessions[x.Session.ID].Rooms) != 0 {
				return fmt.Errorf("session %s ends while in %v", x.Session.ID, p.sessions[x.Session.ID].Rooms)
			}
			delete(p.sessions, x.Session.ID)
		} else {
			x.Session.Rooms, x.Session.Lines = slices.Clone(x.Session.Rooms), slices.Clone(x.Session.Lines)
			p.sessions[x.Session.ID] = x.Session
		}
	case NegotiationNeededEvent:
		p.missing[e.Session] = x
	case NodeEvent:
		p.draining = x.Draining
	case LimitsEvent:
		for id, s := range p.sessions {
			if s.App == e.App {
				s.Limits = x.App.Limits
				p.sessions[id] = s
			}
		}
	default:
		return fmt.Errorf("%T without a room", x)
	}

	return nil
}

func (p *replica) inRoom(e *Event) error {
	key := e.App + "/" + e.Room
	rm := p.rooms[key]
	if opened, opens := e.Payload.(RoomOpenedEvent); opens {
		if rm != nil || e.RoomRevision != 1 {
			return fmt.Errorf("room %s opens again, at %d", key, e.RoomRevision)
		}
		p.rooms[key] = &Room{App: e.App, ID: e.Room, Incarnation: e.Incarnation, Revision: 1, Opened: e.Time, Loudest: opened.Loudest}

		return nil
	}
	switch {
	case rm == nil:
		return fmt.Errorf("%s in room %s, that is not open", e.Payload.Kind(), key)
	case rm.Incarnation != e.Incarnation || rm.Revision+1 != e.RoomRevision:
		return fmt.Errorf("room %s#%d at %d after #%d at %d", key, e.Incarnation, e.RoomRevision, rm.Incarnation, rm.Revision)
	}
	rm.Revision++

	return p.roomEvent(key, rm, e)
}

func (p *replica) roomEvent(key string, rm *Room, e *Event) error {
	switch x := e.Payload.(type) {
	case RoomClosedEvent:
		if len(rm.Members) != 0 || len(rm.Streams) != 0 {
			return fmt.Errorf("room %s closes with somebody in it", key)
		}
		delete(p.rooms, key)
	case MemberJoinedEvent:
		p.setMember(rm, x.Member)
		p.setRooms(x.Member.Session, func(rooms []string) []string { return append(rooms, rm.ID) })
	case MemberUpdatedEvent:
		p.setMember(rm, x.Member)
	case MemberLeftEvent:
		if slices.ContainsFunc(rm.Streams, func(st Stream) bool { return st.Session == e.Session }) {
			return fmt.Errorf("%s leaves %s before its streams", e.Session, key)
		}
		for _, sub := range p.subs {
			if sub.Session == e.Session && sub.Room == rm.ID {
				return fmt.Errorf("%s leaves %s before its subscription %s", e.Session, key, sub.ID)
			}
		}
		rm.Members = slices.DeleteFunc(rm.Members, func(m Member) bool { return m.Session == e.Session })
		p.setRooms(e.Session, func(rooms []string) []string {
			return slices.DeleteFunc(rooms, func(id string) bool { return id == rm.ID })
		})
	case StreamAddedEvent:
		rm.Streams = append(rm.Streams, x.Stream)
	case StreamChangedEvent:
		p.setStream(rm, x.Stream)
	case StreamMutedEvent:
		p.setStream(rm, x.Stream)
	case StreamRemovedEvent:
		rm.Streams = slices.DeleteFunc(rm.Streams, func(st Stream) bool { return st.ID == x.Stream.ID })
	case SubscriptionEvent:
		if old, ok := p.subs[x.Subscription.ID]; ok && old.Room != x.Subscription.Room {
			return fmt.Errorf("%s is in room %s and was not told to leave %s", old.ID, x.Subscription.Room, old.Room)
		}
		if x.Subscription.State == SubscriptionEnded {
			delete(p.subs, x.Subscription.ID)
		} else {
			p.subs[x.Subscription.ID] = x.Subscription
		}
	case LayersEvent:
		sub, ok := p.subs[x.Subscription]
		if !ok || sub.Stream != x.Stream || sub.VideoMid == "" {
			return fmt.Errorf("layers of %+v, that shows no video of %s", sub, x.Stream)
		}
		sub.Spatial, sub.Temporal, sub.TargetSpatial = x.Spatial, x.Temporal, x.TargetSpatial
		p.subs[x.Subscription] = sub
	case PublisherLayersEvent:
		for i := range rm.Streams {
			if st := &rm.Streams[i]; st.ID == x.Stream {
				st.Layers = x.Layers
			}
		}
	case RoomAudioEvent:
		if rm.Loudest == x.Loudest {
			return fmt.Errorf("room %s forwards %d as before", key, x.Loudest)
		}
		rm.Loudest = x.Loudest
	case RoomMetadataEvent:
		rm.Metadata = slices.DeleteFunc(rm.Metadata, func(m Metadata) bool { return m.Key == x.Metadata.Key })
		if !x.Removed {
			rm.Metadata = append(rm.Metadata, x.Metadata)
		}
	case MessageEvent, SpeakersEvent, MemberKickedEvent, MemberExpiringEvent:
	default:
		return fmt.Errorf("%T in a room", x)
	}

	return nil
}

func (p *replica) setMember(rm *Room, m Member) {
	rm.Members = append(slices.DeleteFunc(rm.Members, func(o Member) bool { return o.Session == m.Session }), m)
}

func (p *replica) setStream(rm *Room, st Stream) {
	rm.Streams = append(slices.DeleteFunc(rm.Streams, func(o Stream) bool { return o.ID == st.ID }), st)
}

func (p *replica) setRooms(id SessionID, change func([]string) []string) {
	s := p.sessions[id]
	s.Rooms = change(s.Rooms)
	slices.Sort(s.Rooms)
	p.sessions[id] = s
}

// snapshot is the replica in the form of Router.Snapshot. What slots are bound to follows from subscriptions and streams.
func (p *replica) snapshot(epoch uint64) Snapshot {
	out := Snapshot{Revision: p.revision, Epoch: epoch, Draining: p.draining}
	for _, s := range p.sessions {
		if len(s.Rooms) == 0 {
			s.Rooms = nil
		}
		for i, l := range s.Lines {
			s.Lines[i] = Line{Mid: l.Mid, Kind: l.Kind, Direction: l.Direction, Pair: l.Pair, Live: l.Live}
		}
		out.Sessions = append(out.Sessions, s)
	}
	for _, sub := range p.subs {
		out.Subscriptions = append(out.Subscriptions, sub)
		p.bind(sub, sub.AudioMid)
		p.bind(sub, sub.VideoMid)
	}
	for _, rm := range p.rooms {
		v := *rm
		v.Members, v.Streams, v.Metadata = tidy(v.Members), tidy(v.Streams), tidy(v.Metadata)
		slices.SortFunc(v.Members, func(a, b Member) int { return strings.Compare(a.User.ID, b.User.ID) })
		slices.SortFunc(v.Streams, func(a, b Stream) int { return strings.Compare(a.ID, b.ID) })
		slices.SortFunc(v.Metadata, func(a, b Metadata) int { return strings.Compare(a.Key, b.Key) })
		out.Rooms = append(out.Rooms, v)
	}
	slices.SortFunc(out.Sessions, func(a, b Session) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(out.Rooms, func(a, b Room) int { return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.ID, b.ID)) })
	slices.SortFunc(out.Subscriptions, func(a, b Subscription) int { return cmp.Compare(a.ID, b.ID) })

	return out
}

func (p *replica) bind(sub Subscription, mid string) {
	rm := p.rooms[sub.App+"/"+sub.Room]
	if mid == "" || rm == nil {
		return
	}
	lines := p.sessions[sub.Session].Lines
	for i := range lines {
		l := &lines[i]
		for _, st := range rm.Streams {
			if l.Mid != mid || st.ID != sub.Stream {
				continue
			}
			l.Subscription, l.Room, l.Stream, l.Source = sub.ID, sub.Room, sub.Stream, st.Session
			if l.SourceMid = st.AudioMid; l.Kind == Video {
				l.SourceMid = st.VideoMid
			}
		}
	}
}

func tidy[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}

	return slices.Clone(s)
}
