// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

// ring keeps the latest events, bounded by count and by estimated bytes. Revisions in it have no gap.
type ring struct {
	maxCount, maxBytes int

	buf   []*Event // a circle; its length is a power of two
	sizes []int32  // estimates, in parallel
	head  int      // index of the oldest
	count int
	bytes int
}

// add appends an event and lets go of the oldest ones over the bounds. The newest always stays.
func (g *ring) add(e *Event) {
	if g.count == len(g.buf) {
		g.grow()
	}
	size := e.size()
	at := (g.head + g.count) & (len(g.buf) - 1)
	g.buf[at], g.sizes[at] = e, int32(min(size, 1<<30))
	g.count++
	g.bytes += size
	for g.count > 1 && (g.count > g.maxCount || g.bytes > g.maxBytes) {
		g.bytes -= int(g.sizes[g.head])
		g.buf[g.head] = nil
		g.head = (g.head + 1) & (len(g.buf) - 1)
		g.count--
	}
}

func (g *ring) grow() {
	buf := make([]*Event, max(64, 2*len(g.buf)))
	sizes := make([]int32, len(buf))
	for i := range g.count {
		from := (g.head + i) & (len(g.buf) - 1)
		buf[i], sizes[i] = g.buf[from], g.sizes[from]
	}
	g.buf, g.sizes, g.head = buf, sizes, 0
}

// after returns up to limit events (0: all) with a revision above the given one, and false when some of them are gone.
func (g *ring) after(revision, current uint64, limit int) ([]*Event, bool) {
	if revision > current {
		return nil, false
	}
	missed := current - revision
	if missed > uint64(g.count) {
		return nil, false
	}
	n := int(missed)
	first := g.head + g.count - n
	if limit > 0 {
		n = min(n, limit)
	}
	out := make([]*Event, n)
	for i := range out {
		out[i] = g.buf[(first+i)&(len(g.buf)-1)]
	}

	return out, true
}

// Estimated sizes in bytes of the parts of an event: struct and allocation overhead. Strings are counted on top only
// where a caller chooses their length.
const (
	eventSize  = 200
	memberSize = 250
	lineSize   = 140
	labelSize  = 40
	layerSize  = 60
)

func (e *Event) size() int {
	n := eventSize + len(e.App) + len(e.Room) + len(e.Session)
	switch p := e.Payload.(type) {
	case SessionEvent:
		n += memberSize + len(p.Session.User.Name) + lineSize*len(p.Session.Lines)
		for k, v := range p.Session.Labels {
			n += labelSize + len(k) + len(v)
		}
	case MemberJoinedEvent:
		n += p.Member.size()
	case MemberLeftEvent:
		n += p.Member.size() + len(p.Why)
	case MemberKickedEvent:
		n += p.Member.size() + len(p.Why)
	case MemberExpiringEvent:
		n += p.Member.size()
	case MemberUpdatedEvent:
		n += p.Member.size()
	case StreamAddedEvent:
		n += p.Stream.size()
	case StreamRemovedEvent:
		n += p.Stream.size()
	case StreamChangedEvent:
		n += p.Stream.size()
	case StreamMutedEvent:
		n += p.Stream.size()
	case SubscriptionEvent:
		n += memberSize + len(p.Subscription.User.Name) + len(p.Subscription.Stream)
	case LayersEvent:
		n += len(p.Stream)
	case PublisherLayersEvent:
		n += len(p.Stream) + layerSize*len(p.Layers)
	case SpeakersEvent:
		n += labelSize * len(p.Speakers)
	case MessageEvent:
		n += memberSize + len(p.Payload) + len(p.ClientMessageID) + labelSize*len(p.To)
	case RoomMetadataEvent:
		n += len(p.Metadata.Key) + len(p.Metadata.Value) + labelSize
	case RoomClosedEvent:
		n += len(p.Why)
	default:
		n += memberSize
	}

	return n
}

func (m *Member) size() int { return memberSize + len(m.User.Name) + len(m.Metadata) }

func (s *Stream) size() int {
	return memberSize + len(s.User.Name) + len(s.ID) + len(s.Metadata) + layerSize*len(s.Layers)
}
