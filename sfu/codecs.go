// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"encoding/hex"
	"strconv"
	"strings"
	"sync"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/rtpforward"
)

// maxFormats bounds the table of interned formats: clients choose the parameters, so they must not grow it without end.
const maxFormats = 4096

// formats gives equal ids to payload formats that mean the same: what a publisher sends under one id any subscriber with
// that id can decode, whatever their payload types are.
type formats struct {
	mu    sync.Mutex // guards known
	known map[string]rtpforward.Format
}

// newFormats makes a table that knows already what browsers use: no client can make up so many that these find no place.
func newFormats() *formats {
	f := &formats{known: make(map[string]rtpforward.Format)}
	f.intern(rtpforward.CodecOpus, "")
	for _, v := range videoFormats {
		f.intern(rtpforward.CodecFromMime(v.mime), v.fmtp)
	}
	for opus := uint8(96); opus < 128; opus++ {
		f.intern(rtpforward.CodecRED, itoa(opus))
	}

	return f
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
	p := fmtpParameters(fmtp)
	or := func(name, fallback string) string {
		if v, ok := p[name]; ok {
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

func fmtpParameters(fmtp string) map[string]string {
	out := make(map[string]string)
	for part := range strings.SplitSeq(fmtp, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		out[strings.ToLower(name)] = strings.ToLower(strings.TrimSpace(value))
	}

	return out
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

// formatsOf reads an answered m-line. The answer is where both ends' wishes have met, so it alone counts.
func (f *formats) formatsOf(media *sdp.MediaDescription) lineFormats {
	l := lineFormats{payloads: make(map[uint8]rtpforward.Format)}
	codecs := payloadsOf(media)
	rtx := make(map[uint8]uint8)
	for _, c := range codecs {
		if apt, ok := c.repairs(); ok {
			rtx[apt] = c.payload
		}
	}
	for _, c := range codecs {
		format := f.intern(c.codec(media.MediaName.Media), c.fmtp)
		if format.ID == 0 {
			continue
		}
		out := rtpforward.OutFormat{Format: format, Payload: c.payload, RTXPayload: rtx[c.payload]}
		for _, fb := range c.feedback {
			switch fb {
			case "nack":
				out.NACK, l.nack = true, true
			case "nack pli":
				l.pli = true
			case "ccm fir":
				l.fir = true
			case "transport-cc":
				l.transport = true
			}
		}
		l.out = append(l.out, out)
		l.payloads[c.payload] = format
	}
	for _, a := range media.Attributes {
		if kind, id, ok := extension(a); ok {
			l.extensions.Set(kind, id)
		}
	}
	l.transport = l.transport && l.extensions.ID(rtpforward.ExtTransportCC) != 0

	return l
}

// payload is one payload type of an m-line.
type payload struct {
	payload  uint8
	name     string
	rate     string // with channels: "48000/2"
	fmtp     string
	feedback []string
}

func (p payload) codec(media string) rtpforward.Codec {
	return rtpforward.CodecFromMime(media + "/" + p.name)
}

// rated says whether clock rate and channels are those of the codec: both audio formats are always announced as 48000/2
// (RFC 7587, section 7), whatever is in them.
func (p payload) rated(codec rtpforward.Codec) bool {
	if codec.Video() {
		return p.rate == "90000" || p.rate == "90000/1"
	}

	return p.rate == "48000/2"
}

// repairs returns the payload type that a retransmission format stands for (RFC 4588, section 8.6).
func (p payload) repairs() (apt uint8, ok bool) {
	if !strings.EqualFold(p.name, "rtx") {
		return 0, false
	}
	n, err := strconv.ParseUint(fmtpParameters(p.fmtp)["apt"], 10, 8)

	return uint8(n), err == nil && n < 128
}

// payloadsOf lists the payload types of an m-line that have an rtpmap, in order.
func payloadsOf(media *sdp.MediaDescription) []payload {
	at := make(map[string]int, len(media.MediaName.Formats))
	list := make([]payload, 0, len(media.MediaName.Formats))
	for _, format := range media.MediaName.Formats {
		n, err := strconv.ParseUint(format, 10, 8)
		if _, twice := at[format]; err != nil || n > 127 || twice {
			continue
		}
		at[format] = len(list)
		list = append(list, payload{payload: uint8(n)})
	}
	for _, a := range media.Attributes {
		format, rest, ok := strings.Cut(a.Value, " ")
		i, known := at[format]
		if a.Key == "rtcp-fb" && format == "*" && ok {
			for i := range list {
				list[i].feedback = append(list[i].feedback, strings.TrimSpace(rest))
			}

			continue
		}
		if !ok || !known {
			continue
		}
		switch a.Key {
		case "rtpmap":
			list[i].name, list[i].rate, _ = strings.Cut(strings.TrimSpace(rest), "/")
		case "fmtp":
			list[i].fmtp = strings.TrimSpace(rest)
		case "rtcp-fb":
			list[i].feedback = append(list[i].feedback, strings.TrimSpace(rest))
		}
	}
	named := list[:0]
	for _, p := range list {
		if p.name != "" {
			named = append(named, p)
		}
	}

	return named
}

// extension reads an extmap attribute of a header extension that the node understands.
func extension(a sdp.Attribute) (kind rtpforward.ExtensionKind, id uint8, ok bool) {
	if a.Key != "extmap" {
		return 0, 0, false
	}
	fields := strings.Fields(a.Value)
	if len(fields) < 2 {
		return 0, 0, false
	}
	number, _, _ := strings.Cut(fields[0], "/")
	n, err := strconv.ParseUint(number, 10, 8)
	// The one-byte form (RFC 8285, section 4.2) reaches 14; higher ids would force the two-byte form on every packet.
	if err != nil || n < 1 || n > 14 {
		return 0, 0, false
	}
	kind, ok = rtpforward.ExtensionFromURI(fields[1])

	return kind, uint8(n), ok
}

var (
	videoFeedback = []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}, {Type: "transport-cc"}}
	audioFeedback = []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "transport-cc"}}
)

// videoFormats are the video formats that are routed, with the fmtp that pion matches offers by. Payload types are ours
// only until an offer comes: an answer uses the offer's.
var videoFormats = []struct{ mime, fmtp string }{
	{webrtc.MimeTypeVP8, ""},
	{webrtc.MimeTypeVP9, "profile-id=0"},
	{webrtc.MimeTypeVP9, "profile-id=2"},
	{webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"},
	{webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f"},
	{webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"},
	{webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f"},
	{webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"},
	{webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=4d001f"},
	{webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640032"},
	{webrtc.MimeTypeH265, "level-id=180;profile-id=1;tier-flag=0;tx-mode=SRST"},
	{webrtc.MimeTypeAV1, "profile=0"},
}

// newMediaEngine registers what is routed and nothing else: matching codecs is a good part of what a join costs.
func newMediaEngine() (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	// No fmtp for audio: then any parameters of the client match and are answered as they came, among them stereo,
	// in-band FEC and DTX, which the ends settle between themselves.
	for i, mime := range []string{webrtc.MimeTypeOpus, "audio/red"} {
		c := webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 48000, Channels: 2, RTCPFeedback: audioFeedback},
			PayloadType:        webrtc.PayloadType(111 - 48*i),
		}
		if err := m.RegisterCodec(c, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, err
		}
	}
	next := webrtc.PayloadType(96)
	for _, f := range videoFormats {
		if next == 110 { // audio's
			next += 2
		}
		if next == 128 {
			next = 35 // RFC 3551 leaves 35 to 63 free once rtcp-mux has taken 64 to 95
		}
		if err := m.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: f.mime, ClockRate: 90000, SDPFmtpLine: f.fmtp, RTCPFeedback: videoFeedback},
			PayloadType:        next,
		}, webrtc.RTPCodecTypeVideo); err != nil {
			return nil, err
		}
		if err := m.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: "apt=" + strconv.Itoa(int(next))},
			PayloadType:        next + 1,
		}, webrtc.RTPCodecTypeVideo); err != nil {
			return nil, err
		}
		next += 2
	}

	return m, registerExtensions(m)
}

// onlyVideo and onlyUp say where an extension makes sense; the rest is for both kinds and directions.
var (
	onlyVideo = map[rtpforward.ExtensionKind]bool{
		rtpforward.ExtRid: true, rtpforward.ExtRepairedRid: true, rtpforward.ExtVideoOrientation: true,
		rtpforward.ExtPlayoutDelay: true, rtpforward.ExtDependencyDescriptor: true, rtpforward.ExtVideoLayersAllocation: true,
	}
	onlyUp = map[rtpforward.ExtensionKind]bool{
		rtpforward.ExtRid: true, rtpforward.ExtRepairedRid: true, rtpforward.ExtVideoLayersAllocation: true,
	}
)

func registerExtensions(m *webrtc.MediaEngine) error {
	for _, kind := range rtpforward.Extensions() {
		directions := []webrtc.RTPTransceiverDirection{webrtc.RTPTransceiverDirectionRecvonly, webrtc.RTPTransceiverDirectionSendonly}
		if onlyUp[kind] {
			directions = directions[:1]
		}
		types := []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo}
		if kind == rtpforward.ExtAudioLevel {
			types[0] = webrtc.RTPCodecTypeAudio
		} else if !onlyVideo[kind] {
			types = append(types, webrtc.RTPCodecTypeAudio)
		}
		for _, t := range types {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: kind.URI()}, t, directions...); err != nil {
				return err
			}
		}
	}

	return nil
}

// codecNames lists the routed codecs for Info.
func codecNames() []string {
	var names []string
	for c := rtpforward.CodecOpus; c <= rtpforward.CodecAV1; c++ {
		names = append(names, c.MimeType())
	}

	return names
}
