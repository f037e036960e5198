// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
)

// confirms does something on the admin page that asks first.
func (d *site) confirms(selector, dialog string) {
	d.t.Helper()
	d.click(selector)
	d.click(fmt.Sprintf("dialog[data-dialog=%s] [data-action=confirm]", dialog))
	d.gone("dialog")
}

// reads waits until an element has this text.
func (d *site) reads(selector, text string) {
	d.t.Helper()
	chromium.Until(d.Tab, fmt.Sprintf("%s: %s to read %q", d.name, selector, text), d.here(fmt.Sprintf("document.querySelector(%q)?.textContent ?? ''", selector)),
		func(now string) bool { return now == text })
}

// TestAdmin: the admin page shows two people in two rooms and what they send and get, and what it changes takes effect in their
// pages.
func TestAdmin(t *testing.T) {
	node := start(t, anyPorts...)
	browser := chromium.Start(t, chromium.Config{})
	page := node.printed("demo")
	ada := open(t, browser, "ada", page+"#name=Ada&id=ada&rooms=lobby,stage&publish=pattern&simulcast=0")
	bob := open(t, browser, "bob", page+"#name=Bob&id=bob&rooms=lobby,stage&publish=pattern&simulcast=0")
	both := map[string]int{"lobby": 1, "stage": 1}
	ada.shows(both)
	bob.shows(both)

	admin := open(t, browser, "admin", node.printed("admin"))
	admin.excused = regexp.MustCompile(`404 .*/Get(Stream|Subscription)Stats:`) // of what has just gone
	admin.there("body[data-connection=live]")
	for stat, want := range map[string]string{"sessions": "2", "rooms": "2", "streams": "4", "subscriptions": "4"} {
		admin.reads(fmt.Sprintf("[data-stat=%s] .value", stat), want)
	}
	admin.click("a[data-to=sessions]")
	for _, who := range []string{"ada", "bob"} {
		admin.there(fmt.Sprintf("[data-list=sessions] > [data-session][data-user=%s][data-state=connected]", who))
	}
	admin.click("a[data-to=rooms]")
	admin.there("[data-list=rooms] > [data-app=demo][data-room=stage]")
	admin.click("[data-list=rooms] > [data-app=demo][data-room=lobby] a")
	lobby := "[data-part=room][data-room=lobby] "
	for who, other := range map[string]string{"ada": "bob", "bob": "ada"} {
		admin.there(lobby + fmt.Sprintf("[data-part=users] [data-user=%s][data-session]", who))
		admin.there(lobby + fmt.Sprintf("[data-part=streams] [data-stream=%s-pattern][data-publisher=%s][data-state=live]", who, who))
		admin.there(lobby + fmt.Sprintf("[data-part=subscriptions] [data-subscription][data-user=%s][data-of=%s-pattern][data-state=active][data-limit]", who, other))
	}

	admin.confirms(lobby+"[data-stream=ada-pattern] [data-action=mute-video]", "mute")
	admin.there(lobby + "[data-stream=ada-pattern][data-video-muted=true]")
	bob.reads("article.tile[data-room=lobby][data-stream=ada-pattern] .flags", "picture off")
	bob.reads("article.tile[data-room=stage][data-stream=ada-pattern] .flags", "")
	admin.confirms(lobby+"[data-stream=ada-pattern] [data-action=mute-video]", "mute")
	bob.reads("article.tile[data-room=lobby][data-stream=ada-pattern] .flags", "")
	bob.shows(both)

	admin.confirms(lobby+"[data-user=bob] [data-action=kick]", "kick")
	bob.there("section.room[data-room=lobby][data-state=kicked-out] [data-part=notice][data-code='1002055']")
	bob.inRooms("stage")
	bob.shows(map[string]int{"stage": 1})
	ada.shows(map[string]int{"stage": 1})
	admin.gone(lobby + "[data-part=users] [data-user=bob]")

	admin.click("[data-list=rooms] > [data-app=demo][data-room=stage] a")
	admin.there("[data-part=room][data-room=stage] [data-part=users] [data-user=bob]")
	admin.confirms("[data-part=room][data-room=stage] [data-action=close-room]", "close-room")
	for _, d := range []*site{ada, bob} {
		d.there("section.room[data-room=stage][data-state=kicked-out]")
	}
	ada.inRooms("lobby")
	bob.inRooms()
	admin.gone("[data-list=rooms] > [data-app=demo][data-room=stage]")

	admin.click("a[data-to=overview]")
	admin.confirms("[data-action=drain]", "drain")
	admin.there("[data-part=draining]:not([hidden])")
	cem := open(t, browser, "cem", page+"#name=Cem&id=cem&rooms=lobby&publish=none")
	cem.mayFail = true
	cem.there("section.room[data-room=lobby][data-state=login-failed]")
	ada.inRooms("lobby") // it may stay
	admin.confirms("[data-action=undrain]", "undrain")
	admin.there("[data-part=draining][hidden]")
	cem.click("[data-action=rejoin]")
	cem.inRooms("lobby")
	cem.shows(map[string]int{"lobby": 1})
	for _, d := range []*site{ada, bob, cem} {
		d.onePeer()
		d.click("[data-action=leave-all]")
		d.there("body[data-view=start]")
	}
	admin.leave() // it would go on asking
	node.balanced()
	node.stop()
}
