// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package media

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shape is what a clip should look like.
type shape struct {
	codec     Codec
	frames    int
	keyframes []int // indexes; nil when every frame is one
	length    time.Duration
}

var shapes = []shape{
	{CodecVP8, 60, []int{0, 30}, 4 * time.Second},
	{CodecVP9, 30, []int{0, 15}, 2 * time.Second},
	{CodecAV1, 30, []int{0, 15}, 2 * time.Second},
	{CodecH264, 30, []int{0, 15}, 2 * time.Second},
	{CodecH265, 30, []int{0, 15}, 2 * time.Second},
	{CodecRED, 201, nil, 4020 * time.Millisecond},
	{CodecOpus, 201, nil, 4020 * time.Millisecond}, // 4 s and the encoder's delay
}

func TestClips(t *testing.T) {
	for _, want := range shapes {
		t.Run(string(want.codec), func(t *testing.T) {
			frames := Clip(want.codec)
			if len(frames) != want.frames {
				t.Fatalf("%d frames, want %d", len(frames), want.frames)
			}
			var length time.Duration
			var keyframes []int
			for i, f := range frames {
				if len(f.Data) == 0 || f.Duration <= 0 {
					t.Errorf("frame %d: %d bytes, %v", i, len(f.Data), f.Duration)
				}
				length += f.Duration
				if f.Keyframe {
					keyframes = append(keyframes, i)
				}
			}
			if off := (length - want.length).Abs(); off > time.Microsecond {
				t.Errorf("length %v, want %v", length, want.length)
			}
			if want.keyframes == nil {
				want.keyframes = keyframes
				if len(keyframes) != len(frames) {
					t.Errorf("%d of %d frames can be decoded alone", len(keyframes), len(frames))
				}
			}
			if diff := cmp.Diff(want.keyframes, keyframes); diff != "" {
				t.Errorf("keyframes (-want +got):\n%s", diff)
			}
		})
	}
	if Clip(CodecRaw) != nil || Clip("G711") != nil {
		t.Error("a codec without a clip has one")
	}
}

// TestClipSizes holds the repository to small files.
func TestClipSizes(t *testing.T) {
	entries, err := clips.ReadDir("clips")
	if err != nil {
		t.Fatal(err)
	}
	limits := map[string]int64{"vp8.ivf": 120_000, "opus.ogg": 120_000, "vp9.ivf": 60_000, "av1.ivf": 60_000, "h264.264": 60_000, "h265.265": 60_000}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > limits[e.Name()] {
			t.Errorf("%s has %d bytes, more than %d", e.Name(), info.Size(), limits[e.Name()])
		}
	}
}

func TestOpusIsStereo(t *testing.T) {
	for i, f := range Opus() {
		if f.Duration != 20*time.Millisecond {
			t.Fatalf("packet %d lasts %v", i, f.Duration)
		}
	}
	stereo := slices.ContainsFunc(Opus(), func(f Frame) bool { return f.Data[0]&4 != 0 })
	if !stereo {
		t.Error("no packet has the stereo bit of RFC 6716 section 3.1")
	}
}

// TestRoundTrip plays each clip twice over and takes it apart again, at a
// browser's packet size and at one that cuts every frame.
func TestRoundTrip(t *testing.T) {
	for _, codec := range []Codec{CodecVP8, CodecVP9, CodecAV1, CodecH264, CodecH265, CodecOpus, CodecRED} {
		for _, mtu := range []uint16{1200, 200} {
			frames := Clip(codec)
			loop := NewLoop(frames)
			p := NewPacketizer(codec, 96, 0x5157, 0, mtu)
			p.StartAt(65500, 1<<32-1000)
			d := NewDepacketizer(codec)
			next := uint16(65500)
			for n := range 2 * len(frames) {
				sent := loop.Next()
				var got []byte
				packets := p.Packetize(sent)
				for i, packet := range packets {
					if packet.SequenceNumber != next {
						t.Fatalf("%s frame %d: sequence number %d, want %d", codec, n, packet.SequenceNumber, next)
					}
					next++
					if size := packet.MarshalSize() + 36; !codec.Audio() && size > int(mtu) {
						t.Fatalf("%s frame %d: packet of %d bytes, more than %d", codec, n, size, mtu)
					}
					frame, err := d.Push(packet)
					if err != nil {
						t.Fatal(err)
					}
					if frame != nil && i != len(packets)-1 {
						t.Fatalf("%s frame %d: ends with packet %d of %d", codec, n, i, len(packets))
					}
					got = frame
				}
				if !bytes.Equal(got, sent.Data) {
					t.Fatalf("%s mtu %d frame %d: %d bytes back, %d sent", codec, mtu, n, len(got), len(sent.Data))
				}
			}
		}
	}
}

func TestTimestampsGoOn(t *testing.T) {
	for _, tc := range []struct {
		codec Codec
		step  uint32
	}{{CodecVP8, 6000}, {CodecH264, 6000}, {CodecOpus, 960}} {
		loop, p := NewLoop(Clip(tc.codec)), NewPacketizer(tc.codec, 111, 1, 0, 1200)
		want := -(2 * tc.step) // two frames before the wrap
		p.StartAt(0, want)
		for n := range 1000 {
			for _, packet := range p.Packetize(loop.Next()) {
				if packet.Timestamp != want {
					t.Fatalf("%s frame %d: timestamp %d, want %d", tc.codec, n, packet.Timestamp, want)
				}
			}
			want += tc.step
		}
	}
}

func TestMarkers(t *testing.T) {
	p := NewPacketizer(CodecVP8, 96, 1, 0, 300)
	packets := p.Packetize(VP8()[0])
	for i, packet := range packets {
		if packet.Marker != (i == len(packets)-1) {
			t.Errorf("video packet %d of %d: marker %v", i, len(packets), packet.Marker)
		}
	}
	if len(packets) < 2 {
		t.Errorf("a keyframe of %d bytes in %d packet", len(VP8()[0].Data), len(packets))
	}
	p = NewPacketizer(CodecOpus, 111, 1, 0, 1200)
	for i, f := range Opus()[:3] {
		if got := p.Packetize(f)[0].Marker; got != (i == 0) {
			t.Errorf("audio packet %d: marker %v", i, got)
		}
	}
}

// TestPacketsOwnTheirBytes: a node under test that writes into a packet must
// not spoil the clip for the tests after it.
func TestPacketsOwnTheirBytes(t *testing.T) {
	for _, codec := range []Codec{CodecVP8, CodecVP9, CodecAV1, CodecH264, CodecH265, CodecOpus, CodecRED, CodecRaw} {
		f := Frame{Data: bytes.Clone(VP8()[0].Data), Duration: time.Millisecond}
		if clip := Clip(codec); clip != nil {
			f.Data = bytes.Clone(clip[0].Data)
		}
		before := bytes.Clone(f.Data)
		for _, packet := range NewPacketizer(codec, 96, 1, 0, 1200).Packetize(f) {
			clear(packet.Payload)
		}
		if !bytes.Equal(before, f.Data) {
			t.Errorf("%s: writing into a packet changed the frame", codec)
		}
	}
}

func TestSkipToKeyframe(t *testing.T) {
	loop := NewLoop(VP8())
	loop.SkipToKeyframe()
	if first := loop.Next(); !bytes.Equal(first.Data, VP8()[0].Data) {
		t.Error("a loop that stands at a keyframe moved")
	}
	loop.SkipToKeyframe()
	if second := loop.Next(); !bytes.Equal(second.Data, VP8()[30].Data) {
		t.Error("not the next keyframe")
	}
	loop.SkipToKeyframe()
	if third := loop.Next(); !bytes.Equal(third.Data, VP8()[0].Data) {
		t.Error("not the first keyframe again")
	}
}

// TestBrokenFiles: readers give errors and no panics for files cut anywhere.
func TestBrokenFiles(t *testing.T) {
	for name, read := range map[string]func([]byte) ([]Frame, error){
		"vp8.ivf":  func(b []byte) ([]Frame, error) { return readIVF(b, vp8Keyframe) },
		"av1.ivf":  readAV1,
		"opus.ogg": readOggOpus,
		"h264.264": func(b []byte) ([]Frame, error) { return readAnnexB(b, time.Second, h264NAL) },
		"h265.265": func(b []byte) ([]Frame, error) { return readAnnexB(b, time.Second, h265NAL) },
	} {
		raw, err := clips.ReadFile("clips/" + name)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := read(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for cut := range 2000 {
			if frames, err := read(raw[:cut]); err == nil && len(frames) >= len(whole) {
				t.Fatalf("%s cut to %d bytes still has %d frames", name, cut, len(frames))
			}
		}
		if _, err := read([]byte("something else entirely, and long enough to have had a header")); err == nil {
			t.Errorf("%s: text was read as a clip", name)
		}
	}
}

func TestDepacketizerRecovers(t *testing.T) {
	p, d := NewPacketizer(CodecVP8, 96, 1, 0, 1200), NewDepacketizer(CodecVP8)
	packets := p.Packetize(VP8()[0])
	bad := packets[0].Clone()
	bad.Payload = nil
	if _, err := d.Push(packets[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Push(bad); err == nil {
		t.Error("an empty payload is no error")
	}
	var got []byte
	for _, packet := range packets {
		var err error
		if got, err = d.Push(packet); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, VP8()[0].Data) {
		t.Error("the frame after an error is not whole")
	}
}
