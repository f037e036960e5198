// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchyard-media/sfu/bench/load"
)

const (
	floorHeader  = 12 + 12 // RTP header, and extensions as a node sends them
	floorTag     = 16      // of AES-GCM
	floorSettle  = 300 * time.Millisecond
	maxSegments  = 64 // of one UDP_SEGMENT send; the kernel's bound
	maxRunBytes  = 60_000
	payloadBytes = 2048
)

// floorPeer is one receiver: an address and a key.
type floorPeer struct {
	to  unix.SockaddrInet4
	gcm cipher.AEAD
	seq uint64
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
	fd      int
	payload [payloadBytes]byte
	nonce   [12]byte
	run     []byte // packets to be sent, one behind the other
	segment int    // size of each but the last
	last    int    // size of the last
	count   int
	control []byte
	result  floorResult
}

// sendFloor does nothing but the least that any server has to: for each frame and receiver encrypt the frame's packets, and
// send each run of equal ones with one system call. It keeps the publishers' pace, so that as much of the time as in the
// node's measurement goes to waking up.
func sendFloor(order floorOrder) (floorResult, error) {
	runtime.LockOSThread()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return floorResult{}, err
	}
	defer func() { _ = unix.Close(fd) }()
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 4<<20) // as much as there is
	s := &floorSender{fd: fd, run: make([]byte, 0, maxRunBytes+payloadBytes), control: make([]byte, unix.CmsgSpace(2))}
	h := (*unix.Cmsghdr)(ptr(s.control))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	tracks, err := floorTracks(order.Streams)
	if err != nil {
		return floorResult{}, err
	}
	if err := s.loop(tracks, time.Now().Add(floorSettle)); err != nil {
		return floorResult{}, err
	}
	s.result = floorResult{}
	start, user, system := time.Now(), time.Duration(0), time.Duration(0)
	user, system = usage()
	if err := s.loop(tracks, start.Add(order.Duration)); err != nil {
		return floorResult{}, err
	}
	u, y := usage()
	s.result.User, s.result.System, s.result.Wall = u-user, y-system, time.Since(start)

	return s.result, nil
}

func floorTracks(streams []floorStream) ([]*floorTrack, error) {
	peers := make(map[int]*floorPeer)
	var out []*floorTrack
	for _, st := range streams {
		t := &floorTrack{pattern: st.Pattern, next: time.Now().Add(rand.N(st.Pattern.Every))}
		for _, port := range st.Ports {
			if peers[port] == nil {
				key := make([]byte, 16)
				binary.BigEndian.PutUint64(key, rand.Uint64())
				block, err := aes.NewCipher(key)
				if err != nil {
					return nil, err
				}
				gcm, err := cipher.NewGCM(block)
				if err != nil {
					return nil, err
				}
				peers[port] = &floorPeer{to: unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}, gcm: gcm}
			}
			t.peers = append(t.peers, peers[port])
		}
		out = append(out, t)
	}

	return out, nil
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

func (s *floorSender) frame(p *floorPeer, sizes []int) error {
	for _, size := range sizes {
		n := floorHeader + size + floorTag
		full := s.count > 0 && (n > s.segment || s.last < s.segment || s.count == maxSegments || len(s.run)+n > maxRunBytes)
		if full {
			if err := s.flush(p); err != nil {
				return err
			}
		}
		if s.count == 0 {
			s.segment = n
		}
		s.encrypt(p, size)
		s.last = n
		s.count++
	}

	return s.flush(p)
}

// encrypt appends one packet: a header in the clear, and the payload under the receiver's key.
func (s *floorSender) encrypt(p *floorPeer, size int) {
	p.seq++
	binary.BigEndian.PutUint64(s.nonce[4:], p.seq)
	at := len(s.run)
	h := s.run[at : at+floorHeader]
	clear(h)
	h[0], h[1] = 0x90, 96
	binary.BigEndian.PutUint16(h[2:], uint16(p.seq))
	binary.BigEndian.PutUint32(h[8:], load.FloorSSRC)
	binary.BigEndian.PutUint32(h[12:], 0xbede0002)
	s.run = p.gcm.Seal(s.run[:at+floorHeader], s.nonce[:], s.payload[:size], h)
}

func (s *floorSender) flush(p *floorPeer) error {
	var control []byte
	if s.count > 1 {
		control = s.control
		binary.NativeEndian.PutUint16(control[unix.CmsgLen(0):], uint16(s.segment))
	}
	if _, err := unix.SendmsgN(s.fd, s.run, control, &p.to, 0); err != nil {
		return fmt.Errorf("sending %d packets at once: %w", s.count, err)
	}
	s.result.Packets += uint64(s.count)
	s.result.Sends++
	s.run, s.count = s.run[:0], 0

	return nil
}
