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
		bad := sfutest.Shape{Loss: 0.05, Delay: 50 * time.Millisecond}
		st := stageOf(t, sfutest.StartNodeOn(t, listen("10.0.0.1:7782", sfutest.Shape{}), nil), 10*time.Minute)
		ann, bob := listen("10.0.0.2:5000", bad), listen("10.0.0.3:5000", bad)
		lossy{st: st, videos: 4, until: 2000, links: []*sfutest.Endpoint{ann, bob}}.run(
			sfutest.ClientConfig{Conn: ann}, sfutest.ClientConfig{Conn: bob})
	})
}

// lossy is a run over bad links.
type lossy struct {
	st     *stage
	videos int // VP8 sources of the publisher, beside one of Opus
	until  int // packets of each that are looked at
	links  []*sfutest.Endpoint
}

func (l lossy) run(ann, bob sfutest.ClientConfig) {
	st := l.st
	st.t.Helper()
	codecs := []media.Codec{media.CodecOpus}
	for range l.videos {
		codecs = append(codecs, media.CodecVP8)
	}
	from := st.one("ann", cast{codecs: codecs, config: ann})
	st.join(from, "room")
	to := st.one("bob", cast{audio: 1, video: l.videos, config: bob})
	st.join(to, "room")
	for i, s := range st.sources {
		audio, video := (*sfutest.Source)(nil), s
		if s.Codec == media.CodecOpus {
			audio, video = s, nil
		}
		stream := fmt.Sprintf("stream-%d", i)
		_, err := from.Publish(st.ctx, "room", stream, audio, video)
		st.must(err)
		_, err = to.SubscribeKinds(st.ctx, "room", stream, audio != nil, video != nil)
		st.must(err)
		s.Play()
	}
	for _, s := range st.sources {
		l.repaired(to, s)
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

// repaired waits until the first packets of a source have had the time to be repaired, and counts.
func (l lossy) repaired(to *person, s *sfutest.Source) {
	st := l.st
	st.t.Helper()
	st.must(to.WaitPacket(st.ctx, s.Number, l.until))
	if s.Codec == media.CodecOpus {
		return // nobody asks for lost audio
	}
	var lost, window int
	whole := func() bool {
		lost, window = 0, 0
		begin := -1
		got := make(map[int]bool)
		for _, p := range to.Packets(0) {
			if p.Source == s.Number {
				if begin < 0 {
					begin = p.Count
				}
				got[p.Count] = true
			}
		}
		for n := begin; n < l.until; n++ {
			window++
			if !got[n] {
				lost++
			}
		}
		return lost*1000 <= window
	}
	if !sfutest.Eventually(st.ctx, whole) {
		st.t.Errorf("%s: %d of %d packets are missing for good", s.ID(), lost, window)
	}
	if n := to.Duplicates(s.Number); n != 0 {
		st.t.Errorf("%s: %d packets were delivered more than once", s.ID(), n)
	}
	for _, fault := range to.Foreign(numbers(st.sources)...) {
		st.t.Error(fault)
	}
}
