// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtp"
)

func TestExtensionURIs(t *testing.T) {
	kinds := Extensions()
	if len(kinds) != int(extKinds) {
		t.Fatalf("%d kinds, want %d", len(kinds), extKinds)
	}
	seen := map[string]bool{}
	for _, k := range kinds {
		uri := k.URI()
		if uri == "" || seen[uri] {
			t.Errorf("kind %d: URI %q is empty or used twice", k, uri)
		}
		seen[uri] = true
		if back, ok := ExtensionFromURI(uri); !ok || back != k {
			t.Errorf("%q is kind %d, want %d", uri, back, k)
		}
	}
	if _, ok := ExtensionFromURI("urn:ietf:params:rtp-hdrext:toffset"); ok {
		t.Error("an extension that the node does not know was found")
	}
	if _, ok := ExtensionFromURI(""); ok {
		t.Error("the empty URI was found")
	}
	if uri := extKinds.URI(); uri != "" {
		t.Errorf("kind out of range has URI %q", uri)
	}
}

func TestExtensionMap(t *testing.T) {
	var m ExtensionMap
	check := func(kind ExtensionKind, id uint8) {
		t.Helper()
		if got := m.ID(kind); got != id {
			t.Errorf("kind %d has id %d, want %d", kind, got, id)
		}
		if got, ok := m.Kind(id); id != 0 && (!ok || got != kind) {
			t.Errorf("id %d is kind %d, %v; want %d", id, got, ok, kind)
		}
	}
	for _, k := range Extensions() {
		check(k, 0)
	}
	m.Set(ExtMid, 1)
	m.Set(ExtVideoLayersAllocation, 14)
	m.Set(ExtAudioLevel, 15)
	m.Set(ExtRid, 255)
	check(ExtMid, 1)
	check(ExtVideoLayersAllocation, 14)
	check(ExtAudioLevel, 15)
	check(ExtRid, 255)
	before := m

	m.Set(ExtTransportCC, 1) // takes the id of mid
	check(ExtTransportCC, 1)
	check(ExtMid, 0)
	m.Set(ExtTransportCC, 9) // and gives it up
	check(ExtTransportCC, 9)
	if k, ok := m.Kind(1); ok {
		t.Errorf("id 1 is still kind %d", k)
	}
	m.Set(ExtTransportCC, 0)
	check(ExtTransportCC, 0)
	m.Set(ExtMid, 1)
	m.Set(ExtRid, 200) // long ids are replaced as well
	m.Set(ExtRid, 255)
	if m != before {
		t.Error("maps with the same ids differ")
	}
	m.Set(ExtAbsCaptureTime, 255)
	check(ExtRid, 0)
	check(ExtAbsCaptureTime, 255)

	m.Set(extKinds, 3)
	m.Set(200, 3)
	if k, ok := m.Kind(3); ok || m.ID(200) != 0 {
		t.Errorf("kinds out of range were stored as %d", k)
	}
	if k, ok := m.Kind(0); ok {
		t.Errorf("id 0 is kind %d", k)
	}
}

// TestExtensionMapInverse sets ids at random and holds the map against a plain one.
func TestExtensionMapInverse(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var m ExtensionMap
	model := map[ExtensionKind]uint8{}
	for range 20_000 {
		kind, id := ExtensionKind(rng.IntN(int(extKinds))), uint8(rng.IntN(20))
		m.Set(kind, id)
		for k, have := range model {
			if have == id {
				delete(model, k)
			}
		}
		delete(model, kind)
		if id != 0 {
			model[kind] = id
		}
		for _, k := range Extensions() {
			if m.ID(k) != model[k] {
				t.Fatalf("after Set(%d, %d): kind %d has id %d, want %d", kind, id, k, m.ID(k), model[k])
			}
		}
		for i := range uint8(20) {
			k, ok := m.Kind(i)
			if ok != (i != 0 && model[k] == i) {
				t.Fatalf("after Set(%d, %d): id %d is kind %d, %v", kind, id, i, k, ok)
			}
		}
	}
}

// marshalExtension lets pion write an extension.
func marshalExtension(t *testing.T, e interface{ Marshal() ([]byte, error) }) []byte {
	t.Helper()
	b, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestExtensionReaders(t *testing.T) {
	level, voice, ok := AudioLevel(marshalExtension(t, rtp.AudioLevelExtension{Level: 77, Voice: true}))
	if level != 77 || !voice || !ok {
		t.Errorf("audio level: %d, %v, %v", level, voice, ok)
	}
	level, voice, ok = AudioLevel(marshalExtension(t, rtp.AudioLevelExtension{Level: 127}))
	if level != 127 || voice || !ok {
		t.Errorf("silence: %d, %v, %v", level, voice, ok)
	}
	sequence, ok := TransportSequence(marshalExtension(t, rtp.TransportCCExtension{TransportSequence: 0xfffe}))
	if sequence != 0xfffe || !ok {
		t.Errorf("transport sequence: %d, %v", sequence, ok)
	}
	sent, ok := AbsSendTime(marshalExtension(t, rtp.AbsSendTimeExtension{Timestamp: 0xabcdef}))
	if sent != 0xabcdef || !ok {
		t.Errorf("send time: %x, %v", sent, ok)
	}
	low, high, ok := PlayoutDelay(marshalExtension(t, rtp.PlayoutDelayExtension{MinDelay: 1, MaxDelay: 4095}))
	if low != 10*time.Millisecond || high != 40950*time.Millisecond || !ok {
		t.Errorf("playout delay: %v to %v, %v", low, high, ok)
	}
	if _, _, ok := PlayoutDelay([]byte{0, 0x20, 0x01}); ok { // 2 to 1
		t.Error("playout delay with the bounds exchanged was accepted")
	}
	degrees, flip, back, ok := VideoOrientation([]byte{0x0f})
	if degrees != 270 || !flip || !back || !ok {
		t.Errorf("orientation: %d, %v, %v, %v", degrees, flip, back, ok)
	}
	degrees, flip, back, ok = VideoOrientation([]byte{0xf1})
	if degrees != 90 || flip || back || !ok {
		t.Errorf("orientation: %d, %v, %v, %v", degrees, flip, back, ok)
	}
}

// TestExtensionReadersSizes: what has another size than the extension is no value of it.
func TestExtensionReadersSizes(t *testing.T) {
	for n := range 20 {
		b := make([]byte, n)
		if _, _, ok := AudioLevel(b); ok != (n >= 1) {
			t.Errorf("audio level in %d bytes: %v", n, ok)
		}
		if _, _, _, ok := VideoOrientation(b); ok != (n >= 1) {
			t.Errorf("orientation in %d bytes: %v", n, ok)
		}
		if _, ok := TransportSequence(b); ok != (n == 2) {
			t.Errorf("transport sequence in %d bytes: %v", n, ok)
		}
		if _, ok := AbsSendTime(b); ok != (n == 3) {
			t.Errorf("send time in %d bytes: %v", n, ok)
		}
		if _, _, ok := PlayoutDelay(b); ok != (n == 3) {
			t.Errorf("playout delay in %d bytes: %v", n, ok)
		}
	}
}

func TestPutAbsSendTime(t *testing.T) {
	for _, at := range []time.Time{
		time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		time.Date(2026, 11, 22, 12, 1, 3, 999_999_999, time.UTC),
		time.Date(2036, 2, 7, 6, 28, 16, 0, time.UTC), // NTP era 1 begins
	} {
		seconds := uint64(at.Unix() + 2_208_988_800)
		ntp := seconds<<32 | uint64(at.Nanosecond())<<32/1_000_000_000
		var got [3]byte
		PutAbsSendTime(&got, ntp)
		want := marshalExtension(t, rtp.NewAbsSendTimeExtension(at))
		if value, _ := AbsSendTime(got[:]); string(got[:]) != string(want) {
			t.Errorf("%v: %06x, pion writes %x", at, value, want)
		}
	}
}
