// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"fmt"
	"slices"
	"strings"
)

// section is an m-section of an offer, as far as this face looks into it.
type section struct {
	lines      []string
	media      string // audio, video, application …
	mid        string
	direction  string // empty: not said
	zero       bool   // port 0, which a bundle-only line has too (RFC 9143, section 6)
	bundleOnly bool
	mux        bool // rtcp-mux
	muxOnly    bool // rtcp-mux-only (RFC 8858)
}

// playable says whether the line carries media and is in use.
func (m *section) playable() bool {
	return (!m.zero || m.bundleOnly) && (m.media == "audio" || m.media == "video")
}

// offer is a client's offer, line by line.
type offer struct {
	head      []string // before the first m-line
	sections  []section
	direction string   // of the session level; empty: not said
	group     []string // mids of the BUNDLE group
	lite      bool     // ice-lite
	ice       credentials
	audio     string // mid of the line that is published or played; empty: none
	video     string
}

// credentials are an ICE user name fragment and a password.
type credentials struct{ ufrag, pwd string }

// readOffer reads as much of an offer as this face has to know, and leaves the rest to the node.
func readOffer(text string) (*offer, error) {
	lines := linesOf(text)
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "v=") {
		return nil, errSDP.saying("the body is not SDP: it does not begin with v=")
	}
	o := &offer{}
	for i, line := range lines {
		if len(line) < 2 || line[1] != '=' || line[0] < 'a' || line[0] > 'z' {
			return nil, errSDP.saying(fmt.Sprintf("the body is not SDP: line %d is not of the form <letter>=<value>", i+1))
		}
		if line[0] == 'm' {
			fields := strings.Fields(line[2:])
			if len(fields) < 4 {
				return nil, errSDP.saying(fmt.Sprintf("line %d: an m-line has a media type, a port, a protocol and formats", i+1))
			}
			o.sections = append(o.sections, section{media: fields[0], zero: fields[1] == "0"})
		}
		attribute, _ := strings.CutPrefix(line, "a=")
		name, value, _ := strings.Cut(attribute, ":")
		o.ice.take(name, value)
		if n := len(o.sections); n > 0 {
			m := &o.sections[n-1]
			m.lines = append(m.lines, line)
			m.attribute(name, value)
			continue
		}
		o.head = append(o.head, line)
		switch {
		case directional(name):
			o.direction = name
		case name == "ice-lite":
			o.lite = true
		}
		if fields := strings.Fields(value); name == "group" && len(fields) > 0 && fields[0] == "BUNDLE" {
			o.group = fields[1:]
		}
	}
	return o, nil
}

// linesOf divides a text into lines with either kind of end; empty ones at the end are nothing.
func linesOf(text string) []string {
	text = strings.TrimRight(text, "\r\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\r")
	}
	return lines
}

func (m *section) attribute(name, value string) {
	switch {
	case name == "mid":
		m.mid = value
	case name == "bundle-only":
		m.bundleOnly = true
	case name == "rtcp-mux":
		m.mux = true
	case name == "rtcp-mux-only":
		m.muxOnly = true
	case directional(name):
		m.direction = name
	}
}

// take keeps the first of each: in a bundle all lines have the same, and the node sees to that.
func (c *credentials) take(name, value string) {
	switch {
	case name == "ice-ufrag" && c.ufrag == "":
		c.ufrag = value
	case name == "ice-pwd" && c.pwd == "":
		c.pwd = value
	}
}

func directional(name string) bool {
	return name == "sendrecv" || name == "sendonly" || name == "recvonly" || name == "inactive"
}

// choose holds the offer against what the protocol allows: one stream with at most one track of each kind (RFC 9725, section
// 4.4.2), all lines in its direction (section 4.2; in WHEP its section on media directions). Nothing is taken by half (section
// 4.4.3).
func (o *offer) choose(protocol string) error {
	wrong, want := "recvonly", "sendonly"
	if protocol == whep {
		wrong, want = want, wrong
	}
	for i := range o.sections {
		m := &o.sections[i]
		if !m.playable() {
			continue
		}
		direction := m.direction
		if direction == "" {
			direction = o.direction
		}
		if direction == wrong || direction == "inactive" {
			return errMedia.saying(fmt.Sprintf("m-line %d is %s: want %s, or sendrecv", i, direction, want))
		}
		mid := &o.audio
		if m.media == "video" {
			mid = &o.video
		}
		if *mid != "" {
			return errMedia.saying(fmt.Sprintf("m-line %d is a second one of %s: want at most one of audio and one of video", i, m.media))
		}
		if m.mid == "" {
			return errSDP.saying(fmt.Sprintf("m-line %d has no a=mid: want one BUNDLE group with every line (RFC 9143)", i))
		}
		*mid = m.mid
	}
	if o.audio == "" && o.video == "" {
		return errMedia.saying("the offer has no line of audio or video in use")
	}
	return nil
}

// adapt makes of what clients may send by their specifications, or do send, what the node takes:
//   - in WHEP sendrecv is what recvonly is, and answered sendonly; the node would take such a line for a source;
//   - bundle-only lines need not say rtcp-mux (RFC 9143, section 9.3.1.1), and those of the RFC's own example do not;
//   - a BUNDLE group loses the mids that no line has: FFmpeg offers the same group for one line as for two.
func (o *offer) adapt(protocol string) {
	mids := make(map[string]bool, len(o.sections)) // both lists are as long as the client likes
	for i := range o.sections {
		mids[o.sections[i].mid] = true
	}
	o.group = slices.DeleteFunc(o.group, func(mid string) bool { return !mids[mid] })
	for i, line := range o.head {
		if strings.HasPrefix(line, "a=group:BUNDLE") {
			o.head[i] = strings.Join(append([]string{"a=group:BUNDLE"}, o.group...), " ")
		}
	}
	for i := range o.sections {
		m := &o.sections[i]
		if !m.playable() {
			continue
		}
		if !m.mux && (m.bundleOnly || m.muxOnly) {
			m.lines = append(m.lines, "a=rtcp-mux")
		}
		if protocol == whep && m.direction != "recvonly" {
			m.lines = slices.DeleteFunc(m.lines, func(line string) bool { return line == "a=sendrecv" })
			m.lines = append(m.lines, "a=recvonly")
		}
	}
}

// restarted is the offer of an ICE restart, the only later one there is: with other credentials and candidates, and else the
// same (RFC 9725, section 4.3.3). The node takes a client's candidates from the first line of the bundle.
func (o *offer) restarted(to credentials, candidates []string) *offer {
	next := *o
	next.ice = to
	next.head = renewed(o.head, to)
	next.sections = slices.Clone(o.sections)
	for i := range next.sections {
		m := &next.sections[i]
		m.lines = renewed(m.lines, to)
		if len(o.group) > 0 && m.mid == o.group[0] {
			for _, c := range candidates {
				m.lines = append(m.lines, "a=candidate:"+c)
			}
		}
	}
	return &next
}

func renewed(lines []string, to credentials) []string {
	out := make([]string, 0, len(lines))
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, "a=ice-ufrag:"):
			line = "a=ice-ufrag:" + to.ufrag
		case strings.HasPrefix(line, "a=ice-pwd:"):
			line = "a=ice-pwd:" + to.pwd
		case strings.HasPrefix(line, "a=candidate:"), line == "a=end-of-candidates":
			continue
		}
		out = append(out, line)
	}
	return out
}

// text is the offer as SDP.
func (o *offer) text() string {
	lines := slices.Clone(o.head)
	for i := range o.sections {
		lines = append(lines, o.sections[i].lines...)
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}
