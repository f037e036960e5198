// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"bytes"
	"encoding/binary"
	"sync"

	"github.com/pion/rtp"
)

// Ledger remembers every packet that the publishers of a test have sent, so that whoever receives one can tell whose it is
// and whether it came through as it was sent. A packet carries its stamp in the abs-capture-time extension, which the node
// passes on as it is: 16 bits of source number, 48 of count.
type Ledger struct {
	mu      sync.Mutex // guards both
	sources []*account
}

type account struct {
	name     string
	payloads [][]byte // by count
	keyframe []bool   // by count: the packet starts a keyframe
	counts   bool     // payloads have Counters
}

// NewLedger makes an empty one.
func NewLedger() *Ledger { return &Ledger{} }

// open registers a source under a name for messages, and returns its number.
func (l *Ledger) open(name string) uint16 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sources = append(l.sources, &account{name: name})
	return uint16(len(l.sources) - 1)
}

// enter notes a packet before it is sent and returns its stamp. payload must not change afterwards; counts says that it has Counters
// that anybody may read.
func (l *Ledger) enter(source uint16, payload []byte, keyframe, counts bool) [8]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.sources[source]
	a.counts = counts
	a.payloads = append(a.payloads, payload)
	a.keyframe = append(a.keyframe, keyframe)
	var stamp [8]byte
	binary.BigEndian.PutUint64(stamp[:], uint64(source)<<48|uint64(len(a.payloads)-1))
	return stamp
}

// check finds the packet of a stamp, and fills in what is known of it: who sent it, and whether the payload is what was sent.
func (l *Ledger) check(stamp, payload []byte, p *Packet) {
	if len(stamp) < 8 {
		return
	}
	v := binary.BigEndian.Uint64(stamp)
	p.Source, p.Count = uint16(v>>48), int(v&(1<<48-1))
	l.mu.Lock()
	defer l.mu.Unlock()
	if int(p.Source) >= len(l.sources) || p.Count >= len(l.sources[p.Source].payloads) {
		return
	}
	a := l.sources[p.Source]
	sent := a.payloads[p.Count]
	p.Known, p.Keyframe, p.Same = true, a.keyframe[p.Count], bytes.Equal(payload, sent)
	if a.counts {
		were := readCounters(sent)
		p.Counters, p.Same = readCounters(payload), !were.differ(sent, payload)
	}
}

// ReadStamp reads the stamp of an RTP datagram, which header extensions show even when it is encrypted (RFC 3711, section 3.1);
// id is the extension's, see Client.StampID. ok is false for anything that carries none.
func ReadStamp(datagram []byte, id uint8) (source uint16, count int, ok bool) {
	if _, _, ok := RTPHeader(datagram); !ok {
		return 0, 0, false
	}
	var header rtp.Header
	if _, err := header.Unmarshal(datagram); err != nil {
		return 0, 0, false
	}
	stamp := header.GetExtension(id)
	if len(stamp) < 8 {
		return 0, 0, false
	}
	v := binary.BigEndian.Uint64(stamp)
	return uint16(v >> 48), int(v & (1<<48 - 1)), true
}

// Sent is how many packets the source has sent.
func (l *Ledger) Sent(source uint16) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sources[source].payloads)
}

// Name is what the source was registered as.
func (l *Ledger) Name(source uint16) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if int(source) >= len(l.sources) {
		return "unknown"
	}
	return l.sources[source].name
}
