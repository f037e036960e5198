// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// world is one run of the model. A run takes thousands of dice, hence a generator
// of its own under the seed that rapid draws.
type world struct {
	*rapid.T
	dice *rand.Rand
}

func (t *world) between(low, high int) int { return low + t.dice.IntN(high-low+1) }

func (t *world) coin() bool { return t.dice.IntN(2) == 0 }

// A frame of the encoder model: refs are of the same stream.
type modelFrame struct {
	stream, picture   int
	spatial, temporal int
	id                int // index in the stream's frames; frame number of the descriptor
	key               bool
	refs              []int // ids
	packets           int
	structure         *Structure
	template          uint8
	start, last       bool // of the picture
	pictureID, tl0    int  // as the encoder counts
	keyIdx            int
	sync              bool
}

// A packet of the model, as it is received.
type modelPacket struct {
	frame              *modelFrame
	index              int
	sequence           uint64
	timestamp          uint64
	payload, extension []byte
	marker             bool
	unit               Unit
}

// encoder makes a stream of a mode: "vp8", "vp9" (non-flexible), "vp9flex" or the
// name of a structure, which is sent as AV1 with dependency descriptors.
type encoder struct {
	mode      string
	stream    int
	spatial   int // layers
	structure *Structure
	frames    []*modelFrame
	packets   []*modelPacket
	byLayer   map[[2]int]int // newest frame id of a layer
	pictures  int
	cycle     int
	tl0, key  int
	first     uint16 // frame number, picture id that the stream begins with
	sequence  uint64
	clock     uint64
	wantsKey  bool
}

var temporalPattern = [4]int{0, 2, 1, 2}

func (e *encoder) descriptor() bool { return e.structure != nil }

// picture encodes one picture; sync says which upper layers refer to nothing but
// the base layer, in codecs that have a choice.
func (e *encoder) picture(t *world) []*modelPacket {
	from := len(e.packets)
	key := e.pictures == 0 || e.wantsKey || t.between(0, 24) == 0
	e.wantsKey = false
	if key {
		e.cycle = 0
		e.byLayer = make(map[[2]int]int)
		e.key++
	}
	position := e.cycle % 4
	temporal := temporalPattern[position]
	if temporal == 0 {
		e.tl0++
	}
	sync := temporal > 0 && t.coin()
	e.clock += 3000
	for s := range e.spatial {
		f := &modelFrame{
			stream: e.stream, picture: e.pictures, spatial: s, temporal: temporal, id: len(e.frames), key: key,
			packets: t.between(1, 3), structure: e.structure, start: s == 0, last: s == e.spatial-1,
			pictureID: e.pictures, tl0: e.tl0, keyIdx: e.key, sync: sync,
		}
		e.refer(f, position)
		e.frames = append(e.frames, f)
		e.send(f)
	}
	e.pictures++
	e.cycle++
	return e.packets[from:]
}

// refer settles what a frame is predicted from.
func (e *encoder) refer(f *modelFrame, position int) {
	switch {
	case e.descriptor():
		f.template = e.templateOf(f, position)
		p := &e.structure.Templates[f.template]
		for _, d := range p.References.Diff[:p.References.Count] {
			f.refs = append(f.refs, f.id-int(d))
		}
		return
	case f.spatial > 0:
		f.refs = append(f.refs, f.id-1)
	}
	if f.key {
		e.byLayer[[2]int{f.spatial, 0}] = f.id
		return
	}
	top := f.temporal
	if f.sync {
		// VP8's Y: nothing but the base layer. VP9's U on the pictures of a lower
		// layer: upper ones do not look back beyond it; here they look back to
		// the base layer only, which is stricter.
		top = 0
	}
	for l := range top + 1 {
		if id, ok := e.byLayer[[2]int{f.spatial, l}]; ok {
			f.refs = append(f.refs, id)
		}
	}
	e.byLayer[[2]int{f.spatial, f.temporal}] = f.id
	if f.temporal == 0 { // upper layers do not look back beyond the base layer in VP9's U
		if e.mode != "vp8" {
			delete(e.byLayer, [2]int{f.spatial, 1})
			delete(e.byLayer, [2]int{f.spatial, 2})
		}
	}
}

// templateOf knows how the specification's examples order their templates.
func (e *encoder) templateOf(f *modelFrame, position int) uint8 {
	n := [4]uint8{1, 3, 2, 4}[position]
	if f.key {
		n = 0
	}
	return uint8(5*f.spatial) + n
}

func (e *encoder) send(f *modelFrame) {
	for i := range f.packets {
		first, last := i == 0, i == f.packets-1
		p := &modelPacket{frame: f, index: i, sequence: e.sequence, timestamp: e.clock, marker: last && f.last}
		e.sequence++
		switch {
		case e.descriptor():
			d := Dependency{
				FrameStart: first, FrameEnd: last, TemplateID: (f.template + f.structure.Offset) & 63,
				Number: uint16(f.id) + e.first, Structure: f.structure, Attached: f.key && first && f.spatial == 0,
			}
			p.extension = d.Append(nil)
			p.payload = []byte{0x10}
		case e.mode == "vp8":
			p.payload = e.vp8(f, first)
		default:
			p.payload = e.vp9(f, first, last)
		}
		p.payload = append(p.payload, 0xaa, 0xbb, 0xcc, 0xdd)
		e.packets = append(e.packets, p)
	}
}

func (e *encoder) vp8(f *modelFrame, first bool) []byte {
	id := (uint16(f.pictureID) + e.first) & 0x7fff
	b := []byte{0x80, 0xf0, 0x80 | byte(id>>8), byte(id), byte(f.tl0), byte(f.temporal)<<6 | byte(f.keyIdx&31)}
	if first {
		b[0] |= 0x10
	}
	if f.sync {
		b[5] |= 0x20
	}
	if f.key && first {
		return append(b, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0)
	}
	return append(b, 0x11)
}

func (e *encoder) vp9(f *modelFrame, first, last bool) []byte {
	id := (uint16(f.pictureID) + e.first) & 0x7fff
	flags := byte(0xa0)
	if e.mode == "vp9flex" {
		flags |= 0x10
	}
	if !f.key {
		flags |= 0x40
	}
	if first {
		flags |= 0x08
	}
	if last {
		flags |= 0x04
	}
	layer := byte(f.temporal)<<5 | byte(f.spatial)<<1
	if f.temporal == 0 {
		layer |= 0x10
	}
	if f.spatial > 0 {
		layer |= 1
	}
	b := []byte{flags, 0x80 | byte(id>>8), byte(id), layer}
	if e.mode == "vp9flex" {
		if !f.key {
			b = append(b, 1<<1)
		}
		return b
	}
	return append(b, byte(f.tl0))
}

// keySVC makes of full SVC one where upper layers need the lower ones in key
// pictures only, and of that a simulcast in one stream.
func keySVC(full *Structure, simulcast bool) *Structure {
	s := *full
	for i := range s.Count {
		p := &s.Templates[i]
		key := i%5 == 0
		if p.Spatial > 0 && (!key || simulcast) {
			p.References.Count-- // the last is the one of 1, to the layer below
			p.References.Diff[p.References.Count] = 0
		}
		for d := range int(s.Targets) {
			own := int(p.Spatial) == 2-d/3
			switch {
			case !own && (!key || simulcast):
				p.Targets.set(d, NotPresent)
			case own && p.Targets.Of(d) == Required:
				p.Targets.set(d, Switch)
			}
		}
	}
	s.Chains = 0
	s.Protected = [MaxTargets]uint8{}
	for i := range s.Count {
		s.Templates[i].Chains = [MaxChains]uint8{}
	}
	s.derive()
	return &s
}

func newEncoders(t *world, spec map[string]*Structure, mode string) []*encoder {
	streams, spatial := 1, 1
	var structures []*Structure
	switch mode {
	case "vp8", "vp9":
		streams = t.between(1, 3)
		if mode == "vp9" && streams == 1 {
			spatial = 3
		}
	case "vp9flex":
		spatial = 3
	case "L1T3":
		streams = t.between(1, 3)
		structures = append(structures, spec["L1T3"])
	case "L3T3":
		spatial = 3
		structures = append(structures, spec["L3T3"])
	case "L3T3_KEY", "S3T3":
		spatial = 3
		structures = append(structures, keySVC(spec["L3T3"], mode == "S3T3"))
	}
	var all []*encoder
	for i := range streams {
		e := &encoder{
			mode: mode, stream: i, spatial: spatial, byLayer: map[[2]int]int{}, first: uint16(t.between(0, 65535)),
			tl0: t.between(0, 255), key: t.between(0, 31),
			sequence: 1000, clock: uint64(t.between(1<<20, 1<<30)),
		}
		if len(structures) > 0 {
			s := *structures[0]
			s.Offset = uint8(t.between(0, 63))
			e.structure = &s
		}
		all = append(all, e)
	}
	return all
}

// sentPacket is what the receiver gets.
type sentPacket struct {
	*modelPacket
	decision  Decision
	stamp     Stamp
	payload   []byte
	extension []byte
	run       int
}

// node is one receiver's side of the model.
type node struct {
	selector Selector
	rewriter Rewriter
	sent     []*sentPacket
	fate     map[*modelPacket]Action
	closed   map[*modelFrame]bool // left out before a later one had come
	newest   uint64
	run      int
}

func (n *node) packet(t *world, p *modelPacket) {
	d := n.selector.Choose(p.frame.stream, p.timestamp, &p.unit)
	if d.Start {
		n.newest = 0
	}
	if d.Action != Ignore {
		n.newest = max(n.newest, p.timestamp)
	}
	switch d.Action {
	case Ignore:
	case Skip:
		n.rewriter.Skip(&p.unit)
		if p.timestamp == n.newest {
			n.closed[p.frame] = true
		}
	case Forward:
		if d.Start {
			n.run++
		}
		stamp, ok := n.rewriter.Forward(&p.unit, &d)
		if !ok {
			d.Action = Ignore
			break
		}
		out := &sentPacket{modelPacket: p, decision: d, stamp: stamp, run: n.run, payload: append([]byte(nil), p.payload...)}
		stamp.Payload(&p.unit, out.payload)
		out.extension = make([]byte, stamp.DescriptorSize(&p.unit, len(p.extension)))
		stamp.Descriptor(&p.unit, out.extension, p.extension)
		if len(out.payload) != len(p.payload) || string(out.payload[len(out.payload)-4:]) != "\xaa\xbb\xcc\xdd" {
			t.Fatalf("payload %x became %x", p.payload, out.payload)
		}
		n.sent = append(n.sent, out)
	}
	if old, ok := n.fate[p]; !ok || old != Forward {
		n.fate[p] = d.Action
	}
}

// network loses and delays packets.
func network(t *world, packets []*modelPacket, clean bool) []*modelPacket {
	if clean {
		return packets
	}
	var out []*modelPacket
	type late struct {
		p  *modelPacket
		at int
	}
	var held []late
	for i, p := range packets {
		switch t.between(0, 19) {
		case 0: // lost
		case 1:
			held = append(held, late{p, i + t.between(1, 40)})
		default:
			out = append(out, p)
		}
		for len(held) > 0 && held[0].at <= i {
			out = append(out, held[0].p)
			held = held[1:]
		}
	}
	return out
}

func drawTarget(t *world) Layer {
	if t.between(0, 9) == 0 {
		return None
	}
	return Layer{int8(t.between(0, 2)), int8(t.between(0, 2))}
}

func newNode(t *world, mode string) (*node, []*encoder, []Reader) {
	encoders := newEncoders(t, specForModel, mode)
	readers := make([]Reader, len(encoders))
	for i := range readers {
		readers[i].Codec = map[string]Codec{"vp8": VP8, "vp9": VP9, "vp9flex": VP9}[mode]
		if encoders[i].descriptor() {
			readers[i].Codec = AV1
		}
	}
	n := &node{fate: make(map[*modelPacket]Action), closed: make(map[*modelFrame]bool)}
	n.selector.Reset(len(encoders) > 1)
	return n, encoders, readers
}

// runModel sends pictures of every stream through a node while the target
// changes, and returns what the receiver got.
func runModel(t *world, mode string, clean bool) (*node, []*encoder) {
	n, encoders, readers := newNode(t, mode)
	n.selector.SetTarget(drawTarget(t))
	for range t.between(4, 12) {
		var packets []*modelPacket
		for range t.between(1, 10) {
			for _, e := range encoders {
				packets = append(packets, e.picture(t)...)
			}
		}
		for _, p := range network(t, packets, clean) {
			p.unit = readers[p.frame.stream].Read(p.payload, p.extension, uint32(p.timestamp), p.marker)
			n.packet(t, p)
			if t.between(0, 29) == 0 {
				n.selector.SetTarget(drawTarget(t))
			}
		}
		if stream, need := n.selector.NeedsKeyframe(); need && stream < len(encoders) {
			encoders[stream].wantsKey = true
		}
	}
	return n, encoders
}

var specForModel map[string]*Structure

// modes whose decoder model is run.
var modes = []string{"vp8", "vp9", "vp9flex", "L1T3", "L3T3", "L3T3_KEY", "S3T3"}

func eachMode(t *testing.T, clean bool, check func(*world, string, *node, []*encoder)) {
	t.Helper()
	specForModel = specStructures(t)
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			forwarded := 0
			rapid.Check(t, func(r *rapid.T) {
				seed := rapid.Uint64().Draw(r, "seed")
				t := &world{T: r, dice: rand.New(rand.NewPCG(seed, seed))}
				n, encoders := runModel(t, mode, clean)
				forwarded += len(n.sent)
				check(t, mode, n, encoders)
			})
			if forwarded == 0 {
				t.Error("nothing was forwarded in any run")
			}
		})
	}
}

func (f *modelFrame) String() string {
	return fmt.Sprintf("stream %d picture %d S%d T%d frame %d key %v refs %v", f.stream, f.picture, f.spatial, f.temporal, f.id, f.key, f.refs)
}

// TestNoReferenceLeftOut: whatever is lost, late or changed, a frame that is
// forwarded refers to nothing of which a packet was left out on purpose, and
// nothing of itself is left out.
func TestNoReferenceLeftOut(t *testing.T) {
	eachMode(t, false, func(t *world, _ string, n *node, encoders []*encoder) {
		left := make(map[*modelFrame]bool)
		for p, action := range n.fate {
			if action == Skip {
				left[p.frame] = true
			}
		}
		for _, p := range n.sent {
			f := p.frame
			if left[f] {
				t.Fatalf("%v: forwarded and left out", f)
			}
			for _, id := range f.refs {
				if ref := encoders[f.stream].frames[id]; left[ref] {
					t.Fatalf("%v refers to %v, which was left out", f, ref)
				}
			}
		}
	})
}

// TestDecoderModel: without loss a decoder can decode all it gets, sees one
// marker per picture, at its end, and counters without a gap.
func TestDecoderModel(t *testing.T) {
	eachMode(t, true, func(t *world, mode string, n *node, encoders []*encoder) {
		checkDecodable(t, n, encoders)
		checkMarkers(t, n)
		switch {
		case mode == "vp8":
			checkVP8(t, n)
		case encoders[0].descriptor():
			checkDescriptors(t, n, encoders, true)
		default:
			checkVP9(t, n)
		}
	})
}

func checkDecodable(t *world, n *node, encoders []*encoder) {
	type place struct {
		frame *modelFrame
		run   int
	}
	got := make(map[place]int)
	for _, p := range n.sent {
		at := place{p.frame, p.run}
		got[at]++
		if p.index == 0 {
			for _, id := range p.frame.refs {
				ref := encoders[p.frame.stream].frames[id]
				if got[place{ref, p.run}] != ref.packets {
					t.Fatalf("%v cannot be decoded: of %v %d packets are there", p.frame, ref, got[place{ref, p.run}])
				}
			}
		}
	}
}

func checkMarkers(t *world, n *node) {
	for i, p := range n.sent {
		last := i == len(n.sent)-1 || n.sent[i+1].timestamp != p.timestamp || n.sent[i+1].run != p.run
		if p.decision.Marker && !last {
			t.Fatalf("%v: marker before the end of the picture", p.frame)
		}
		interrupted := i == len(n.sent)-1 || n.sent[i+1].run != p.run
		if last && !p.decision.Marker && !interrupted {
			t.Fatalf("%v: picture without a marker", p.frame)
		}
	}
}

func checkVP8(t *world, n *node) {
	var id uint16
	var tl0, key byte
	for i, p := range n.sent {
		gotID, gotTL0, gotKey := binary.BigEndian.Uint16(p.payload[2:])&0x7fff, p.payload[4], p.payload[5]&31
		switch same := i > 0 && n.sent[i-1].frame == p.frame && n.sent[i-1].run == p.run; {
		case i == 0:
		case same && (gotID != id || gotTL0 != tl0 || gotKey != key):
			t.Fatalf("%v: %d %d %d within a frame, was %d %d %d", p.frame, gotID, gotTL0, gotKey, id, tl0, key)
		case same:
		case gotID != (id+1)&0x7fff:
			t.Fatalf("%v: picture id %d after %d", p.frame, gotID, id)
		case p.frame.temporal == 0 && gotTL0 != tl0+1, p.frame.temporal > 0 && gotTL0 != tl0:
			t.Fatalf("%v: TL0PICIDX %d after %d", p.frame, gotTL0, tl0)
		case p.frame.key && gotKey != (key+1)&31, !p.frame.key && gotKey != key:
			t.Fatalf("%v: KEYIDX %d after %d", p.frame, gotKey, key)
		}
		id, tl0, key = gotID, gotTL0, gotKey
	}
}

func checkVP9(t *world, n *node) {
	var id uint16
	for i, p := range n.sent {
		got := binary.BigEndian.Uint16(p.payload[1:]) & 0x7fff
		if i > 0 {
			before := n.sent[i-1]
			want := id + uint16(p.frame.pictureID-before.frame.pictureID) // references are differences of these
			if p.run != before.run {
				want = id + 1
			}
			if got != want&0x7fff {
				t.Fatalf("%v: picture id %d after %d, want %d", p.frame, got, id, want)
			}
		}
		id = got
	}
}

// checkDescriptors reads what was sent as its receiver does: with the structure
// that came with it.
func checkDescriptors(t *world, n *node, encoders []*encoder, clean bool) {
	type place struct {
		frame *modelFrame
		run   int
	}
	out := make(map[place]uint16)
	byNumber := make(map[uint16]place)
	var r Reader
	var before *sentPacket
	var structure *Structure
	for _, p := range n.sent {
		u := r.Read(p.payload, p.extension, 0, p.marker)
		if s := u.Structure; clean && structure != nil && s != structure &&
			((s.Offset-structure.Offset)&63 < structure.Count || (structure.Offset-s.Offset)&63 < s.Count) {
			t.Fatalf("%v: template ids from %d, those before from %d", p.frame, s.Offset, structure.Offset)
		}
		structure = u.Structure
		if u.Structure == nil {
			if clean {
				t.Fatalf("%v: descriptor %x cannot be read", p.frame, p.extension)
			}
			continue
		}
		at := place{p.frame, p.run}
		if was, ok := out[at]; ok && was != u.Number {
			t.Fatalf("%v: number %d, was %d", p.frame, u.Number, was)
		}
		if was, ok := byNumber[u.Number]; ok && was != at {
			t.Fatalf("number %d: %v and %v", u.Number, was, at)
		}
		if clean && before != nil && p.run != before.run && u.Number != out[place{before.frame, before.run}]+1 {
			t.Fatalf("%v: number %d after %d", p.frame, u.Number, out[place{before.frame, before.run}])
		}
		if clean && p.frame.key && len(p.frame.refs) == 0 && p.index == 0 && !u.Key {
			t.Fatalf("%v: keyframe without a structure: %x", p.frame, p.extension)
		}
		out[at], byNumber[u.Number], before = u.Number, at, p
		for _, diff := range u.References.Diff[:u.References.Count] {
			ref, ok := byNumber[u.Number-diff]
			want := encoders[p.frame.stream].frames
			if ok && (ref.run != p.run || want[p.frame.id-int(diff)] != ref.frame) {
				t.Fatalf("%v: reads a reference to %v", p.frame, ref.frame)
			}
			if !ok && clean {
				t.Fatalf("%v: reads a reference to number %d, which did not come", p.frame, u.Number-diff)
			}
		}
		if u.Spatial != uint8(p.frame.spatial) || u.Temporal != uint8(p.frame.temporal) || u.Targets != p.unit.Targets {
			t.Fatalf("%v: read as S%d T%d %x", p.frame, u.Spatial, u.Temporal, u.Targets)
		}
		if clean && u.Active != p.decision.Active {
			t.Fatalf("%v: receiver knows of targets %b, whole are %b", p.frame, u.Active, p.decision.Active)
		}
	}
	if clean {
		checkActive(t, n)
	}
}

// checkActive: a decode target that the receiver is told is there has all its frames.
func checkActive(t *world, n *node) {
	active := make(map[uint64]uint32)
	for _, p := range n.sent {
		active[p.timestamp] = p.decision.Active
	}
	for p, action := range n.fate {
		mask, ok := active[p.timestamp]
		if action != Skip || !ok {
			continue
		}
		for target := range int(p.unit.Structure.Targets) {
			if mask>>target&1 != 0 && p.unit.Targets.Of(target) != NotPresent {
				t.Fatalf("%v left out, yet target %d of %b is said to be there", p.frame, target, mask)
			}
		}
	}
}

// TestCountersUnderLoss: with loss and reordering a gap that the receiver sees is
// one of frames that were lost, and no two frames share an id.
func TestCountersUnderLoss(t *testing.T) {
	eachMode(t, false, func(t *world, mode string, n *node, encoders []*encoder) {
		switch {
		case encoders[0].descriptor():
			checkDescriptors(t, n, encoders, false)
		case mode == "vp8":
			checkVP8Gaps(t, n, encoders)
		}
	})
}

// checkVP8Gaps: the ids of a run lie as far apart as the frames between that were
// not left out, so that those that were lost, and only those, are missing. A
// frame that was left out late, when those after it had their numbers, counts as
// lost too.
func checkVP8Gaps(t *world, n *node, encoders []*encoder) {
	type place struct {
		frame *modelFrame
		run   int
	}
	frames := make(map[uint16]place)
	for _, p := range n.sent {
		id := binary.BigEndian.Uint16(p.payload[2:]) & 0x7fff
		at := place{p.frame, p.run}
		if was, ok := frames[id]; ok && was != at {
			t.Fatalf("picture id %d: %v and %v", id, was.frame, p.frame)
		}
		frames[id] = at
	}
	for i, p := range n.sent {
		if i == 0 || p.run != n.sent[i-1].run || p.frame.id <= n.sent[i-1].frame.id {
			continue
		}
		before := n.sent[i-1]
		gap := int(binary.BigEndian.Uint16(p.payload[2:])-binary.BigEndian.Uint16(before.payload[2:])) & 0x7fff
		want := 1
		for _, f := range encoders[p.frame.stream].frames[before.frame.id+1 : p.frame.id] {
			if !n.closed[f] {
				want++
			}
		}
		if gap != want {
			t.Fatalf("%v after %v: picture ids %d apart, want %d", p.frame, before.frame, gap, want)
		}
	}
}

// TestTargetIsReached: when keyframes come as they are asked for, two seconds are
// enough to get to any target, and then all of its frames are forwarded.
func TestTargetIsReached(t *testing.T) {
	specForModel = specStructures(t)
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				seed := rapid.Uint64().Draw(r, "seed")
				t := &world{T: r, dice: rand.New(rand.NewPCG(seed, seed))}
				n, encoders, readers := newNode(t, mode)
				for range 4 {
					target := Layer{int8(t.between(0, max(len(encoders), encoders[0].spatial)-1)), int8(t.between(0, 2))}
					n.selector.SetTarget(target)
					for range 60 {
						for _, e := range encoders {
							for _, p := range e.picture(t) {
								p.unit = readers[e.stream].Read(p.payload, p.extension, uint32(p.timestamp), p.marker)
								n.packet(t, p)
							}
						}
						if stream, need := n.selector.NeedsKeyframe(); need {
							encoders[stream].wantsKey = true
						}
					}
					if got := n.selector.Current(); got != target {
						t.Fatalf("at %v, want %v", got, target)
					}
				}
			})
		})
	}
}
