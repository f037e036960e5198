// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchyard-media/sfu/internal/sfutest"
	"github.com/switchyard-media/sfu/internal/sfutest/media"
)

// TestLossIsRepaired: with 5 % random loss and 50 ms each way, at the publisher and at the subscriber, video arrives whole in
// the end, and nothing arrives twice. Networks and time are virtual, so that a run depends on nothing but its seeds.
func TestLossIsRepaired(t *testing.T) {
	overBadLinks(t, lossy{videos: 4, until: 2000, shape: sfutest.Shape{Loss: 0.05, Delay: 50 * time.Millisecond}})
}

// TestLossWithJitter: the same where datagrams overtake and repeat each other too. Round trips differ by a factor of four then,
// so that a retransmission may cross the packet itself; nothing else may come twice.
func TestLossWithJitter(t *testing.T) {
	overBadLinks(t, lossy{videos: 4, until: 2000, crossing: true, shape: sfutest.Shape{
		Loss: 0.05, Duplicate: 0.05, Delay: 50 * time.Millisecond, Jitter: 30 * time.Millisecond, Reorder: true,
	}})
}

func overBadLinks(t *testing.T, l lossy) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := sfutest.NewNetwork(5)
		t.Cleanup(network.Close)
		listen := func(address string, shape sfutest.Shape) *sfutest.Endpoint {
			e, err := network.Listen(netip.MustParseAddrPort(address), shape, shape)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = e.Close() })
			return e
		}
		l.st = stageOf(t, sfutest.StartNodeOn(t, listen("10.0.0.1:7782", sfutest.Shape{}), nil), 10*time.Minute)
		l.links = []*sfutest.Endpoint{listen("10.0.0.2:5000", l.shape), listen("10.0.0.3:5000", l.shape)}
		l.run(sfutest.ClientConfig{Conn: l.links[0]}, sfutest.ClientConfig{Conn: l.links[1]})
	})
}

// lossy is a run over bad links.
type lossy struct {
	st       *stage
	videos   int // VP8 sources of the publisher, beside one of Opus
	until    int // packets of each that are looked at
	crossing bool
	shape    sfutest.Shape
	links    []*sfutest.Endpoint
}

func (l lossy) run(ann, bob sfutest.ClientConfig) {
	st := l.st
	st.t.Helper()
	codecs := []media.Codec{media.CodecOpus}
	for range l.videos {
		codecs = append(codecs, media.CodecVP8)
	}
	sender := st.one("ann", cast{codecs: codecs, config: ann})
	st.join(sender, "room")
	to := st.one("bob", cast{audio: 1, video: l.videos, config: bob})
	st.join(to, "room")
	var subs []playing
	for i, s := range st.sources {
		audio, video := (*sfutest.Source)(nil), s
		if s.Codec == media.CodecOpus {
			audio, video = s, nil
		}
		stream := fmt.Sprintf("stream-%d", i)
		_, err := sender.Publish(st.ctx, "room", stream, audio, video)
		st.must(err)
		sub, err := to.SubscribeKinds(st.ctx, "room", stream, audio != nil, video != nil)
		st.must(err)
		subs = append(subs, playing{Subscription: sub})
		s.Play()
	}
	// Before the node has measured the round trip it cannot tell a request that has crossed the packet it asks for.
	if !sfutest.Eventually(st.ctx, func() bool { return st.statsOf(subs[1]).GetVideo().GetRtt().AsDuration() > 0 }) {
		st.t.Fatal("the node never measured the round trip")
	}
	begin := make([]int, len(st.sources))
	for i, s := range st.sources {
		begin[i] = to.Last("", s.Number) + 1
	}
	for i, s := range st.sources {
		l.repaired(to, s, begin[i])
	}
	if f := st.SFU.Load().Forward; f.NACKsIn == 0 || f.NACKsOut == 0 || f.Retransmitted == 0 {
		st.t.Errorf("nothing was asked for: %+v", f)
	}
	for i, link := range l.links {
		if up, down := link.Stats(); up.Lost == 0 || down.Lost == 0 {
			st.t.Errorf("link %d lost nothing: %+v up, %+v down", i, up, down)
		}
	}
}

// repaired waits until a source's packets, from count begin on, have had the time to be repaired, and looks at them.
func (l lossy) repaired(to *person, s *sfutest.Source, begin int) {
	st := l.st
	st.t.Helper()
	st.must(to.WaitPacket(st.ctx, s.Number, begin+l.until+100)) // some seconds more
	if s.Codec == media.CodecOpus {
		return // nobody asks for lost audio
	}
	lost, twice := 0, 0
	whole := func() bool {
		got := make(map[int]int)
		for _, p := range to.Packets(0) {
			if p.Source == s.Number {
				if p.Repaired && l.crossing && got[p.Count] > 0 {
					continue
				}
				got[p.Count]++
			}
		}
		lost, twice = 0, 0
		for n := begin; n < begin+l.until; n++ {
			switch got[n] {
			case 0:
				lost++
			case 1:
			default:
				twice++
			}
		}
		return lost*1000 <= l.until
	}
	if !sfutest.Eventually(st.ctx, whole) {
		st.t.Errorf("%s: %d of %d packets are missing for good", s.ID(), lost, l.until)
	}
	if twice > 0 {
		st.t.Errorf("%s: %d of %d packets were delivered more than once", s.ID(), twice, l.until)
	}
	for _, fault := range to.Foreign(numbers(st.sources)...) {
		st.t.Error(fault)
	}
}
