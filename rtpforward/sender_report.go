// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/binary"
	"time"
)

const (
	reportSize     = 1200 // bytes of a compound packet that are not exceeded, to fit every path
	senderInfoSize = 28
	cnameItem      = 1 // of SDES, https://www.rfc-editor.org/rfc/rfc3550#section-6.5.1
)

// sentReport remembers when a sender report went out. Its NTP time is the
// capture clock of the publisher and no measure for that.
type sentReport struct {
	middle uint32 // 32 bits of the NTP time, as receivers repeat them; 0: none
	at     int64
}

// sendReports sends a sender report for each slot that has sent something since
// the last one, and the session's CNAME,
// https://www.rfc-editor.org/rfc/rfc3550#section-6.1 .
func (d *Downlink) sendReports(now int64) {
	d.reportSoon = false
	if !d.ready || d.writer == nil {
		return
	}
	s := d.shard
	b := s.report[:0]
	var ssrcs [31]uint32 // as many as the count of SDES can tell
	n := 0
	chunk := (4 + 2 + len(d.cname) + 4) / 4 * 4
	for _, dt := range d.tracks {
		if dt.track == nil || dt.paused || !dt.running || dt.packets == dt.lastReport {
			continue
		}
		if dt.clock.up == nil { // the source has begun anew: what its clock shows is not known before its next packet is shown
			continue
		}
		if n == len(ssrcs) || n > 0 && (n+1)*(senderInfoSize+chunk)+4 > reportSize {
			d.writeReport(b, ssrcs[:n])
			b, n = s.report[:0], 0
		}
		b = dt.appendReport(b, now)
		ssrcs[n] = dt.cfg.SSRC
		n++
	}
	if n > 0 {
		d.writeReport(b, ssrcs[:n])
	}
}

// writeReport adds the source descriptions and sends the compound packet.
func (d *Downlink) writeReport(b []byte, ssrcs []uint32) {
	start := len(b)
	b = append(b, 0x80|byte(len(ssrcs)), rtcpSDES, 0, 0)
	for _, ssrc := range ssrcs {
		b = binary.BigEndian.AppendUint32(b, ssrc)
		b = append(b, cnameItem, byte(len(d.cname)))
		b = append(b, d.cname...)
		b = append(b, 0) // ends the items
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16((len(b)-start)/4-1))
	d.shard.report = b
	d.shard.wrote = true
	_ = d.writer.WriteRTCP(b) // the next one comes soon
}

// appendReport appends dt's sender report for the moment now.
func (dt *DownTrack) appendReport(b []byte, now int64) []byte {
	c := &dt.clock
	source := c.last - c.offset + uint64(signedTicks(max(now-c.arrival, 0), c.rate)) // what the source's clock shows now
	// Publishers' reports put audio and video on one clock; the receiver
	// needs that to play them in step.
	ntp, ok := c.up.wallclock(source)
	if !ok {
		ntp = dt.shard().f.ntp(now)
	}
	dt.lastReport = dt.packets
	copy(dt.reports[1:], dt.reports[:])
	dt.reports[0] = sentReport{middle: uint32(ntp >> 16), at: now}

	b = append(b, 0x80, rtcpSR, 0, senderInfoSize/4-1)
	b = binary.BigEndian.AppendUint32(b, dt.cfg.SSRC)
	b = binary.BigEndian.AppendUint64(b, ntp)
	b = binary.BigEndian.AppendUint32(b, uint32(source+c.offset))
	b = binary.BigEndian.AppendUint32(b, dt.packets)
	return binary.BigEndian.AppendUint32(b, dt.octets)
}

// reported takes what the receiver says about the stream.
func (dt *DownTrack) reported(r *ReportBlock, now int64) {
	dt.confirmed = true
	dt.count[gaugeLost] = uint64(r.TotalLost)
	dt.count[gaugeFractionLost] = uint64(r.FractionLost)
	if dt.clock.rate != 0 {
		dt.count[gaugeJitter] = uint64(r.Jitter) * uint64(time.Second) / uint64(dt.clock.rate)
	}
	dt.touch()
	if r.LastSR == 0 {
		return
	}
	for _, sent := range dt.reports {
		if sent.middle != r.LastSR {
			continue
		}
		held := int64(r.DelaySinceSR) * int64(time.Second) >> 16
		if rtt := now - sent.at - held; rtt > 0 {
			dt.count[gaugeRTT] = uint64(rtt)
			dt.down.measured(time.Duration(rtt))
		}
		return
	}
}
