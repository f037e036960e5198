// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/pion/rtp"
	"pgregory.net/rapid"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// specStructure reads one of the AV1 RTP specification's example structures.
func specStructure(t testing.TB, name string) *layers.Structure {
	t.Helper()
	src, err := os.ReadFile("layers/testdata/structures.txt")
	if err != nil {
		t.Fatal(err)
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var s *layers.Structure
	for line := range strings.Lines(string(src)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0] == "#":
		case f[0] == "structure":
			if s != nil {
				return s
			}
			if f[1] == name {
				s = new(layers.Structure)
				for n := range strings.SplitSeq(f[3], ",") {
					s.Protected[s.Targets] = uint8(number(n))
					s.Targets++
					s.Chains = max(s.Chains, uint8(number(n))+1)
				}
			}
		case s != nil:
			p := &s.Templates[s.Count]
			s.Count++
			p.Spatial, p.Temporal = uint8(number(f[0])), uint8(number(f[1]))
			s.Spatial = p.Spatial + 1
			if f[2] != "-" {
				for n := range strings.SplitSeq(f[2], ",") {
					p.References.Diff[p.References.Count] = uint16(number(n))
					p.References.Count++
				}
			}
			for i, n := range strings.Split(f[3], ",") {
				p.Chains[i] = uint8(number(n))
			}
			for i, c := range f[4] {
				p.Targets |= layers.Indications(strings.IndexRune("-DSR", c)) << (2 * i)
			}
		}
	}
	if s == nil {
		t.Fatal("no such structure")
	}
	return s
}

// pathFrame is a frame of the model's encoder.
type pathFrame struct {
	spatial, temporal int
	picture           int
	key               bool
	refs              []int // of the same stream
	packets           int
}

// pathStream is one stream of a publisher: mode "vp8", "h264", "vp9", "L1T3" or "L3T3".
type pathStream struct {
	mode      string
	tag       byte
	up        *UpTrack
	structure *layers.Structure
	spatial   int
	frames    []pathFrame
	byLayer   map[[2]int]int
	pictures  int
	cycle     int
	tl0, key  uint8
	first     uint16
	sequence  uint16
	stamp     uint32
	width     uint16
}

var pathPattern = [4]int{0, 2, 1, 2}

// picture encodes one picture, of a keyframe if one was asked for.
func (e *pathStream) picture(dice *rand.Rand) (out []*rtp.Packet) {
	k := &e.up.keyframes
	key := e.pictures == 0 || k.wanted.Swap(false) || dice.IntN(40) == 0
	if key {
		e.cycle, e.byLayer = 0, map[[2]int]int{}
		e.key++
	}
	at := e.cycle % 4
	temporal := pathPattern[at]
	if e.mode == "h264" {
		temporal = 0
	}
	if temporal == 0 {
		e.tl0++
	}
	e.stamp += 3000
	for s := range e.spatial {
		f := pathFrame{spatial: s, temporal: temporal, picture: e.pictures, key: key, packets: 1 + dice.IntN(3)}
		id := len(e.frames)
		template := 5*s + [4]int{1, 3, 2, 4}[at]
		switch {
		case e.structure != nil:
			if key {
				template = 5 * s
			}
			p := &e.structure.Templates[template]
			for _, d := range p.References.Diff[:p.References.Count] {
				f.refs = append(f.refs, id-int(d))
			}
		case s > 0:
			f.refs = append(f.refs, id-1)
			fallthrough
		default:
			for l := 0; l <= temporal && !key; l++ {
				if ref, ok := e.byLayer[[2]int{s, l}]; ok {
					f.refs = append(f.refs, ref)
				}
			}
			e.byLayer[[2]int{s, temporal}] = id
			if temporal == 0 {
				delete(e.byLayer, [2]int{s, 1})
				delete(e.byLayer, [2]int{s, 2})
			}
		}
		e.frames = append(e.frames, f)
		for i := range f.packets {
			out = append(out, e.packet(id, template, i))
		}
	}
	e.pictures++
	e.cycle++
	return out
}

func (e *pathStream) packet(id, template, index int) *rtp.Packet {
	f := &e.frames[id]
	first, last := index == 0, index == f.packets-1
	e.sequence++
	p := &rtp.Packet{Header: rtp.Header{
		Version: 2, SequenceNumber: e.sequence, Timestamp: e.stamp, SSRC: e.up.cfg.SSRC, Marker: last && f.spatial == e.spatial-1,
	}}
	picture := (uint16(f.picture) + e.first) & 0x7fff
	switch e.mode {
	case "vp8":
		p.PayloadType = 96
		b := []byte{0x80, 0xf0, 0x80 | byte(picture>>8), byte(picture), e.tl0, byte(f.temporal)<<6 | e.key&31}
		if first {
			b[0] |= 0x10
		}
		if f.temporal > 0 && len(f.refs) == 1 {
			b[5] |= 0x20
		}
		if f.key && first {
			b = append(b, 0x10, 0, 0, 0x9d, 0x01, 0x2a, byte(e.width), byte(e.width>>8), byte(e.width), byte(e.width>>8))
		} else {
			b = append(b, 0x11)
		}
		p.Payload = b
	case "h264":
		p.PayloadType = 97
		p.Payload = []byte{0x41}
		if f.key {
			p.Payload[0] = 0x65
		}
	case "vp9":
		p.PayloadType = 101
		flags, layer := byte(0xa0), byte(f.temporal)<<5|byte(f.spatial)<<1
		for _, bit := range []struct {
			on  bool
			bit byte
		}{{!f.key, 0x40}, {first, 0x08}, {last, 0x04}} {
			if bit.on {
				flags |= bit.bit
			}
		}
		if f.temporal == 0 {
			layer |= 0x10
		}
		if f.spatial > 0 {
			layer |= 1
		}
		p.Payload = []byte{flags, 0x80 | byte(picture>>8), byte(picture), layer, e.tl0}
	default:
		p.PayloadType = 103
		p.Payload = []byte{0x10}
		d := layers.Dependency{
			FrameStart: first, FrameEnd: last, TemplateID: (uint8(template) + e.structure.Offset) & 63, Number: uint16(id) + e.first,
			Structure: e.structure, Attached: f.key && first && f.spatial == 0,
		}
		if err := p.SetExtensionWithProfile(upIDDependency, d.Append(nil), rtp.ExtensionProfileTwoByte); err != nil {
			panic(err)
		}
	}
	p.Payload = append(p.Payload, 0xaa, e.tag, byte(id>>16), byte(id>>8), byte(id), byte(index))
	return p
}

var (
	formatVP9 = Format{ID: 31, Codec: CodecVP9, ClockRate: 90000}
	formatAV1 = Format{ID: 32, Codec: CodecAV1, ClockRate: 90000}
)

// pathRig is a slot that can show any of several publishers of one mode.
type pathRig struct {
	*egressRig
	t       *rapid.T
	mode    string
	dice    *rand.Rand
	clean   bool
	sources [][]*pathStream
	byTag   map[byte]*pathStream
	w       *recorder
	d       *Downlink
	dt      *DownTrack
	sent    []written
}

func newPathRig(t *rapid.T, tb testing.TB, mode string, clean bool) *pathRig {
	seed := rapid.Uint64().Draw(t, "seed")
	r := &pathRig{
		egressRig: newEgressRig(tb, Config{RetransmitMax: 255, RetransmitShare: 100}), t: t, mode: mode, clean: clean,
		dice: rand.New(rand.NewPCG(seed, 1)), byTag: make(map[byte]*pathStream), w: &recorder{},
	}
	cfg := videoSlot()
	cfg.Formats = nil
	for i, f := range []Format{formatVP8, formatH264, formatVP9, formatAV1} {
		cfg.Formats = append(cfg.Formats, OutFormat{Format: f, Payload: uint8(100 + i), NACK: true})
	}
	r.d, r.dt = r.slot(nil, r.w, cfg)
	for range 2 {
		track := r.u.NewTrack(TrackConfig{Video: true})
		streams, spatial := 3, 1
		if mode == "vp9" || mode == "L3T3" {
			streams, spatial = 1, 3
		}
		var all []*pathStream
		for i := range streams {
			up := upConfig()
			up.SSRC = uint32(100 + len(r.byTag))
			up.Index = i
			up.Payloads[101], up.Payloads[103] = formatVP9, formatAV1
			e := &pathStream{
				mode: mode, tag: byte(len(r.byTag)), up: track.NewUpTrack(up), spatial: spatial, first: uint16(r.dice.Uint32()),
				tl0: uint8(r.dice.Uint32()), key: uint8(r.dice.Uint32()), sequence: uint16(r.dice.Uint32()), stamp: r.dice.Uint32(),
				width: uint16(160 << i),
			}
			if strings.HasPrefix(mode, "L") {
				s := *specStructure(tb, mode)
				s.Offset = uint8(r.dice.IntN(64))
				e.structure = &s
			}
			r.byTag[e.tag] = e
			all = append(all, e)
		}
		r.sources = append(r.sources, all)
	}
	return r
}

func (r *pathRig) chance(of int) bool { return r.dice.IntN(of) == 0 }

// run has everybody publish for a while, and things happen.
func (r *pathRig) run() {
	var held [][]byte
	for range 60 + r.dice.IntN(200) {
		r.happen()
		for _, streams := range r.sources {
			for _, e := range streams {
				for _, p := range e.picture(r.dice) {
					b, err := p.Marshal()
					if err != nil {
						r.t.Fatal(err)
					}
					switch {
					case r.clean || !r.chance(12):
						e.up.Ingest(b)
					case r.chance(2): // lost
					default:
						held = append(held, b)
					}
					if len(held) > 0 && r.chance(4) {
						r.late(held[0])
						if r.chance(2) {
							held = held[1:]
						}
					}
					if r.chance(3) {
						r.collect()
					}
				}
			}
		}
		r.collect()
		r.askAgain()
	}
}

func (r *pathRig) late(b []byte) {
	ssrc := binary.BigEndian.Uint32(b[8:])
	r.byTag[byte(ssrc-100)].up.Ingest(b)
}

func (r *pathRig) happen() {
	now := r.f.now()
	switch r.dice.IntN(30) {
	case 0:
		r.dt.Bind(r.sources[r.dice.IntN(2)][0].up.track, false)
	case 1:
		r.dt.SetPaused(r.chance(3))
	case 2, 3, 4:
		r.step(now)
		l := layers.Layer{Spatial: int8(r.dice.IntN(3)), Temporal: int8(r.dice.IntN(3))}
		if r.chance(8) {
			l = layers.None
		}
		r.dt.aim(l, LimitBandwidth, now)
	case 5:
		if r.chance(4) {
			r.dt.Unbind()
		}
	}
	r.step(now)
	r.dt.retarget(now)
}

func (r *pathRig) collect() {
	r.step(r.f.now())
	r.sent = append(r.sent, r.w.take()...)
}

// askAgain asks for a packet that was sent a while ago: it must be the same.
func (r *pathRig) askAgain() {
	if len(r.sent) == 0 || !r.chance(2) {
		return
	}
	first := r.sent[max(len(r.sent)-1-r.dice.IntN(60), 0)]
	r.dt.sent.age()
	r.d.HandleRTCP(appendNACK(nil, 1, slotSSRC, []uint16{first.header.SequenceNumber}))
	r.step(r.f.now())
	for _, again := range r.w.take() {
		if again.header.SequenceNumber != first.header.SequenceNumber {
			r.t.Fatalf("%d was asked for and %d came", first.header.SequenceNumber, again.header.SequenceNumber)
		}
		a, b := marshalWritten(r.t, &again), marshalWritten(r.t, &first)
		if !bytes.Equal(a, b) {
			r.t.Fatalf("retransmitted\n%x, sent\n%x", a, b)
		}
	}
}

// age makes all that was sent old enough to be asked for.
func (r *sentRing) age() {
	if r == nil {
		return
	}
	for i := range r.entries {
		r.entries[i].at -= 5000
	}
}

func marshalWritten(t *rapid.T, w *written) []byte {
	b, err := (&rtp.Packet{Header: w.header, Payload: w.payload}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// from is what a sent packet was.
func (r *pathRig) from(w *written) (e *pathStream, id, index int) {
	tail := w.payload[len(w.payload)-5:]
	return r.byTag[tail[0]], int(tail[1])<<16 | int(tail[2])<<8 | int(tail[3]), int(tail[4])
}

// TestLayersThroughThePath runs publishers of every kind through Ingest, a shard and a slot that is aimed, paused, bound and
// asked at random. Without loss a decoder understands everything that leaves: numbers go on by one, timestamps grow, markers
// end pictures, all that a frame refers to has come whole, counters and descriptors say so. With loss, nothing is sent under
// two numbers and two things under none.
func TestLayersThroughThePath(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"vp8", "h264", "vp9", "L1T3", "L3T3"} {
		for _, clean := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/clean=%v", mode, clean), func(t *testing.T) {
				t.Parallel()
				sent, switches, left := 0, uint64(0), uint64(0)
				rapid.Check(t, func(rt *rapid.T) {
					r := newPathRig(rt, t, mode, clean)
					defer r.u.Close()
					r.dt.Bind(r.sources[0][0].up.track, false)
					r.run()
					sent += len(r.sent)
					switches += r.dt.Stats().LayerSwitches
					left += r.dt.Stats().Drops[DropLayer]
					checkDownIdentity(rt2t{t, rt}, r.dt.Stats())
					r.checkUnique()
					if clean {
						r.checkDecodable()
					}
					r.checkDescriptors()
				})
				if scalable := mode == "vp9" || mode == "L3T3"; sent == 0 || left == 0 || switches == 0 && !scalable {
					t.Errorf("%d packets, %d left out, %d switches", sent, left, switches)
				}
			})
		}
	}
}

func (r *pathRig) checkUnique() {
	numbers := make(map[uint16]string)
	for i := range r.sent {
		w := &r.sent[i]
		what := string(w.payload[len(w.payload)-5:])
		if was, ok := numbers[w.header.SequenceNumber]; ok {
			r.t.Fatalf("number %d: %x and %x", w.header.SequenceNumber, was, what)
		}
		numbers[w.header.SequenceNumber] = what
	}
}

func (r *pathRig) checkDecodable() {
	type place struct {
		e  *pathStream
		id int
	}
	got := make(map[place]int)
	for i := range r.sent {
		w := &r.sent[i]
		e, id, index := r.from(w)
		f := &e.frames[id]
		got[place{e, id}]++
		for _, ref := range f.refs {
			if n := got[place{e, ref}]; n != e.frames[ref].packets {
				r.t.Fatalf("packet %d: frame %d of stream %d refers to %d, of which %d of %d packets came", i, id, e.tag, ref, n, e.frames[ref].packets)
			}
		}
		if i == 0 {
			if !f.key {
				r.t.Fatal("starts without a keyframe")
			}
			continue
		}
		before := &r.sent[i-1]
		o, was, at := r.from(before)
		if w.header.SequenceNumber != before.header.SequenceNumber+1 {
			r.t.Fatalf("packet %d: number %d after %d", i, w.header.SequenceNumber, before.header.SequenceNumber)
		}
		passed := int32(w.header.Timestamp - before.header.Timestamp)
		same := e == o && f.picture == o.frames[was].picture
		if same != (passed == 0) || passed < 0 {
			r.t.Fatalf("packet %d: timestamp goes on by %d, same picture %v", i, passed, same)
		}
		if same && before.header.Marker {
			r.t.Fatalf("packet %d: marker within a picture", i)
		}
		if !same && !before.header.Marker && !f.key {
			r.t.Fatalf("packet %d: frame %d of stream %d had no marker", i-1, was, o.tag)
		}
		r.checkCounters(i, e, id, o, was, index, at)
	}
}

func (r *pathRig) checkCounters(i int, e *pathStream, id int, o *pathStream, was, index, at int) {
	now, before := r.sent[i].payload, r.sent[i-1].payload
	f, g := &e.frames[id], &o.frames[was]
	same := e == o && id == was && index > at
	switch r.mode {
	case "vp8":
		gap := (binary.BigEndian.Uint16(now[2:]) - binary.BigEndian.Uint16(before[2:])) & 0x7fff
		tl0, key := now[4]-before[4], (now[5]-before[5])&31
		switch {
		case same && (gap != 0 || tl0 != 0 || key != 0), !same && gap != 1:
			r.t.Fatalf("packet %d: picture id goes on by %d, TL0PICIDX by %d, KEYIDX by %d", i, gap, tl0, key)
		case !same && (f.temporal == 0 && tl0 != 1 || f.temporal > 0 && tl0 != 0 || f.key && key != 1 || !f.key && key != 0):
			r.t.Fatalf("packet %d: T%d, key %v: TL0PICIDX goes on by %d, KEYIDX by %d", i, f.temporal, f.key, tl0, key)
		}
	case "vp9":
		gap := (binary.BigEndian.Uint16(now[1:]) - binary.BigEndian.Uint16(before[1:])) & 0x7fff
		if want := uint16(f.picture-g.picture) & 0x7fff; (e != o || gap != want) && !(f.key && gap == 1) {
			r.t.Fatalf("packet %d: picture id goes on by %d", i, gap)
		}
	}
}

// checkDescriptors reads dependency descriptors as the receiver does: what a number refers to is what the frame refers to.
func (r *pathRig) checkDescriptors() {
	if r.sources[0][0].structure == nil {
		return
	}
	type place struct {
		e  *pathStream
		id int
	}
	reader := layers.Reader{Codec: layers.AV1}
	frames := make(map[uint16]place)
	for i := range r.sent {
		w := &r.sent[i]
		e, id, index := r.from(w)
		f := &e.frames[id]
		u := reader.Read(w.payload, w.header.GetExtension(idDependency), w.header.Timestamp, w.header.Marker)
		if u.Structure == nil || !u.Known {
			if r.clean {
				r.t.Fatalf("packet %d: descriptor %x cannot be read", i, w.header.GetExtension(idDependency))
			}
			continue
		}
		if int(u.Spatial) != f.spatial || int(u.Temporal) != f.temporal {
			r.t.Fatalf("packet %d: read as S%d T%d, is S%d T%d", i, u.Spatial, u.Temporal, f.spatial, f.temporal)
		}
		if was, ok := frames[u.Number]; ok && index == 0 && was == (place{e, id}) && r.clean {
			r.t.Fatalf("packet %d: frame %d comes twice", i, id)
		}
		frames[u.Number] = place{e, id}
		if len(f.refs) != int(u.References.Count) {
			r.t.Fatalf("packet %d: %d references of %d", i, u.References.Count, len(f.refs))
		}
		for n, diff := range u.References.Diff[:u.References.Count] {
			ref, ok := frames[u.Number-diff]
			if ok && ref != (place{e, f.refs[n]}) || !ok && r.clean {
				r.t.Fatalf("packet %d: frame %d of stream %d refers to %+v, want %d", i, id, e.tag, ref.id, f.refs[n])
			}
		}
	}
}
