// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	"github.com/switchyard-media/sfu/sfu"
)

// roads counts the media that leaves the node, by where it goes.
type roads struct {
	mu    sync.Mutex // guards all below
	sent  map[netip.AddrPort]int
	twice int // packets that went to more than one address, or more than once
	moves int // changes of where an SSRC goes
	seen  map[string]bool
	last  map[uint32]netip.AddrPort
}

func (st *stage) roads() *roads {
	r := &roads{sent: make(map[netip.AddrPort]int), seen: make(map[string]bool), last: make(map[uint32]netip.AddrPort)}
	st.Tap.Watch(r.see)
	st.t.Cleanup(func() { st.Tap.Watch(nil) })
	return r
}

func (r *roads) see(to netip.AddrPort, data []byte) {
	ssrc, seq, ok := sfutest.RTPHeader(data)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent[to]++
	packet := fmt.Sprint(ssrc, seq)
	if r.seen[packet] {
		r.twice++
	}
	r.seen[packet] = true
	if was, ok := r.last[ssrc]; ok && was != to {
		r.moves++
	}
	r.last[ssrc] = to
}

// to is how many packets went to an address.
func (r *roads) to(at netip.AddrPort) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent[at]
}

func (r *roads) moved() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.moves
}

func localOf(c *net.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// TestReplayedCheck: somebody on the path of a client sends copies of its checks from an address of their own. The node knows
// them for copies: media stays where it was.
func TestReplayedCheck(t *testing.T) {
	t.Parallel()
	st := newStage(t, nil)
	link := st.link(sfutest.Shape{}, sfutest.Shape{})
	var mu sync.Mutex
	var checks [][]byte // guarded by mu
	link.Extra(func(data []byte) [][]byte {
		if stun.IsMessage(data) && data[0] == 0 && data[1] == 1 {
			mu.Lock()
			defer mu.Unlock()
			checks = append(checks, bytes.Clone(data))
		}
		return nil
	})
	people := st.enter([]string{"ann", "bob"}, func(name string) cast {
		c := cast{sends: name == "ann", audio: 1, video: 1, config: sfutest.ClientConfig{Keepalive: keepalive}}
		if name == "bob" {
			c.config.Link = link
		}
		return c
	})
	c := &call{stage: st, ann: people["ann"], bob: people["bob"]}
	st.join(c.ann, "room")
	st.publish(c.ann, "room", "stream")
	st.join(c.bob, "room")
	st.subscribe(c.bob, "room", "stream", c.ann)
	st.begin()
	road, stranger := st.roads(), c.stranger()
	answered := make(map[string]bool) // by transaction; guarded by mu
	st.Tap.Watch(func(to netip.AddrPort, data []byte) {
		if stun.IsMessage(data) && data[0] == 1 && data[1] == 1 {
			mu.Lock()
			answered[string(data[8:20])] = true
			mu.Unlock()
		}
		road.see(to, data)
	})
	// known are the newest checks that the node has seen, or else a copy may be there before its original. None is forgotten yet.
	known := func() (newest [][]byte) {
		mu.Lock()
		defer mu.Unlock()
		for _, check := range checks {
			if answered[string(check[8:20])] {
				newest = append(newest, check)
			}
		}
		return newest[max(0, len(newest)-16):]
	}
	for range 5 {
		before := len(known())
		if !sfutest.Eventually(st.ctx, func() bool { return len(known()) > before || before == 16 }) {
			t.Fatal("bob sends no checks")
		}
		newest := known()
		c.throw(stranger, newest, "stun_replayed")
		c.advance(100 * time.Millisecond)
	}
	c.verify()
	if n := road.to(localOf(stranger)); n != 0 || road.moved() != 0 {
		t.Errorf("%d packets went to a stranger, media moved %d times", n, road.moved())
	}
	if road.to(st.remote(c.bob)) == 0 {
		t.Error("none went to bob")
	}
}

var passwordLine = regexp.MustCompile(`(?m)^a=ice-pwd:(\S+)`)

// TestFlappingNomination: two more addresses nominate themselves in turn for a session's media. Without the session's
// password that moves nothing. With it, media follows: one packet goes to one address, each move takes a valid request, no
// other session notices, and what is left alone falls back to the client that goes on asking.
func TestFlappingNomination(t *testing.T) {
	t.Parallel()
	st := newStage(t, func(c *sfu.Config, _ *control.Config) { c.ConsentTimeout = consent })
	people := st.enter([]string{"ann", "bob", "cem"}, func(name string) cast {
		return cast{sends: name == "ann", audio: 1, video: 1, config: sfutest.ClientConfig{Keepalive: keepalive}}
	})
	c := &call{stage: st, ann: people["ann"], bob: people["bob"]}
	st.join(c.ann, "room")
	st.publish(c.ann, "room", "stream")
	for _, name := range []string{"bob", "cem"} {
		st.join(people[name], "room")
	}
	taken := st.subscribe(c.bob, "room", "stream", c.ann)
	st.subscribe(people["cem"], "room", "stream", c.ann)
	st.begin()
	answer := c.bob.PeerConnection().RemoteDescription().SDP
	name := ufragOf(answer) + ":" + ufragOf(c.bob.PeerConnection().LocalDescription().SDP)
	road := st.roads()
	ends := []*net.UDPConn{c.stranger(), c.stranger()}
	number := uint32(0)
	nominate := func(password string) {
		for _, end := range ends {
			number++
			_, err := end.Write(check(t, name, password, number))
			c.must(err)
		}
		c.advance(40 * time.Millisecond)
	}
	for range 20 {
		nominate("wrong password entirely!")
	}
	c.verify()
	if n := road.to(localOf(ends[0])) + road.to(localOf(ends[1])); n != 0 || road.moved() != 0 {
		t.Errorf("%d packets went to strangers without the password, media moved %d times", n, road.moved())
	}

	taken.end() // bob may miss some now
	for range 20 {
		nominate(passwordLine.FindStringSubmatch(answer)[1])
	}
	if road.to(localOf(ends[0]))+road.to(localOf(ends[1])) == 0 {
		t.Error("a check with the password did not move the media: the test shows nothing")
	}
	road.mu.Lock()
	if lines := 2; road.twice != 0 || road.moves > lines*40 {
		t.Errorf("%d packets went out twice; media of %d lines moved %d times for 40 requests", road.twice, lines, road.moves)
	}
	road.mu.Unlock()
	home := st.remote(c.bob)
	before := road.to(home)
	if !sfutest.Eventually(c.ctx, func() bool { c.advance(40 * time.Millisecond); return road.to(home) > before+100 }) {
		t.Error("media never came back to bob")
	}
	strangers := road.to(localOf(ends[0])) + road.to(localOf(ends[1]))
	c.advance(200 * time.Millisecond)
	if n := road.to(localOf(ends[0])) + road.to(localOf(ends[1])); n != strangers {
		t.Errorf("%d packets still went to strangers", n-strangers)
	}
	for _, fault := range st.faults(people["cem"].Client) { // bob lacks what went elsewhere
		t.Errorf("cem: %s", fault)
	}
}
