// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import "time"

// DefaultAppID is the key under apps that other apps take their missing values from.
const DefaultAppID = "default"

// Default is the configuration of a node without file, environment or flags: only media listens beyond loopback.
// Each call returns a value that shares nothing with the last.
func Default() Config {
	return Config{
		Media: Media{
			UDPAddress: ":7782", TCPAddress: ":7782",
			ConsentTimeout: 15 * time.Second,
			SocketBytes:    4 << 20, Batching: true, FastLane: true,
			MaxSDPBytes: 256 << 10, MaxLines: 256, MaxCandidates: 64, ChannelBytes: 256 << 10,
			SpeakersEvery: 300 * time.Millisecond,
			CacheBytes:    512 << 10, CacheAge: time.Second, UnwantedAfter: 2 * time.Second,
		},
		Forwarding: Forwarding{
			QueueLength: 8192, Hold: time.Millisecond,
			VideoHistory: 1024, AudioHistory: 128, HistoryAge: 2 * time.Second,
			KeyframeEvery: 500 * time.Millisecond, ReportEvery: time.Second, TransportCCEvery: 50 * time.Millisecond,
			RetransmitShare: 0.25, RetransmitMax: 3,
		},
		Congestion: Congestion{Enabled: true, StartBitrate: 300_000, MinBitrate: 30_000, MaxBitrate: 20_000_000},
		Node: Node{
			Rooms: 10000, Sessions: 10000,
			SessionTTL: time.Minute, ReconnectGrace: 30 * time.Second, ExpiryWarning: 30 * time.Second,
			EventRingCount: 65536, EventRingBytes: 32 << 20, MessageDedup: 256, Watchers: 256, Bans: 10000,
			TickEvery: 500 * time.Millisecond, StopTimeout: 5 * time.Second,
			RequestIDs: 16384, RequestBytes: 64 << 20, RequestIDsFor: 5 * time.Minute,
		},
		Apps: map[string]App{DefaultAppID: defaultApp()},
		GRPC: GRPC{
			Address:         "127.0.0.1:7781",
			MaxRequestBytes: 1 << 20, MaxReplyBytes: 64 << 20, MaxStreams: 256, MaxConnections: 1024,
			KeepaliveMinTime: 10 * time.Second, KeepaliveTime: 30 * time.Second, KeepaliveTimeout: 10 * time.Second,
			RequestsPerSecond: 5000, RequestBurst: 1000, RequestTimeout: 10 * time.Second,
			Heartbeat: 5 * time.Second, Reflection: true,
		},
		HTTP:   HTTP{Address: "127.0.0.1:7780"},
		Tokens: Tokens{Demo: true},
		Signal: Signal{
			Enabled: true, Address: "127.0.0.1:7785",
			MaxClients: 10000, MaxPerAddress: 64, MaxFrameBytes: 512 << 10, QueueFrames: 1024, QueueBytes: 4 << 20,
			Rate: 50, Burst: 200, PingInterval: 5 * time.Second, HelloTimeout: 10 * time.Second, RequestTimeout: 10 * time.Second,
		},
		WHIP:          WHIP{Enabled: true, MaxSessions: 10000, MaxBodyBytes: 256 << 10, Rate: 20, Burst: 60},
		Admin:         Admin{Enabled: true, AllowMutation: true, MaxStreams: 16},
		Pprof:         Pprof{Address: "127.0.0.1:7784"},
		Memory:        Memory{GCPercent: 50},
		Log:           Log{Level: "info", Format: "auto", PionLevel: "warn"},
		DrainDeadline: 30 * time.Second,
	}
}

// defaultApp enables multi-room, which the engine by itself does not: whoever runs a node of their own wants its main
// feature, and whoever rents nodes out lists apps.
func defaultApp() App {
	return App{
		MultiRoom: true, DuplicateUser: "replace", StreamIDScope: "room",
		Limits: Limits{
			RoomsPerUser: 5, MembersPerRoom: 1000, Rooms: 10000, Sessions: 10000,
			StreamsPerUser: 32, SubscriptionsPerUser: 256,
			MessageBytes: 1024, BroadcastPerSecond: 10, BroadcastPerUser: 2, BarragePerSecond: 20,
			CommandPerSecond: 200, CommandManyPerSecond: 10,
			MetadataBytes: 1024, MetadataKeys: 32,
		},
	}
}
