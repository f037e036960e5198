// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/logging"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc"

	"github.com/switchyard-media/sfu/internal/sfutest/media"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// API is the node's gRPC surface, as a signaling tier sees it.
type API struct {
	Session      sfuv1.SessionServiceClient
	Room         sfuv1.RoomServiceClient
	Stream       sfuv1.StreamServiceClient
	Subscription sfuv1.SubscriptionServiceClient
	Message      sfuv1.MessageServiceClient
	Event        sfuv1.EventServiceClient
	Node         sfuv1.NodeServiceClient
}

// NewAPI makes the clients of all services.
func NewAPI(conn grpc.ClientConnInterface) *API {
	return &API{
		Session: sfuv1.NewSessionServiceClient(conn), Room: sfuv1.NewRoomServiceClient(conn),
		Stream: sfuv1.NewStreamServiceClient(conn), Subscription: sfuv1.NewSubscriptionServiceClient(conn),
		Message: sfuv1.NewMessageServiceClient(conn), Event: sfuv1.NewEventServiceClient(conn),
		Node: sfuv1.NewNodeServiceClient(conn),
	}
}

// ClientConfig of a Client. API, Ledger and User are required.
type ClientConfig struct {
	API    *API
	Ledger *Ledger
	App    string // default "demo"
	User   string
	Name   string         // default: User
	Mode   sfuv1.RoomMode // default MULTI

	Link        *Link          // the client reaches the node through it
	Conn        net.PacketConn // used for ICE instead of sockets, for in-memory networks
	DataChannel bool           // open the node's data channel
	Lean        bool           // offer Opus and VP8 only: a fraction of the SDP and its cost, for tests with many clients
	Keepalive   time.Duration  // time between the client's consent checks; default 2 s
}

// Client is one user: one session and one PeerConnection. Its methods that talk to the node return gRPC errors as they are.
// One goroutine at a time calls them; what is received is collected on others and read through the methods of Receiver.
type Client struct {
	*API
	User, Name string
	ID         string // session id
	Epoch      uint64
	Receiver   // what came in

	config  ClientConfig
	ledger  *Ledger
	pc      *webrtc.PeerConnection
	sources []*Source
	offerID uint64
	channel *webrtc.DataChannel
	mux     ice.UDPMux
	working sync.WaitGroup // goroutines of the sources

	mu     sync.Mutex // guards askers
	askers []*asker
}

// NewClient creates the session and the PeerConnection; nothing is offered yet.
func NewClient(ctx context.Context, config ClientConfig) (*Client, error) {
	if config.App == "" {
		config.App = "demo"
	}
	if config.Name == "" {
		config.Name = config.User
	}
	if config.Mode == sfuv1.RoomMode_ROOM_MODE_UNSPECIFIED {
		config.Mode = sfuv1.RoomMode_ROOM_MODE_MULTI
	}
	c := &Client{API: config.API, User: config.User, Name: config.Name, config: config, ledger: config.Ledger}
	c.Receiver.init(config.Ledger)
	reply, err := c.Session.CreateSession(ctx, &sfuv1.CreateSessionRequest{
		AppId: config.App, User: &sfuv1.User{Id: config.User, Name: config.Name}, RoomMode: config.Mode,
	})
	if err != nil {
		return nil, err
	}
	c.ID, c.Epoch = reply.GetSession().GetId(), reply.GetSession().GetEpoch()
	if err := c.connect(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Client) connect() error {
	engine, interceptors := &webrtc.MediaEngine{}, &interceptor.Registry{}
	if err := c.register(engine, interceptors); err != nil {
		return err
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(interceptors), webrtc.WithSettingEngine(c.settings()))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return err
	}
	c.pc = pc
	pc.OnTrack(c.track)
	pc.OnConnectionStateChange(c.Receiver.state)
	if c.config.DataChannel {
		protocol := "sfu.v1"
		c.channel, err = pc.CreateDataChannel("sfu", &webrtc.DataChannelInit{Protocol: &protocol})
		if err != nil {
			return err
		}
		c.channel.OnMessage(func(m webrtc.DataChannelMessage) { c.Receiver.message(string(m.Data)) })
	}
	return nil
}

// register sets up codecs and feedback as pion's defaults are, but for what asks for lost packets: see asker.
func (c *Client) register(engine *webrtc.MediaEngine, interceptors *interceptor.Registry) error {
	codecs := engine.RegisterDefaultCodecs
	if c.config.Lean {
		codecs = func() error { return registerLean(engine) }
	}
	if err := codecs(); err != nil {
		return err
	}
	if !c.config.Lean {
		if err := engine.RegisterCodec(red, webrtc.RTPCodecTypeAudio); err != nil {
			return err
		}
	}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if err := engine.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: absCaptureTime}, kind); err != nil {
			return err
		}
	}
	level := webrtc.RTPHeaderExtensionCapability{URI: sdp.AudioLevelURI}
	if err := engine.RegisterHeaderExtension(level, webrtc.RTPCodecTypeAudio); err != nil {
		return err
	}
	engine.RegisterFeedback(webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBNACK}, webrtc.RTPCodecTypeVideo)
	engine.RegisterFeedback(webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBNACK, Parameter: "pli"}, webrtc.RTPCodecTypeVideo)
	responder, err := nack.NewResponderInterceptor()
	if err != nil {
		return err
	}
	interceptors.Add(responder)
	if err := webrtc.ConfigureRTCPReports(interceptors); err != nil {
		return err
	}
	if err := webrtc.ConfigureSimulcastExtensionHeaders(engine); err != nil {
		return err
	}
	return webrtc.ConfigureTWCCSender(engine, interceptors)
}

// red is redundant Opus (RFC 2198) as browsers offer it: two blocks of payload type 111.
var red = webrtc.RTPCodecParameters{PayloadType: 63, RTPCodecCapability: webrtc.RTPCodecCapability{
	MimeType: media.CodecRED.MimeType(), ClockRate: 48000, Channels: 2, SDPFmtpLine: "111/111",
}}

// registerLean registers Opus, and VP8 with retransmissions, under the payload types that browsers use.
func registerLean(engine *webrtc.MediaEngine) error {
	opus := webrtc.RTPCodecParameters{PayloadType: 111, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
	}}
	if err := engine.RegisterCodec(opus, webrtc.RTPCodecTypeAudio); err != nil {
		return err
	}
	vp8 := webrtc.RTPCodecParameters{PayloadType: 96, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeVP8, ClockRate: 90000,
		RTCPFeedback: []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBCCM, Parameter: "fir"}},
	}}
	if err := engine.RegisterCodec(vp8, webrtc.RTPCodecTypeVideo); err != nil {
		return err
	}
	return engine.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 97, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: "apt=96",
	}}, webrtc.RTPCodecTypeVideo)
}

func (c *Client) settings() webrtc.SettingEngine {
	var settings webrtc.SettingEngine
	settings.LoggerFactory = quiet{}
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	if c.config.Keepalive != 0 {
		settings.SetICETimeouts(5*time.Second, 25*time.Second, c.config.Keepalive)
	}
	if c.config.Conn != nil {
		c.mux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: c.config.Conn, Logger: quiet{}.NewLogger("ice")})
		settings.SetICEUDPMux(c.mux)
		return settings
	}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	return settings
}

// track reads a track to its end, on a goroutine of pion's.
func (c *Client) track(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	mid := ""
	for _, t := range c.pc.GetTransceivers() {
		if t.Receiver() == receiver {
			mid = t.Mid()
		}
	}
	var again *asker
	if track.Kind() == webrtc.RTPCodecTypeVideo {
		again = newAsker(c.pc, uint32(track.SSRC()))
		c.mu.Lock()
		c.askers = append(c.askers, again)
		c.mu.Unlock()
	}
	c.Receiver.read(mid, track, receiver, again)
}

// MediaStream is the id of the stream that a received line's track belongs to, as the node's answer names it; empty for a line
// that receives nothing.
func (c *Client) MediaStream(mid string) string {
	for _, t := range c.pc.GetTransceivers() {
		if t.Mid() != mid || t.Receiver() == nil || t.Receiver().Track() == nil {
			continue
		}
		return t.Receiver().Track().StreamID()
	}
	return ""
}

// AddSlots adds recvonly lines. They take effect with the next Negotiate.
func (c *Client) AddSlots(audio, video int) error {
	add := func(kind webrtc.RTPCodecType, n int) error {
		for range n {
			_, err := c.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := add(webrtc.RTPCodecTypeAudio, audio); err != nil {
		return err
	}
	return add(webrtc.RTPCodecTypeVideo, video)
}

// Negotiate offers what was added, and waits until the transport is connected, and the data channel, if there is one, has brought
// what the node tells first.
func (c *Client) Negotiate(ctx context.Context) (*sfuv1.NegotiateResponse, error) {
	return c.negotiate(ctx, nil)
}

// Restart negotiates with an ICE restart, and waits until the new checks have found a way.
func (c *Client) Restart(ctx context.Context) (*sfuv1.NegotiateResponse, error) {
	reply, err := c.negotiate(ctx, &webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		return nil, err
	}
	up := func() bool {
		s := c.pc.ICEConnectionState()
		return s == webrtc.ICEConnectionStateConnected || s == webrtc.ICEConnectionStateCompleted
	}
	if !Eventually(ctx, up) {
		return nil, fmt.Errorf("%s after an ICE restart: %w", c.User, ctx.Err())
	}
	return reply, nil
}

func (c *Client) negotiate(ctx context.Context, options *webrtc.OfferOptions) (*sfuv1.NegotiateResponse, error) {
	offer, err := c.Offer(options)
	if err != nil {
		return nil, err
	}
	c.offerID++
	reply, err := c.Session.Negotiate(ctx, &sfuv1.NegotiateRequest{SessionId: c.ID, SessionEpoch: c.Epoch, OfferSdp: offer, OfferId: c.offerID})
	if err != nil {
		return nil, err
	}
	if err := c.Answer(reply.GetAnswerSdp()); err != nil {
		return nil, err
	}
	if err := c.Receiver.Wait(ctx, "a connection", func() bool { return c.Receiver.connected }); err != nil || c.channel == nil {
		return reply, err
	}
	return reply, c.Receiver.Wait(ctx, "the data channel", func() bool { return len(c.Receiver.messages) > 0 })
}

// Offer makes an offer with all candidates and sets it locally.
func (c *Client) Offer(options *webrtc.OfferOptions) (string, error) {
	offer, err := c.pc.CreateOffer(options)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(offer); err != nil {
		return "", err
	}
	<-gathered
	return c.pc.LocalDescription().SDP, nil
}

var candidateLine = regexp.MustCompile(`(?m)^a=candidate:(\S+) (\d+) (\S+) (\d+) (\S+) (\d+) (.*)$`)

// Answer sets the node's answer, with the link's address in place of the node's when the client has a link.
func (c *Client) Answer(sdp string) error {
	if c.config.Link != nil {
		sdp = throughLink(sdp, c.config.Link.Addr())
	}
	return c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp})
}

// throughLink keeps the UDP candidates only, and points them at the link.
func throughLink(sdp string, link netip.AddrPort) string {
	return candidateLine.ReplaceAllStringFunc(sdp, func(line string) string {
		f := candidateLine.FindStringSubmatch(line)
		port := link.Port()
		if !strings.EqualFold(f[3], "udp") {
			port = 9 // nobody there
		}
		return fmt.Sprintf("a=candidate:%s %s %s %s %s %d %s", f[1], f[2], f[3], f[4], link.Addr(), port, f[7])
	})
}

// Join joins a room with default grants.
func (c *Client) Join(ctx context.Context, room string) (*sfuv1.JoinRoomResponse, error) {
	return c.Room.JoinRoom(ctx, &sfuv1.JoinRoomRequest{SessionId: c.ID, RoomId: room})
}

// Leave leaves a room.
func (c *Client) Leave(ctx context.Context, room string) (*sfuv1.LeaveRoomResponse, error) {
	return c.Room.LeaveRoom(ctx, &sfuv1.LeaveRoomRequest{SessionId: c.ID, RoomId: room})
}

// Publish announces sources as a stream; either may be nil.
func (c *Client) Publish(ctx context.Context, room, stream string, audio, video *Source) (*sfuv1.Stream, error) {
	request := &sfuv1.PublishRequest{SessionId: c.ID, RoomId: room, StreamId: stream}
	if audio != nil {
		request.AudioMid = audio.Mid()
	}
	if video != nil {
		request.VideoMid = video.Mid()
	}
	reply, err := c.Stream.Publish(ctx, request)
	return reply.GetStream(), err
}

// Subscribe wishes for both kinds of a stream.
func (c *Client) Subscribe(ctx context.Context, room, stream string) (*sfuv1.Subscription, error) {
	return c.SubscribeKinds(ctx, room, stream, true, true)
}

// SubscribeKinds wishes for some kinds of a stream.
func (c *Client) SubscribeKinds(ctx context.Context, room, stream string, audio, video bool) (*sfuv1.Subscription, error) {
	reply, err := c.Subscription.Subscribe(ctx, &sfuv1.SubscribeRequest{
		SessionId: c.ID, RoomId: room, StreamId: stream, Audio: audio, Video: video,
	})
	return reply.GetSubscription(), err
}

// SDPSize is the size of the last answer in bytes.
func (c *Client) SDPSize() int { return len(c.pc.RemoteDescription().SDP) }

// PeerConnection of the client, for what has no method here.
func (c *Client) PeerConnection() *webrtc.PeerConnection { return c.pc }

// Remote is the address that the node sends this client's media to; it is known once the client is connected.
func (c *Client) Remote() (netip.AddrPort, error) {
	if c.config.Link != nil {
		return c.config.Link.NodeSide(), nil
	}
	for _, t := range c.pc.GetTransceivers() {
		var transport *webrtc.DTLSTransport
		if r := t.Receiver(); r != nil {
			transport = r.Transport()
		} else if s := t.Sender(); s != nil {
			transport = s.Transport()
		}
		if transport == nil {
			continue
		}
		pair, err := transport.ICETransport().GetSelectedCandidatePair()
		if err != nil || pair == nil {
			return netip.AddrPort{}, fmt.Errorf("%s: no candidate pair: %w", c.User, err)
		}
		return netip.ParseAddrPort(net.JoinHostPort(pair.Local.Address, fmt.Sprint(pair.Local.Port)))
	}
	return netip.AddrPort{}, fmt.Errorf("%s: %w", c.User, webrtc.ErrConnectionClosed)
}

var stampExtension = regexp.MustCompile(`(?m)^a=extmap:(\d+)\S* ` + regexp.QuoteMeta(absCaptureTime))

// StampID is the header extension id under which stamps come to this client, 0 before Negotiate.
func (c *Client) StampID() uint8 {
	remote := c.pc.RemoteDescription()
	if remote == nil {
		return 0
	}
	f := stampExtension.FindStringSubmatch(remote.SDP)
	if f == nil {
		return 0
	}
	id, err := strconv.ParseUint(f[1], 10, 8)
	if err != nil {
		return 0
	}
	return uint8(id)
}

// Close stops the sources and the PeerConnection, and waits for all their goroutines. The session ends on the node when
// CloseSession says so, or by loss of consent.
func (c *Client) Close() {
	for _, s := range c.sources {
		s.Stop()
	}
	c.mu.Lock()
	for _, a := range c.askers {
		a.stop()
	}
	c.mu.Unlock()
	_ = c.pc.GracefulClose()
	if c.mux != nil {
		_ = c.mux.Close()
	}
	c.working.Wait()
	c.Receiver.readers.Wait()
}

// Media adds one Opus and one VP8 source.
func (c *Client) Media() (audio, video *Source, err error) {
	if audio, err = c.AddSource(media.CodecOpus); err != nil {
		return nil, nil, err
	}
	video, err = c.AddSource(media.CodecVP8)
	return audio, video, err
}

// quiet discards pion's logs: a client that is closed under load complains a lot.
type quiet struct{}

// NewLogger implements logging.LoggerFactory.
func (quiet) NewLogger(string) logging.LeveledLogger { return &logging.DefaultLeveledLogger{} }
