// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/datachannel"
	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

func tcpParams(t testing.TB) ice.TCPMuxParams {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	return ice.TCPMuxParams{
		Listener: listener, Logger: quiet().NewLogger("tcp"), ReadBufferSize: 32, WriteBufferSize: 64 << 10,
		FirstStunBindTimeout: 5 * time.Second, AliveDurationForConnFromStun: 5 * time.Second,
	}
}

func TestTCP(t *testing.T) {
	t.Parallel()
	for name, mux := range map[string]func(ice.TCPMuxParams) ice.TCPMux{
		"pion's": func(p ice.TCPMuxParams) ice.TCPMux { return ice.NewTCPMuxDefault(p) },
		"ours":   func(p ice.TCPMuxParams) ice.TCPMux { return NewTCPMux(p) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, func(cfg *Config) { cfg.TCP = mux(tcpParams(t)) })
			o := newOwner()
			p := newPeer(t, peerOptions{change: func(s *webrtc.SettingEngine) {
				s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
			}})
			tr := connect(t, n, p, o)
			upward(t, p, o, 1)
			downward(t, n, tr.Writer(0), p, 2)
			if r := tr.route.Load(); r == nil || r.direct {
				t.Error("media does not go over TCP")
			}
			if out := n.mux.Stats().Out; out != 0 {
				t.Errorf("%d datagrams went over UDP", out)
			}
			if err := tr.WriteRTCP([]byte{0x80, 201, 0, 1, 0, 0, 0, 7}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestChannel(t *testing.T) {
	t.Parallel()
	for name, plain := range map[string]bool{"direct": false, "plain": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, func(cfg *Config) { cfg.PlainLane = plain })
			o := newOwner()
			o.channel = func(c *datachannel.DataChannel) {
				buf := make([]byte, 64<<10)
				for {
					size, text, err := c.ReadDataChannel(buf)
					if err != nil {
						return
					}
					if _, err := c.WriteDataChannel(buf[:size], text); err != nil {
						return
					}
				}
			}
			p := newPeer(t, peerOptions{})
			channel, err := p.pc.CreateDataChannel("sfu", nil)
			if err != nil {
				t.Fatal(err)
			}
			large := strings.Repeat("x", 20_000)
			echo, sent := make(chan string, 8), []string{"one", "", large}
			channel.OnOpen(func() {
				for _, s := range sent {
					_ = channel.SendText(s)
				}
			})
			channel.OnMessage(func(m webrtc.DataChannelMessage) { echo <- string(m.Data) })
			tr := connect(t, n, p, o)
			upward(t, p, o, 1) // the client has tried SCTP already: nobody reads it, and nothing stops for that
			tr.AcceptChannels(32 << 10)
			for _, want := range sent {
				select {
				case got := <-echo:
					if got != want {
						t.Fatalf("echo of %d bytes, want %d", len(got), len(want))
					}
				case <-time.After(patience):
					t.Fatal("no echo")
				}
			}
			upward(t, p, o, 2)
			downward(t, n, tr.Writer(0), p, 3)
		})
	}
}

func TestWrongFingerprint(t *testing.T) {
	t.Parallel()
	for name, role := range map[string]webrtc.DTLSRole{"server": webrtc.DTLSRoleClient, "client": webrtc.DTLSRoleServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, nil)
			o := newOwner()
			p := newPeer(t, peerOptions{role: role})
			local := NewCredentials()
			offer, remote := p.offer(false)
			tr := n.transport(o, local, role == webrtc.DTLSRoleServer)
			remote.Fingerprint = n.maker.Fingerprint() // somebody else's
			if err := tr.Start(remote); err != nil {
				t.Fatal(err)
			}
			p.answer(offer, n, local)
			o.await(t, func() bool { return tr.State() >= StateSecure })
			if s := tr.State(); s != StateFailed {
				t.Errorf("state is %v", s)
			}
			if tr.Profile() != "" || tr.Writer(0).Reserve(100) != nil {
				t.Error("there are keys")
			}
			tr.Close()
			if s := tr.State(); s != StateFailed {
				t.Errorf("state became %v after it was final", s)
			}
		})
	}
}

func TestGoodbye(t *testing.T) {
	t.Parallel()
	for name, role := range map[string]webrtc.DTLSRole{"server": webrtc.DTLSRoleClient, "client": webrtc.DTLSRoleServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, nil)
			o := newOwner()
			p := newPeer(t, peerOptions{role: role})
			tr := connect(t, n, p, o)
			upward(t, p, o, 1) // it is done with the handshake too, else it does not say goodbye
			_ = p.pc.GracefulClose()
			o.await(t, func() bool { return tr.State() > StateSecure })
			tr.Close()
			o.states.Lock()
			defer o.states.Unlock()
			if want := []State{StateNew, StateConnecting, StateSecure, StateClosed}; !slices.Equal(o.states.seen, want) && !slices.Equal(o.states.seen, want[1:]) {
				t.Errorf("states %v, want %v", o.states.seen, want)
			}
		})
	}
}

// TestClose sees the client told, by close_notify.
func TestClose(t *testing.T) {
	t.Parallel()
	n := newNode(t, nil)
	o := newOwner()
	p := newPeer(t, peerOptions{})
	gone, once := make(chan struct{}), sync.Once{}
	p.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateClosed {
			once.Do(func() { close(gone) })
		}
	})
	tr := connect(t, n, p, o)
	w := tr.Writer(0)
	upward(t, p, o, 1)
	tr.Close()
	tr.Close()
	if s := tr.State(); s != StateClosed {
		t.Errorf("state is %v", s)
	}
	if w.Reserve(100) != nil || w.Commit() == nil || tr.WriteRTCP(make([]byte, 8)) == nil {
		t.Error("a closed transport sends")
	}
	if tr.Start(Remote{Fingerprint: n.maker.Fingerprint()}) == nil {
		t.Error("a closed transport starts")
	}
	select {
	case <-gone:
	case <-time.After(patience):
		t.Error("the client was not told")
	}
}

// TestCloseAnytime closes transports in every state that they come through.
func TestCloseAnytime(t *testing.T) {
	t.Parallel()
	n := newNode(t, nil)
	for i := range 12 {
		o := newOwner()
		p := newPeer(t, peerOptions{})
		local := NewCredentials()
		offer, remote := p.offer(false)
		tr := n.transport(o, local, i%2 == 1)
		if i >= 2 {
			if err := tr.Start(remote); err != nil {
				t.Fatal(err)
			}
			p.role = []webrtc.DTLSRole{webrtc.DTLSRoleClient, webrtc.DTLSRoleServer}[i%2]
			p.answer(offer, n, local)
		}
		if i >= 4 {
			o.await(t, func() bool { return tr.State() >= StateConnecting })
		}
		if i >= 8 {
			o.await(t, func() bool { return tr.State() >= StateSecure })
		}
		tr.Close()
		if s := tr.State(); s != StateClosed {
			t.Errorf("state is %v", s)
		}
		_ = p.pc.Close()
	}
}

// TestRestart restarts ICE amid media.
func TestRestart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ plain, full, tcp bool }{
		"direct": {}, "plain": {plain: true}, "full": {full: true}, "TCP": {tcp: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, func(cfg *Config) {
				cfg.PlainLane, cfg.Lite = c.plain, !c.full
				if c.tcp {
					cfg.TCP = NewTCPMux(tcpParams(t))
				}
			})
			o := newOwner()
			p := newPeer(t, peerOptions{change: func(s *webrtc.SettingEngine) {
				if c.tcp {
					s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
				}
			}})
			tr := connect(t, n, p, o)
			upward(t, p, o, 1)
			<-o.chosen
			if !c.plain && !c.tcp { // the client does not know yet
				if err := tr.Restart(NewCredentials(), p.remote); err != nil {
					t.Fatal(err)
				}
				upward(t, p, o, 2)
				downward(t, n, tr.Writer(0), p, 3)
				if tr.Paired() {
					t.Error("the old pair is still there")
				}
			}
			offer, remote := p.offer(true)
			local := NewCredentials()
			if err := tr.Restart(local, remote); err != nil {
				t.Fatal(err)
			}
			if (c.plain || c.tcp) && tr.Writer(0).Reserve(100) != nil {
				t.Error("a shard would ask the agent for a pair, which has none")
			}
			p.answer(offer, n, local)
			select {
			case <-o.chosen:
			case <-time.After(patience):
				t.Fatal("no new pair")
			}
			upward(t, p, o, 4)
			downward(t, n, tr.Writer(0), p, 5)
			remote.Fingerprint = n.maker.Fingerprint()
			if err := tr.Restart(NewCredentials(), remote); err == nil {
				t.Error("another certificate was taken")
			}
			if s := tr.State(); s != StateSecure {
				t.Errorf("state is %v", s)
			}
		})
	}
}
