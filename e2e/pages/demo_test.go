// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
)

// site is an open demo or admin page, or a frame of one.
type site struct {
	*chromium.Tab
	t     *testing.T
	name  string
	frame string // selector; empty: the page itself

	excused *regexp.Regexp // in what its console may have; nil: nothing
	mayFail bool           // errors that the page tells of are what the test is about
	left    bool
}

// leave closes the page before the test ends.
func (d *site) leave() {
	d.t.Helper()
	d.sound()
	d.left = true
	d.Close()
}

// here is an expression in the page or frame.
func (d *site) here(expression string) string {
	if d.frame == "" {
		return expression
	}
	return fmt.Sprintf("((window, document) => %s)(...[document.querySelector(%q).contentWindow].flatMap((w) => [w, w.document]))", expression, d.frame)
}

// open opens a page as somebody who looks at it does. It is checked when the test ends.
func open(t *testing.T, browser *chromium.Browser, name, url string) *site {
	t.Helper()
	d := &site{Tab: browser.Open(t, url, peers), t: t, name: name}
	d.Look(desk)
	d.Focus()
	t.Cleanup(func() {
		if d.left {
			return
		}
		d.sound()
		if t.Failed() {
			text, err := chromium.TryEval[string](d.Tab, "document.body.innerText.slice(0, 4000)")
			t.Logf("%s shows: %s %v", name, text, err)
		}
	})
	return d
}

// sound checks that the page has complained of nothing.
func (d *site) sound() {
	d.t.Helper()
	troubles := slices.DeleteFunc(d.Troubles(), func(text string) bool { return d.excused != nil && d.excused.MatchString(text) })
	if len(troubles) > 0 {
		d.t.Errorf("%s: the page's console has %q", d.name, troubles)
	}
	if breaches := chromium.Eval[[]string](d.Tab, d.here("window.peers.breaches")); len(breaches) > 0 {
		d.t.Errorf("%s: breaches of the content security policy: %q", d.name, breaches)
	}
	if d.mayFail {
		return
	}
	if errors := chromium.Eval[[]string](d.Tab, d.here("[...document.querySelectorAll('[data-toast=error], [data-log=error]')].map((n) => n.textContent)")); len(errors) > 0 {
		d.t.Errorf("%s: the page tells of errors: %q", d.name, errors)
	}
}

// press presses a key.
func (d *site) press(keys string) {
	d.t.Helper()
	d.Do(chromedp.KeyEvent(keys))
}

// walk presses Tab until something has the focus, as who has no mouse does.
func (d *site) walk(selector string) {
	d.t.Helper()
	const most = 60
	for range most {
		d.press("\t")
		if chromium.Eval[bool](d.Tab, fmt.Sprintf("document.activeElement?.matches(%q) ?? false", selector)) {
			return
		}
	}
	d.t.Fatalf("%s: Tab does not come to %s", d.name, selector)
}

func (d *site) click(selector string) {
	d.t.Helper()
	if d.frame != "" {
		chromium.Eval[chromedp.Void](d.Tab, d.here(fmt.Sprintf("document.querySelector(%q).click()", selector)))
		return
	}
	d.Do(chromedp.Click(chromedp.CSS(selector)))
}

// write types into a field.
func (d *site) write(selector, text string) {
	d.t.Helper()
	d.click(selector)
	d.press(text)
}

// there waits until an element matches.
func (d *site) there(selector string) {
	d.t.Helper()
	chromium.Until(d.Tab, d.name+": "+selector, d.here(fmt.Sprintf("document.querySelector(%q) !== null", selector)), func(is bool) bool { return is })
}

// gone waits until no element matches.
func (d *site) gone(selector string) {
	d.t.Helper()
	chromium.Until(d.Tab, d.name+": no "+selector, d.here(fmt.Sprintf("document.querySelector(%q) === null", selector)), func(is bool) bool { return is })
}

// tile is one stream on the page.
type tile struct {
	Room, Stream, State string
	Own                 bool
	Frames              int // decoded
	Width, Height       int // of the picture on the page
}

const tiles = `(async () => {
	const pc = window.demo.engine?.peerConnection;
	const decoded = {};
	for (const s of (await pc?.getStats())?.values() ?? []) if (s.type === 'inbound-rtp') decoded[s.trackIdentifier] = s.framesDecoded;
	return [...document.querySelectorAll('article.tile')].map((node) => {
		const video = node.querySelector('video'), {room, stream, state, own} = node.dataset;
		const frames = decoded[video.srcObject?.getVideoTracks()[0]?.id] ?? 0;
		return {room, stream, state, own: own === 'true', frames, width: video.videoWidth, height: video.videoHeight};
	});
})()`

// shows waits until exactly so many streams of others are played in each room, all with pictures that go on.
func (d *site) shows(rooms map[string]int) []tile {
	d.t.Helper()
	first := make(map[string]int)
	return chromium.Until(d.Tab, fmt.Sprintf("%s to play %v", d.name, rooms), d.here(tiles), func(now []tile) bool {
		playing := make(map[string]int)
		for _, t := range now {
			key := t.Room + "/" + t.Stream
			if t.Own {
				continue
			}
			if begin, known := first[key]; !known || t.Frames < begin { // another line counts anew
				first[key] = t.Frames
			}
			if t.State != "playing" || t.Frames < first[key]+10 || t.Width == 0 {
				return false
			}
			playing[t.Room]++
		}
		for room, count := range rooms {
			if playing[room] != count {
				return false
			}
		}
		return len(playing) == len(rooms)
	})
}

// publishes waits until own streams are published in rooms, one each.
func (d *site) publishes(rooms ...string) {
	d.t.Helper()
	for _, room := range rooms {
		d.there(fmt.Sprintf("article.tile[data-own=true][data-room=%q][data-state=publishing]", room))
	}
}

// inRooms waits until the page is in exactly these rooms.
func (d *site) inRooms(rooms ...string) {
	d.t.Helper()
	slices.Sort(rooms)
	const joined = `[...document.querySelectorAll('section.room')].filter((n) => ['logged-in', 'reconnected'].includes(n.dataset.state)).map((n) => n.dataset.room).sort()`
	chromium.Until(d.Tab, fmt.Sprintf("%s to be in %q", d.name, rooms), d.here(joined), func(now []string) bool { return slices.Equal(now, rooms) })
}

// onePeer checks that the page has had one PeerConnection.
func (d *site) onePeer() {
	d.t.Helper()
	if got := chromium.Eval[int](d.Tab, d.here("window.peers.all.length")); got != 1 {
		d.t.Errorf("%s: %d PeerConnections", d.name, got)
	}
	d.there("[data-engine=connections]")
	if got := chromium.Eval[string](d.Tab, d.here("document.querySelector('[data-engine=connections]').textContent")); got != "1" {
		d.t.Errorf("%s: the page shows %q connections", d.name, got)
	}
}

// printed is the address of a page that the program has printed.
func (p *process) printed(page string) string {
	p.t.Helper()
	found := regexp.MustCompile(`http://\S+/` + page + `/\S*`).FindString(p.text())
	if found == "" {
		p.t.Fatalf("no address of the page %s in:\n%s", page, p.text())
	}
	return found
}

// TestDemo is what a newcomer does with the page, and who joins in.
func TestDemo(t *testing.T) {
	const promised = time.Minute
	node := start(t, anyPorts...)
	browser := chromium.Start(t, chromium.Config{})

	began := time.Now()
	ann := open(t, browser, "ann", node.printed("demo"))
	ann.there("[data-action=join-all]:enabled")
	ann.walk("[data-action=join-all]") // without a mouse
	ann.press("\r")
	ann.inRooms("lobby", "stage")
	ann.publishes("lobby", "stage")
	bob := open(t, browser, "bob", chromium.Eval[string](ann.Tab, "document.querySelector('[data-action=open-participant]').href"))
	ann.shows(map[string]int{"lobby": 1, "stage": 1})
	took := time.Since(began)
	t.Logf("in two rooms, publishing and playing, %.1f s after opening the page", took.Seconds())
	if took > promised {
		t.Errorf("it took %v until everything was there, want %v", took, promised)
	}
	bob.inRooms("lobby", "stage")
	bob.publishes("lobby", "stage")
	bob.shows(map[string]int{"lobby": 1, "stage": 1})

	ann.write("section.room[data-room=lobby] [data-action=message-text]", "hello lobby\r")
	bob.there("section.room[data-room=lobby] [data-message=broadcast]")
	if got := chromium.Eval[string](bob.Tab, "document.querySelector('[data-message]').textContent"); !regexp.MustCompile("hello lobby$").MatchString(got) {
		t.Errorf("bob sees the message %q", got)
	}
	bob.gone("section.room[data-room=stage] [data-message]")

	ann.click("section.room[data-room=stage] [data-action=leave]")
	ann.inRooms("lobby")
	ann.shows(map[string]int{"lobby": 1})
	bob.shows(map[string]int{"lobby": 1})
	ann.write("#join-form [name=room]", "corner\r")
	ann.inRooms("corner", "lobby")
	bob.write("#join-form [name=room]", "corner\r")
	bob.inRooms("corner", "lobby", "stage")
	ann.click("[data-action=publish-room][data-room=corner]")
	ann.publishes("corner", "lobby")
	bob.shows(map[string]int{"lobby": 1, "corner": 1})
	for _, d := range []*site{ann, bob} {
		d.onePeer()
		d.sound()
	}
	ann.click("[data-action=leave-all]")
	ann.there("body[data-view=start]")
	bob.shows(map[string]int{})
	bob.click("[data-action=leave-all]")
	bob.there("body[data-view=start]")
	node.balanced()
	node.stop()
}
