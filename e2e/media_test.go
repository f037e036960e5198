// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	"github.com/switchyard-media/sfu/internal/sfutest/media"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// stage is a node, the clients of a test, and what each of them is meant to get. It sends media step by step: a source goes
// on when everybody has what was sent before, so that the load never exceeds what the machine does, and everything can be
// asked to be complete.
type stage struct {
	*sfutest.Node
	t   *testing.T
	ctx context.Context // hangs end here; nothing that works does

	sources []*sfutest.Source // that advance sends
	plays   []*play
	flying  int // packets sent since everybody has caught up
}

// inFlight is how many packets are sent before everybody has caught up: the kernel's smallest socket buffer holds them.
const inFlight = 24

// play is a source that a client is meant to get on a line, from a keyframe on without a gap.
type play struct {
	who    *sfutest.Client
	mid    string
	source *sfutest.Source
	after  int  // order in who's packets at which it began
	over   bool // it ended; what came stays right, nothing more is waited for
}

func (e *play) String() string {
	return fmt.Sprintf("%s on line %s of %s", e.who.User, e.mid, e.source.ID())
}

// wide is more than a test takes: media that goes on as fast as the machine does, and waits for what is missing, shall not be held
// back as too much for a link. TestMeasuredLink plays in real time, and has its links measured.
const wide = 1_000_000_000 // bit/s

func newStage(t *testing.T, change func(*sfu.Config, *control.Config)) *stage {
	t.Helper()
	return stageOf(t, sfutest.StartNode(t, func(c *sfu.Config, face *control.Config) {
		c.Forward.KeyframeEvery = 20 * time.Millisecond
		c.Forward.LeastBitrate = wide
		if change != nil {
			change(c, face)
		}
	}), 3*time.Minute)
}

func stageOf(t *testing.T, n *sfutest.Node, patience time.Duration) *stage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return &stage{Node: n, t: t, ctx: ctx}
}

// must fails the test on an error.
func (st *stage) must(err error) {
	st.t.Helper()
	if err != nil {
		st.t.Fatal(err)
	}
}

// person is a client with an Opus and a VP8 source, and slots for others.
type person struct {
	*sfutest.Client
	audio, video *sfutest.Source // nil without
}

// cast is what a person comes with.
type cast struct {
	sends        bool
	codecs       []media.Codec // of further sources, in st.sources
	audio, video int           // slots
	config       sfutest.ClientConfig
}

// enter connects clients, a few at a time.
func (st *stage) enter(names []string, how func(name string) cast) map[string]*person {
	st.t.Helper()
	people := make(map[string]*person, len(names))
	for _, name := range names {
		c := how(name)
		c.config.User = name
		p := &person{Client: st.ClientWith(st.t, c.config)}
		if c.sends {
			var err error
			p.audio, p.video, err = p.Media()
			st.must(err)
			st.sources = append(st.sources, p.audio, p.video)
		}
		for _, codec := range c.codecs {
			s, err := p.AddSource(codec)
			st.must(err)
			st.sources = append(st.sources, s)
		}
		st.must(p.AddSlots(c.audio, c.video))
		people[name] = p
	}
	st.each(names, func(name string) error {
		_, err := people[name].Negotiate(st.ctx)
		return err
	})
	return people
}

// one connects one client.
func (st *stage) one(name string, how cast) *person {
	st.t.Helper()
	return st.enter([]string{name}, func(string) cast { return how })[name]
}

// each does something for all names, eight at a time, and fails the test when any failed.
func (st *stage) each(names []string, do func(name string) error) {
	st.t.Helper()
	errs := make([]error, len(names))
	turns := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for i, name := range names {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			if err := do(name); err != nil {
				errs[i] = fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	wg.Wait()
	st.must(errors.Join(errs...))
}

func (st *stage) join(p *person, rooms ...string) {
	st.t.Helper()
	for _, room := range rooms {
		if _, err := p.Join(st.ctx, room); err != nil {
			st.t.Fatalf("%s joining %s: %v", p.User, room, err)
		}
	}
}

func (st *stage) leave(p *person, room string) {
	st.t.Helper()
	if _, err := p.Leave(st.ctx, room); err != nil {
		st.t.Fatalf("%s leaving %s: %v", p.User, room, err)
	}
}

// publish announces a person's sources as a stream.
func (st *stage) publish(p *person, room, stream string) {
	st.t.Helper()
	if _, err := p.Publish(st.ctx, room, stream, p.audio, p.video); err != nil {
		st.t.Fatalf("%s publishing %s in %s: %v", p.User, stream, room, err)
	}
}

// playing is a subscription and what it is to bring.
type playing struct {
	*sfuv1.Subscription
	audio, video *play
}

// end says that nothing more is meant to come of it.
func (p playing) end() { p.audio.over, p.video.over = true, true }

// subscribe wishes for a stream that from's sources back, and expects both kinds on the lines that the node names.
func (st *stage) subscribe(p *person, room, stream string, from *person) playing {
	st.t.Helper()
	after := p.Mark()
	sub, err := p.Subscribe(st.ctx, room, stream)
	if err != nil {
		st.t.Fatalf("%s subscribing to %s in %s: %v", p.User, stream, room, err)
	}
	if sub.GetState() != sfuv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE || sub.GetAudioMid() == "" || sub.GetVideoMid() == "" {
		st.t.Fatalf("%s subscribing to %s in %s: %v", p.User, stream, room, sub)
	}
	return playing{sub, st.expect(p, sub.GetAudioMid(), from.audio, after), st.expect(p, sub.GetVideoMid(), from.video, after)}
}

func (st *stage) expect(p *person, mid string, source *sfutest.Source, after int) *play {
	e := &play{who: p.Client, mid: mid, source: source, after: after}
	st.plays = append(st.plays, e)
	return e
}

// over says that nothing more is meant to come to a person from these sources.
func (st *stage) over(p *person, sources ...*sfutest.Source) {
	for _, e := range st.plays {
		if e.who == p.Client && slices.Contains(sources, e.source) {
			e.over = true
		}
	}
}

// begun says whether a packet has come since the play began.
func (e *play) begun() bool {
	last := e.who.Last(e.mid, e.source.Number)
	if last < 0 || e.after == 0 {
		return last >= 0
	}
	return slices.ContainsFunc(e.who.Packets(e.after), func(p sfutest.Packet) bool { return p.Mid == e.mid && p.Source == e.source.Number })
}

// step sends a source's next frame.
func (st *stage) step(s *sfutest.Source, begun map[*play]bool) {
	st.t.Helper()
	before := st.Ledger.Sent(s.Number)
	s.Step()
	if st.flying += st.Ledger.Sent(s.Number) - before; st.flying >= inFlight {
		st.caughtUp(begun)
	}
}

// caughtUp waits until whoever has begun to get a source has all that was sent of it.
func (st *stage) caughtUp(begun map[*play]bool) {
	st.t.Helper()
	st.flying = 0
	for _, e := range st.plays {
		if e.over || !begun[e] {
			continue
		}
		if err := e.who.WaitLine(st.ctx, e.mid, e.source.Number, st.Ledger.Sent(e.source.Number)-1); err != nil {
			st.t.Fatalf("%s: %v", e.who.User, err)
		}
	}
}

// begin sends media until everything expected has begun to come, one source after the other: their keyframes together would be
// more than a socket's buffer holds.
func (st *stage) begin() {
	st.t.Helper()
	begun := make(map[*play]bool)
	for _, s := range st.sources {
		all := func() bool {
			st.step(s, begun)
			missing := 0
			for _, e := range st.plays {
				if e.source == s && !e.over && !begun[e] {
					if begun[e] = e.begun(); !begun[e] {
						missing++
					}
				}
			}
			return missing == 0
		}
		if sfutest.Eventually(st.ctx, all) {
			continue
		}
		for _, e := range st.plays {
			if e.source == s && !e.over && !begun[e] {
				st.t.Errorf("never began: %v", e)
			}
		}
		st.t.FailNow()
	}
	st.caughtUp(begun)
}

// advance sends so much media from each source, in the order of time.
func (st *stage) advance(d time.Duration) {
	st.t.Helper()
	begun := make(map[*play]bool)
	for _, e := range st.plays {
		begun[e] = true
	}
	ends := make(map[*sfutest.Source]time.Duration)
	for _, s := range st.sources {
		ends[s] = s.Elapsed() + d
	}
	const tick = 20 * time.Millisecond // an Opus frame
	for passed := tick; ; passed += tick {
		sent := false
		for _, s := range st.sources {
			for s.Elapsed() < min(ends[s], ends[s]-d+passed) {
				st.step(s, begun)
				sent = true
			}
		}
		if !sent && passed > d {
			return
		}
		st.caughtUp(begun)
	}
}

// verify checks every packet that every client got: what was expected came whole, in order, once, from a keyframe on, on its
// line; nothing else came; and no line has a gap in its sequence numbers.
func (st *stage) verify() {
	st.t.Helper()
	seen := make(map[*sfutest.Client]bool)
	for _, e := range st.plays {
		if seen[e.who] {
			continue
		}
		seen[e.who] = true
		for _, fault := range st.faults(e.who) {
			st.t.Errorf("%s: %s", e.who.User, fault)
		}
	}
}

func (st *stage) faults(c *sfutest.Client) []string {
	var mine []*play
	var allowed []uint16
	for _, e := range st.plays {
		if e.who == c {
			mine = append(mine, e)
			allowed = append(allowed, e.source.Number)
		}
	}
	faults := c.Foreign(allowed...)
	lines := make(map[string][]sfutest.Packet)
	for _, p := range c.Packets(0) {
		lines[p.Mid] = append(lines[p.Mid], p)
	}
	for mid, packets := range lines {
		faults = append(faults, gaps(mid, packets)...)
		faults = append(faults, skips(mid, packets, mine)...)
	}
	for _, e := range mine {
		var got []sfutest.Packet
		for _, p := range lines[e.mid] {
			if p.Source == e.source.Number && p.Order >= e.after {
				got = append(got, p)
			}
		}
		faults = append(faults, st.whole(e, got)...)
	}
	return faults
}

// whole checks one play.
func (st *stage) whole(e *play, got []sfutest.Packet) []string {
	if len(got) == 0 {
		return []string{fmt.Sprintf("nothing came on line %s of %s", e.mid, e.source.ID())}
	}
	var faults []string
	if !e.source.Codec.Audio() && !got[0].Keyframe {
		faults = append(faults, fmt.Sprintf("line %s began with packet %d of %s, which starts no keyframe", e.mid, got[0].Count, e.source.ID()))
	}
	if last := got[len(got)-1].Count; !e.over && last != st.Ledger.Sent(e.source.Number)-1 {
		faults = append(faults, fmt.Sprintf("line %s: %s ends with packet %d of %d", e.mid, e.source.ID(), last, st.Ledger.Sent(e.source.Number)))
	}
	return faults
}

// skips lists where a line left out or repeated packets of a source without another play having begun there.
func skips(mid string, packets []sfutest.Packet, plays []*play) []string {
	var faults []string
	for i := 1; i < len(packets); i++ {
		p, was := packets[i], packets[i-1]
		begins := slices.ContainsFunc(plays, func(e *play) bool { return e.mid == mid && e.after > was.Order && e.after <= p.Order })
		if p.Source == was.Source && p.Count != was.Count+1 && !begins {
			faults = append(faults, fmt.Sprintf("line %s: packet %d of source %d after %d", mid, p.Count, p.Source, was.Count))
		}
	}
	return faults
}

// gaps lists what is wrong with a line's sequence numbers, which go up by one with each packet, and with its SSRC.
func gaps(mid string, packets []sfutest.Packet) []string {
	var faults []string
	for i := 1; i < len(packets); i++ {
		p, was := packets[i], packets[i-1]
		if p.SSRC != was.SSRC {
			faults = append(faults, fmt.Sprintf("line %s: SSRC %d after %d", mid, p.SSRC, was.SSRC))
		}
		if p.Sequence != was.Sequence+1 {
			faults = append(faults, fmt.Sprintf("line %s: sequence number %d after %d", mid, p.Sequence, was.Sequence))
		}
	}
	return faults
}

// departures is what left the node, by a Tap.
type departures struct {
	id uint8 // of the stamp extension

	mu        sync.Mutex // guards all below
	sent      map[route]int
	last      map[outlet]uint16
	holes     []string
	forbidden map[route]bool
	silent    map[outlet]bool
	leaks     []string
}

type route struct {
	to     netip.AddrPort
	source uint16
}

type outlet struct {
	to   netip.AddrPort
	ssrc uint32
}

// tap begins to look at what leaves the node; with is any connected client: all have the same extension ids.
func (st *stage) tap(with *person) *departures {
	st.t.Helper()
	d := &departures{
		id: with.StampID(), sent: make(map[route]int), last: make(map[outlet]uint16),
		forbidden: make(map[route]bool), silent: make(map[outlet]bool),
	}
	if d.id == 0 {
		st.t.Fatal("the node did not take the extension that carries stamps")
	}
	st.Tap.Watch(d.see)
	st.t.Cleanup(func() { st.Tap.Watch(nil) })
	return d
}

func (d *departures) see(to netip.AddrPort, data []byte) {
	ssrc, seq, ok := sfutest.RTPHeader(data)
	if !ok {
		return
	}
	source, count, stamped := sfutest.ReadStamp(data, d.id)
	d.mu.Lock()
	defer d.mu.Unlock()
	at := outlet{to, ssrc}
	if last, known := d.last[at]; known && seq != last+1 {
		d.holes = append(d.holes, fmt.Sprintf("to %v, SSRC %d: sequence number %d after %d", to, ssrc, seq, last))
	}
	d.last[at] = seq
	if data[0]&0x20 != 0 && !stamped { // nothing but padding, which probes send: on a line that is quiet there is none either
		if d.silent[at] {
			d.leaks = append(d.leaks, fmt.Sprintf("to %v, SSRC %d: padding %d after it was stopped", to, ssrc, seq))
		}
		return
	}
	if !stamped {
		d.leaks = append(d.leaks, fmt.Sprintf("to %v, SSRC %d: packet %d without a stamp", to, ssrc, seq))
		return
	}
	r := route{to, source}
	d.sent[r]++
	if d.forbidden[r] || d.silent[at] {
		d.leaks = append(d.leaks, fmt.Sprintf("to %v, SSRC %d: packet %d of source %d after it was stopped", to, ssrc, count, source))
	}
}

// stop says that from now on nothing of the sources may go to the address, and returns how many packets of each did before.
func (d *departures) stop(to netip.AddrPort, sources ...*sfutest.Source) []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	var before []int
	for _, s := range sources {
		r := route{to, s.Number}
		d.forbidden[r] = true
		before = append(before, d.sent[r])
	}
	return before
}

// count is how many packets of a source have left for the address, retransmissions included.
func (d *departures) count(to netip.AddrPort, s *sfutest.Source) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sent[route{to, s.Number}]
}

// silence says that from now on nothing may leave on a line that a person has got packets on, nor what is repeated of it.
func (d *departures) silence(to netip.AddrPort, p *person, mids ...string) {
	ssrcs := make(map[uint32]bool)
	for _, got := range p.Packets(0) {
		if slices.Contains(mids, got.Mid) {
			ssrcs[got.SSRC] = true
		}
	}
	for _, f := range repeatedOn.FindAllStringSubmatch(p.PeerConnection().RemoteDescription().SDP, -1) {
		media, _ := strconv.ParseUint(f[1], 10, 32)
		repeats, _ := strconv.ParseUint(f[2], 10, 32)
		if ssrcs[uint32(media)] {
			ssrcs[uint32(repeats)] = true
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for ssrc := range ssrcs {
		d.silent[outlet{to, ssrc}] = true
	}
}

// repeatedOn is where an answer says on which SSRC packets of another are repeated (RFC 5576, section 4.2).
var repeatedOn = regexp.MustCompile(`(?m)^a=ssrc-group:FID (\d+) (\d+)`)

// start allows the sources again.
func (d *departures) start(to netip.AddrPort, sources ...*sfutest.Source) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range sources {
		delete(d.forbidden, route{to, s.Number})
	}
}

// check fails the test for everything that left and should not have.
func (d *departures) check(t *testing.T) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, list := range [][]string{d.leaks, d.holes} {
		for _, fault := range list[:min(len(list), 10)] {
			t.Error(fault)
		}
	}
	if len(d.sent) == 0 {
		t.Error("nothing was seen on the node's socket")
	}
}

// remote is where the node sends a person's media.
func (st *stage) remote(p *person) netip.AddrPort {
	st.t.Helper()
	at, err := p.Remote()
	st.must(err)
	return at
}

// vp8Descriptor is how long the payload descriptor is (RFC 7741, section 4.2).
func vp8Descriptor(b []byte) int {
	if b[0]&0x80 == 0 {
		return 1
	}
	at := 2
	if b[1]&0x80 != 0 {
		at += 1 + int(b[at]>>7)
	}
	if b[1]&0x40 != 0 {
		at++
	}
	if b[1]&0x30 != 0 {
		at++
	}
	return at
}

// TestMediaCodecs plays every codec's clip, and one video encrypted from end to end, to one client.
func TestMediaCodecs(t *testing.T) {
	t.Parallel()
	st := newStage(t, nil)
	codecs := []media.Codec{media.CodecVP8, media.CodecVP9, media.CodecH264, media.CodecAV1, media.CodecVP8, media.CodecH265, media.CodecOpus, media.CodecRED}
	ann := st.one("ann", cast{codecs: codecs})
	sources := st.sources
	sources[4].Encrypt = func(payload []byte) {
		frame := payload[vp8Descriptor(payload):] // what goes before it is made when the frame is encrypted already
		for i := range frame {
			frame[i] ^= byte(0x5a + i)
		}
	}
	st.join(ann, "room")
	bob := st.one("bob", cast{audio: 2, video: len(codecs) - 2})
	st.join(bob, "room")
	for i, s := range sources {
		stream := fmt.Sprintf("stream-%d", i)
		audio, video := s, (*sfutest.Source)(nil)
		if !s.Codec.Audio() {
			audio, video = nil, s
		}
		_, err := ann.Publish(st.ctx, "room", stream, audio, video)
		st.must(err)
		sub, err := bob.SubscribeKinds(st.ctx, "room", stream, audio != nil, video != nil)
		st.must(err)
		st.expect(bob, sub.GetAudioMid()+sub.GetVideoMid(), s, 0)
	}
	st.begin()
	st.advance(2 * time.Second)
	for _, fault := range bob.Foreign(numbers(sources)...) {
		t.Error(fault)
	}
	for _, e := range st.plays {
		got := slices.DeleteFunc(bob.Packets(0), func(p sfutest.Packet) bool { return p.Mid != e.mid })
		for _, fault := range append(append(gaps(e.mid, got), skips(e.mid, got, nil)...), st.whole(e, got)...) {
			if e.source.Encrypt != nil && !got[0].Keyframe && fault == st.whole(e, got)[0] {
				continue // nobody but the two ends can tell where a keyframe is
			}
			t.Errorf("%s: %s", e.source.Codec, fault)
		}
	}
}

func numbers(sources []*sfutest.Source) []uint16 {
	out := make([]uint16, len(sources))
	for i, s := range sources {
		out[i] = s.Number
	}
	return out
}
