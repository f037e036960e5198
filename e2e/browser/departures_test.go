// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser_test

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"github.com/switchyard-media/sfu/internal/sfutest"
)

// departures notes when a node sends each picture.
type departures struct {
	mu sync.Mutex // guards the rest
	at map[picture]float64
}

type picture struct{ ssrc, stamp uint32 }

// watchDepartures notes what a node sends from now on.
func watchDepartures(node *sfutest.Node) *departures {
	d := &departures{at: make(map[picture]float64)}
	node.Tap.Watch(d.see)
	return d
}

func (d *departures) see(_ netip.AddrPort, data []byte) {
	ssrc, _, ok := sfutest.RTPHeader(data)
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at[picture{ssrc, binary.BigEndian.Uint32(data[4:])}] = ms(time.Duration(time.Now().UnixNano()))
}

// fill says of each picture of a stream when the last packet of it left.
func (d *departures) fill(ssrc uint32, f film) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range f {
		f[i].Left = d.at[picture{ssrc, f[i].Stamp}]
	}
}
