// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"net/http"
	"strings"
	"testing"
)

// offers are what clients send, in their own way: the RFC's example, libdatachannel (OBS), FFmpeg, a browser with simulcast, and
// one with sendrecv lines and without msid, as GStreamer makes them.
var offers = []struct {
	name   string
	tracks string // kinds that are published
}{
	{"rfc9725", "audio video"},
	{"libdatachannel", "audio video"},
	{"ffmpeg-video-only", "video"},
	{"simulcast", "audio video"},
	{"sendrecv", "audio video"},
}

func TestOffersOfPublishers(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for _, o := range offers {
		a := s.open("/whip/demo/r1/"+o.name, offerFile(t, o.name), s.token(authAs(o.name)))
		if strings.Contains(a.body, "a=sendonly") || strings.Contains(a.body, "a=inactive") || strings.Count(a.body, "a=recvonly") != len(strings.Fields(o.tracks)) {
			t.Errorf("%s: want every line recvonly in the answer:\n%s", o.name, a.body)
		}
		if !strings.Contains(a.body, "a=candidate:") || !strings.Contains(a.body, "a=end-of-candidates") {
			t.Errorf("%s: want all candidates in the answer:\n%s", o.name, a.body)
		}
		if got, want := strings.Count(a.body, "a=rtcp-mux-only"), strings.Count(offerFile(t, o.name), "a=rtcp-mux-only"); got != want {
			t.Errorf("%s: %d lines of the answer have rtcp-mux-only, %d of the offer", o.name, got, want)
		}
	}
	layers := s.open("/whip/demo/r2/layers", offerFile(t, "simulcast"), s.token(authAs("ada")))
	if !strings.Contains(layers.body, "a=simulcast:recv q;h;f") || strings.Count(layers.body, "a=rid:") != 3 {
		t.Errorf("simulcast is not answered:\n%s", layers.body)
	}
	room := s.room("r1")
	if len(room.Members) != len(offers) || len(room.Streams) != len(offers) {
		t.Fatalf("%d members with %d streams, want %d of each", len(room.Members), len(room.Streams), len(offers))
	}
	for _, stream := range room.Streams {
		for _, o := range offers {
			if o.name != stream.ID {
				continue
			}
			if (stream.AudioMid != "") != strings.Contains(o.tracks, "audio") || (stream.VideoMid != "") != strings.Contains(o.tracks, "video") {
				t.Errorf("%s: audio of line %q, video of line %q, want %s", stream.ID, stream.AudioMid, stream.VideoMid, o.tracks)
			}
		}
	}
}

func TestOffersOfPlayers(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.open("/whip/demo/r1/cam", offerFile(t, "rfc9725"), s.token(authAs("pub")))
	for _, o := range offers {
		a := s.open("/whep/demo/r1/cam", player(offerFile(t, o.name)), s.token(authAs(o.name)))
		if strings.Contains(a.body, "a=recvonly") || strings.Count(a.body, "a=sendonly") != len(strings.Fields(o.tracks)) {
			t.Errorf("%s: want every line sendonly in the answer:\n%s", o.name, a.body)
		}
	}
	if got := s.server.Stats(); got.Sessions["whip"] != 1 || got.Sessions["whep"] != len(offers) || got.Statuses[http.StatusCreated] != uint64(len(offers))+1 {
		t.Errorf("stats %+v", got)
	}
}

// TestRestartedOffer changes nothing but what is ICE's.
func TestRestartedOffer(t *testing.T) {
	t.Parallel()
	for _, o := range offers {
		before, err := readOffer(offerFile(t, o.name))
		if err != nil {
			t.Fatal(err)
		}
		before.adapt(whip)
		to := credentials{ufrag: "neww", pwd: "0123456789012345678901"}
		after := before.restarted(to, []string{"1 1 udp 1 192.0.2.1 5000 typ host"})
		again, err := readOffer(after.text())
		if err != nil {
			t.Fatalf("%s: %v", o.name, err)
		}
		if again.ice != to {
			t.Errorf("%s: credentials %+v after the restart", o.name, again.ice)
		}
		if strings.Count(after.text(), "a=candidate:") != 1 {
			t.Errorf("%s: want the one new candidate in\n%s", o.name, after.text())
		}
		plain := func(text string) (kept []string) {
			for _, line := range linesOf(text) {
				if !strings.HasPrefix(line, "a=ice-ufrag:") && !strings.HasPrefix(line, "a=ice-pwd:") && !strings.HasPrefix(line, "a=candidate:") {
					kept = append(kept, line)
				}
			}
			return kept
		}
		if got, want := strings.Join(plain(after.text()), "\n"), strings.Join(plain(before.text()), "\n"); got != want {
			t.Errorf("%s: the restart has changed other lines:\n%s\nwant\n%s", o.name, got, want)
		}
	}
}

// TestLongLists adapts an offer of many lines with a group of many mids that none of them has: what that costs must not be the
// product of the two, which is some seconds here.
func TestLongLists(t *testing.T) {
	t.Parallel()
	offer := "v=0\r\na=group:BUNDLE" + strings.Repeat(" a", 64<<10) + " 0\r\n" + strings.Repeat("m=x 0 b c\r\n", 11<<10) +
		"m=audio 9 b c\r\na=mid:0\r\na=sendonly\r\n"
	for range 20 {
		o, err := readOffer(offer)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.choose(whip); err != nil {
			t.Fatal(err)
		}
		o.adapt(whip)
		if len(o.group) != 1 || o.group[0] != "0" {
			t.Fatalf("%d mids are left in the group", len(o.group))
		}
	}
}
