// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	"github.com/pion/sctp"
	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/proto"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// bareClient is a session whose client is no PeerConnection but the layers below one, to send what none would.
func bareClient(c *call, user string) (id string, association *sctp.Association) {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.must(err)
	cert, err := webrtc.GenerateCertificate(key)
	c.must(err)
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{Certificates: []webrtc.Certificate{*cert}})
	c.must(err)
	defer func() { _ = pc.Close() }()
	_, err = pc.CreateDataChannel("sfu", nil)
	c.must(err)
	offer, err := pc.CreateOffer(nil)
	c.must(err)
	s := signIn(c.t, c.API, user, multi)
	reply, err := c.Session.Negotiate(c.ctx, &sfuv1.NegotiateRequest{SessionId: s.id, OfferSdp: offer.SDP, OfferId: 1})
	c.must(err)
	answer := reply.GetAnswerSdp()

	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	c.must(err)
	c.t.Cleanup(func() { _ = conn.Close() })
	node := net.UDPAddrFromAddrPort(c.Media())
	_, err = conn.WriteTo(check(c.t, ufragOf(answer)+":"+ufragOf(offer.SDP), passwordLine.FindStringSubmatch(answer)[1], 1), node)
	c.must(err)
	c.must(conn.SetReadDeadline(time.Now().Add(patience)))
	_, _, err = conn.ReadFrom(make([]byte, 2048))
	c.must(err)
	c.must(conn.SetReadDeadline(time.Time{}))
	pem, err := cert.PEM()
	c.must(err)
	pair, err := tls.X509KeyPair([]byte(pem[:strings.Index(pem, "-----BEGIN PRIVATE")]), []byte(pem[strings.Index(pem, "-----BEGIN PRIVATE"):]))
	c.must(err)
	secure, err := dtls.ClientWithOptions(conn, node,
		dtls.WithCertificates(pair), dtls.WithInsecureSkipVerify(true), dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM))
	c.must(err)
	c.t.Cleanup(func() { _ = secure.Close() })
	c.must(secure.HandshakeContext(c.ctx))
	association, err = sctp.ClientWithOptions(sctp.Config{NetConn: secure, LoggerFactory: logging.NewDefaultLoggerFactory()})
	c.must(err)
	c.t.Cleanup(func() { _ = association.Close() })
	return s.id, association
}

// dcepOpen is the message that opens a reliable channel without a label (RFC 8832, section 5.1).
var dcepOpen = []byte{3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

// TestHostileAssociation: messages of kinds that nobody has defined, openings that are none, messages as long as may be, and
// more channels than anybody needs. The last costs the client its session; nothing costs anybody else anything.
func TestHostileAssociation(t *testing.T) {
	t.Parallel()
	c := newCall(t, nil)
	w := watch(t, c.API, &sfuv1.WatchEventsRequest{})
	id, association := bareClient(c, "eve")
	await(t, w, "eve connected", stateEvent(id, sfuv1.SessionState_SESSION_STATE_CONNECTED))
	over := false // the association may be
	write := func(stream uint16, kind sctp.PayloadProtocolIdentifier, body []byte) {
		s, err := association.OpenStream(stream, kind)
		if over && err != nil {
			return
		}
		c.must(err)
		_, _ = s.WriteSCTP(body, kind) // a stream that the node has reset takes no more
	}
	stream := uint16(0)
	for _, body := range [][]byte{{}, {3}, {2}, {255, 1, 2, 3}, {3, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255}, {3, 7, 0, 0, 0, 0, 0, 0, 0, 200, 0, 0, 'x'}, make([]byte, 1000)} {
		write(stream, sctp.PayloadTypeWebRTCDCEP, body)
		stream += 2
	}
	c.advance(100 * time.Millisecond)
	write(stream, sctp.PayloadTypeWebRTCDCEP, dcepOpen)
	for _, kind := range []sctp.PayloadProtocolIdentifier{0, 1, 46, 49, 50, 52, 54, 57, 58, 1 << 16, 1<<32 - 1} {
		write(stream, kind, []byte("what is this"))
	}
	for _, size := range []int{0, 1, 16 << 10, 60_000} {
		write(stream, sctp.PayloadTypeWebRTCBinary, make([]byte, size))
	}
	c.advance(300 * time.Millisecond)
	c.verify()

	id, association = bareClient(c, "fay")
	over = true
	for range 100 {
		stream += 2
		write(stream, sctp.PayloadTypeWebRTCDCEP, dcepOpen)
	}
	closed := await(t, w, "the end of fay's session", stateEvent(id, sfuv1.SessionState_SESSION_STATE_CLOSED))
	if got := closed.GetSessionState().GetReason(); got != sfuv1.EndReason_END_REASON_MEDIA_FAILED {
		t.Errorf("it ended by %v", got)
	}
	c.advance(100 * time.Millisecond)
	c.verify()
}

// TestStuckChannel: one client's data channel takes nothing any more. What is sent to the room comes to the others, and what it
// misses is bounded and counted.
func TestStuckChannel(t *testing.T) {
	t.Parallel()
	c := newCall(t, func(c *sfu.Config, _ *control.Config) { c.ChannelBuffer = 16 << 10 })
	link := c.link(sfutest.Shape{}, sfutest.Shape{})
	people := c.enter([]string{"eve", "fay"}, func(name string) cast {
		how := cast{audio: 1, config: sfutest.ClientConfig{DataChannel: true}}
		if name == "eve" {
			how.config.Link = link
		}
		return how
	})
	fay := people["fay"]
	for _, p := range people {
		c.join(p, "room")
	}
	texts := func(p *person, of string) (n int) {
		for _, m := range p.Messages() {
			if strings.Contains(m, of) {
				n++
			}
		}
		return n
	}
	setLimits(t, c.API, &sfuv1.Limits{Messages: &sfuv1.MessageLimits{CommandToManyPerSecond: proto.Uint32(100_000)}})
	for _, p := range people {
		if !sfutest.Eventually(c.ctx, func() bool {
			send(t, c.API, serverCommand("room", "hello"))
			return texts(p, "hello") > 0
		}) {
			t.Fatalf("%s was told nothing", p.User)
		}
	}
	link.Set(sfutest.Shape{}, sfutest.Shape{Blackhole: true}) // it still asks for media, and reads nothing
	dropped := c.SFU.Load().MessagesDropped
	const most = 400
	sent := 0
	for ; sent < most && c.SFU.Load().MessagesDropped == dropped; sent++ {
		send(t, c.API, serverCommand("room", "flood "+strings.Repeat("x", 900)))
		if !sfutest.Eventually(c.ctx, func() bool { return texts(fay, "flood ") > sent }) {
			t.Fatalf("fay got %d messages of %d", texts(fay, "flood "), sent+1)
		}
	}
	if sent == most {
		t.Errorf("%d messages wait for a channel that takes none", sent)
	}
	c.advance(100 * time.Millisecond)
	c.verify()
}
