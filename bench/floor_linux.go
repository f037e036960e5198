// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	mathrand "math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"golang.org/x/sys/unix"

	"github.com/switchyard-media/sfu/bench/load"
)

const (
	floorHeader = 12 + 12 // RTP header, and extensions as a node sends them
	floorTag    = 16      // of AES-GCM
	floorSettle = 300 * time.Millisecond
)

// floorPeer is one receiver: an address and a key.
type floorPeer struct {
	to       unix.RawSockaddrInet4
	srtp     *srtp.Context
	header   rtp.Header
	sequence uint16
}

// floorTrack is one stream on the floor's clock.
type floorTrack struct {
	pattern load.Pattern
	peers   []*floorPeer
	next    time.Time
	frame   int
}

// floorSender is the loop's state: one goroutine on one thread.
type floorSender struct {
	plain [load.MaxDatagram]byte
	batch *runBatch
}

// sendFloor does nothing but the least that any server has to: for each frame and receiver encrypt the frame's packets under
// the receiver's key, and hand runs of equal ones to the kernel, many receivers a call. It keeps the publishers' pace, so
// that as much of the time as in the node's measurement goes to waking up.
func sendFloor(order floorOrder) (floorResult, error) {
	runtime.LockOSThread()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return floorResult{}, err
	}
	defer func() { _ = unix.Close(fd) }()
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 4<<20) // as much as there is
	s := &floorSender{batch: newRunBatch(fd)}
	tracks, err := floorTracks(order.Streams)
	if err != nil {
		return floorResult{}, err
	}
	if err := s.loop(tracks, time.Now().Add(floorSettle)); err != nil {
		return floorResult{}, err
	}
	before := *s.batch.counts()
	start := time.Now()
	user, system := usage()
	if err := s.loop(tracks, start.Add(order.Duration)); err != nil {
		return floorResult{}, err
	}
	u, y := usage()
	after := s.batch.counts()

	return floorResult{
		Packets: after.packets - before.packets, Runs: after.runs - before.runs, Calls: after.calls - before.calls,
		User: u - user, System: y - system, Wall: time.Since(start),
	}, nil
}

func floorTracks(streams []floorStream) ([]*floorTrack, error) {
	peers := make(map[int]*floorPeer)
	var out []*floorTrack
	for _, st := range streams {
		t := &floorTrack{pattern: st.Pattern, next: time.Now().Add(mathrand.N(st.Pattern.Every))}
		for _, port := range st.Ports {
			if peers[port] == nil {
				p, err := newFloorPeer(port)
				if err != nil {
					return nil, err
				}
				peers[port] = p
			}
			t.peers = append(t.peers, peers[port])
		}
		out = append(out, t)
	}

	return out, nil
}

func newFloorPeer(port int) (*floorPeer, error) {
	secret := make([]byte, 16+12) // AEAD_AES_128_GCM: key and salt
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	context, err := srtp.CreateContext(secret[:16], secret[16:], srtp.ProtectionProfileAeadAes128Gcm)
	if err != nil {
		return nil, err
	}
	p := &floorPeer{srtp: context, to: unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: [4]byte{127, 0, 0, 1}}}
	setPort(&p.to, port)

	return p, nil
}

// loop sends what is due until a time.
func (s *floorSender) loop(tracks []*floorTrack, until time.Time) error {
	for {
		t := slices.MinFunc(tracks, func(a, b *floorTrack) int { return a.next.Compare(b.next) })
		if !t.next.Before(until) {
			return sleepUntil(until)
		}
		if err := sleepUntil(t.next); err != nil {
			return err
		}
		sizes := t.pattern.Frames[t.frame]
		for _, p := range t.peers {
			if err := s.frame(p, sizes); err != nil {
				return err
			}
		}
		if err := s.batch.flush(); err != nil {
			return err
		}
		t.frame = (t.frame + 1) % len(t.pattern.Frames)
		t.next = t.next.Add(t.pattern.Every)
	}
}

func sleepUntil(at time.Time) error {
	for {
		d := time.Until(at)
		if d <= 0 {
			return nil
		}
		ts := unix.NsecToTimespec(int64(d))
		if err := unix.Nanosleep(&ts, nil); err != nil && err != unix.EINTR {
			return err
		}
	}
}

// frame encrypts one frame for one receiver into the batch.
func (s *floorSender) frame(p *floorPeer, sizes []int) error {
	for _, size := range sizes {
		room, err := s.batch.room(&p.to, floorHeader+size+floorTag)
		if err != nil {
			return err
		}
		h := s.plain[:floorHeader]
		p.sequence++
		h[0], h[1] = 0x90, 96
		binary.BigEndian.PutUint16(h[2:], p.sequence)
		binary.BigEndian.PutUint32(h[8:], load.FloorSSRC)
		binary.BigEndian.PutUint32(h[12:], 0xbede0002)
		sealed, err := p.srtp.EncryptRTP(room, s.plain[:floorHeader+size], &p.header)
		if err != nil {
			return fmt.Errorf("encrypting: %w", err)
		}
		s.batch.add(len(sealed))
	}

	return nil
}
