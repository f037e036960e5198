// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package media

import (
	"encoding/binary"
	"sync"
)

// opusPayloadType is what the blocks of CodecRED say they are; RED names it, too, in its format parameters.
const opusPayloadType = 111

// redClip is the Opus clip with each packet's predecessor beside it, as browsers send it (RFC 2198).
var redClip = sync.OnceValue(func() []Frame {
	plain := opusClip()
	out := make([]Frame, len(plain))
	for i, f := range plain {
		out[i] = f
		var before []byte
		if i > 0 {
			before = plain[i-1].Data
		}
		out[i].Data = redundant(before, f.Data)
	}

	return out
})

// redundant writes the headers of both blocks, then the blocks; before may be empty, and is left out then.
func redundant(before, now []byte) []byte {
	var b []byte
	if len(before) > 0 && len(before) < 1<<10 {
		const offset = 960 // of the timestamp: a packet of 20 ms
		b = binary.BigEndian.AppendUint32(b, 1<<31|opusPayloadType<<24|offset<<10|uint32(len(before)))
	} else {
		before = nil
	}
	b = append(append(b, opusPayloadType), before...)

	return append(b, now...)
}
