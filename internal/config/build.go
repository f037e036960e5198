// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"time"

	"github.com/switchyard-media/sfu/internal/admin"
	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/signaling"
	"github.com/switchyard-media/sfu/internal/whip"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
	"github.com/switchyard-media/sfu/sfu"
)

// The functions below turn a valid Config into the Config of each package. In the file 0 means what it says; where a
// package takes 0 for "the default" and a negative value for "none", that is put right here.

// SFU is the engine's configuration, without Logger. It reads the DTLS certificate.
func (c Config) SFU() (sfu.Config, error) {
	out := sfu.Config{
		Router: c.router(), Forward: c.forward(),
		UDPAddress: c.Media.UDPAddress,
		External:   c.external(), Interfaces: c.Media.Interfaces, Loopback: c.Media.Loopback, FullICE: c.Media.FullICE,
		Sockets: c.Media.Sockets, SocketBuffer: c.Media.SocketBytes, NoGSO: !c.Media.Batching, PlainLane: !c.Media.FastLane,
		ConsentTimeout: c.Media.ConsentTimeout,
		MaxSDPBytes:    c.Media.MaxSDPBytes, MaxLines: c.Media.MaxLines, MaxCandidates: c.Media.MaxCandidates,
		ChannelBuffer: c.Media.ChannelBytes, SpeakerEvery: orNever(c.Media.SpeakersEvery),
		TickEvery: c.Node.TickEvery, StopTimeout: c.Node.StopTimeout,
		MaxWatchers: c.Node.Watchers, RequestIDs: c.Node.RequestIDs, RequestBytes: c.Node.RequestBytes, RequestIDFor: c.Node.RequestIDsFor,
	}
	if c.Media.TCPAddress != Off {
		out.TCPAddress = c.Media.TCPAddress
	}
	if c.Media.DTLSCertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.Media.DTLSCertFile, c.Media.DTLSKeyFile)
		if err != nil {
			return sfu.Config{}, fmt.Errorf("media.dtls_cert_file %s, media.dtls_key_file %s: %w", c.Media.DTLSCertFile, c.Media.DTLSKeyFile, err)
		}
		out.Certificate = &cert
	}
	return out, nil
}

func (c Config) external() []sfu.ExternalAddress {
	var out []sfu.ExternalAddress
	for _, e := range c.Media.ExternalAddresses {
		address, err := netip.ParseAddr(e.Address)
		if err != nil {
			continue // Validate refuses it
		}
		internal, _ := netip.ParseAddr(e.Internal) // empty: the zero address, any
		out = append(out, sfu.ExternalAddress{Address: address, Port: uint16(e.Port), Internal: internal})
	}
	return out
}

func (c Config) router() router.Config {
	out := router.Config{
		DefaultApp: c.Apps[DefaultAppID].router(DefaultAppID), Apps: make(map[string]router.App),
		OnlyNamedApps: c.Node.OnlyNamedApps,
		NodeRooms:     c.Node.Rooms, NodeSessions: c.Node.Sessions,
		SessionTTL: c.Node.SessionTTL, ReconnectGrace: c.Node.ReconnectGrace, ExpiryWarning: c.Node.ExpiryWarning,
		EventRingCount: c.Node.EventRingCount, EventRingBytes: c.Node.EventRingBytes,
		MessageDedup: c.Node.MessageDedup, Bans: c.Node.Bans,
	}
	for id := range c.Apps {
		if id != DefaultAppID {
			out.Apps[id] = c.App(id)
		}
	}
	return out
}

// App is one app's configuration for the router; the default one's for an id that is not listed.
func (c Config) App(id string) router.App {
	app, ok := c.Apps[id]
	if !ok {
		app = c.Apps[DefaultAppID]
	}
	return app.router(id)
}

func (a App) router(id string) router.App {
	l := a.Limits
	out := router.App{ID: id, MultiRoom: a.MultiRoom, Loudest: uint32(a.LoudestAudio), Limits: router.Limits{
		RoomsPerUser: l.RoomsPerUser, MembersPerRoom: l.MembersPerRoom, Rooms: l.Rooms, Sessions: l.Sessions,
		StreamsPerUser: l.StreamsPerUser, SubscriptionsPerUser: l.SubscriptionsPerUser,
		MessageBytes: l.MessageBytes, BroadcastPerSecond: l.BroadcastPerSecond, BroadcastPerUser: l.BroadcastPerUser,
		BarragePerSecond: l.BarragePerSecond, CommandPerSecond: l.CommandPerSecond, CommandManyPerSecond: l.CommandManyPerSecond,
		MetadataBytes: l.MetadataBytes, MetadataKeys: l.MetadataKeys,
	}}
	if a.DuplicateUser == "reject" {
		out.DuplicateUser = router.DuplicateReject
	}
	if a.StreamIDScope == "app" {
		out.StreamIDScope = router.ScopeApp
	}
	return out
}

func (c Config) forward() rtpforward.Config {
	f, m, cc := c.Forwarding, c.Media, c.Congestion
	return rtpforward.Config{
		Shards: f.Shards, QueueLength: f.QueueLength, Hold: orNever(f.Hold),
		VideoHistory: f.VideoHistory, AudioHistory: f.AudioHistory, HistoryAge: f.HistoryAge,
		KeyframeEvery: f.KeyframeEvery, ReportEvery: f.ReportEvery, TransportCCEvery: f.TransportCCEvery,
		RetransmitShare: f.RetransmitShare, RetransmitMax: f.RetransmitMax,
		NoCongestionControl: !cc.Enabled,
		StartBitrate:        int64(cc.StartBitrate), LeastBitrate: int64(cc.MinBitrate), MostBitrate: int64(cc.MaxBitrate),
		StartFromCache: m.StartFromCache, CacheBytes: m.CacheBytes, CacheAge: m.CacheAge, UnwantedAfter: m.UnwantedAfter,
	}
}

// Control is the control API's configuration, without Node, Version and Logger.
func (c Config) Control() control.Config {
	g := c.GRPC
	rate := g.RequestsPerSecond
	if rate == 0 {
		rate = -1
	}
	var servers []control.ICEServer
	for _, s := range c.Media.ICEServers {
		servers = append(servers, control.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
	return control.Config{
		ICEServers: servers, TLSCert: g.TLSCertFile, TLSKey: g.TLSKeyFile, ClientCA: g.ClientCAFile,
		AllowedSANs: g.AllowedNames, TokenFile: g.TokenFile,
		MaxRecvBytes: g.MaxRequestBytes, MaxSendBytes: g.MaxReplyBytes,
		MaxConcurrentStreams: uint32(g.MaxStreams), MaxConnections: g.MaxConnections,
		KeepaliveMinTime: g.KeepaliveMinTime, KeepaliveTime: g.KeepaliveTime, KeepaliveTimeout: g.KeepaliveTimeout,
		RequestRate: rate, RequestBurst: g.RequestBurst, RequestTimeout: g.RequestTimeout,
		Heartbeat: g.Heartbeat, Reflection: g.Reflection,
	}
}

// SignalTier is the tier's configuration, without Nodes, Keys and Logger.
func (c Config) SignalTier() signaling.Config {
	s := c.Signal
	return signaling.Config{
		MaxClients: s.MaxClients, MaxPerAddress: s.MaxPerAddress, MaxFrame: s.MaxFrameBytes, Queue: s.QueueFrames, QueueBytes: s.QueueBytes,
		Rate: s.Rate, Burst: s.Burst, PingInterval: s.PingInterval, HelloTimeout: s.HelloTimeout, RequestTimeout: s.RequestTimeout,
		AllowedOrigins: s.AllowedOrigins,
	}
}

// WHIPFace is the configuration of WHIP and WHEP, without Node, Keys and Logger.
func (c Config) WHIPFace() whip.Config {
	w := c.WHIP
	var servers []whip.ICEServer
	for _, s := range c.Media.ICEServers {
		servers = append(servers, whip.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
	return whip.Config{
		ICEServers:  servers,
		MaxSessions: w.MaxSessions, MaxBody: w.MaxBodyBytes, Rate: w.Rate, Burst: w.Burst, SessionTTL: w.SessionTTL,
		AllowedOrigins: w.AllowedOrigins,
	}
}

// AdminFace is the configuration of the admin page's API, without Nodes, Keys and Logger.
func (c Config) AdminFace() admin.Config {
	a := c.Admin
	return admin.Config{TokenOnly: a.TokenOnly, MaxStreams: a.MaxStreams, AllowMutation: a.AllowMutation}
}

// DemoTokens reports whether tokens for the demo page are handed out.
func (c Config) DemoTokens() bool { return c.Tokens.Demo && c.Tokens.KeyFile == "" }

// NodesOfTier are the nodes behind a tier that runs alone.
func (c Config) NodesOfTier() []SignalNode {
	if len(c.Signal.Nodes) > 0 {
		return c.Signal.Nodes
	}
	return []SignalNode{{ID: LocalNode, Address: c.GRPC.Address, TokenFile: c.GRPC.TokenFile}}
}

// LocalNode is the id of the only node when nobody has named it.
const LocalNode = "local"

// orNever turns 0 into what packages take for "never".
func orNever(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}
