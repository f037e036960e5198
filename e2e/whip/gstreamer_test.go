// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package whip_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// python is the system's own: the binding of a distribution's GStreamer is there and nowhere else.
const python = "/usr/bin/python3"

// told is a line of testdata/gst.py.
type told struct {
	Event                  string
	Version, State, Kind   string
	Why                    string
	Session, Offer, Answer string
	Buffers, Bytes, Status int
}

// gstreamer is a running client.
type gstreamer struct {
	t     *testing.T
	lines chan told
	stdin io.WriteCloser
}

// gst starts a client that is ended with the test.
func gst(t *testing.T, mode string, args []any, more ...string) *gstreamer {
	t.Helper()
	words := []string{"testdata/gst.py", mode}
	for _, arg := range args {
		words = append(words, arg.(string))
	}
	cmd := exec.Command(python, append(words, more...)...)
	var errors bytes.Buffer
	cmd.Stderr = &errors
	g := &gstreamer{t: t, lines: make(chan told, 1024)}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if g.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: the tests with GStreamer need %s with python3-gi and the packages of .ci/setup", err, python)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(g.lines)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			var line told
			if json.Unmarshal(scanner.Bytes(), &line) == nil {
				g.lines <- line
			}
		}
	}()
	t.Cleanup(func() {
		_ = g.stdin.Close() // ends the session and the client
		stuck := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer stuck.Stop()
		for range g.lines { // until its end
		}
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(words[:2], " "), err, errors.String())
		}
	})
	if version := g.until("its version", func(l told) bool { return l.Event == "version" }).Version; version != "" {
		t.Logf("client: %s, webrtcbin", version)
	} else {
		t.Fatalf("GStreamer cannot run; .ci/setup says which packages it takes:\n%s", errors.String())
	}
	return g
}

// until waits for a line; the zero one says that the client has ended.
func (g *gstreamer) until(what string, ok func(told) bool) told {
	g.t.Helper()
	late := time.After(chromium.Patience)
	for {
		select {
		case line, open := <-g.lines:
			switch {
			case !open:
				g.t.Errorf("the client has ended before %s", what)
				return told{}
			case line.Event == "error":
				g.t.Fatalf("the client says %q before %s", line.Why, what)
			case ok(line):
				return line
			}
		case <-late:
			g.t.Fatalf("in vain: %s", what)
		}
	}
}

// created waits for the session.
func (g *gstreamer) created() told {
	g.t.Helper()
	got := g.until("the session", func(l told) bool { return l.Event == "created" })
	if got.Status != http.StatusCreated {
		g.t.Fatalf("POST: %d", got.Status)
	}
	return got
}

// decodes waits for decoded pictures and sound.
func (g *gstreamer) decodes() {
	g.t.Helper()
	for _, kind := range []string{"video", "audio"} {
		g.until("decoded "+kind, func(l told) bool { return l.Event == "decoded" && l.Kind == kind && l.Buffers >= 30 && l.Bytes > 0 })
	}
}

// stop ends the session by DELETE.
func (g *gstreamer) stop() {
	g.t.Helper()
	if _, err := io.WriteString(g.stdin, "stop\n"); err != nil {
		g.t.Fatal(err)
	}
	if got := g.until("DELETE", func(l told) bool { return l.Event == "deleted" }); got.Status != http.StatusOK {
		g.t.Errorf("DELETE: %d", got.Status)
	}
}

// TestGStreamer publishes VP8 and Opus by WHIP and plays them by WHEP, both with webrtcbin. The publisher trickles its
// candidates, the player has all in its offer.
func TestGStreamer(t *testing.T) {
	s := start(t)
	sender := gst(t, "publish", s.publishing(), "--trickle")
	sender.created()
	s.published()
	s.ordinary()
	player := gst(t, "play", s.playing("eve"))
	player.created()
	player.decodes()
	player.stop()
	sender.stop()
	s.until("an empty room", func(r *sfuv1.GetRoomResponse) bool { return r == nil })
}

// TestGStreamerToChromium plays in a bare page what webrtcbin publishes.
func TestGStreamerToChromium(t *testing.T) {
	s := start(t)
	sender := gst(t, "publish", s.publishing())
	sender.created()
	s.published()
	page := chromium.Start(t, chromium.Config{}).Open(t, s.pages)
	chromium.Call[string](page, "play", s.playing("eve")...)
	plays(page, "GStreamer's pictures and sound")
	sender.stop()
	s.until("no stream", func(r *sfuv1.GetRoomResponse) bool { return len(r.GetStreams()) == 0 })
}

// TestChromiumToGStreamer plays with webrtcbin what a bare page publishes.
func TestChromiumToGStreamer(t *testing.T) {
	s := start(t)
	page := chromium.Start(t, chromium.Config{}).Open(t, s.pages)
	chromium.Call[string](page, "publish", s.publishing()...)
	s.published()
	player := gst(t, "play", s.playing("eve"), "--trickle")
	player.created()
	player.decodes()
	player.stop()
	if status := chromium.Call[int](page, "stop"); status != http.StatusOK {
		t.Errorf("DELETE by the page: %d", status)
	}
}
