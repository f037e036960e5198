// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp/codecs"
)

var allCodecs = []Codec{CodecUnknown, CodecOpus, CodecRED, CodecVP8, CodecVP9, CodecH264, CodecH265, CodecAV1}

// unhex decodes hexadecimal bytes; spaces may group them.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatalf("test data %q: %v", s, err)
	}
	return b
}

// Whole frames as encoders made them: 66x50 pixels of one colour, a keyframe
// and a frame that depends on it. Made with
// ffmpeg -f lavfi -i color=c=red:size=66x50 and the encoders libvpx, libvpx-vp9,
// libx264, libx265 and libaom-av1.
const (
	vp8Key   = "1004009d012a4200320000470885858899848802020275aa03f803fa0206ffb91a04081020408101c000fefd6ef3ffe46fe3e746ffc8e3fffc4a9ee389e3fffc4680"
	vp8Delta = "9102000510ac00180c514a3a1b94700d966ee41c773280feed4ddff1a63cfc0f403bdfff5bf92fedfc97f701fcc3d6a000"
	vp9Key   = "8249834200041003160038241c184a0000306000006c5bffff8888ffffffff30d5ffffffffa8ec20b58db400"
	vp9Delta = "860040929c0050000003600000550a00"
	av1Key   = "12000a0a000000032c1c4daf9004322a10008800041041100000c1b4e5c1a2503ec8d65dffa798663b608720bf4fe6f69d1ff625d0a57af82ac0"
	av1Delta = "1200321530038080fdf806a0002cb2cb140821009713688b10"

	h264SmallSPS = "6764000aacb20a4f111180880000030008000003005478913240"
	h264PPS      = "68ebc3cb22c0"
	h264IDRSlice = "65888404bffee8c9fccb2b2fe3d437b34629b349a71cc23d1d30e9e0293accdb2264d8d57eeb922833"
	h264Slice    = "419a3b105ffffedaa66368"

	h265VPSUnit  = "40010c01ffff01600000030090000003000003001e928090"
	h265SmallSPS = "42010101600000030090000003000003001ea024839c926592ae4caf0168080000030008000003002840"
	h265PPS      = "4401c173d189"
	h265IDRSlice = "2801af251630e93089fff8441ffa69443b8c0554be693a80a56e1c5528006383fce580"
	h265Slice    = "0201d0097e10c64a54f81338a5c850"
)

func TestCodecNames(t *testing.T) {
	rows := []struct {
		mime  string
		want  Codec
		video bool
		rate  uint32
	}{
		{"audio/opus", CodecOpus, false, 48000},
		{"audio/OPUS", CodecOpus, false, 48000},
		{"audio/red", CodecRED, false, 48000},
		{"video/VP8", CodecVP8, true, 90000},
		{"VIDEO/vp9", CodecVP9, true, 90000},
		{"video/H264;packetization-mode=1", CodecH264, true, 90000},
		{" video/h265 ", CodecH265, true, 90000},
		{"video/AV1", CodecAV1, true, 90000},
		{"video/red", CodecUnknown, false, 0},
		{"audio/VP8", CodecUnknown, false, 0},
		{"video/rtx", CodecUnknown, false, 0},
		{"audio/PCMU", CodecUnknown, false, 0},
		{"audio/unknown", CodecUnknown, false, 0},
		{"VP8", CodecUnknown, false, 0},
		{"", CodecUnknown, false, 0},
	}
	for _, r := range rows {
		got := CodecFromMime(r.mime)
		if got != r.want || got.Video() != r.video || got.ClockRate() != r.rate {
			t.Errorf("CodecFromMime(%q) = %v, video %v, rate %d; want %v, %v, %d",
				r.mime, got, got.Video(), got.ClockRate(), r.want, r.video, r.rate)
		}
	}
	if got := Codec(200); got.String() != "unknown" || got.Video() || got.ClockRate() != 0 {
		t.Errorf("codec out of range: %v, %v, %d", got, got.Video(), got.ClockRate())
	}
}

func TestDescribeAudio(t *testing.T) {
	audio := Descriptor{Known: true, FrameStart: true, FrameEnd: true, Keyframe: true}
	rows := []struct {
		name  string
		codec Codec
		hex   string
		want  Descriptor
	}{
		{"opus", CodecOpus, "fc 01 02", audio},
		{"opus DTX", CodecOpus, "f8", audio},
		{"padding only", CodecOpus, "", Descriptor{}},
		{"red, primary only", CodecRED, "6f fc01", audio},
		{"red, primary empty", CodecRED, "6f", audio},
		{"red, one redundant block", CodecRED, "ef 03c003 6f 010203 fc", audio},
		{"red, block longer than packet", CodecRED, "ef 03c3ff 6f 010203", Descriptor{}},
		{"red, header cut", CodecRED, "ef 03c0", Descriptor{}},
		{"red, no last header", CodecRED, "ef 03c000", Descriptor{}},
		{"unknown codec", CodecUnknown, "fc0102", Descriptor{}},
		{"codec out of range", Codec(99), "fc0102", Descriptor{}},
	}
	for _, r := range rows {
		if diff := cmp.Diff(r.want, r.codec.Describe(unhex(t, r.hex), false)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.name, diff)
		}
	}
}

// payloader is what the payloaders of pion have in common.
type payloader interface {
	Payload(mtu uint16, payload []byte) [][]byte
}

// TestDescribeStreams packetizes encoded frames with pion's payloaders, cut
// small, and checks that exactly the first packet of a frame is seen as its
// start and exactly the first one of a keyframe as a keyframe.
func TestDescribeStreams(t *testing.T) {
	annexB := func(units ...string) string { return "00000001" + strings.Join(units, "00000001") }
	rows := []struct {
		codec         Codec
		pay           payloader
		key, delta    string
		width, height uint16
	}{
		{CodecVP8, &codecs.VP8Payloader{}, vp8Key, vp8Delta, 66, 50},
		{CodecVP8, &codecs.VP8Payloader{EnablePictureID: true}, vp8Key, vp8Delta, 66, 50},
		{CodecVP9, &codecs.VP9Payloader{}, vp9Key, vp9Delta, 66, 50},
		{CodecVP9, &codecs.VP9Payloader{FlexibleMode: true}, vp9Key, "", 0, 0},
		{CodecAV1, &codecs.AV1Payloader{}, av1Key, av1Delta, 0, 0},
		{CodecH264, &codecs.H264Payloader{}, annexB(h264SmallSPS, h264PPS, h264IDRSlice), annexB(h264Slice), 0, 0},
		{CodecH265, &codecs.H265Payloader{}, annexB(h265VPSUnit, h265SmallSPS, h265PPS, h265IDRSlice), annexB(h265Slice), 0, 0},
	}
	for _, r := range rows {
		for _, mtu := range []uint16{30, 1200} {
			for round, frame := range []string{r.key, r.delta, r.delta, r.key} {
				if frame == "" {
					continue
				}
				isKey := round%3 == 0
				packets := r.pay.Payload(mtu, unhex(t, frame))
				if len(packets) == 0 {
					t.Fatalf("%v: nothing packetized", r.codec)
				}
				var keys, starts int
				for i, p := range packets {
					last := i == len(packets)-1
					d := r.codec.Describe(p, last)
					if !d.Known || d.FrameEnd != last {
						t.Errorf("%v mtu %d frame %d packet %d of %d: %+v", r.codec, mtu, round, i, len(packets), d)
					}
					if d.Keyframe {
						keys++
					}
					if d.FrameStart {
						starts++
					}
					if i == 0 && (d.Keyframe != isKey || !d.FrameStart) {
						t.Errorf("%v mtu %d frame %d starts with %+v", r.codec, mtu, round, d)
					}
					if i == 0 && isKey && r.width != 0 && (d.Width != r.width || d.Height != r.height) {
						t.Errorf("%v: size %dx%d, want %dx%d", r.codec, d.Width, d.Height, r.width, r.height)
					}
				}
				if !isKey && keys != 0 {
					t.Errorf("%v mtu %d: keyframe in a delta frame", r.codec, mtu)
				}
				if r.codec != CodecH264 && r.codec != CodecH265 && (starts != 1 || isKey && keys != 1) {
					t.Errorf("%v mtu %d frame %d: %d starts, %d keyframes", r.codec, mtu, round, starts, keys)
				}
			}
		}
	}
}

// TestDescribeEncrypted puts random bytes behind what end-to-end encrypting
// clients leave in clear. The description must be the same each time, and what
// it would be without encryption save for the frame size.
func TestDescribeEncrypted(t *testing.T) {
	key := Descriptor{Known: true, FrameStart: true, Keyframe: true}
	start := Descriptor{Known: true, FrameStart: true}
	numbered := func(d Descriptor) Descriptor {
		d.HasPictureID, d.PictureID15, d.PictureID = true, true, 0x123
		d.HasTL0PicIdx, d.TL0PicIdx, d.HasLayers = true, 7, true
		return d
	}
	vp8 := numbered(key)
	vp8.Width, vp8.Height = 66, 50
	layered := Descriptor{Known: true, HasLayers: true}
	h265Key := key
	h265Key.HasLayers = true
	rows := []struct {
		name  string
		codec Codec
		open  string
		want  Descriptor
	}{
		{"opus", CodecOpus, "fc", Descriptor{Known: true, FrameStart: true, FrameEnd: true, Keyframe: true}},
		{"vp8, ten bytes of a keyframe", CodecVP8, "90e0 8123 07 00" + vp8Key[:20], vp8},
		{"vp8, three bytes of another", CodecVP8, "90e0 8123 07 00 710200", numbered(start)},
		{"vp8, continuation", CodecVP8, "80e0 8123 07 00", numbered(Descriptor{Known: true})},
		{"vp9, keyframe", CodecVP9, "a8 8123 00 07", numbered(key)},
		{"vp9, other", CodecVP9, "e8 8123 00 07", numbered(start)},
		{"h264, fragment of an IDR slice", CodecH264, "7c 85", key},
		{"h264, continuation", CodecH264, "7c 05", Descriptor{Known: true}},
		{"h264, IDR slice", CodecH264, "65", key},
		{"h264, other slice", CodecH264, "41", start},
		{"h265, fragment of an IDR slice", CodecH265, "6201 93", h265Key},
		{"h265, continuation", CodecH265, "6201 13", layered},
		{"av1, sequence", CodecAV1, "18 30", key},
		{"av1, frame", CodecAV1, "10 30", start},
		{"av1, continuation", CodecAV1, "90", Descriptor{Known: true}},
	}
	rng := rand.New(rand.NewPCG(12, 13))
	for _, r := range rows {
		payload := unhex(t, r.open)
		open := len(payload)
		payload = append(payload, make([]byte, 200)...)
		for range 500 {
			for i := range payload[open:] {
				payload[open+i] = byte(rng.Uint32())
			}
			if diff := cmp.Diff(r.want, r.codec.Describe(payload, false)); diff != "" {
				t.Errorf("%s, %x (-want +got):\n%s", r.name, payload[:open+8], diff)
				break
			}
		}
	}
}

// describeRows are payloads used by the allocation test, the benchmarks and as
// seeds of the fuzz test.
func describeRows(t testing.TB) []struct {
	codec   Codec
	payload []byte
} {
	return []struct {
		codec   Codec
		payload []byte
	}{
		{CodecOpus, unhex(t, "fc0102")},
		{CodecRED, unhex(t, "ef03c0036f010203fc")},
		{CodecVP8, unhex(t, "90f0 8123 07 e5"+vp8Key)},
		{CodecVP8, unhex(t, "90f0 8123 07 e5"+vp8Delta)},
		{CodecVP9, unhex(t, "ba 8123 20 2d 0500 02d0 0a00 05a0 "+vp9Key)}, // SS of two layers
		{CodecVP9, unhex(t, "fc 8123 55 0302"+vp9Delta)},
		{CodecH264, unhex(t, "78 001a"+h264SmallSPS+"0006"+h264PPS)},
		{CodecH264, unhex(t, "7c85 888404bffee8")},
		{CodecH265, unhex(t, "6001 0018"+h265VPSUnit+"002a"+h265SmallSPS+"0006"+h265PPS)},
		{CodecH265, unhex(t, "620193 af251630e9")},
		{CodecAV1, unhex(t, "28 0b080000032c1c4daf9004 3010008800")},
		{CodecAV1, unhex(t, "90 30038080fdf8")},
	}
}

func TestDescribeAllocatesNothing(t *testing.T) {
	for _, r := range describeRows(t) {
		if n := testing.AllocsPerRun(100, func() { describeSink = r.codec.Describe(r.payload, true) }); n != 0 {
			t.Errorf("%v: %v allocations", r.codec, n)
		}
		if !describeSink.Known {
			t.Errorf("%v: %x is not known", r.codec, r.payload)
		}
	}
}

var describeSink Descriptor

func BenchmarkDescribe(b *testing.B) {
	for _, r := range describeRows(b) {
		b.Run(r.codec.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				describeSink = r.codec.Describe(r.payload, false)
			}
		})
	}
}

// TestDescribeTruncated cuts good payloads everywhere. It must not panic, and
// whatever is not known must say nothing but its marker.
func TestDescribeTruncated(t *testing.T) {
	for _, r := range describeRows(t) {
		for n := range r.payload {
			checkDescriptor(t, r.codec, r.payload[:n:n], true)
			checkDescriptor(t, r.codec, r.payload[:n:n], false)
		}
	}
}

// checkDescriptor checks what holds of any descriptor of any payload.
func checkDescriptor(t *testing.T, c Codec, payload []byte, marker bool) Descriptor {
	t.Helper()
	d := c.Describe(payload, marker)
	if !d.Known && (d.FrameStart || d.Keyframe || d.Width != 0 || d.Height != 0 || d.FrameEnd != marker) {
		t.Fatalf("%v %x: unknown, yet %+v", c, payload, d)
	}
	if !d.Known && d != (Descriptor{FrameEnd: marker}) {
		t.Fatalf("%v %x: unknown, yet %+v", c, payload, d)
	}
	if d.Known && len(payload) == 0 {
		t.Fatalf("%v: an empty payload is known", c)
	}
	if marker && !d.FrameEnd {
		t.Fatalf("%v %x: marker lost", c, payload)
	}
	if d.Spatial >= MaxSpatialLayers || d.Temporal >= MaxTemporalLayers {
		t.Fatalf("%v %x: layer not clamped: %+v", c, payload, d)
	}
	if !d.HasLayers && (d.Spatial != 0 || d.Temporal != 0) {
		t.Fatalf("%v %x: layers without HasLayers: %+v", c, payload, d)
	}
	if d.Keyframe && d.Spatial != 0 {
		t.Fatalf("%v %x: keyframe above the base layer: %+v", c, payload, d)
	}
	if d.PictureID > 0x7fff || !d.PictureID15 && d.PictureID > 0x7f || d.KeyIdx > 31 {
		t.Fatalf("%v %x: field out of range: %+v", c, payload, d)
	}
	return d
}

// FuzzDescribe describes the bytes with every codec, and compares VP8, VP9 and
// AV1 with pion's parsers where these follow the same rules.
func FuzzDescribe(f *testing.F) {
	for _, r := range describeRows(f) {
		f.Add(r.payload, true)
	}
	f.Fuzz(func(t *testing.T, payload []byte, marker bool) {
		payload = slices.Clip(payload)
		for _, c := range allCodecs {
			d := checkDescriptor(t, c, payload, marker)
			switch c {
			case CodecVP8:
				compareVP8(t, payload, d)
			case CodecVP9:
				compareVP9(t, payload, d)
			case CodecAV1:
				compareAV1(t, payload, d)
			default: // no second opinion on the others
			}
		}
	})
}

func TestCodecMimeTypeReadsBack(t *testing.T) {
	for c := CodecOpus; c <= CodecAV1; c++ {
		if got := CodecFromMime(c.MimeType()); got != c {
			t.Errorf("%v is written %q, which reads as %v", c, c.MimeType(), got)
		}
	}
	if got := CodecUnknown.MimeType(); got != "" {
		t.Errorf("an unknown codec is written %q", got)
	}
	if got := CodecVP8.MimeType() + " " + CodecOpus.MimeType() + " " + CodecRED.MimeType(); got != "video/VP8 audio/opus audio/red" {
		t.Errorf("written %q", got)
	}
	if got := CodecFromMime("/"); got != CodecUnknown {
		t.Errorf("a lone slash reads as %v", got)
	}
}
