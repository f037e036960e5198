// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	"github.com/switchyard-media/sfu/internal/sfutest/media"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

var badRadio = sfutest.Shape{Loss: 0.05, Delay: 50 * time.Millisecond}

// TestLossIsRepaired: with 5 % random loss and 50 ms each way, at the publisher and at the subscriber, video arrives whole in
// the end, and nothing arrives twice. Networks and time are virtual, so that a run depends on little but its seeds. The node does not
// measure the link, so that it sends all there is: every packet is accounted for.
func TestLossIsRepaired(t *testing.T) {
	t.Parallel()
	overBadLinks(t, &lossy{videos: 4, until: 2000, shape: badRadio}, (*lossy).whole)
}

// TestLossWithJitter: the same where datagrams overtake and repeat each other too. Round trips differ by a factor of four then,
// so that a retransmission may cross the packet itself; nothing else may come twice.
func TestLossWithJitter(t *testing.T) {
	t.Parallel()
	overBadLinks(t, &lossy{videos: 4, until: 2000, crossing: true, shape: sfutest.Shape{
		Loss: 0.05, Duplicate: 0.05, Delay: 50 * time.Millisecond, Jitter: 30 * time.Millisecond, Reorder: true,
	}}, (*lossy).whole)
}

// TestLossUnderControl: the same with a node that measures the link, as it does by default. It may show fewer videos for a while;
// of what it sends nothing is missing in the end, it leaves audio alone, and loss that is the radio's own takes no video away for
// long.
func TestLossUnderControl(t *testing.T) {
	t.Parallel()
	overBadLinks(t, &lossy{videos: 4, shape: badRadio, controlled: true}, (*lossy).shown)
}

// TestOutage: the subscriber hears nothing and is not heard for 25 s, on a link that is measured. The session goes on where it was:
// nobody joins or subscribes anew.
func TestOutage(t *testing.T) {
	t.Parallel()
	overBadLinks(t, &lossy{videos: 3, shape: sfutest.Shape{Delay: 20 * time.Millisecond}, controlled: true}, (*lossy).interrupted)
}

func overBadLinks(t *testing.T, l *lossy, run func(*lossy)) {
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
		l.st = stageOf(t, sfutest.StartNodeOn(t, listen("10.0.0.1:7782", sfutest.Shape{}), func(c *sfu.Config, _ *control.Config) {
			c.Forward.NoCongestionControl = !l.controlled
		}), 10*time.Minute)
		l.links = []*sfutest.Endpoint{listen("10.0.0.2:5000", l.shape), listen("10.0.0.3:5000", l.shape)}
		l.start(sfutest.ClientConfig{Conn: l.links[0]}, sfutest.ClientConfig{Conn: l.links[1]})
		run(l)
	})
}

// lossy is a run over bad links.
type lossy struct {
	videos     int // VP8 sources of the publisher, beside one of Opus
	until      int // packets of each that are looked at
	crossing   bool
	controlled bool // the node measures links
	shape      sfutest.Shape

	st    *stage
	links []*sfutest.Endpoint // of the publisher, and of the subscriber
	to    *person
	subs  []playing // one for each of the stage's sources
}

// start has everything play.
func (l *lossy) start(ann, bob sfutest.ClientConfig) {
	st := l.st
	st.t.Helper()
	codecs := []media.Codec{media.CodecOpus}
	for range l.videos {
		codecs = append(codecs, media.CodecVP8)
	}
	sender := st.one("ann", cast{codecs: codecs, config: ann})
	st.join(sender, "room")
	l.to = st.one("bob", cast{audio: 1, video: l.videos, config: bob})
	st.join(l.to, "room")
	for i, s := range st.sources {
		audio, video := (*sfutest.Source)(nil), s
		if s.Codec == media.CodecOpus {
			audio, video = s, nil
		}
		stream := fmt.Sprintf("stream-%d", i)
		_, err := sender.Publish(st.ctx, "room", stream, audio, video)
		st.must(err)
		sub, err := l.to.SubscribeKinds(st.ctx, "room", stream, audio != nil, video != nil)
		st.must(err)
		l.subs = append(l.subs, playing{Subscription: sub})
		s.Play()
	}
}

// whole waits for so many packets of all sources, and looks at every one.
func (l *lossy) whole() {
	st := l.st
	st.t.Helper()
	// Before the node has measured the round trip it cannot tell a request that has crossed the packet it asks for.
	if !sfutest.Eventually(st.ctx, func() bool { return st.statsOf(l.subs[1]).GetVideo().GetRtt().AsDuration() > 0 }) {
		st.t.Fatal("the node never measured the round trip")
	}
	if !sfutest.Eventually(st.ctx, l.all(0)) {
		st.t.Fatal("not all began")
	}
	begin := make([]int, len(st.sources))
	for i, s := range st.sources {
		begin[i] = l.to.Last("", s.Number) + 1
	}
	lost := 0
	for i, s := range st.sources {
		lost += l.repaired(s, begin[i])
	}
	l.few(lost, l.videos*l.until)
	l.lossless()
}

// few fails the test if more than 0.1 % of the packets of video are missing for good.
func (l *lossy) few(lost, of int) {
	l.st.t.Helper()
	l.st.t.Logf("%d of %d packets are missing for good", lost, of)
	if lost*1000 > of {
		l.st.t.Errorf("%d of %d packets are missing for good", lost, of)
	}
}

// all says whether something of each source is among the packets from an order on.
func (l *lossy) all(from int) func() bool {
	return func() bool {
		got := make(map[uint16]bool)
		for _, p := range l.to.Packets(from) {
			got[p.Source] = true
		}
		return len(got) == len(l.st.sources)
	}
}

// lossless fails the test if nothing was lost, or nobody asked for it.
func (l *lossy) lossless() {
	st := l.st
	st.t.Helper()
	if f := st.SFU.Load().Forward; f.NACKsIn == 0 || f.NACKsOut == 0 || f.Retransmitted == 0 {
		st.t.Errorf("nothing was asked for: %+v", f)
	}
	for i, link := range l.links {
		if up, down := link.Stats(); up.Lost == 0 || down.Lost == 0 {
			st.t.Errorf("link %d lost nothing: %+v up, %+v down", i, up, down)
		}
	}
}

// repaired waits until a source's packets, from count begin on, have had the time to be repaired, and counts what is lost.
func (l *lossy) repaired(s *sfutest.Source, begin int) (lost int) {
	st := l.st
	st.t.Helper()
	st.must(l.to.WaitPacket(st.ctx, s.Number, begin+l.until+100)) // some seconds more
	if s.Codec == media.CodecOpus {
		return 0 // nobody asks for lost audio
	}
	twice := 0
	got := make(map[int]int)
	for _, p := range l.to.Packets(0) {
		if p.Source == s.Number && (!p.Repaired || !l.crossing || got[p.Count] == 0) {
			got[p.Count]++
		}
	}
	for n := begin; n < begin+l.until; n++ {
		switch got[n] {
		case 0:
			lost++
		case 1:
		default:
			twice++
		}
	}
	if twice > 0 {
		st.t.Errorf("%s: %d of %d packets were delivered more than once", s.ID(), twice, l.until)
	}
	for _, fault := range l.to.Foreign(numbers(st.sources)...) {
		st.t.Error(fault)
	}
	return lost
}

// shown lets everything play for two minutes, and looks at what was sent.
func (l *lossy) shown() {
	const long, afterwards = 2 * time.Minute, 2 * time.Second
	st := l.st
	st.t.Helper()
	time.Sleep(long)
	link, err := st.SFU.Link(router.SessionID(l.to.ID))
	st.must(err)
	if !link.Controlled {
		st.t.Errorf("the link is not measured: %+v", link)
	}
	last := make(map[string]uint16) // what came after has not had the time to be repaired
	for _, p := range l.to.Packets(0) {
		last[p.Mid] = p.Sequence
	}
	time.Sleep(afterwards)
	lost, came := 0, 0
	for i, s := range st.sources {
		if s.Codec == media.CodecOpus {
			l.untouched(i)
			continue
		}
		var packets []sfutest.Packet
		for _, p := range l.to.Packets(0) {
			if p.Mid == l.subs[i].GetVideoMid() && int16(p.Sequence-last[p.Mid]) <= 0 {
				packets = append(packets, p)
			}
		}
		missing, twice := ledgerOf(packets)
		if twice > 0 {
			st.t.Errorf("%s: %d packets came more than once", s.ID(), twice)
		}
		lost, came = lost+missing, came+len(packets)
		sent := st.Ledger.Sent(s.Number)
		st.t.Logf("%s: %d packets of %d were shown", s.ID(), len(packets), sent)
		if len(packets) < sent/2 {
			st.t.Errorf("%s: %d packets of %d were sent over a link that had room for all", s.ID(), len(packets), sent)
		}
	}
	l.few(lost, lost+came)
	for _, fault := range l.to.Foreign(numbers(st.sources)...) {
		st.t.Error(fault)
	}
	l.lossless()
}

// untouched sees that the node has withheld nothing of an audio source, and lost nothing.
func (l *lossy) untouched(source int) {
	st := l.st
	st.t.Helper()
	var stats *sfuv1.TrackStats
	if !sfutest.Eventually(st.ctx, func() bool {
		stats = st.statsOf(l.subs[source]).GetAudio()
		return stats.GetPackets() > 0
	}) || len(stats.GetDrops()) > 0 {
		st.t.Errorf("audio: %v", stats)
	}
	if got, sent := l.to.From(st.sources[source].Number), st.Ledger.Sent(st.sources[source].Number); got*100 < sent*85 { // two times 5 %
		st.t.Errorf("audio: %d packets of %d came", got, sent)
	}
}

// ledgerOf counts the sequence numbers that are missing among packets of one line, and the packets that came again.
func ledgerOf(packets []sfutest.Packet) (missing, twice int) {
	if len(packets) == 0 {
		return 0, 0
	}
	numbers := make([]int, 0, len(packets))
	at := 1 << 20
	before := packets[0].Sequence
	for _, p := range packets {
		at += int(int16(p.Sequence - before))
		before = p.Sequence
		numbers = append(numbers, at)
	}
	slices.Sort(numbers)
	different := len(slices.Compact(numbers))
	return numbers[different-1] - numbers[0] + 1 - different, len(packets) - different
}

// interrupted cuts the subscriber's link, and mends it.
func (l *lossy) interrupted() {
	const outage, audioBack, videoBack = 25 * time.Second, 5 * time.Second, 20 * time.Second
	st := l.st
	st.t.Helper()
	if !sfutest.Eventually(st.ctx, l.all(0)) {
		st.t.Fatal("not all began")
	}
	time.Sleep(10 * time.Second)
	l.links[1].Set(sfutest.Shape{Blackhole: true}, sfutest.Shape{Blackhole: true})
	time.Sleep(outage)
	dark := l.to.Mark()
	l.links[1].Set(l.shape, l.shape)
	back := time.Now()
	audio := st.sources[0]
	heard := l.to.From(audio.Number)
	if !sfutest.Eventually(st.ctx, func() bool { return l.to.From(audio.Number) > heard }) || time.Since(back) > audioBack {
		st.t.Errorf("audio is back after %v", time.Since(back))
	}
	if !sfutest.Eventually(st.ctx, l.all(dark)) || time.Since(back) > videoBack {
		st.t.Errorf("video is back after %v", time.Since(back))
	}
	for i, sub := range l.subs {
		if st.sources[i].Codec == media.CodecOpus {
			continue
		}
		for _, p := range l.to.Packets(dark) {
			if p.Mid == sub.GetVideoMid() && p.Source == st.sources[i].Number {
				if !p.Keyframe {
					st.t.Errorf("%s goes on with packet %d, which starts no keyframe", st.sources[i].ID(), p.Count)
				}
				break
			}
		}
	}
	if got := sessionOf(st, l.to).GetState(); got != sfuv1.SessionState_SESSION_STATE_CONNECTED {
		st.t.Errorf("the session is %v", got)
	}
	for _, fault := range l.to.Foreign(numbers(st.sources)...) {
		st.t.Error(fault)
	}
}
