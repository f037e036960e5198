// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// watchBatch is how many events one turn of a watch reads from the ring.
const watchBatch = 256

type eventService struct {
	sfuv1.UnimplementedEventServiceServer
	*face
}

// WatchEvents implements sfuv1.EventServiceServer. It pulls from the node's ring as fast as the client takes it; there is no queue
// for a watcher, so one that is slow finds a gap in the end and gets a Resync.
func (s eventService) WatchEvents(r *sfuv1.WatchEventsRequest, stream grpc.ServerStreamingServer[sfuv1.WatchEventsResponse]) error {
	request, heartbeat, err := s.watchIn(r)
	if err != nil {
		return err
	}
	watcher, err := s.node.Watch(request)
	if err != nil {
		return err
	}
	defer watcher.Close()
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	go func() { // a server that stops does not wait for its watchers
		select {
		case <-s.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	first := true
	for {
		idle := heartbeat
		if first {
			idle = time.Nanosecond // what there is: it tells whether the stream resumes without a gap
		}
		batch, err := watcher.Next(ctx, idle, watchBatch)
		if err != nil {
			switch gone := stream.Context().Err(); {
			case gone != nil:
				return gone
			case ctx.Err() != nil: // the server stops
				return sfu.ErrClosed
			}
			return err
		}
		if first && request.Snapshot == sfu.SnapshotAlways {
			batch.Resync = false // it was asked for: nothing was missed
		}
		if first && len(batch.Events) > 0 {
			if err := s.beat(stream, batch.Events[0].Revision-1); err != nil {
				return err
			}
		}
		if err := s.send(stream, r, batch, first); err != nil {
			return err
		}
		first = false
	}
}

func (s eventService) watchIn(r *sfuv1.WatchEventsRequest) (sfu.WatchRequest, time.Duration, error) {
	filter := r.GetFilter()
	request := sfu.WatchRequest{
		ID: r.GetWatcherId(), Epoch: r.GetNodeEpoch(), After: r.GetAfterRevision(), Apps: filter.GetApps(), Rooms: filter.GetRooms(),
		Sessions: each(filter.GetSessions(), func(id string) router.SessionID { return router.SessionID(id) }),
	}
	if request.Epoch == 0 { // not checked
		request.Epoch = s.node.Info().Epoch
	}
	if r.GetWatcherId() == "" || len(r.GetWatcherId()) > maxID {
		return request, 0, argument("watcher_id", "must be 1 to %d bytes", maxID)
	}
	if len(filter.GetApps())+len(filter.GetRooms())+len(filter.GetSessions()) > 10*maxBatch {
		return request, 0, argument("filter", "at most %d names", 10*maxBatch)
	}
	for _, kind := range filter.GetKinds() {
		name, ok := sfuv1.EventKind_name[int32(kind)]
		if !ok || kind == sfuv1.EventKind_EVENT_KIND_UNSPECIFIED {
			return request, 0, argument("filter.kinds", "unknown value %d", kind)
		}
		request.Kinds = append(request.Kinds, strings.ToLower(strings.TrimPrefix(name, "EVENT_KIND_")))
	}
	switch r.GetSnapshot() {
	case sfuv1.SnapshotMode_SNAPSHOT_MODE_UNSPECIFIED, sfuv1.SnapshotMode_SNAPSHOT_MODE_ON_GAP:
		request.Snapshot = sfu.SnapshotOnGap
		if r.AfterRevision == nil { // nothing to go on from: begin with a snapshot
			request.Snapshot = sfu.SnapshotAlways
		}
	case sfuv1.SnapshotMode_SNAPSHOT_MODE_ALWAYS:
		request.Snapshot = sfu.SnapshotAlways
	case sfuv1.SnapshotMode_SNAPSHOT_MODE_NEVER:
		request.Snapshot = sfu.SnapshotNever
		request.FromNow = r.AfterRevision == nil
	default:
		return request, 0, argument("snapshot", "unknown value %d", r.GetSnapshot())
	}
	heartbeat, err := durationIn("heartbeat_interval", r.GetHeartbeatInterval(), time.Second, time.Minute)
	if err != nil {
		return request, 0, err
	}
	if heartbeat == 0 {
		heartbeat = s.heartbeat
	}
	return request, heartbeat, nil
}

func (s eventService) send(stream grpc.ServerStreamingServer[sfuv1.WatchEventsResponse], r *sfuv1.WatchEventsRequest, batch sfu.Batch, first bool) error {
	epoch := s.node.Info().Epoch
	if batch.Resync {
		resync := &sfuv1.Resync{Reason: resyncReason(r, batch, epoch, first), Revision: batch.Revision, NodeEpoch: epoch}
		if err := stream.Send(&sfuv1.WatchEventsResponse{Item: &sfuv1.WatchEventsResponse_Resync{Resync: resync}}); err != nil {
			return err
		}
	}
	if batch.Snapshot != nil {
		if err := s.sendSnapshot(stream, batch.Snapshot, epoch); err != nil {
			return err
		}
	}
	for _, e := range batch.Events {
		if err := stream.Send(&sfuv1.WatchEventsResponse{Item: &sfuv1.WatchEventsResponse_Event{Event: s.event(e, epoch)}}); err != nil {
			return err
		}
	}
	if len(batch.Events) == 0 && !batch.Resync && batch.Snapshot == nil {
		return s.beat(stream, batch.Revision)
	}
	return nil
}

// beat says that everything up to the revision has been sent.
func (s eventService) beat(stream grpc.ServerStreamingServer[sfuv1.WatchEventsResponse], revision uint64) error {
	beat := &sfuv1.Heartbeat{Revision: revision, NodeEpoch: s.node.Info().Epoch, Time: timestamppb.Now()}
	return stream.Send(&sfuv1.WatchEventsResponse{Item: &sfuv1.WatchEventsResponse_Heartbeat{Heartbeat: beat}})
}

func resyncReason(r *sfuv1.WatchEventsRequest, batch sfu.Batch, epoch uint64, first bool) sfuv1.ResyncReason {
	switch {
	case !first:
		return sfuv1.ResyncReason_RESYNC_REASON_SLOW
	case r.GetNodeEpoch() != 0 && r.GetNodeEpoch() != epoch:
		return sfuv1.ResyncReason_RESYNC_REASON_EPOCH
	case r.GetAfterRevision() > batch.Revision:
		return sfuv1.ResyncReason_RESYNC_REASON_FUTURE
	}
	return sfuv1.ResyncReason_RESYNC_REASON_TOO_OLD
}

// sendSnapshot sends a snapshot item by item.
func (s eventService) sendSnapshot(stream grpc.ServerStreamingServer[sfuv1.WatchEventsResponse], snapshot *router.Snapshot, epoch uint64) error {
	for _, part := range s.snapshot(snapshot, epoch) {
		if err := stream.Send(&sfuv1.WatchEventsResponse{Item: &sfuv1.WatchEventsResponse_Snapshot{Snapshot: part}}); err != nil {
			return err
		}
	}
	return nil
}

// event converts one event; the kinds of router payloads are those of the oneof.
func (s eventService) event(e *router.Event, epoch uint64) *sfuv1.Event {
	out := &sfuv1.Event{
		Revision: e.Revision, NodeEpoch: epoch, Time: timestamppb.New(e.Time), AppId: e.App, RoomId: e.Room,
		RoomRevision: e.RoomRevision, Incarnation: e.Incarnation, SessionId: string(e.Session),
	}
	switch p := e.Payload.(type) {
	case router.SessionEvent:
		out.Kind = &sfuv1.Event_SessionState{SessionState: &sfuv1.SessionStateChanged{Session: s.session(p.Session), Reason: reasons[p.Reason], Detail: p.Why}}
	case router.NegotiationNeededEvent:
		out.Kind = &sfuv1.Event_NegotiationNeeded{NegotiationNeeded: &sfuv1.NegotiationNeeded{Audio: uint32(p.Audio), Video: uint32(p.Video)}}
	case router.SubscriptionEvent:
		out.Kind = &sfuv1.Event_SubscriptionState{SubscriptionState: &sfuv1.SubscriptionStateChanged{Subscription: subscriptionOf(p.Subscription), Reason: reasons[p.Reason]}}
	case router.LayersEvent:
		out.Kind = &sfuv1.Event_Layers{Layers: layersOf(p)}
	case router.PublisherLayersEvent:
		out.Kind = &sfuv1.Event_PublisherLayers{PublisherLayers: &sfuv1.PublisherLayersChanged{StreamId: p.Stream, Layers: each(p.Layers, videoLayerOf)}}
	case router.LimitsEvent:
		out.Kind = &sfuv1.Event_Limits{Limits: &sfuv1.LimitsChanged{AppId: p.App.ID, Limits: limitsOf(p.App)}}
	case router.NodeEvent:
		out.Kind = &sfuv1.Event_NodeState{NodeState: nodeStateOf(p.Draining, p.Deadline)}
	default:
		s.roomEvent(out, e)
	}
	return out
}

// roomEvent converts what happens in a room.
func (s eventService) roomEvent(out *sfuv1.Event, e *router.Event) {
	switch p := e.Payload.(type) {
	case router.RoomOpenedEvent:
		out.Kind = &sfuv1.Event_RoomOpened{RoomOpened: &sfuv1.RoomOpened{Room: &sfuv1.Room{
			AppId: e.App, Id: e.Room, Incarnation: e.Incarnation, Revision: e.RoomRevision, CreateTime: timestamppb.New(e.Time),
			LoudestAudio: p.Loudest,
		}}}
	case router.RoomClosedEvent:
		out.Kind = &sfuv1.Event_RoomClosed{RoomClosed: &sfuv1.RoomClosed{Reason: reasons[p.Reason], Detail: p.Why}}
	case router.RoomAudioEvent:
		out.Kind = &sfuv1.Event_RoomAudio{RoomAudio: &sfuv1.RoomAudioChanged{LoudestAudio: p.Loudest}}
	case router.RoomMetadataEvent:
		out.Kind = &sfuv1.Event_RoomMetadata{RoomMetadata: &sfuv1.RoomMetadataChanged{Metadata: metadataEntry(p.Metadata), Removed: p.Removed, UserId: p.By}}
	case router.MemberJoinedEvent:
		out.Kind = &sfuv1.Event_MemberJoined{MemberJoined: &sfuv1.MemberJoined{Member: memberOf(p.Member)}}
	case router.MemberLeftEvent:
		out.Kind = &sfuv1.Event_MemberLeft{MemberLeft: &sfuv1.MemberLeft{Member: memberOf(p.Member), Reason: reasons[p.Reason], Detail: p.Why}}
	case router.MemberKickedEvent:
		out.Kind = &sfuv1.Event_MemberKicked{MemberKicked: &sfuv1.MemberKicked{
			Member: memberOf(p.Member), Reason: reasons[p.Reason], Detail: p.Why, BanUntil: stamp(p.BanUntil),
		}}
	case router.MemberExpiringEvent:
		out.Kind = &sfuv1.Event_MemberExpiring{MemberExpiring: &sfuv1.MemberExpiring{Member: memberOf(p.Member)}}
	case router.MemberUpdatedEvent:
		out.Kind = &sfuv1.Event_MemberUpdated{MemberUpdated: &sfuv1.MemberUpdated{Member: memberOf(p.Member)}}
	case router.StreamAddedEvent:
		out.Kind = &sfuv1.Event_StreamAdded{StreamAdded: &sfuv1.StreamAdded{Stream: streamOf(p.Stream)}}
	case router.StreamRemovedEvent:
		out.Kind = &sfuv1.Event_StreamRemoved{StreamRemoved: &sfuv1.StreamRemoved{Stream: streamOf(p.Stream), Reason: reasons[p.Reason]}}
	case router.StreamChangedEvent:
		out.Kind = &sfuv1.Event_StreamChanged{StreamChanged: &sfuv1.StreamChanged{Stream: streamOf(p.Stream)}}
	case router.StreamMutedEvent:
		out.Kind = &sfuv1.Event_StreamMuted{StreamMuted: &sfuv1.StreamMuted{Stream: streamOf(p.Stream)}}
	case router.SpeakersEvent:
		out.Kind = &sfuv1.Event_ActiveSpeakers{ActiveSpeakers: &sfuv1.ActiveSpeakers{Speakers: each(p.Speakers, speakerOf)}}
	case router.MessageEvent:
		out.Kind = &sfuv1.Event_Message{Message: messageOf(&p)}
	}
}

func speakerOf(s router.Speaker) *sfuv1.Speaker {
	return &sfuv1.Speaker{StreamId: s.Stream, UserId: s.User, Level: uint32(s.Level)}
}

func messageOf(m *router.MessageEvent) *sfuv1.RoomMessage {
	return &sfuv1.RoomMessage{
		Id: m.ID, ClientMessageId: m.ClientMessageID, From: userOf(m.From), Kind: messageKinds[m.MessageKind],
		ToUsers: m.To, All: m.All, Payload: m.Payload, SendTime: stamp(m.Sent),
	}
}
