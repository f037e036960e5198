// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"fmt"
	"testing"

	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
)

// TestScenarios opens the ready parts of both scenarios by the page's buttons, and plays them.
func TestScenarios(t *testing.T) {
	node := start(t, anyPorts...)
	page := open(t, chromium.Start(t, chromium.Config{}), "scenarios", node.printed("demo")+"scenarios.html")
	parts := func(scenario string, names ...string) map[string]*site {
		page.click(fmt.Sprintf("[data-scenario=%s] [data-action=show-frames]", scenario))
		all := make(map[string]*site)
		for _, name := range names {
			part := &site{Tab: page.Tab, t: t, name: name, frame: fmt.Sprintf("[data-scenario=%s] iframe[data-part-name=%s]", scenario, name)}
			part.there("body[data-view=call]")
			all[name] = part
		}
		return all
	}

	call := parts("call", "host-a", "audience-a", "host-b", "audience-b")
	for _, side := range []string{"a", "b"} {
		call["host-"+side].inRooms("call-" + side)
		call["host-"+side].publishes("call-" + side)
		call["audience-"+side].shows(map[string]int{"call-" + side: 1})
	}
	for _, side := range []string{"a", "b"} {
		call["host-"+side].click("[data-action=bring-audience]")
	}
	for _, side := range []string{"a", "b"} {
		call["audience-"+side].inRooms("call-a", "call-b")
		call["audience-"+side].shows(map[string]int{"call-a": 1, "call-b": 1})
		call["host-"+side].shows(map[string]int{map[string]string{"a": "call-b", "b": "call-a"}[side]: 1})
	}
	for _, side := range []string{"a", "b"} {
		call["host-"+side].click("[data-action=end-call]")
		call["audience-"+side].inRooms("call-" + side)
		call["audience-"+side].shows(map[string]int{"call-" + side: 1})
	}
	for _, part := range call {
		part.onePeer()
		part.sound()
	}
	page.click("[data-scenario=call] [data-action=close-frames]")

	class := parts("class", "teacher", "student-1", "student-2", "student-3", "student-4", "assistant")
	for name, rooms := range map[string]map[string]int{
		"teacher":   {},
		"student-1": {"class": 1, "group-1": 1}, "student-2": {"class": 1, "group-1": 1},
		"student-3": {"class": 1, "group-2": 1}, "student-4": {"class": 1, "group-2": 1},
		"assistant": {"group-1": 2, "group-2": 2},
	} {
		class[name].shows(rooms)
	}
	for _, part := range class {
		part.onePeer()
		part.sound()
	}
	page.click("[data-scenario=class] [data-action=close-frames]")
	node.balanced()
	node.stop()
}
