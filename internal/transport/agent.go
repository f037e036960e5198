// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
)

const (
	// keepalive is how often a full agent asks for consent (RFC 7675), and how often any looks at its timeouts.
	keepalive = 2 * time.Second
	// liteCheck is how often a lite agent without a pair looks around: it sends no checks, so there is nothing to hurry for.
	liteCheck = 2 * time.Second
	// component is RTP's: RTCP shares it (RFC 8834, section 4.5).
	component = 1
)

// newAgent makes the ICE agent. Candidates are put in by hand, for gathering would take goroutines and list interfaces to
// find what is known: the mux's address.
func (t *Transport) newAgent(local Credentials) (*ice.Agent, error) {
	m := t.maker
	types := []ice.NetworkType{ice.NetworkTypeUDP4, ice.NetworkTypeUDP6}
	if m.cfg.TCP != nil {
		types = append(types, ice.NetworkTypeTCP4, ice.NetworkTypeTCP6)
	}
	disconnected := m.cfg.ConsentTimeout
	if m.cfg.Lite {
		disconnected = 0 // never: most checks do not come to a lite agent (see answerer), and consent is the owner's to judge
	}
	options := []ice.AgentOption{
		ice.WithICELite(m.cfg.Lite),
		ice.WithCandidateTypes([]ice.CandidateType{ice.CandidateTypeHost}),
		ice.WithNetworkTypes(types),
		ice.WithNet(m.net),
		ice.WithInterfaceFilter(func(string) bool { return false }), // none is looked at
		ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled),
		ice.WithDisableActiveTCP(),
		ice.WithLoggerFactory(m.cfg.Loggers),
		ice.WithLocalCredentials(local.Ufrag, local.Pwd),
		ice.WithDisconnectedTimeout(disconnected),
		// Never failed: pion's agent forgets its candidates then, and a client whose checks come back after an outage would
		// find nobody. The owner decides when a lost session ends.
		ice.WithFailedTimeout(0),
		ice.WithKeepaliveInterval(keepalive),
		ice.WithBindingRequestHandler(t.onCheck),
	}
	if m.cfg.Lite {
		options = append(options, ice.WithCheckInterval(liteCheck))
	}
	agent, err := ice.NewAgentWithOptions(options...)
	if err != nil {
		return nil, fmt.Errorf("transport: ICE agent: %w", err)
	}
	if err := agent.OnConnectionStateChange(t.onICEState); err != nil {
		return nil, err
	}
	if err := agent.OnSelectedCandidatePairChange(t.onSelected); err != nil {
		return nil, err
	}

	return agent, nil
}

// listen gives the agent its candidates of one generation.
func (t *Transport) listen(ufrag string) error {
	m := t.maker
	t.openMux(ufrag)
	for _, local := range m.local {
		conn, err := m.cfg.Mux.GetConn(ufrag, local)
		if err != nil {
			return fmt.Errorf("transport: %w", err)
		}
		if c, ok := conn.(agentConn); ok {
			conn = followingConn{c, t}
		}
		if err := t.addLocal("udp", local.IP, local.Port, conn); err != nil {
			return err
		}
	}
	for _, ip := range m.localTCP {
		if err := t.listenTCP(ufrag, ip); err != nil {
			return err
		}
	}

	return nil
}

func (t *Transport) addLocal(network string, ip net.IP, port int, conn net.PacketConn) error {
	cfg := &ice.CandidateHostConfig{
		Network: network, Address: candidateIP(ip).String(), Port: port, Component: component,
		IsLocationTracked: true, // it is not told to anybody: clients get theirs from the owner's list
	}
	if network == "tcp" {
		cfg.TCPType = ice.TCPTypePassive
	}
	c, err := ice.NewCandidateHost(cfg)
	if err == nil {
		err = t.agent.AddVirtualCandidate(c, conn)
	}
	if err != nil {
		_ = conn.Close()

		return fmt.Errorf("transport: candidate: %w", err)
	}

	return nil
}

// candidateIP stands in for an unspecified address, which is none of a candidate.
func candidateIP(ip net.IP) net.IP {
	switch {
	case !ip.IsUnspecified():
		return ip
	case ip.To4() != nil:
		return net.IPv4(127, 0, 0, 1)
	}

	return net.IPv6loopback
}

// onCheck is called by the agent's goroutine for each check with valid credentials.
func (t *Transport) onCheck(request *stun.Message, local, remote ice.Candidate, _ *ice.CandidatePair) bool {
	from, ok := candidateAddr(remote)
	if !ok {
		return false
	}
	move := t.handler.HandleCheck(from)
	t.learn(request, local, remote, from, move)

	return move
}

func candidateAddr(c ice.Candidate) (netip.AddrPort, bool) {
	ip, err := netip.ParseAddr(c.Address())
	if err != nil {
		return netip.AddrPort{}, false
	}

	return netip.AddrPortFrom(ip.Unmap(), uint16(c.Port())), true
}

// onICEState is called by a notifier's goroutine, one call after the other.
func (t *Transport) onICEState(state ice.ConnectionState) {
	paired := state == ice.ConnectionStateConnected || state == ice.ConnectionStateCompleted ||
		state == ice.ConnectionStateDisconnected
	changed := t.paired.Swap(paired) != paired
	if paired {
		t.beginDTLS()
	}
	if changed {
		t.handler.HandleState()
	}
}

// addRemote tells the agent of a client's candidate.
func (t *Transport) addRemote(attribute string) error {
	attribute = strings.TrimPrefix(strings.TrimPrefix(attribute, "a="), "candidate:")
	if attribute == "" {
		return nil // the end of candidates: an agent that takes checks from anywhere has no use for it
	}
	c, err := ice.UnmarshalCandidate(attribute)
	if errors.Is(err, ice.ErrUnknownCandidateTyp) || errors.Is(err, ice.ErrDetermineNetworkType) {
		return nil // of a kind that may be known one day (RFC 8839, section 5.1): ignored
	}
	if err != nil {
		return fmt.Errorf("transport: candidate: %w", err)
	}

	return t.agent.AddRemoteCandidate(c)
}
