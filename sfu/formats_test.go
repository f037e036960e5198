// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"fmt"
	"strings"
	"testing"

	"github.com/switchyard-media/sfu/rtpforward"
)

// TestREDNamesItsBlocks tells redundant audio apart by the payload type of the blocks inside, which nobody rewrites: one
// that a subscriber calls by another number is of no use to it (RFC 2198, section 5).
func TestREDNamesItsBlocks(t *testing.T) {
	f := newFormats()
	answered := func(section string) lineFormats {
		return exchange(t, f, sdpText(section), nil).agreed[0].lineFormats
	}
	red := func(red, opus int) string {
		s := section(0, "audio", "recvonly")
		s = strings.Replace(s, " 111\n", fmt.Sprintf(" %d %d\n", red, opus), 1)
		s = strings.Replace(s, "a=rtpmap:111 ", fmt.Sprintf("a=rtpmap:%d ", opus), 1)

		return crlf(s + fmt.Sprintf("a=rtpmap:%d red/48000/2\na=fmtp:%d %d/%d\n", red, red, opus, opus))
	}
	of := func(l lineFormats) (red, opus rtpforward.Format) {
		t.Helper()
		for _, o := range l.out {
			if o.Format.Codec == rtpforward.CodecRED {
				red = o.Format
			}
			if o.Format.Codec == rtpforward.CodecOpus {
				opus = o.Format
			}
		}
		if red.ID == 0 || opus.ID == 0 {
			t.Fatalf("answered %+v", l.out)
		}

		return red, opus
	}
	chrome, chromeOpus := of(answered(red(63, 111)))
	other, otherOpus := of(answered(red(120, 109)))
	same, _ := of(answered(red(99, 111)))
	if chrome == other {
		t.Error("redundant audio with blocks of type 111 would be sent to who calls them 109")
	}
	if chrome != same || chromeOpus != otherOpus {
		t.Errorf("told apart: %v and %v, %v and %v", chrome, same, chromeOpus, otherOpus)
	}
}

// TestFormatsCannotBeUsedUp has a client make up formats until no more are told apart: what browsers use is known still.
func TestFormatsCannotBeUsedUp(t *testing.T) {
	f := newFormats()
	for i := range 2 * maxFormats {
		f.intern(rtpforward.CodecVP9, fmt.Sprint("profile-id=", i+100))
	}
	if got := len(f.known); got > maxFormats {
		t.Errorf("%d formats are kept", got)
	}
	for _, v := range videoFormats {
		if f.intern(v.codec, v.fmtp).ID == 0 {
			t.Errorf("%s %s is not routed any more", v.codec, v.fmtp)
		}
	}
	if f.intern(rtpforward.CodecOpus, "minptime=10").ID == 0 || f.intern(rtpforward.CodecRED, "111/111").ID == 0 {
		t.Error("audio is not routed any more")
	}
}
