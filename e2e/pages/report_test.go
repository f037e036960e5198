// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"fmt"
	"slices"

	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
)

// report is what the tests need of getStats and of the engine; names of the former are those of the W3C.
type report struct {
	At                        float64 // ms since 1970
	State, ICE                string
	Peers                     int // PeerConnections of the page, ever
	Needed                    int // negotiationneeded events of all
	Connections, Negotiations int // as the engine says
	Rooms                     []string
	Transport                 struct {
		Ufrag string `json:"iceLocalUsernameFragment"`
	}
	Received map[string]received // by mid
	Sent     []sent
	Players  map[string]lines // by room/stream
}

// lines are the mids of a player; empty: none.
type lines struct{ Audio, Video string }

type received struct {
	Kind                         string
	PacketsReceived, PacketsLost int
	BytesReceived                int
	FramesDecoded, FramesDropped int
	FrameWidth, FrameHeight      int
	FreezeCount, PLICount        int
	TotalFreezesDuration         float64 // seconds
	TotalAudioEnergy             float64
}

type sent struct {
	Kind, RID     string
	Active        bool
	PacketsSent   int
	FramesEncoded int
}

func (c *client) report() report {
	c.t.Helper()
	return chromium.Call[report](c.Tab, "page.report")
}

// until reads reports until one will do, and answers it.
func (c *client) until(what string, enough func(report) bool) report {
	c.t.Helper()
	return chromium.Until(c.Tab, c.user+": "+what, "page.report()", enough)
}

func (r report) audio(key string) received { return r.Received[r.Players[key].Audio] }
func (r report) video(key string) received { return r.Received[r.Players[key].Video] }

// plays waits until sound and picture of a stream have been received and decoded for a while longer.
func (c *client) plays(room, stream string) report {
	c.t.Helper()
	return c.playsAll(room + "/" + stream)
}

// playsAll is plays of some streams at once: room/stream each.
func (c *client) playsAll(keys ...string) report {
	c.t.Helper()
	before := c.report()
	return c.until(fmt.Sprintf("media of %q", keys), func(now report) bool {
		return !slices.ContainsFunc(keys, func(key string) bool { return !goesOn(before, now, key, 10) })
	})
}

// goesOn says that a player has had sound, and so many more pictures.
func goesOn(before, now report, key string, frames int) bool {
	var a, v received
	if before.Players[key] == now.Players[key] { // other lines count anew
		a, v = before.audio(key), before.video(key)
	}
	audio, video := now.audio(key), now.video(key)
	return audio.PacketsReceived >= a.PacketsReceived+10 && audio.TotalAudioEnergy > a.TotalAudioEnergy &&
		video.FramesDecoded >= v.FramesDecoded+frames
}

// silent checks that not one more packet comes on lines that were left while another player plays on.
func (c *client) silent(room, stream string, of ...lines) {
	c.t.Helper()
	// What was on its way comes before the packets that the other player gets later: both use one connection.
	left := c.plays(room, stream)
	now := c.plays(room, stream)
	for _, l := range of {
		for _, mid := range []string{l.Audio, l.Video} {
			if was, is := left.Received[mid].PacketsReceived, now.Received[mid].PacketsReceived; was == 0 || was != is {
				c.t.Errorf("%s: line %q was left: %d packets, then %d", c.user, mid, was, is)
			}
		}
	}
}

// onePeer checks that there has been one PeerConnection.
func (c *client) onePeer() report {
	c.t.Helper()
	now := c.report()
	if now.Peers != 1 || now.Connections != 1 {
		c.t.Errorf("%s: %d PeerConnections, and the engine says %d; want 1", c.user, now.Peers, now.Connections)
	}
	return now
}
