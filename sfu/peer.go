// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/sdp/v3"
	"github.com/pion/stun/v4"
	"github.com/pion/transport/v5/packetio"
	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
)

const (
	// gatherTimeout bounds the wait for pion's own candidates: with a mux there is nothing to wait for but goroutines.
	gatherTimeout = 2 * time.Second
	// receiveMTU is the largest packet taken off pion, as large as the UDP reader's.
	receiveMTU = 1500
	// sctpMessage is the largest message a client may send on a data channel; none is of use to the node.
	sctpMessage = 16 << 10
	// readBuffer and reportBuffer bound what waits for one stream's readers: a quarter of a second of 8 Mbit/s video. A
	// client can have as many as undeclaredSSRCs says that nobody reads.
	readBuffer   = 256 << 10
	reportBuffer = 16 << 10
	// undeclaredSSRCs is how many SSRCs a client may use beyond those of its lines before its session is ended: pion
	// keeps state for every one that decrypts.
	undeclaredSSRCs = 64
)

// peerMaker makes pion PeerConnections. This file and no other knows how pion is set up. Immutable.
type peerMaker struct {
	cfg        *Config
	logs       *pionLogs
	transports *transports
	media      *webrtc.MediaEngine // copied by pion for every PeerConnection
	cert       webrtc.Certificate
}

func newPeerMaker(cfg *Config, logs *pionLogs, t *transports) (*peerMaker, error) {
	m := &peerMaker{cfg: cfg, logs: logs, transports: t}
	var err error
	if m.media, err = newMediaEngine(); err != nil {
		return nil, fmt.Errorf("codecs: %w", err)
	}
	if cfg.Certificate == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("DTLS key: %w", err)
		}
		made, err := webrtc.GenerateCertificate(key)
		if err != nil {
			return nil, fmt.Errorf("DTLS certificate: %w", err)
		}
		m.cert = *made

		return m, nil
	}
	if len(cfg.Certificate.Certificate) == 0 {
		return nil, errors.New("the DTLS certificate is empty")
	}
	leaf, err := x509.ParseCertificate(cfg.Certificate.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("DTLS certificate: %w", err)
	}
	m.cert = webrtc.CertificateFromX509(cfg.Certificate.PrivateKey, leaf)

	return m, nil
}

// peerEvents is what a peer tells its session, each on a goroutine of pion's.
type peerEvents struct {
	state   func()
	track   func(*webrtc.TrackRemote, *webrtc.RTPReceiver)
	channel func(*webrtc.DataChannel)
	check   func(from string) bool // a STUN check of the client with valid credentials, from that address; true: send there from now on; must not block
	chosen  func(to string)        // ICE sends to that address from now on; must not block
	flood   func()                 // the client uses more SSRCs than any honest one; must not block
	probe   func(seq uint16)       // transport-wide number of a packet without media; must not block
}

// peer is one PeerConnection. Its methods belong to the session's loop unless they say otherwise.
type peer struct {
	pc     *webrtc.PeerConnection
	lite   bool
	placed map[string]*slot // slots that have got an m-line, by mid
	shown  map[string]line  // every line that pion was ever offered, by mid
	spare  []*slot          // slots whose offer failed before they got one, in the order pion has them
}

func (m *peerMaker) newPeer(passive bool, ssrcs *ssrcCounter, events peerEvents) (*peer, error) {
	s := m.settings(passive, ssrcs, events)
	registry := &interceptor.Registry{}
	registry.Add(probeFactory{events.probe})
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m.media), webrtc.WithSettingEngine(s), webrtc.WithInterceptorRegistry(registry))
	pc, err := api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{m.cert}, BundlePolicy: webrtc.BundlePolicyMaxBundle,
		RTPHeaderEncryptionPolicy: webrtc.RTPHeaderEncryptionPolicyDisable,
	})
	if err != nil {
		return nil, err
	}
	pc.OnConnectionStateChange(func(webrtc.PeerConnectionState) { events.state() })
	pc.OnTrack(events.track)
	pc.SCTP().Transport().ICETransport().OnSelectedCandidatePairChange(func(p *webrtc.ICECandidatePair) {
		if p != nil && p.Remote != nil {
			events.chosen(addressText(p.Remote.Address, int(p.Remote.Port)))
		}
	})
	pc.OnDataChannel(events.channel)

	return &peer{pc: pc, lite: !m.cfg.FullICE, placed: make(map[string]*slot), shown: make(map[string]line)}, nil
}

func (m *peerMaker) settings(passive bool, ssrcs *ssrcCounter, events peerEvents) webrtc.SettingEngine {
	s := webrtc.SettingEngine{LoggerFactory: srtpLogs{m.logs, m.transports.socket}}
	s.SetLite(!m.cfg.FullICE)
	s.SetNet(m.transports.net)
	s.SetICEUDPMux(m.transports.udp)
	types := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
	if m.transports.tcp != nil {
		s.SetICETCPMux(m.transports.tcp)
		s.SetIncludeLoopbackCandidate(true) // or a connection that comes in on loopback finds nobody
		types = append(types, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
	}
	s.SetNetworkTypes(types)
	s.DisableActiveTCP(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	// Never failed: pion's agent forgets its candidates then, and a client whose checks come back after an outage would
	// find nobody. The router decides when a lost session ends.
	s.SetICETimeouts(m.cfg.ConsentTimeout, 0, 2*time.Second)
	s.SetICEBindingRequestHandler(func(_ *stun.Message, _, remote ice.Candidate, _ *ice.CandidatePair) bool {
		return events.check(addressText(remote.Address(), remote.Port()))
	})
	// As DTLS server we answer "passive": the server chooses the SRTP profile, and pion's takes the first of its own list
	// that the client has too. So GCM wins whenever it is offered; as the client we would get what the browser prefers.
	if !passive {
		_ = s.SetAnsweringDTLSRole(webrtc.DTLSRoleServer) // fails for no role but auto
	}
	s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	// ICE has proven the client's address already, so a cookie exchange would only cost a round trip.
	s.SetDTLSInsecureSkipHelloVerify(true)
	s.SetFireOnTrackBeforeFirstRTP(true)
	s.SetReceiveMTU(receiveMTU)
	s.SetSCTPMaxMessageSize(sctpMessage)
	s.SetSCTPMaxReceiveBufferSize(4 * sctpMessage)
	s.BufferFactory = func(kind packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser {
		if ssrcs.add(ssrc) {
			events.flood()
		}
		if kind == packetio.RTCPBufferPacket {
			return newReadBuffer(reportBuffer)
		}

		return newReadBuffer(readBuffer)
	}

	return s
}

func addressText(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// answerTo takes a normalized offer. The slots stand for the recvonly lines that are new in it, in order; they must be
// added before pion looks at the offer, or it would make transceivers without senders for those lines.
func (p *peer) answerTo(normal string, slots []*slot, mids []string) (webrtc.SessionDescription, *sdp.SessionDescription, error) {
	var none webrtc.SessionDescription
	for _, s := range slots {
		if s.transceiver != nil {
			continue
		}
		t, err := p.pc.AddTransceiverFromTrack(s, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return none, nil, err
		}
		s.transceiver = t
		p.spare = append(p.spare, s)
	}
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: normal}); err != nil {
		return none, nil, err
	}
	for i, s := range slots {
		// pion gives lines to fitting transceivers in the order these were added, and promises nothing.
		if got := s.transceiver.Mid(); got != mids[i] {
			return none, nil, fmt.Errorf("%w: the slot for mid %q was put on mid %q", errMisplaced, mids[i], got)
		}
		s.place(mids[i])
		p.placed[mids[i]] = s
	}
	p.keepSpare()
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return none, nil, err
	}
	var parsed sdp.SessionDescription
	if err := parsed.UnmarshalString(answer.SDP); err != nil {
		return none, nil, err
	}

	return answer, &parsed, nil
}

var errMisplaced = errors.New("pion chose another m-line")

func (p *peer) keepSpare() {
	kept := p.spare[:0]
	for _, s := range p.spare {
		if s.transceiver.Mid() == "" {
			kept = append(kept, s)
		}
	}
	p.spare = kept
}

// slotFor returns a slot that an earlier, failed offer left behind for this line, or for any line.
func (p *peer) slotFor(mid string, kind router.Kind) *slot {
	if s := p.placed[mid]; s != nil && s.kind == kind {
		return s
	}
	for i, s := range p.spare {
		if s.kind == kind {
			p.spare = append(p.spare[:i:i], p.spare[i+1:]...)

			return s
		}
	}

	return nil
}

// commit makes an answer current: slots get their write streams, transports start, and the session listens.
func (p *peer) commit(answer webrtc.SessionDescription) error {
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(answer); err != nil {
		return err
	}
	timer := time.NewTimer(gatherTimeout)
	defer timer.Stop()
	select {
	case <-gathered:
		return nil
	case <-timer.C:
		return errGather
	}
}

var errGather = errors.New("pion did not finish gathering in time")

// settle brings pion out of an offer that was not answered to the client. pion knows no rollback of remote offers, so the
// offer is answered after all, just to nobody. Its new lines stay with pion; see agrees.
func (p *peer) settle() error {
	if p.pc.SignalingState() == webrtc.SignalingStateStable {
		return nil
	}
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return err
	}

	return p.commit(answer)
}

// agrees says whether lines are of the kind and role that pion has seen them in, in an offer that failed maybe. Which
// way a transceiver works cannot be changed.
func (p *peer) agrees(lines []line) error {
	for i, l := range lines {
		if was, ok := p.shown[l.mid]; ok && (was.kind != l.kind || was.role != l.role && was.role != roleNone) {
			return badLine(i, l.mid, "was offered with another kind or direction before, in an offer that failed; use another mid")
		}
	}
	for _, l := range lines {
		p.shown[l.mid] = l
	}

	return nil
}

// addCandidate hands a client's candidate to pion; of use with full ICE only.
func (p *peer) addCandidate(c Candidate) error {
	if p.lite {
		return nil
	}
	init := webrtc.ICECandidateInit{Candidate: c.Candidate, SDPMid: &c.Mid, SDPMLineIndex: &c.MLineIndex}
	if c.UsernameFragment != "" {
		init.UsernameFragment = &c.UsernameFragment
	}

	return p.pc.AddICECandidate(init)
}

// writeRTCP sends a compound packet. Any goroutine; the buffer is not kept.
func (p *peer) writeRTCP(buf []byte) error {
	raw := rtcp.RawPacket(buf)

	return p.pc.WriteRTCP([]rtcp.Packet{&raw})
}

// profile names the SRTP profile in use, "" before DTLS is done. pion tells it in its statistics only.
func (p *peer) profile() string {
	for _, stats := range p.pc.GetStats() {
		if t, ok := stats.(webrtc.TransportStats); ok {
			return strings.TrimPrefix(t.SRTPCipher, "SRTP_")
		}
	}

	return ""
}

// close ends the connection and waits for pion's goroutines. Not to be called from one of them.
func (p *peer) close() { _ = p.pc.GracefulClose() }

// secure reports whether the DTLS handshake is done.
func (p *peer) secure() bool {
	return p.pc.SCTP().Transport().State() == webrtc.DTLSTransportStateConnected
}

// paired reports whether ICE has a pair to send on.
func (p *peer) paired() bool {
	switch p.pc.ICEConnectionState() {
	case webrtc.ICEConnectionStateConnected, webrtc.ICEConnectionStateCompleted, webrtc.ICEConnectionStateDisconnected:
		return true
	case webrtc.ICEConnectionStateUnknown, webrtc.ICEConnectionStateNew, webrtc.ICEConnectionStateChecking,
		webrtc.ICEConnectionStateFailed, webrtc.ICEConnectionStateClosed:
	}

	return false
}
