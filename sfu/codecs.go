// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"encoding/hex"
	"strconv"
	"strings"
	"sync"

	"github.com/switchyard-media/sfu/rtpforward"
)

// maxFormats bounds the table of interned formats: clients choose the parameters, so they must not grow it without end.
const maxFormats = 4096

// videoFormats are the video formats that are agreed to, with the fmtp that names each. A publisher sends the first one of
// the answer, so what few can decode is left out as long as the line offers one of these.
var videoFormats = []struct {
	codec rtpforward.Codec
	fmtp  string
}{
	{rtpforward.CodecVP8, ""},
	{rtpforward.CodecVP9, "profile-id=0"},
	{rtpforward.CodecVP9, "profile-id=2"},
	{rtpforward.CodecH264, "packetization-mode=1;profile-level-id=42e01f"},
	{rtpforward.CodecH264, "packetization-mode=0;profile-level-id=42e01f"},
	{rtpforward.CodecH264, "packetization-mode=1;profile-level-id=42001f"},
	{rtpforward.CodecH264, "packetization-mode=0;profile-level-id=42001f"},
	{rtpforward.CodecH264, "packetization-mode=1;profile-level-id=4d001f"},
	{rtpforward.CodecH264, "packetization-mode=0;profile-level-id=4d001f"},
	{rtpforward.CodecH264, "packetization-mode=1;profile-level-id=640032"},
	{rtpforward.CodecH265, "profile-id=1;tier-flag=0;tx-mode=SRST"},
	{rtpforward.CodecAV1, "profile=0"},
}

// formats gives equal ids to payload formats that mean the same: what a publisher sends under one id any subscriber with
// that id can decode, whatever their payload types are.
type formats struct {
	usual uint16 // immutable after newFormats: ids up to this are Opus and videoFormats

	mu    sync.Mutex // guards known
	known map[string]rtpforward.Format
}

// newFormats makes a table that knows already what browsers use: no client can make up so many that these find no place.
func newFormats() *formats {
	f := &formats{known: make(map[string]rtpforward.Format)}
	f.intern(rtpforward.CodecOpus, "")
	for _, v := range videoFormats {
		f.intern(v.codec, v.fmtp)
	}
	f.usual = uint16(len(f.known))
	for opus := uint8(96); opus < 128; opus++ {
		f.intern(rtpforward.CodecRED, itoa(opus))
	}

	return f
}

// find returns a format that is in the table; the zero Format for others.
func (f *formats) find(codec rtpforward.Codec, fmtp string) rtpforward.Format {
	key := formatKey(codec, fmtp)
	f.mu.Lock()
	defer f.mu.Unlock()

	return f.known[key]
}

// intern returns the format of an encoding with its fmtp parameters; the zero Format for one that is not routed.
func (f *formats) intern(codec rtpforward.Codec, fmtp string) rtpforward.Format {
	if codec == rtpforward.CodecUnknown {
		return rtpforward.Format{}
	}
	key := formatKey(codec, fmtp)
	f.mu.Lock()
	defer f.mu.Unlock()
	if known, ok := f.known[key]; ok {
		return known
	}
	if len(f.known) >= maxFormats {
		return rtpforward.Format{}
	}
	made := rtpforward.Format{ID: uint16(len(f.known) + 1), Codec: codec, ClockRate: codec.ClockRate()}
	f.known[key] = made

	return made
}

// formatKey names what two ends must agree on. Everything else in fmtp says what a receiver would like, or bounds its
// level, and may differ between the ends.
func formatKey(codec rtpforward.Codec, fmtp string) string {
	or := func(name, fallback string) string {
		if v, ok := fmtpParameter(fmtp, name); ok {
			return v
		}

		return fallback
	}
	key := codec.String()
	switch codec {
	case rtpforward.CodecH264: // RFC 6184, section 8.2.2
		key += ";" + h264Profile(or("profile-level-id", "420010")) + ";" + or("packetization-mode", "0")
	case rtpforward.CodecVP9: // RFC 9628, section 6
		key += ";" + or("profile-id", "0")
	case rtpforward.CodecAV1: // RTP payload format for AV1, section 7.2.3
		key += ";" + or("profile", "0")
	case rtpforward.CodecH265: // RFC 7798, section 7.2.2
		key += ";" + or("profile-id", "1") + ";" + or("tier-flag", "0") + ";" + or("tx-mode", "srst")
	case rtpforward.CodecRED: // the payload type of the blocks stands in the payload, RFC 2198, section 5
		blocks, _, _ := strings.Cut(fmtp, "/")
		if n, err := strconv.ParseUint(strings.TrimSpace(blocks), 10, 7); err == nil {
			key += ";" + itoa(uint8(n))
		}
	case rtpforward.CodecUnknown, rtpforward.CodecOpus, rtpforward.CodecVP8:
	}

	return key
}

// fmtpParameter returns a parameter's value in lower case. Of a parameter that is given twice the last one counts.
func fmtpParameter(fmtp, name string) (value string, ok bool) {
	for part := range strings.SplitSeq(fmtp, ";") {
		n, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		if strings.EqualFold(n, name) {
			value, ok = v, true
		}
	}

	return strings.ToLower(strings.TrimSpace(value)), ok
}

// h264Profiles are the bit patterns of RFC 6184, table 5: profile_idc, and the bits of profile-iop that are set or clear.
var h264Profiles = []struct {
	idc, mask, iop byte
	name           string
}{
	{0x42, 0x4f, 0x40, "constrained-baseline"},
	{0x4d, 0x8f, 0x80, "constrained-baseline"},
	{0x58, 0xcf, 0xc0, "constrained-baseline"},
	{0x42, 0x4f, 0x00, "baseline"},
	{0x58, 0xcf, 0x80, "baseline"},
	{0x4d, 0xaf, 0x00, "main"},
	{0x58, 0xcf, 0x00, "extended"},
	{0x64, 0xff, 0x00, "high"},
	{0x64, 0xff, 0x0c, "constrained-high"},
	{0x6e, 0xff, 0x00, "high-10"},
	{0x7a, 0xff, 0x00, "high-422"},
	{0xf4, 0xff, 0x00, "high-444"},
}

func h264Profile(id string) string {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != 3 {
		return id
	}
	for _, p := range h264Profiles {
		if b[0] == p.idc && b[1]&p.mask == p.iop {
			return p.name
		}
	}

	return id[:4]
}

// codecNames lists the routed codecs for Info.
func codecNames() []string {
	var names []string
	for c := rtpforward.CodecOpus; c <= rtpforward.CodecAV1; c++ {
		names = append(names, c.MimeType())
	}

	return names
}
