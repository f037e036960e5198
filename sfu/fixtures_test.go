// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"strconv"
	"strings"
	"testing"

	"github.com/switchyard-media/sfu/rtpforward"
)

const testFingerprint = "sha-256 AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99"

// sdpText writes an offer of the given m-sections, in the way browsers do.
func sdpText(sections ...string) string {
	mids := ""
	for i := range sections {
		mids += " " + strconv.Itoa(i)
	}

	return crlf("v=0\no=- 42 2 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE" + mids + "\na=extmap-allow-mixed\n" + strings.Join(sections, ""))
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func section(mid int, kind, direction string, extra ...string) string {
	s := "m=" + kind + " 9 UDP/TLS/RTP/SAVPF 111\nc=IN IP4 0.0.0.0\na=rtpmap:111 opus/48000/2\n"
	if kind == "video" {
		s = "m=video 9 UDP/TLS/RTP/SAVPF 96 97\nc=IN IP4 0.0.0.0\na=rtpmap:96 VP8/90000\na=rtcp-fb:96 nack\n" +
			"a=rtcp-fb:96 nack pli\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\n"
	}
	s += "a=ice-ufrag:abcd\na=ice-pwd:0123456789abcdef01234567\na=fingerprint:" + testFingerprint + "\na=setup:actpass\n" +
		"a=mid:" + strconv.Itoa(mid) + "\na=rtcp-mux\na=" + direction + "\n"
	for _, e := range extra {
		s += e + "\n"
	}

	return s
}

const dataSection = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\nc=IN IP4 0.0.0.0\na=ice-ufrag:abcd\n" +
	"a=ice-pwd:0123456789abcdef01234567\na=fingerprint:" + testFingerprint + "\na=setup:actpass\na=mid:1\na=sctp-port:5000\n"

func testConfig(t testing.TB) *Config {
	t.Helper()
	cfg, err := Config{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}

	return &cfg
}

// Pieces of offers as browsers write them.
const (
	browserICE = "a=ice-ufrag:4ZcD\na=ice-pwd:2/1muCWoOi3uLifh0NuRHlGu\na=ice-options:trickle renomination\n" +
		"a=fingerprint:" + testFingerprint + "\na=setup:actpass\n"
	chromeAudio = "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\na=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\n" +
		"a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\n" +
		"a=rtcp:9 IN IP4 0.0.0.0\na=rtcp-mux\na=rtcp-rsize\na=rtpmap:111 opus/48000/2\na=rtcp-fb:111 transport-cc\na=fmtp:111 minptime=10;useinbandfec=1\n" +
		"a=rtpmap:63 red/48000/2\na=fmtp:63 111/111\na=rtpmap:9 G722/8000\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:13 CN/8000\n" +
		"a=rtpmap:110 telephone-event/48000\na=rtpmap:126 telephone-event/8000\n"
	chromeVideo = "a=extmap:14 urn:ietf:params:rtp-hdrext:toffset\na=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\n" +
		"a=extmap:13 urn:3gpp:video-orientation\na=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\n" +
		"a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\na=extmap:6 http://www.webrtc.org/experiments/rtp-hdrext/video-content-type\n" +
		"a=extmap:7 http://www.webrtc.org/experiments/rtp-hdrext/video-timing\na=extmap:8 http://www.webrtc.org/experiments/rtp-hdrext/color-space\n" +
		"a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\na=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\n" +
		"a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\n" +
		"a=extmap:12 https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension\n" +
		"a=rtcp:9 IN IP4 0.0.0.0\na=rtcp-mux\na=rtcp-rsize\n" +
		"a=rtpmap:96 VP8/90000\na=rtcp-fb:96 goog-remb\na=rtcp-fb:96 transport-cc\na=rtcp-fb:96 ccm fir\na=rtcp-fb:96 nack\na=rtcp-fb:96 nack pli\n" +
		"a=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\n" +
		"a=rtpmap:103 H264/90000\na=rtcp-fb:103 nack\na=rtcp-fb:103 nack pli\na=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\n" +
		"a=rtpmap:104 rtx/90000\na=fmtp:104 apt=103\n" +
		"a=rtpmap:109 H264/90000\na=rtcp-fb:109 nack\na=rtcp-fb:109 nack pli\na=fmtp:109 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\n" +
		"a=rtpmap:114 rtx/90000\na=fmtp:114 apt=109\n" +
		"a=rtpmap:39 H264/90000\na=rtcp-fb:39 nack\na=fmtp:39 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f\na=rtpmap:40 rtx/90000\na=fmtp:40 apt=39\n" +
		"a=rtpmap:45 AV1/90000\na=rtcp-fb:45 nack\na=rtcp-fb:45 nack pli\na=fmtp:45 level-idx=5;profile=0;tier=0\na=rtpmap:46 rtx/90000\na=fmtp:46 apt=45\n" +
		"a=rtpmap:98 VP9/90000\na=rtcp-fb:98 nack\na=rtcp-fb:98 nack pli\na=fmtp:98 profile-id=0\na=rtpmap:99 rtx/90000\na=fmtp:99 apt=98\n" +
		"a=rtpmap:100 VP9/90000\na=rtcp-fb:100 nack\na=fmtp:100 profile-id=2\na=rtpmap:101 rtx/90000\na=fmtp:101 apt=100\n" +
		"a=rtpmap:49 H265/90000\na=rtcp-fb:49 nack\na=rtcp-fb:49 nack pli\na=fmtp:49 level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST\na=rtpmap:50 rtx/90000\na=fmtp:50 apt=49\n" +
		"a=rtpmap:112 red/90000\na=rtpmap:113 rtx/90000\na=fmtp:113 apt=112\na=rtpmap:116 ulpfec/90000\n" +
		"a=rtpmap:117 flexfec-03/90000\na=rtcp-fb:117 transport-cc\na=fmtp:117 repair-window=10000000\n"
	chromeAudioLine = "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\nc=IN IP4 0.0.0.0\n"
	chromeVideoLine = "m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 109 114 39 40 45 46 98 99 100 101 49 50 112 113 116 117\nc=IN IP4 0.0.0.0\n"
	chromeCandidate = "a=candidate:1 1 udp 2113937151 4f2b0bb6-1b3c-4b53-8b0d-3a4c2b1d0e9f.local 51234 typ host generation 0 ufrag 4ZcD network-cost 999\n"
	chromeData      = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\nc=IN IP4 0.0.0.0\n"
	firefoxAudio    = "m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101\nc=IN IP4 0.0.0.0\n" +
		"a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\na=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level\na=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\n" +
		"a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1\na=fmtp:101 0-15\na=rtcp-mux\na=rtcp-rsize\n" +
		"a=rtpmap:109 opus/48000/2\na=rtpmap:9 G722/8000/1\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000/1\n"
	firefoxVideo = "m=video 9 UDP/TLS/RTP/SAVPF 120 124 121 125 126 127 97 98 123 122 119\nc=IN IP4 0.0.0.0\n" +
		"a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\na=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\na=extmap:5 urn:ietf:params:rtp-hdrext:toffset\n" +
		"a=extmap:6/recvonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\na=extmap:7 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\n" +
		"a=extmap:8/sendonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\n" +
		"a=fmtp:126 profile-level-id=42e01f;level-asymmetry-allowed=1;packetization-mode=1\na=fmtp:97 profile-level-id=42e01f;level-asymmetry-allowed=1\n" +
		"a=fmtp:120 max-fs=12288;max-fr=60\na=fmtp:124 apt=120\na=fmtp:121 max-fs=12288;max-fr=60\na=fmtp:125 apt=121\na=fmtp:127 apt=126\na=fmtp:98 apt=97\na=fmtp:119 apt=122\n" +
		"a=rtcp-fb:120 nack\na=rtcp-fb:120 nack pli\na=rtcp-fb:120 ccm fir\na=rtcp-fb:120 goog-remb\na=rtcp-fb:120 transport-cc\na=rtcp-fb:121 nack\na=rtcp-fb:126 nack\n" +
		"a=rtcp-mux\na=rtcp-rsize\na=rtpmap:120 VP8/90000\na=rtpmap:124 rtx/90000\na=rtpmap:121 VP9/90000\na=rtpmap:125 rtx/90000\na=rtpmap:126 H264/90000\na=rtpmap:127 rtx/90000\n" +
		"a=rtpmap:97 H264/90000\na=rtpmap:98 rtx/90000\na=rtpmap:123 ulpfec/90000\na=rtpmap:122 red/90000\na=rtpmap:119 rtx/90000\n"
)

func browserOffer(bundle, session string, sections ...string) string {
	return crlf("v=0\no=- 4611731400430051336 2 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE " + bundle + "\n" + session +
		"a=msid-semantic: WMS *\n" + strings.Join(sections, ""))
}

// browserCase is an offer and what its lines come to.
type browserCase struct {
	offer string
	roles string // of the answered lines: source, slot, inactive
	video rtpforward.Codec
}

func browserCases() map[string]browserCase {
	simulcast := "a=rid:h send\na=rid:m send\na=rid:l send\na=simulcast:send h;m;l\n"
	rejected := "m=audio 0 UDP/TLS/RTP/SAVPF 0\nc=IN IP4 0.0.0.0\na=inactive\na=mid:0\na=rtpmap:0 PCMU/8000\n"

	return map[string]browserCase{
		"chrome, data first": {browserOffer("0 1 2 3 4", "a=extmap-allow-mixed\n",
			chromeData+browserICE+"a=mid:0\na=sctp-port:5000\na=max-message-size:262144\n",
			chromeAudioLine+chromeCandidate+browserICE+"a=mid:1\n"+chromeAudio+"a=sendonly\na=msid:- t1\na=ssrc:1001 cname:x\na=ssrc:1001 msid:- t1\n",
			chromeVideoLine+browserICE+"a=mid:2\n"+chromeVideo+"a=sendonly\na=msid:- t2\na=ssrc-group:FID 2001 2002\na=ssrc:2001 cname:x\na=ssrc:2002 cname:x\n",
			chromeAudioLine+browserICE+"a=mid:3\n"+chromeAudio+"a=recvonly\n",
			chromeVideoLine+browserICE+"a=mid:4\n"+chromeVideo+"a=recvonly\n",
		), "source source slot slot", rtpforward.CodecVP8},
		"chrome, simulcast, bundle in another order": {browserOffer("2 1 0", "a=extmap-allow-mixed\n",
			chromeVideoLine+browserICE+"a=mid:0\n"+chromeVideo+"a=sendonly\na=msid:- t2\n"+simulcast,
			chromeVideoLine+browserICE+"a=mid:1\n"+chromeVideo+"a=recvonly\n",
			chromeVideoLine+browserICE+"a=mid:2\n"+chromeVideo+"a=inactive\n",
		), "source slot inactive", rtpforward.CodecVP8},
		"firefox": {browserOffer("0 1 2 3", "a=fingerprint:"+testFingerprint+"\na=ice-options:trickle\n",
			firefoxAudio+"a=sendrecv\na=mid:0\na=msid:{a} {b}\na=ssrc:3001 cname:{c}\na=ice-ufrag:76fb04f3\na=ice-pwd:4e1e9b30b1e7b5b5a2a4e5e1f0f0a1b2\na=setup:actpass\n",
			strings.Replace(firefoxVideo, "m=video 9", "m=video 0", 1)+"a=bundle-only\na=sendrecv\na=mid:1\na=ice-ufrag:76fb04f3\na=ice-pwd:4e1e9b30b1e7b5b5a2a4e5e1f0f0a1b2\na=setup:actpass\na=ssrc:3002 cname:{c}\na=ssrc:3003 cname:{c}\na=ssrc-group:FID 3002 3003\n",
			strings.Replace(firefoxVideo, "m=video 9", "m=video 0", 1)+"a=bundle-only\na=recvonly\na=mid:2\na=ice-ufrag:76fb04f3\na=ice-pwd:4e1e9b30b1e7b5b5a2a4e5e1f0f0a1b2\na=setup:actpass\na=ssrc:3004 cname:{c}\n",
			"m=application 0 UDP/DTLS/SCTP webrtc-datachannel\nc=IN IP4 0.0.0.0\na=bundle-only\na=sendrecv\na=mid:3\na=ice-ufrag:76fb04f3\na=ice-pwd:4e1e9b30b1e7b5b5a2a4e5e1f0f0a1b2\na=setup:actpass\na=sctp-port:5000\na=max-message-size:1073741823\n",
		), "source source slot", rtpforward.CodecVP8},
		"a rejected line first": {browserOffer("1", "",
			rejected, chromeVideoLine+browserICE+"a=mid:1\n"+chromeVideo+"a=recvonly\n",
		), "inactive slot", rtpforward.CodecVP8},
		"safari, H264 first": {browserOffer("0 1", "a=extmap-allow-mixed\n",
			chromeAudioLine+browserICE+"a=mid:0\n"+chromeAudio+"a=recvonly\n",
			"m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 100 101\nc=IN IP4 0.0.0.0\n"+browserICE+"a=mid:1\na=rtcp-mux\na=recvonly\n"+
				"a=rtpmap:96 H264/90000\na=rtcp-fb:96 nack\na=rtcp-fb:96 nack pli\na=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f\n"+
				"a=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\n"+
				"a=rtpmap:98 H264/90000\na=rtcp-fb:98 nack\na=rtcp-fb:98 nack pli\na=fmtp:98 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\n"+
				"a=rtpmap:99 rtx/90000\na=fmtp:99 apt=98\na=rtpmap:100 VP8/90000\na=rtcp-fb:100 nack\na=rtpmap:101 rtx/90000\na=fmtp:101 apt=100\n",
		), "slot slot", rtpforward.CodecH264},
	}
}
