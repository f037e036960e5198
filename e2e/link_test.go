// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	"github.com/switchyard-media/sfu/internal/sfutest/media"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// What a session may be sent that nobody has asked for: so many bytes at once, and so many a second and one part in so many of what
// is sent otherwise. Packets are counted as they are on the wire.
const (
	probeReserve = 100_000
	probeFloor   = 8_000
	probeShare   = 10
)

// TestMeasuredLink: three videos in real time over a link that the node measures, as it does by default. The packets that it repeats
// for that, on the streams of retransmissions, are few, and change nothing of what arrives.
func TestMeasuredLink(t *testing.T) {
	t.Parallel()
	st := newStage(t, func(c *sfu.Config, _ *control.Config) { c.Forward.LeastBitrate = 0 })
	ann := st.one("ann", cast{codecs: []media.Codec{media.CodecVP8, media.CodecVP8, media.CodecVP8}})
	st.join(ann, "room")
	bob := st.one("bob", cast{video: len(st.sources)})
	st.join(bob, "room")
	start := time.Now()
	for i, s := range st.sources {
		stream := fmt.Sprintf("stream-%d", i)
		_, err := ann.Publish(st.ctx, "room", stream, nil, s)
		st.must(err)
		_, err = bob.SubscribeKinds(st.ctx, "room", stream, false, true)
		st.must(err)
		s.Play()
	}
	if !sfutest.Eventually(st.ctx, func() bool { return bob.Repeats() > 0 && bob.Mark() > 400 }) {
		t.Errorf("%d packets came, and %d came again", bob.Mark(), bob.Repeats())
	}
	if !sfutest.Eventually(st.ctx, func() bool { return len(holes(bob)) == 0 }) {
		t.Errorf("bob: %s", holes(bob))
	}
	for _, fault := range bob.Foreign(numbers(st.sources)...) {
		t.Error(fault)
	}
	link, err := st.SFU.Link(router.SessionID(bob.ID))
	st.must(err)
	forward := st.SFU.Load().Forward
	sent := forward.OutBytes + 44*forward.Out // SRTP, UDP and IP
	if most := probeReserve + sent/probeShare + uint64(probeFloor*time.Since(start).Seconds()); !link.Controlled || link.Probes == 0 || link.ProbeBytes > most {
		t.Errorf("%+v, of %d bytes at most", link, most)
	}
	t.Logf("%d packets came, and %d came again; %+v", bob.Mark(), bob.Repeats(), link)
}

// holes lists numbers that are missing, or came twice, between the first and the last on each line.
func holes(p *person) (faults []string) {
	type span struct {
		seen        map[int]bool
		last        int // as it came
		least, most int
	}
	lines := make(map[uint32]*span)
	for _, got := range p.Packets(0) {
		l := lines[got.SSRC]
		if l == nil {
			n := int(got.Sequence)
			l = &span{seen: make(map[int]bool), last: n, least: n, most: n}
			lines[got.SSRC] = l
		}
		l.last += int(int16(got.Sequence - uint16(l.last)))
		if l.seen[l.last] {
			faults = append(faults, fmt.Sprintf("line %s: %d twice", got.Mid, got.Sequence))
		}
		l.seen[l.last] = true
		l.least, l.most = min(l.least, l.last), max(l.most, l.last)
	}
	for ssrc, l := range lines {
		if n := l.most - l.least + 1 - len(l.seen); n != 0 {
			faults = append(faults, fmt.Sprintf("SSRC %d: %d are missing", ssrc, n))
		}
	}
	return faults
}
