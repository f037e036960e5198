// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/internal/udpmux"
)

// asker is a client that does nothing but ask.
type asker struct {
	t      testing.TB
	n      *node
	tr     *Transport
	local  Credentials // the node's
	remote Credentials
	conn   *net.UDPConn
	from   netip.AddrPort
}

func newAsker(t testing.TB, n *node, o *owner) *asker {
	t.Helper()
	a := &asker{t: t, n: n, local: NewCredentials(), remote: NewCredentials()}
	a.tr = n.transport(o, a.local, false)
	if err := a.tr.Start(Remote{Credentials: a.remote, Fingerprint: n.maker.Fingerprint()}); err != nil {
		t.Fatal(err)
	}
	a.rebind()

	return a
}

// rebind gives the client another address.
func (a *asker) rebind() {
	a.conn = loopback(a.t)
	a.t.Cleanup(func() { _ = a.conn.Close() })
	a.from = netip.MustParseAddrPort(a.conn.LocalAddr().String())
}

func (a *asker) username() string { return a.local.Ufrag + ":" + a.remote.Ufrag }

func (a *asker) check(more ...stun.Setter) []byte {
	return usual(a.t, a.username(), a.local.Pwd, more...)
}

func (a *asker) send(b []byte) {
	a.t.Helper()
	if _, err := a.conn.WriteToUDPAddrPort(b, a.n.mux.LocalAddr().AddrPort()); err != nil {
		a.t.Fatal(err)
	}
}

// next gives the next response, which has to be a right one.
func (a *asker) next() *stun.Message {
	a.t.Helper()
	buf := make([]byte, 2000)
	for {
		_ = a.conn.SetReadDeadline(time.Now().Add(patience))
		n, _, err := a.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			a.t.Fatal(err)
		}
		m := &stun.Message{Raw: buf[:n]}
		if !stun.IsMessage(buf[:n]) {
			continue // DTLS
		}
		var mapped stun.XORMappedAddress
		if err := errors.Join(m.Decode(), stun.Fingerprint.Check(m), stun.NewShortTermIntegrity(a.local.Pwd).Check(m), mapped.GetFrom(m)); err != nil {
			a.t.Fatal(err)
		}
		if m.Type != stun.BindingSuccess || mapped.IP.String() != a.from.Addr().String() || mapped.Port != int(a.from.Port()) {
			a.t.Fatalf("%v, for %v", m.Type, mapped)
		}

		return m
	}
}

// ask has a check answered; true: where it was read.
func (a *asker) ask(b []byte) bool {
	a.t.Helper()
	before := a.answered()
	a.send(b)
	if got := a.next(); !bytes.Equal(got.TransactionID[:], b[8:stunHeader]) {
		a.t.Fatal("an answer to something else")
	}

	return a.answered() > before
}

func (a *asker) answered() uint64 { return a.n.mux.Stats().Answered }

// connect nominates a pair, and asks until the agent is not needed for that.
func (a *asker) connect() {
	a.t.Helper()
	a.ask(a.check(ice.UseCandidate()))
	for range 10_000 { // the agent answers before it tells
		if a.ask(a.check()) {
			return
		}
	}
	a.t.Fatal("all is left to the agent")
}

// refused sees that a datagram is not answered by anybody, and by what it was counted (Drops: the agent has thrown it away).
func (a *asker) refused(b []byte, reason udpmux.Drop) {
	a.t.Helper()
	before, answered := a.n.mux.Stats().Drops, a.answered()
	a.send(b)
	if a.ask(a.check(raw{0x7ffe, []byte{1}})) { // through the agent, behind it
		a.t.Error("what is not understood was answered")
	}
	after := a.n.mux.Stats().Drops
	if a.answered() != answered {
		a.t.Error("it was answered")
	}
	for i := range after {
		want := before[i]
		if i == int(reason) {
			want++
		}
		if after[i] != want {
			a.t.Errorf("drops for reason %d: %d, want %d", i, after[i], want)
		}
	}
	if !a.ask(a.check()) {
		a.t.Error("the next good one was not answered")
	}
}

// TestAnswer asks as connected clients do, and otherwise.
func TestAnswer(t *testing.T) {
	t.Parallel()
	checks := make(chan netip.AddrPort, 1)
	o := newOwner()
	o.move = func(from netip.AddrPort) bool {
		select {
		case checks <- from:
		default:
		}

		return false
	}
	a := newAsker(t, newNode(t, nil), o)
	a.connect()
	<-checks
	again := a.check()
	for _, b := range [][]byte{a.check(), a.check(ice.UseCandidate()), a.check(raw{0xc057, []byte{1, 2, 3, 4}}), again, again} {
		for len(checks) > 0 {
			<-checks
		}
		if !a.ask(b) {
			t.Error("left to the agent")
		}
		if from := <-checks; from != a.from {
			t.Errorf("the owner was told of %v", from)
		}
	}
	for _, b := range [][]byte{
		a.check(raw{ice.DefaultNominationAttribute, []byte{0, 0, 0, 1}}),
		build(t, stun.NewUsername(a.username()), stun.NewShortTermIntegrity(a.local.Pwd)),
	} {
		if a.ask(b) {
			t.Error("not left to the agent")
		}
	}
	broken := a.check()
	broken[len(broken)-1] ^= 1
	tampered := a.check()
	tampered[len(tampered)-stunTail-1] ^= 1 // of the priority
	reseal(tampered)
	a.refused(usual(t, a.username(), a.remote.Pwd), udpmux.DropForged)
	a.refused(tampered, udpmux.DropForged)
	a.refused(broken, udpmux.DropSTUN)
	a.refused(a.check()[:60], udpmux.DropSTUN)
	a.refused(usual(t, a.local.Ufrag+":other", a.local.Pwd), udpmux.Drops)
	a.refused(usual(t, "other:"+a.remote.Ufrag, a.local.Pwd), udpmux.DropUfrag)
	a.refused(build(t, stun.NewUsername(a.username()), stun.Fingerprint), udpmux.Drops)
	other := *a
	other.rebind()
	before := a.n.mux.Stats().Drops[udpmux.DropRepeated]
	other.send(again)
	if other.ask(other.check()) {
		t.Error("another address was answered without the agent")
	}
	if got := a.n.mux.Stats().Drops[udpmux.DropRepeated]; got != before+1 {
		t.Errorf("%d copies were dropped, want %d", got, before+1)
	}
}

// reseal makes the fingerprint right again.
func reseal(b []byte) {
	m := &stun.Message{Raw: bytes.Clone(b[:len(b)-8])}
	m.Length = uint32(len(m.Raw) - stunHeader)
	_ = stun.Fingerprint.AddTo(m)
	copy(b, m.Raw)
	copy(b[2:4], []byte{byte((len(b) - stunHeader) >> 8), byte(len(b) - stunHeader)})
}

// TestAnswerFollows moves the client, by its owner's leave and by nomination: only the chosen address is answered without the
// agent.
func TestAnswerFollows(t *testing.T) {
	t.Parallel()
	o := newOwner()
	var follow atomic.Pointer[netip.AddrPort]
	o.move = func(from netip.AddrPort) bool {
		to := follow.Load()

		return to != nil && *to == from
	}
	a := newAsker(t, newNode(t, nil), o)
	a.connect()
	old := *a
	a.rebind()
	first, second := a.ask(a.check()), a.ask(a.check())
	if first || second || !old.ask(old.check()) {
		t.Fatal("the agent did not choose that")
	}
	follow.Store(&a.from)
	for i := 0; !a.ask(a.check()); i++ {
		if i == 10_000 {
			t.Fatal("the agent has chosen the new address, and goes on answering")
		}
	}
	follow.Store(nil)
	if old.ask(old.check()) || !a.ask(a.check()) {
		t.Error("the old address is answered still")
	}
	old.connect() // nominates
	if a.ask(a.check()) || !old.ask(old.check()) {
		t.Error("the address before the last is answered still")
	}
}

// TestAnswerRestart changes credentials: the old ones are worth nothing, the new ones are the agent's until it has a pair.
func TestAnswerRestart(t *testing.T) {
	t.Parallel()
	o := newOwner()
	a := newAsker(t, newNode(t, nil), o)
	a.connect()
	for range 3 {
		before := *a
		a.local, a.remote = NewCredentials(), NewCredentials()
		if err := a.tr.Restart(a.local, Remote{Credentials: a.remote, Fingerprint: a.n.maker.Fingerprint()}); err != nil {
			t.Fatal(err)
		}
		if first, second := a.ask(a.check()), a.ask(a.check()); first || second {
			t.Error("answered before the agent had a pair")
		}
		if a.tr.Paired() {
			t.Error("a pair was taken that nobody nominated")
		}
		a.connect()
		a.refused(before.check(), udpmux.DropUfrag)
		mixed := *a
		mixed.local.Pwd = before.local.Pwd
		a.refused(mixed.check(), udpmux.DropForged)
	}
}

// TestAnswerNot leaves all to the agent where it has to see all.
func TestAnswerNot(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"plain lane": func(c *Config) { c.PlainLane = true },
		"full ICE":   func(c *Config) { c.Lite = false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, change)
			o := newOwner()
			var checks atomic.Int32
			seen := make(chan struct{}, 1)
			o.move = func(netip.AddrPort) bool {
				if checks.Add(1) == 5 {
					seen <- struct{}{}
				}

				return false
			}
			p := newPeer(t, peerOptions{change: func(s *webrtc.SettingEngine) { s.SetICETimeouts(time.Minute, time.Minute, 50*time.Millisecond) }})
			tr := connect(t, n, p, o)
			upward(t, p, o, 1)
			select {
			case <-seen:
			case <-time.After(patience):
				t.Fatal("no checks")
			}
			if n.mux.Stats().Answered != 0 || tr.answers.known.Load() != nil {
				t.Error("checks were answered without the agent")
			}
		})
	}
}

// TestAnswerPeer has pion's agent ask, and media flow, with few of its checks seen by ours.
func TestAnswerPeer(t *testing.T) {
	t.Parallel()
	n := newNode(t, func(c *Config) { c.ConsentTimeout = 100 * time.Millisecond })
	o := newOwner()
	p := newPeer(t, peerOptions{change: func(s *webrtc.SettingEngine) { s.SetICETimeouts(time.Minute, time.Minute, 10*time.Millisecond) }})
	tr := connect(t, n, p, o)
	upward(t, p, o, 1)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n.mux.Stats().Answered < 20 {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("%d checks were answered", n.mux.Stats().Answered)
		}
	}
	pair, err := p.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		t.Fatal(pair, err)
	}
	if !tr.Paired() || n.mux.Stats().Drops[udpmux.DropForged] != 0 {
		t.Error("the pair is gone, or checks were refused")
	}
	upward(t, p, o, 2)
	downward(t, n, tr.Writer(0), p, 3)
}

// TestAnswerClose closes amid checks: the owner hears of none afterwards.
func TestAnswerClose(t *testing.T) {
	t.Parallel()
	for range 20 {
		o := newOwner()
		var closed, late atomic.Bool
		o.move = func(netip.AddrPort) bool {
			if closed.Load() {
				late.Store(true)
			}

			return false
		}
		a := newAsker(t, newNode(t, nil), o)
		a.connect()
		b, done := a.check(), make(chan struct{})
		var out [udpmux.AnswerSize]byte
		go func() {
			defer close(done)
			for !closed.Load() {
				a.tr.Answer(out[:], b, a.from)
			}
		}()
		a.tr.Close()
		closed.Store(true)
		<-done
		if _, verdict := a.tr.Answer(out[:], b, a.from); verdict != udpmux.VerdictPass || late.Load() {
			t.Fatalf("verdict %v after the end, the owner was told: %v", verdict, late.Load())
		}
	}
}

// TestSettle has agents that were settled at any time look at few moments only.
func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every = liteCheck / agentPhases
		var all [40]answers
		var mu sync.Mutex // guards the next two
		looks, moments := 0, make(map[time.Duration]bool)
		look := func() {
			mu.Lock()
			defer mu.Unlock()
			looks++
			now := time.Now()
			at := now.Sub(now.Truncate(liteCheck))
			moments[at] = true
			if at%every != 0 {
				t.Errorf("one looks at %v", at)
			}
		}
		tick := time.NewTicker(73 * time.Millisecond)
		defer tick.Stop()
		for i := range all {
			all[i].settle(look)
			<-tick.C
		}
		all[0].settle(look) // again, for another address
		all[1].settle(look)
		all[1].settle(look)
		all[1].stop()
		all[1].settle(look)
		all[2].stop()
		<-time.After(2 * liteCheck)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if looks != len(all)+1 || len(moments) != agentPhases {
			t.Errorf("%d have looked, at %d moments", looks, len(moments))
		}
	})
}

// TestAnswerAllocatesNothing counts for good checks and forged ones.
func TestAnswerAllocatesNothing(t *testing.T) {
	a := newAsker(t, newNode(t, nil), newOwner())
	a.connect()
	var out [udpmux.AnswerSize]byte
	for name, c := range map[string]struct {
		b    []byte
		want udpmux.Verdict
	}{
		"good":   {a.check(), udpmux.VerdictAnswer},
		"forged": {usual(t, a.username(), "x"), udpmux.VerdictForged},
		"other":  {usual(t, "x:y", "x"), udpmux.VerdictPass},
	} {
		if n := testing.AllocsPerRun(1000, func() {
			if _, verdict := a.tr.Answer(out[:], c.b, a.from); verdict != c.want {
				t.Errorf("%s: verdict %v", name, verdict)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// BenchmarkAnswer is the reader's work on one check, without system calls.
func BenchmarkAnswer(b *testing.B) {
	a := newAsker(b, newNode(b, nil), newOwner())
	a.connect()
	var out [udpmux.AnswerSize]byte
	for name, request := range map[string][]byte{"good": a.check(), "forged": usual(b, a.username(), "x"), "other": usual(b, "x:y", "x")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a.tr.Answer(out[:], request, a.from)
			}
		})
	}
}

// BenchmarkCheck is a check's way from socket to socket, and back.
func BenchmarkCheck(b *testing.B) {
	for name, plain := range map[string]bool{"reader": false, "agent": true} {
		b.Run(name, func(b *testing.B) {
			a := newAsker(b, newNode(b, func(c *Config) { c.PlainLane = plain }), newOwner())
			a.ask(a.check(ice.UseCandidate()))
			request, buf := a.check(), make([]byte, 2000)
			_ = a.conn.SetReadDeadline(time.Time{})
			b.ReportAllocs()
			cpu := spent()
			for b.Loop() {
				a.send(request)
				_, _, _ = a.conn.ReadFromUDPAddrPort(buf)
			}
			b.ReportMetric(float64(spent()-cpu)/float64(b.N), "cpu-ns/op")
		})
	}
}
