// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package udpmux

import (
	"context"
	"net"
	"testing"

	"github.com/pion/ice/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sinkOf hands out copies of what it takes.
type sinkOf chan string

func (s sinkOf) HandleMedia(b []byte) {
	select {
	case s <- string(b):
	default:
	}
}

// agent makes a pion agent.
func agent(t *testing.T, options ...ice.AgentOption) *ice.Agent {
	t.Helper()
	a, err := ice.NewAgentWithOptions(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.GracefulClose(); err != nil {
			t.Error(err)
		}
	})
	if err := a.OnCandidate(func(ice.Candidate) {}); err != nil {
		t.Fatal(err)
	}

	return a
}

// gathered waits for an agent's candidates.
func gathered(t *testing.T, a *ice.Agent) []ice.Candidate {
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

// TestAgents connects a client's agent with one over a Mux.
func TestAgents(t *testing.T) {
	m, err := New(Config{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	sink := make(sinkOf, 64)
	m.Open("nodefrag", sink)
	const pwd = "nodepwdnodepwdnodepwd1234"
	node := agent(t, ice.WithUDPMux(m), ice.WithICELite(true), ice.WithCandidateTypes([]ice.CandidateType{ice.CandidateTypeHost}), ice.WithNetworkTypes([]ice.NetworkType{ice.NetworkTypeUDP4}),
		ice.WithLocalCredentials("nodefrag", pwd), ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled))
	gathered(t, node)
	client := agent(t, ice.WithNetworkTypes([]ice.NetworkType{ice.NetworkTypeUDP4}), ice.WithIncludeLoopback(), ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled))
	gathered(t, client)
	ufrag, clientPwd, err := client.GetLocalUserCredentials()
	if err != nil {
		t.Fatal(err)
	}
	c, err := ice.NewCandidateHost(&ice.CandidateHostConfig{Network: "udp", Address: m.LocalAddr().IP.String(), Port: m.LocalAddr().Port, Component: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.AddRemoteCandidate(c); err != nil {
		t.Fatal(err)
	}
	ends := make(chan net.Conn, 1)
	go func() {
		conn, err := node.Accept(context.Background(), ufrag, clientPwd)
		if err != nil {
			t.Error(err)
		}
		ends <- conn
	}()
	out, err := client.Dial(context.Background(), "nodefrag", pwd)
	if err != nil {
		t.Fatal(err)
	}
	in := <-ends
	rtp := append([]byte{128, 96}, "a packet of media"...)
	if _, err := out.Write(rtp); err != nil {
		t.Fatal(err)
	}
	if got := <-sink; got != string(rtp) {
		t.Errorf("got %q", got)
	}
	record := append([]byte{23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 4}, "data"...)
	if _, err := out.Write(record); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, MaxDatagram)
	n, err := in.Read(buf)
	if err != nil || string(buf[:n]) != string(record) {
		t.Errorf("got %q, %v", buf[:n], err)
	}
	pair, err := node.GetSelectedCandidatePair()
	if err != nil {
		t.Fatal(err)
	}
	to := (&net.UDPAddr{IP: net.ParseIP(pair.Remote.Address()), Port: pair.Remote.Port()}).AddrPort()
	b := m.Batch(0)
	copy(b.Reserve(to, len(rtp)), rtp)
	b.Commit(len(rtp))
	b.Flush()
	if n, err = out.Read(buf); err != nil || string(buf[:n]) != string(rtp) {
		t.Errorf("got %q, %v", buf[:n], err)
	}
}
