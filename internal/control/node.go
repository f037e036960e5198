// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

type nodeService struct {
	sfuv1.UnimplementedNodeServiceServer
	*face
	own func() []*sfuv1.BoundAddress // where this face listens
}

// GetNode implements sfuv1.NodeServiceServer.
func (s nodeService) GetNode(context.Context, *sfuv1.GetNodeRequest) (*sfuv1.GetNodeResponse, error) {
	info := s.node.Info()
	name, err := os.Hostname()
	if err != nil {
		name = "node" // a name for people; the epoch is what identifies
	}
	out := &sfuv1.Node{
		Id: name, Version: s.version, Epoch: info.Epoch, StartTime: timestamppb.New(info.Started), Addresses: s.own(),
		Capabilities: capabilities(info), BuildRevision: buildRevision(),
	}
	for _, a := range info.UDP {
		out.Addresses = append(out.Addresses, &sfuv1.BoundAddress{Purpose: "media", Network: "udp", Address: a.String()})
	}
	for _, a := range info.TCP {
		out.Addresses = append(out.Addresses, &sfuv1.BoundAddress{Purpose: "media", Network: "tcp", Address: a.String()})
	}
	for _, c := range info.Candidates {
		out.Addresses = append(out.Addresses, &sfuv1.BoundAddress{Purpose: "candidate", Network: c.Protocol, Address: c.Address.String(), Advertised: c.Address.String()})
	}
	s.node.Read(func(r *router.Router) {
		out.Revision, out.State = r.Revision(), nodeStateOf(r.Draining(), r.DrainDeadline())
	})
	return &sfuv1.GetNodeResponse{Node: out}, nil
}

func capabilities(info sfu.Info) []string {
	list := []string{"multi_room", "messages", "data_channel"}
	if info.ICELite {
		list = append(list, "ice_lite")
	}
	for _, c := range info.Codecs {
		list = append(list, "codec:"+c)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func buildRevision() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// GetLoad implements sfuv1.NodeServiceServer.
func (s nodeService) GetLoad(context.Context, *sfuv1.GetLoadRequest) (*sfuv1.GetLoadResponse, error) {
	load := s.node.Load()
	f := load.Forward
	user, system := cpuTime()
	out := &sfuv1.Load{
		Time: timestamppb.Now(), CpuTime: &sfuv1.CpuTime{User: durationpb.New(user), System: durationpb.New(system)},
		Rss: residentBytes(), Heap: heapBytes(), Goroutines: uint64(runtime.NumGoroutine()),
		PacketsIn: f.In, PacketsOut: f.Out, BytesIn: f.InBytes, BytesOut: f.OutBytes, Drops: dropsOf(f.Drops),
		Retransmits: f.Retransmitted, NacksIn: f.NACKsIn, NacksOut: f.NACKsOut, PlisIn: f.PLIsIn, PlisOut: f.PLIsOut,
		Sessions: count(load.Counts.Sessions), Rooms: count(load.Counts.Rooms), Members: count(load.Counts.Members),
		Streams: count(load.Counts.Streams), Subscriptions: count(load.Counts.Subscriptions),
		SrtpProfiles: load.Profiles, Watchers: count(load.Watchers), Adaptive: adaptiveOf(load.Adaptive),
	}
	for i, shard := range f.Shards {
		out.Shards = append(out.Shards, &sfuv1.ShardLoad{
			Id: uint32(i), QueueDepth: count(shard.Queue), Packets: shard.Packets, Sinks: count(shard.Sinks),
			QueueCapacity: count(shard.Capacity), Drops: map[string]uint64{"queue_full": shard.QueueFull},
		})
	}
	return &sfuv1.GetLoadResponse{Load: out}, nil
}

func count(n int) uint64 { return uint64(max(n, 0)) }

func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// residentBytes is the process's resident set, 0 where the system does not tell it as Linux does.
func residentBytes() uint64 {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil || pages > math.MaxUint64/uint64(os.Getpagesize()) {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}

// GetLimits implements sfuv1.NodeServiceServer.
func (s nodeService) GetLimits(_ context.Context, r *sfuv1.GetLimitsRequest) (*sfuv1.GetLimitsResponse, error) {
	var app router.App
	var err error
	s.node.Read(func(r2 *router.Router) {
		if app = r2.DefaultApp(); r.GetAppId() != "" {
			app, err = r2.App(r.GetAppId())
		}
	})
	if err != nil {
		return nil, err
	}
	return &sfuv1.GetLimitsResponse{Limits: limitsOf(app)}, nil
}

// SetLimits implements sfuv1.NodeServiceServer.
func (s nodeService) SetLimits(ctx context.Context, r *sfuv1.SetLimitsRequest) (*sfuv1.SetLimitsResponse, error) {
	if r.GetAppId() == "" {
		return nil, router.ErrAppIDInvalid.In("app_id")
	}
	if r.GetLimits() == nil {
		return nil, argument("limits", "is required")
	}
	app, err := sfu.Do[router.App](ctx, s.node, router.ChangeApp{
		ID: r.GetAppId(), Change: func(app router.App) (router.App, error) { return changeLimits(app, r.GetLimits()) },
	})
	if err != nil {
		return nil, err
	}
	return &sfuv1.SetLimitsResponse{Limits: limitsOf(app)}, nil
}

// forever is the deadline of a drain that has none: sessions end when they end.
const forever = 10 * 365 * 24 * time.Hour

// nodeStateOf tells a deadline only where there is one.
func nodeStateOf(draining bool, deadline time.Time) *sfuv1.NodeStateChanged {
	if time.Until(deadline) > forever/2 {
		deadline = time.Time{}
	}
	return &sfuv1.NodeStateChanged{Draining: draining, Deadline: stamp(deadline)}
}

// Drain implements sfuv1.NodeServiceServer.
func (s nodeService) Drain(ctx context.Context, r *sfuv1.DrainRequest) (*sfuv1.DrainResponse, error) {
	deadline, err := timeIn("deadline", r.GetDeadline())
	if err != nil {
		return nil, err
	}
	wait := forever
	if !deadline.IsZero() {
		wait = max(0, time.Until(deadline))
	}
	if err := s.node.Drain(ctx, wait); err != nil {
		return nil, err
	}
	s.health(false)
	return &sfuv1.DrainResponse{
		State: &sfuv1.NodeStateChanged{Draining: true, Deadline: stamp(deadline)}, Sessions: count(s.node.Load().Counts.Sessions),
	}, nil
}

// ending tells whether the process is about to end, which nothing takes back.
type ending struct {
	mu    sync.Mutex // guards begun, and is held while an Undrain is carried out
	begun bool
}

// Undrain implements sfuv1.NodeServiceServer.
func (s nodeService) Undrain(ctx context.Context, _ *sfuv1.UndrainRequest) (*sfuv1.UndrainResponse, error) {
	s.ending.mu.Lock()
	defer s.ending.mu.Unlock()
	if s.ending.begun {
		return nil, errEnding
	}
	if err := s.node.Undrain(ctx); err != nil {
		return nil, err
	}
	s.health(true)
	return &sfuv1.UndrainResponse{State: &sfuv1.NodeStateChanged{}}, nil
}

// DumpState implements sfuv1.NodeServiceServer.
func (s nodeService) DumpState(_ context.Context, r *sfuv1.DumpStateRequest) (*sfuv1.DumpStateResponse, error) {
	if r.GetRoomId() != "" && r.GetAppId() == "" {
		return nil, argument("app_id", "is required with room_id")
	}
	var snapshot router.Snapshot
	s.node.Read(func(r2 *router.Router) {
		in := make(map[router.SessionID]bool) // who is in the room asked for
		if found, err := r2.Room(r.GetAppId(), r.GetRoomId()); err == nil {
			for _, m := range found.Members {
				in[m.Session] = true
			}
		}
		snapshot = r2.Snapshot(func(app, room string, session router.SessionID) bool {
			return (r.GetAppId() == "" || app == r.GetAppId()) && (r.GetSessionId() == "" || string(session) == r.GetSessionId()) &&
				(r.GetRoomId() == "" || room == r.GetRoomId() || room == "" && in[session])
		})
	})
	out := &sfuv1.Snapshot{Revision: snapshot.Revision, NodeEpoch: s.node.Info().Epoch, Last: true, NodeState: nodeStateOf(snapshot.Draining, snapshot.Deadline)}
	for _, part := range s.snapshot(&snapshot, out.GetNodeEpoch()) {
		out.Sessions = append(out.Sessions, part.GetSessions()...)
		out.Rooms = append(out.Rooms, part.GetRooms()...)
		out.Subscriptions = append(out.Subscriptions, part.GetSubscriptions()...)
	}
	told := make(map[router.SessionID]bool, len(snapshot.Sessions))
	for _, session := range snapshot.Sessions {
		told[session.ID] = true
	}
	internals, err := json.Marshal(s.node.DumpOf(func(id router.SessionID) bool { return told[id] }))
	if err != nil {
		return nil, err
	}
	return &sfuv1.DumpStateResponse{State: out, Internals: string(internals)}, nil
}
