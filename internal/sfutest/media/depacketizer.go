// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package media

import (
	"fmt"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
)

// Depacketizer puts frames together again from packets in order and without a
// gap; it is for the test that compares them with what was sent. It is for one
// goroutine.
type Depacketizer struct {
	codec Codec
	part  rtp.Depacketizer // nil carries payloads as they are
	frame []byte           // the parts of the open frame
}

// NewDepacketizer starts between two frames.
func NewDepacketizer(codec Codec) *Depacketizer {
	d := &Depacketizer{codec: codec}
	d.reset()

	return d
}

// reset forgets what a codec's reader keeps from packet to packet.
func (d *Depacketizer) reset() {
	d.frame = nil
	switch d.codec {
	case CodecVP8:
		d.part = &codecs.VP8Packet{}
	case CodecVP9:
		d.part = &codecs.VP9Packet{}
	case CodecAV1:
		d.part = &codecs.AV1Depacketizer{}
	case CodecH264:
		d.part = &codecs.H264Packet{}
	case CodecH265:
		d.part = &codecs.H265Depacketizer{}
	case CodecOpus, CodecRED, CodecRaw:
		d.part = nil
	}
}

// Push takes the next packet. It gives a frame, equal to Frame.Data of what was
// packetized, with the packet that ends one; nil with any other. After an error
// it starts between two frames again.
func (d *Depacketizer) Push(p *rtp.Packet) ([]byte, error) {
	if d.part == nil {
		return p.Payload, nil
	}
	part, err := d.part.Unmarshal(p.Payload)
	if err != nil {
		d.reset()

		return nil, fmt.Errorf("media: %s packet %d: %w", d.codec, p.SequenceNumber, err)
	}
	d.frame = append(d.frame, part...)
	if !p.Marker {
		return nil, nil
	}
	frame := d.frame
	d.reset()

	return frame, nil
}
