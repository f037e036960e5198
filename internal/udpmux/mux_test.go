// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/pion/ice/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ ice.UDPMux = (*Mux)(nil)

var _ ice.AddrPortReaderWriter = (*conn)(nil)

const nodePwd = "nodepwdnodepwdnodepwd1234"

// ends are two agents that have connected.
type ends struct {
	node, client    *ice.Agent
	nodeEnd, remote net.Conn
}

func agent(t *testing.T, options ...ice.AgentOption) *ice.Agent {
	t.Helper()
	a, err := ice.NewAgentWithOptions(append(options, ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled), ice.WithCandidateTypes([]ice.CandidateType{ice.CandidateTypeHost}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.GracefulClose(); err != nil {
			t.Error(err)
		}
	})

	return a
}

// gather waits for an agent's candidates.
func gather(t *testing.T, a *ice.Agent) []ice.Candidate {
	t.Helper()
	done := make(chan struct{})
	if err := a.OnCandidate(func(c ice.Candidate) {
		if c == nil {
			close(done)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := a.GatherCandidates(); err != nil {
		t.Fatal(err)
	}
	<-done
	list, err := a.GetLocalCandidates()
	if err != nil {
		t.Fatal(err)
	}

	return list
}

// connect makes an agent over a Mux and one over sockets of its own, and connects them.
func connect(t *testing.T, m *Mux, ufrag, ip string, lite bool, network ice.NetworkType) *ends {
	t.Helper()
	networks := ice.WithNetworkTypes([]ice.NetworkType{network})
	e := &ends{node: agent(t, ice.WithUDPMux(m), ice.WithICELite(lite), networks, ice.WithLocalCredentials(ufrag, nodePwd))}
	if network == ice.NetworkTypeUDP6 { // pion gathers no IPv6 loopback by itself
		e.client = agent(t, networks, ice.WithUDPMux(open(t, Config{Address: "[" + ip + "]:0"})))
	} else {
		e.client = agent(t, networks, ice.WithIncludeLoopback(), ice.WithIPFilter(func(a net.IP) bool { return a.String() == ip }))
	}
	gather(t, e.node)
	candidate, err := ice.NewCandidateHost(&ice.CandidateHostConfig{Network: "udp", Address: ip, Port: m.LocalAddr().Port, Component: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range gather(t, e.client) {
		if err := e.node.AddRemoteCandidate(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.client.AddRemoteCandidate(candidate); err != nil {
		t.Fatal(err)
	}
	clientUfrag, clientPwd, err := e.client.GetLocalUserCredentials()
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := e.node.Accept(context.Background(), clientUfrag, clientPwd)
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	if e.remote, err = e.client.Dial(context.Background(), ufrag, nodePwd); err != nil {
		t.Fatal(err)
	}
	e.nodeEnd = <-accepted

	return e
}

// address is the client's.
func (e *ends) address(t *testing.T) netip.AddrPort {
	t.Helper()
	pair, err := e.client.GetSelectedCandidatePair()
	if err != nil {
		t.Fatal(err)
	}

	return netip.AddrPortFrom(netip.MustParseAddr(pair.Local.Address()), uint16(pair.Local.Port()))
}

func send(t *testing.T, c net.Conn, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, c net.Conn, want []byte) {
	t.Helper()
	buf := make([]byte, MaxDatagram)
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != string(want) {
		t.Fatalf("%x, %v, want %x", buf[:n], err, want)
	}
}

// exchange sends media and DTLS both ways.
func (e *ends) exchange(t *testing.T, m *Mux, sink *collector, n int) {
	t.Helper()
	send(t, e.remote, media(500, n))
	if numbers := sink.wait(t, n+1); numbers[n] != n {
		t.Errorf("media %v", numbers)
	}
	record := dtlsRecord(23, 1, []byte("application data"))
	send(t, e.remote, record)
	receive(t, e.nodeEnd, record)
	send(t, e.nodeEnd, record)
	receive(t, e.remote, record)
	b, packet := m.Batch(0), media(700, n)
	copy(b.Reserve(e.address(t), len(packet)), packet)
	b.Commit(len(packet))
	b.Flush()
	receive(t, e.remote, packet)
	if err := m.WriteTo(packet, e.address(t)); err != nil {
		t.Error(err)
	}
	receive(t, e.remote, packet)
}

// TestAgents connects clients' agents with ones over a Mux, in every mode, with lite and full ICE.
func TestAgents(t *testing.T) {
	for _, mode := range modes {
		for name, lite := range map[string]bool{"lite": true, "full": false} {
			t.Run(mode.name+"/"+name, func(t *testing.T) {
				cfg := mode.config(t)
				if cfg.Address == ":0" {
					return // its agents gather what Listen says: see TestAgentsOfBothFamilies
				}
				m := open(t, cfg)
				for i := range 2 {
					sink := newCollector()
					ufrag := fmt.Sprint("ufrag", i)
					m.Open(ufrag, sink)
					e := connect(t, m, ufrag, "127.0.0.1", lite, ice.NetworkTypeUDP4)
					e.exchange(t, m, sink, 0)
				}
				if drops := m.Stats().Drops; drops != (Stats{}).Drops {
					t.Errorf("drops %v", drops)
				}
			})
		}
	}
}

// TestAgentsOfBothFamilies has clients of IPv4 and of IPv6 on one port.
func TestAgentsOfBothFamilies(t *testing.T) {
	m := open(t, Config{Address: "[::]:0", Sockets: 2, Listen: []net.Addr{
		&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.UDPAddr{IP: net.IPv6loopback}, // port 0: the Mux's
	}})
	for i, c := range []struct {
		ip      string
		network ice.NetworkType
	}{{"127.0.0.1", ice.NetworkTypeUDP4}, {"::1", ice.NetworkTypeUDP6}} {
		for name, lite := range map[string]bool{"lite": true, "full": false} {
			t.Run(c.ip+"/"+name, func(t *testing.T) {
				sink, ufrag := newCollector(), fmt.Sprint("ufrag", name, i)
				m.Open(ufrag, sink)
				e := connect(t, m, ufrag, c.ip, lite, c.network)
				e.exchange(t, m, sink, 0)
				if e.address(t).Addr() != netip.MustParseAddr(c.ip) {
					t.Errorf("client at %v", e.address(t))
				}
			})
		}
	}
}

// TestAgentsRestart restarts ICE: media goes on all the while, and then goes with the new ufrag.
func TestAgentsRestart(t *testing.T) {
	m := open(t, Config{Address: "127.0.0.1:0"})
	sink := newCollector()
	m.Open("first", sink)
	e := connect(t, m, "first", "127.0.0.1", true, ice.NetworkTypeUDP4)
	e.exchange(t, m, sink, 0)
	at := e.address(t)
	m.Open("second", sink)
	if err := e.node.Restart("second", nodePwd); err != nil {
		t.Fatal(err)
	}
	wantOwner(t, m, at, "second")
	if m.generationOf("first") != nil {
		t.Error("the old ufrag is still there")
	}
	m.take(m.sockets[0], media(500, 1), at) // the client knows of nothing yet
	sink.wait(t, 2)
	gather(t, e.node)
	if err := e.client.Restart("client", nodePwd); err != nil {
		t.Fatal(err)
	}
	gather(t, e.client)
	restarted := make(chan struct{}, 8)
	if err := e.client.OnConnectionStateChange(func(s ice.ConnectionState) {
		if s == ice.ConnectionStateConnected {
			restarted <- struct{}{}
		}
	}); err != nil {
		t.Fatal(err)
	}
	candidate, err := ice.NewCandidateHost(&ice.CandidateHostConfig{Network: "udp", Address: "127.0.0.1", Port: m.LocalAddr().Port, Component: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		e.node.SetRemoteCredentials("client", nodePwd), e.client.SetRemoteCredentials("second", nodePwd), e.client.AddRemoteCandidate(candidate),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	<-restarted
	wantOwner(t, m, e.address(t), "second")
	e.exchange(t, m, sink, 2)
	if err := e.node.GracefulClose(); err != nil {
		t.Error(err)
	}
	if m.Forget("second"); m.addresses.size != 0 || len(m.ufrags) != 0 {
		t.Errorf("%d addresses and %d ufrags are left", m.addresses.size, len(m.ufrags))
	}
}
