// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import "time"

// Config is the whole configuration, in the shape of the file. Tags: yaml is the key; doc documents it; min and max
// bound it, ends included; enum lists what it may be; kind "address", "file" or "duration" asks for more than the Go
// type says; reload marks what SIGHUP may change.
type Config struct {
	Media      Media          `yaml:"media" doc:"Media: what WebRTC clients connect to."`
	Forwarding Forwarding     `yaml:"forwarding" doc:"The packet path. The defaults suit nearly everybody."`
	Congestion Congestion     `yaml:"congestion" doc:"Congestion control towards subscribers: how much is sent to one session, over all its rooms."`
	Node       Node           `yaml:"node" doc:"Limits and times of the node as a whole."`
	Apps       map[string]App `yaml:"apps" reload:"yes" doc:"Apps (tenants) by id. What an app does not set it takes from the one called default, which also serves every app id that is not listed. While the node runs, apps can be added and changed, but not taken away, and the default one stays as it is."`
	GRPC       GRPC           `yaml:"grpc" doc:"The control API, sfu.v1, for the signaling tier. Whoever may call it controls the node: before it listens on anything but loopback, set client_ca_file or token_file, and a certificate."`
	HTTP       HTTP           `yaml:"http" doc:"What browsers open: the pages, the SDK, signaling, WHIP and WHEP; and health and metrics: /livez, /readyz, /metrics. These two ask nobody who they are: where the port is open to the world, keep them behind a proxy."`
	Tokens     Tokens         `yaml:"tokens" doc:"What clients prove by that they may do something: tokens (JWT), made by each app's backend, checked here."`
	Signal     Signal         `yaml:"signal" doc:"The signaling tier: clients connect to /signal. It is a part of the node, or runs alone in front of one or several nodes (sfu signal)."`
	WHIP       WHIP           `yaml:"whip" doc:"Standard HTTP ingest and playback, /whip/ (RFC 9725) and /whep/, with tokens as bearer tokens."`
	Admin      Admin          `yaml:"admin" doc:"The admin page, /admin/, and what it is made of, /admin/api/. Who comes from this machine, to localhost, needs no token; everybody else one with the admin claim."`
	Pprof      Pprof          `yaml:"pprof" doc:"Go's profiler, /debug/pprof/."`
	Memory     Memory         `yaml:"memory" doc:"Memory of the process."`
	Log        Log            `yaml:"log" doc:"Logs go to standard error."`

	DrainDeadline time.Duration `yaml:"drain_deadline" min:"0s" max:"24h" doc:"How long a node that was told to stop (SIGTERM, SIGINT) goes on serving its sessions. It ends earlier when the last one has left; a second signal ends it at once. 0s: at once."`
}

// Media configures the sockets that clients use and what is said about them.
type Media struct {
	UDPAddress        string            `yaml:"udp_address" kind:"address" doc:"Listens for media over UDP, IPv4 and IPv6. Port 0: the system chooses."`
	TCPAddress        string            `yaml:"tcp_address" kind:"address" off:"yes" doc:"The same over TCP (RFC 6544), for clients behind firewalls that drop UDP. off: none."`
	ExternalAddresses []ExternalAddress `yaml:"external_addresses" doc:"Addresses that clients reach the node at when they differ from those of its interfaces (NAT, cloud, load balancer). Several may be given; each is offered instead of the interface's address of its family. As in [{address: 203.0.113.7, port: 50000, internal: 10.0.0.5}]; port is for NATs that change it, internal says which interface address is meant, both may be left out."`
	Interfaces        []string          `yaml:"interfaces" doc:"Offer the addresses of these network interfaces only. Empty: of all."`
	Loopback          bool              `yaml:"loopback" doc:"Offer loopback addresses too: for clients on the same machine and for tests. They are offered in any case when there are no others."`
	FullICE           bool              `yaml:"full_ice" doc:"Do connectivity checks of our own. A node with a public address does not need them (ICE-lite, RFC 8445 section 2.5)."`
	ICEServers        []ICEServer       `yaml:"ice_servers" doc:"STUN and TURN servers that clients are told of, for networks from which the node cannot be reached directly. As in [{urls: ['turn:turn.example.org:3478?transport=udp'], username: u, credential: c}]; the last two are for TURN."`
	DTLSCertFile      string            `yaml:"dtls_cert_file" kind:"file" doc:"PEM certificate for DTLS. Empty: one is made at start."`
	DTLSKeyFile       string            `yaml:"dtls_key_file" kind:"file" doc:"Its PEM key."`
	ConsentTimeout    time.Duration     `yaml:"consent_timeout" min:"2s" max:"30s" doc:"A client that sent no valid STUN check for so long gets no more media and counts as disconnected (RFC 7675)."`
	MaxSDPBytes       int               `yaml:"max_sdp_bytes" min:"4096" max:"16777216" doc:"Longest offer that is read, in bytes."`
	MaxLines          int               `yaml:"max_lines" min:"1" max:"4096" doc:"Media lines (m=) of one session."`
	MaxCandidates     int               `yaml:"max_candidates" min:"1" max:"1024" doc:"ICE candidates taken from one client."`
	ChannelBytes      int               `yaml:"channel_buffer_bytes" min:"4096" max:"67108864" doc:"Bytes that may wait on one client's data channel before further messages for it are dropped."`
	Sockets           int               `yaml:"sockets" min:"0" max:"64" doc:"UDP sockets that share the port, each with a reader of its own. 0: one for each CPU; systems without SO_REUSEPORT have one in any case."`
	SocketBytes       int               `yaml:"socket_buffer_bytes" min:"65536" max:"1073741824" doc:"Bytes asked of the kernel for each UDP socket, each way. It grants no more than net.core.rmem_max and wmem_max; sfu doctor says what is missing."`
	Batching          bool              `yaml:"batching" doc:"Send and receive many packets with one system call (sendmmsg, recvmmsg, UDP_SEGMENT, UDP_GRO) where the system can. A socket whose network refuses it goes on without by itself."`
	FastLane          bool              `yaml:"fast_lane" doc:"Media goes between socket and SRTP directly. false: through the ICE library, as everything else does; slower, for finding faults."`
	SpeakersEvery     time.Duration     `yaml:"speakers_every" min:"0s" max:"1m" doc:"How often active speakers are worked out. 0s: never."`
	StartFromCache    bool              `yaml:"start_from_cache" doc:"Start video for a new subscriber from the newest keyframe that is kept and the frames after it, instead of asking the publisher for another keyframe. It costs the publisher nothing, and the subscriber a moment of catching up."`
	CacheBytes        int               `yaml:"cache_bytes" min:"4096" max:"16777216" doc:"With start_from_cache: bytes that may be sent at once for such a start; where it takes more, a keyframe is asked for."`
	CacheAge          time.Duration     `yaml:"cache_age" min:"10ms" max:"30s" doc:"With start_from_cache: how old the keyframe may be; it is kept for forwarding.history_age at most."`
	UnwantedAfter     time.Duration     `yaml:"unwanted_after" min:"100ms" max:"1h" doc:"A layer of video that nobody takes for so long is told to its publisher, which may stop it. One that is wanted again is told at once."`
}

// ExternalAddress is an address that clients reach the node at.
type ExternalAddress struct {
	Address  string `yaml:"address" doc:"The IP address to offer."`
	Port     int    `yaml:"port" min:"0" max:"65535" doc:"The port to offer, for NATs that change it. 0: the one that is bound."`
	Internal string `yaml:"internal" doc:"The interface address it stands for. Empty: any of the same family."`
}

// ICEServer is a STUN or TURN server that clients are told of.
type ICEServer struct {
	URLs       []string `yaml:"urls" doc:"Where it is: stun:host:port, turn:host:port?transport=udp, turns:host:port."`
	Username   string   `yaml:"username" doc:"For TURN."`
	Credential string   `yaml:"credential" doc:"For TURN. Clients get to see it."`
}

// Forwarding configures the packet path.
type Forwarding struct {
	Shards           int           `yaml:"shards" min:"0" max:"64" doc:"Egress workers. 0: one for each CPU."`
	QueueLength      int           `yaml:"queue_length" min:"64" max:"1048576" doc:"Packets that may wait for one worker; more are dropped and counted as queue_full. Rounded up to a power of two."`
	Hold             time.Duration `yaml:"hold" min:"0s" max:"20ms" doc:"How long packets of a frame that is not complete wait for each other, to be sent together. 0s: not at all."`
	VideoHistory     int           `yaml:"video_history_packets" min:"16" max:"65536" doc:"Packets of a video layer kept for retransmission. Rounded up to a power of two."`
	AudioHistory     int           `yaml:"audio_history_packets" min:"16" max:"65536" doc:"The same for audio."`
	HistoryAge       time.Duration `yaml:"history_age" min:"50ms" max:"30s" doc:"Older packets are not retransmitted."`
	KeyframeEvery    time.Duration `yaml:"keyframe_every" min:"50ms" max:"1m" doc:"Least time between two keyframe requests to one publisher's layer, whoever asks and in however many rooms."`
	ReportEvery      time.Duration `yaml:"report_every" min:"100ms" max:"1m" doc:"Time between RTCP reports."`
	TransportCCEvery time.Duration `yaml:"transport_cc_every" min:"10ms" max:"1s" doc:"Time between transport-wide congestion feedback to a publisher; up to five times as long while fewer than ten packets have come."`
	RetransmitShare  float64       `yaml:"retransmit_share" min:"0.01" max:"1" doc:"Most of what is sent to a session, over a second, that may be retransmissions."`
	RetransmitMax    int           `yaml:"retransmit_max" min:"1" max:"16" doc:"How often one packet is retransmitted to one subscriber."`
}

// Congestion configures congestion control towards subscribers.
type Congestion struct {
	Enabled      bool `yaml:"enabled" doc:"Estimate what each session's link carries, and choose layers of video by it. false: every subscriber gets the best that it asked for, whether its link carries it or not."`
	StartBitrate int  `yaml:"start_bitrate" min:"10000" max:"20000000" doc:"What a session's link is taken to carry before anything is known, in bit/s."`
	MinBitrate   int  `yaml:"min_bitrate" min:"5000" max:"300000" doc:"What an estimate never falls below, in bit/s; the default is enough for one voice. Audio is sent in any case."`
	MaxBitrate   int  `yaml:"max_bitrate" min:"300000" max:"1000000000" doc:"What an estimate, and so what is sent to one session, never exceeds, in bit/s."`
}

// Node configures limits and times of the node as a whole.
type Node struct {
	Rooms          int           `yaml:"rooms" min:"1" max:"1000000" doc:"Rooms on the node, of all apps."`
	Sessions       int           `yaml:"sessions" min:"1" max:"1000000" doc:"Sessions on the node, of all apps."`
	OnlyNamedApps  bool          `yaml:"only_named_apps" doc:"Refuse app ids that are not listed under apps."`
	SessionTTL     time.Duration `yaml:"session_ttl" min:"1s" max:"24h" doc:"A session that never connects is closed after this."`
	ReconnectGrace time.Duration `yaml:"reconnect_grace" min:"100ms" max:"24h" doc:"A session whose connection was lost keeps its rooms for this long."`
	ExpiryWarning  time.Duration `yaml:"expiry_warning" min:"100ms" max:"24h" doc:"How long before its end a membership that expires is announced."`
	EventRingCount int           `yaml:"event_ring_count" min:"16" max:"16777216" doc:"Events kept for watchers that come back."`
	EventRingBytes int           `yaml:"event_ring_bytes" min:"65536" max:"4294967296" doc:"Most memory for them, estimated, in bytes."`
	MessageDedup   int           `yaml:"message_dedup" min:"1" max:"1048576" doc:"client_message_id values remembered for each room."`
	Watchers       int           `yaml:"watchers" min:"1" max:"100000" doc:"Event streams at once."`
	Bans           int           `yaml:"bans" min:"1" max:"10000000" doc:"Bans kept at once."`
	TickEvery      time.Duration `yaml:"tick_every" min:"10ms" max:"10s" doc:"How often deadlines are looked at."`
	StopTimeout    time.Duration `yaml:"stop_timeout" min:"100ms" max:"1m" doc:"How long LeaveRoom and the like wait for forwarding to have stopped before they answer DEADLINE_EXCEEDED."`
	RequestIDs     int           `yaml:"request_ids" min:"1" max:"10000000" doc:"request_id values remembered, so that a repeated call gets the first one's answer."`
	RequestBytes   int           `yaml:"request_bytes" min:"65536" max:"4294967296" doc:"Most memory for their answers, estimated, in bytes; an answer larger than an eighth of it is not remembered."`
	RequestIDsFor  time.Duration `yaml:"request_ids_for" min:"1s" max:"24h" doc:"And for how long."`
}

// App configures one app.
type App struct {
	MultiRoom     bool   `yaml:"multi_room" doc:"May open sessions that are in several rooms at once."`
	DuplicateUser string `yaml:"duplicate_user" enum:"replace,reject" doc:"A second session of the same user: replace closes the first, reject refuses the second."`
	StreamIDScope string `yaml:"stream_id_scope" enum:"room,app" doc:"Where a stream id must be unique."`
	LoudestAudio  int    `yaml:"loudest_audio" min:"0" max:"64" doc:"Audio streams of a room that are forwarded at most, the loudest ones. 0: all. SetRoomAudio changes it for one room."`
	Limits        Limits `yaml:"limits" doc:"Limits of the app."`
}

// Limits configures the limits of one app.
type Limits struct {
	RoomsPerUser         int `yaml:"rooms_per_user" min:"1" max:"10000" doc:"Rooms one user is in at once."`
	MembersPerRoom       int `yaml:"members_per_room" min:"1" max:"1000000" doc:"Members of one room."`
	Rooms                int `yaml:"rooms" min:"1" max:"1000000" doc:"Rooms of the app on this node."`
	Sessions             int `yaml:"sessions" min:"1" max:"1000000" doc:"Sessions of the app on this node."`
	StreamsPerUser       int `yaml:"streams_per_user" min:"1" max:"10000" doc:"Streams one user publishes, over all its rooms."`
	SubscriptionsPerUser int `yaml:"subscriptions_per_user" min:"1" max:"100000" doc:"Streams one user plays, over all its rooms."`
	MessageBytes         int `yaml:"message_bytes" min:"1" max:"65536" doc:"Payload of one message, in bytes."`
	BroadcastPerSecond   int `yaml:"broadcast_per_second" min:"1" max:"100000" doc:"BROADCAST messages in a room."`
	BroadcastPerUser     int `yaml:"broadcast_per_user_per_second" min:"1" max:"100000" doc:"BROADCAST messages of one user in a room."`
	BarragePerSecond     int `yaml:"barrage_per_second" min:"1" max:"100000" doc:"BARRAGE messages in a room."`
	CommandPerSecond     int `yaml:"command_per_second" min:"1" max:"100000" doc:"COMMAND messages to one user, in a room."`
	CommandManyPerSecond int `yaml:"command_many_per_second" min:"1" max:"100000" doc:"COMMAND messages to several users, in a room."`
	MetadataBytes        int `yaml:"metadata_bytes" min:"1" max:"1048576" doc:"One metadata value, in bytes."`
	MetadataKeys         int `yaml:"metadata_keys" min:"1" max:"10000" doc:"Metadata keys of one room."`
}

// GRPC configures the control API.
type GRPC struct {
	Address           string        `yaml:"address" kind:"address" doc:"Listens here."`
	TLSCertFile       string        `yaml:"tls_cert_file" kind:"file" doc:"PEM certificate chain. Empty: no TLS. The file is read again on SIGHUP."`
	TLSKeyFile        string        `yaml:"tls_key_file" kind:"file" doc:"Its PEM key. Read again on SIGHUP."`
	ClientCAFile      string        `yaml:"client_ca_file" kind:"file" doc:"PEM certificates that client certificates must be signed by (mTLS). Empty: clients need none. Read again on SIGHUP."`
	AllowedNames      []string      `yaml:"allowed_names" doc:"DNS or URI names (SAN) of client certificates that may call. Empty: every certificate signed by client_ca_file."`
	TokenFile         string        `yaml:"token_file" kind:"file" doc:"File with the bearer tokens that callers may show, one a line. Empty: none is asked for. Read again on SIGHUP."`
	MaxRequestBytes   int           `yaml:"max_request_bytes" min:"16384" max:"67108864" doc:"Largest request, in bytes."`
	MaxReplyBytes     int           `yaml:"max_reply_bytes" min:"65536" max:"1073741824" doc:"Largest reply or event batch, in bytes."`
	MaxStreams        int           `yaml:"max_concurrent_streams" min:"1" max:"100000" doc:"Calls running at once on one connection."`
	MaxConnections    int           `yaml:"max_connections" min:"1" max:"100000" doc:"Connections at once."`
	KeepaliveMinTime  time.Duration `yaml:"keepalive_min_time" min:"1s" max:"1h" doc:"Clients that ping more often are disconnected."`
	KeepaliveTime     time.Duration `yaml:"keepalive_time" min:"1s" max:"24h" doc:"Silence after which the node pings the client."`
	KeepaliveTimeout  time.Duration `yaml:"keepalive_timeout" min:"1s" max:"1h" doc:"How long it waits for the answer."`
	RequestsPerSecond float64       `yaml:"requests_per_second" min:"0" max:"1000000" doc:"Calls of one caller. 0: no limit."`
	RequestBurst      int           `yaml:"request_burst" min:"1" max:"1000000" doc:"Calls of one caller at once, above that."`
	RequestTimeout    time.Duration `yaml:"request_timeout" min:"100ms" max:"10m" doc:"Longest time one call may take, and the deadline of calls without one."`
	Heartbeat         time.Duration `yaml:"heartbeat" min:"100ms" max:"10m" doc:"Time between heartbeats on an event stream with nothing to tell."`
	Reflection        bool          `yaml:"reflection" doc:"Serve gRPC reflection, for grpcurl and the like."`
}

// HTTP configures the port for browsers, health and metrics.
type HTTP struct {
	Address     string `yaml:"address" kind:"address" doc:"Listens here."`
	TLSCertFile string `yaml:"tls_cert_file" kind:"file" doc:"PEM certificate chain. Empty: plain HTTP, over which browsers give a page camera and microphone on localhost only. The file is read again on SIGHUP."`
	TLSKeyFile  string `yaml:"tls_key_file" kind:"file" doc:"Its PEM key. Read again on SIGHUP."`
}

// Tokens configures what clients' tokens are checked with.
type Tokens struct {
	KeyFile string `yaml:"key_file" kind:"file" doc:"File with the keys that tokens are signed with, one a line: app, key id, secret (sfu token key makes one). Empty: the process makes a key that nobody else knows, and that ends with it. Read again on SIGHUP."`
	Demo    bool   `yaml:"demo" doc:"Without key_file, and only then, hand out tokens of the app called demo to pages that are open on this machine, so that the demo page works."`
}

// Signal configures the signaling tier.
type Signal struct {
	Enabled        bool          `yaml:"enabled" doc:"Serve /signal in the node."`
	Address        string        `yaml:"address" kind:"address" doc:"Where sfu signal listens; in the node the tier is on the HTTP port."`
	Nodes          []SignalNode  `yaml:"nodes" doc:"The nodes behind sfu signal. Empty: the one at grpc.address, without TLS. As in [{id: a, address: 'a.internal:7781', tls_ca_file: /etc/sfu/ca.crt, token_file: /etc/sfu/token}]; tls_server_name, tls_cert_file and tls_key_file are for certificates. Tokens and certificates are read again on SIGHUP."`
	MaxClients     int           `yaml:"max_clients" min:"1" max:"1000000" doc:"Connections at once."`
	MaxPerAddress  int           `yaml:"max_per_address" min:"1" max:"1000000" doc:"Connections at once from one IP address that have not shown a token yet."`
	MaxFrameBytes  int           `yaml:"max_frame_bytes" min:"16384" max:"16777216" doc:"Longest frame of a client, in bytes."`
	QueueFrames    int           `yaml:"queue_frames" min:"16" max:"1048576" doc:"Frames that may wait for one client; one that is slower is cut off, and gets everything anew when it comes back."`
	QueueBytes     int           `yaml:"queue_bytes" min:"65536" max:"1073741824" doc:"The same in bytes."`
	Rate           int           `yaml:"requests_per_second" min:"1" max:"100000" doc:"Requests of one client."`
	Burst          int           `yaml:"request_burst" min:"1" max:"100000" doc:"Requests of one client at once, above that."`
	PingInterval   time.Duration `yaml:"ping_interval" min:"100ms" max:"1m" doc:"How often clients are to send something; a connection that is silent for three times as long is closed."`
	HelloTimeout   time.Duration `yaml:"hello_timeout" min:"100ms" max:"5m" doc:"The first frame, with the token, has to come within."`
	RequestTimeout time.Duration `yaml:"request_timeout" min:"100ms" max:"5m" doc:"Longest time that one call to a node may take."`
	AllowedOrigins []string      `yaml:"allowed_origins" doc:"Origins of pages that may connect, as in https://example.org. Empty: any, since a token is needed and nothing is in cookies."`
}

// SignalNode is a node behind a tier that runs alone.
type SignalNode struct {
	ID            string `yaml:"id" doc:"Its name here. Sessions are spread over nodes by it, so it stays when the address changes."`
	Address       string `yaml:"address" kind:"address" doc:"Its control API."`
	TLSCAFile     string `yaml:"tls_ca_file" kind:"file" doc:"PEM certificates that the node's certificate must be signed by. Empty: no TLS."`
	TLSServerName string `yaml:"tls_server_name" doc:"The name in the node's certificate. Empty: the host of address."`
	TLSCertFile   string `yaml:"tls_cert_file" kind:"file" doc:"PEM certificate to show to the node (mTLS). Empty: none."`
	TLSKeyFile    string `yaml:"tls_key_file" kind:"file" doc:"Its PEM key."`
	TokenFile     string `yaml:"token_file" kind:"file" doc:"File with the bearer token to show to the node. Empty: none."`
}

// WHIP configures standard HTTP ingest and playback.
type WHIP struct {
	Enabled        bool          `yaml:"enabled" doc:"Serve /whip/ and /whep/."`
	MaxSessions    int           `yaml:"max_sessions" min:"1" max:"1000000" doc:"Publishers and viewers at once."`
	MaxBodyBytes   int           `yaml:"max_body_bytes" min:"4096" max:"16777216" doc:"Longest body of a request, in bytes."`
	Rate           int           `yaml:"requests_per_second" min:"1" max:"100000" doc:"Requests of one IP address."`
	Burst          int           `yaml:"request_burst" min:"1" max:"100000" doc:"Requests of one IP address at once, above that."`
	SessionTTL     time.Duration `yaml:"session_ttl" min:"0s" max:"24h" doc:"A publisher or viewer that never connects is forgotten after this. 0s: after node.session_ttl."`
	AllowedOrigins []string      `yaml:"allowed_origins" doc:"Origins of pages that may ask (CORS). Empty: any, since a token is needed and nothing is in cookies."`
}

// Admin configures the admin page.
type Admin struct {
	Enabled       bool `yaml:"enabled" doc:"Serve /admin/ and /admin/api/."`
	TokenOnly     bool `yaml:"token_only" doc:"Ask for a token on this machine, too. Set it behind a proxy that runs here: to the node everybody comes from this machine then."`
	AllowMutation bool `yaml:"allow_mutation" doc:"Let it change something: close a room, kick, mute, drain. false: it only looks."`
	MaxStreams    int  `yaml:"max_streams" min:"1" max:"10000" doc:"Event streams at once."`
}

// Pprof configures the profiler.
type Pprof struct {
	Address string `yaml:"address" kind:"address" off:"yes" doc:"Listens here; must be loopback. off: no profiler."`
}

// Memory configures Go's garbage collector.
type Memory struct {
	GCPercent int `yaml:"gc_percent" min:"10" max:"10000" doc:"How much the heap may grow, in percent of what is in use, before garbage is collected: more is less work and more memory. A node makes little garbage, so that 50 costs it next to nothing and keeps it small. The environment variable GOGC goes before it."`
	Limit     int `yaml:"limit_bytes" min:"0" max:"1125899906842624" doc:"From here on garbage is collected as often as it takes to stay below, in bytes. 0: nine tenths of what the control group allows, no limit outside of one. The environment variable GOMEMLIMIT goes before it."`
}

// Log configures logging.
type Log struct {
	Level      string            `yaml:"level" enum:"debug,info,warn,error" reload:"yes" doc:"Least important level that is written."`
	Format     string            `yaml:"format" enum:"auto,text,json" doc:"auto: text on a terminal, JSON otherwise."`
	PionLevel  string            `yaml:"pion_level" enum:"debug,info,warn,error,off" reload:"yes" doc:"The same for pion, the WebRTC library. What it warns of is mostly what clients cause, so its lines have level debug: debug shows them, anything else does not."`
	PionScopes map[string]string `yaml:"pion_scopes" enum:"debug,info,warn,error,off" reload:"yes" doc:"And for parts of pion by name, for example {ice: debug, dtls: off}."`
}
