// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"google.golang.org/protobuf/proto"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
)

// snapshotBytes bounds an item of a snapshot: a quarter of what gRPC clients take in one message when nobody has told them
// otherwise, which leaves room for what is around it. Only a room that is larger by itself goes past it.
const snapshotBytes = 1 << 20

// fieldOverhead is what a list's item costs beside its own bytes: the field's tag, and its length.
const fieldOverhead = 6

// snapshotCutter fills items of a snapshot, and begins a new one when the next thing does not fit.
type snapshotCutter struct {
	revision, epoch uint64
	parts           []*sfuv1.Snapshot
	size            int // of the last part
}

// snapshot cuts a snapshot into items, the last one marked.
func (f *face) snapshot(snapshot *router.Snapshot, epoch uint64) []*sfuv1.Snapshot {
	c := &snapshotCutter{revision: snapshot.Revision, epoch: epoch}
	c.begin()
	for _, s := range snapshot.Sessions {
		session := f.session(s)
		part := c.fit(session)
		part.Sessions = append(part.Sessions, session)
	}
	for _, r := range snapshot.Rooms {
		room := roomSnapshotOf(r)
		part := c.fit(room)
		part.Rooms = append(part.Rooms, room)
	}
	for _, s := range snapshot.Subscriptions {
		subscription := subscriptionOf(s)
		part := c.fit(subscription)
		part.Subscriptions = append(part.Subscriptions, subscription)
	}
	last := c.parts[len(c.parts)-1]
	last.NodeState, last.Last = nodeStateOf(snapshot.Draining, snapshot.Deadline), true
	return c.parts
}

func (c *snapshotCutter) begin() *sfuv1.Snapshot {
	part := &sfuv1.Snapshot{Revision: c.revision, NodeEpoch: c.epoch}
	c.parts, c.size = append(c.parts, part), 0
	return part
}

// fit is the part that m goes into.
func (c *snapshotCutter) fit(m proto.Message) *sfuv1.Snapshot {
	n := proto.Size(m) + fieldOverhead
	part := c.parts[len(c.parts)-1]
	if c.size > 0 && c.size+n > snapshotBytes {
		part = c.begin()
	}
	c.size += n
	return part
}
