// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestHistorySize(t *testing.T) {
	for _, row := range []struct{ ask, want int }{
		{-1, historyLeast}, {0, historyLeast}, {64, 64}, {65, 128}, {1000, 1024}, {1024, 1024}, {1 << 20, historyMost},
	} {
		var h history
		h.init(row.ask)
		if int(h.size()) != row.want {
			t.Errorf("init(%d): %d places, want %d", row.ask, h.size(), row.want)
		}
	}
}

// A look-up returns what a map with the newest entries would.
func TestHistoryModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h history
		h.init(64)
		seq := 1<<16 + uint64(rapid.Uint16().Draw(t, "first"))
		model := make(map[uint64]*Packet)
		for range rapid.IntRange(1, 300).Draw(t, "packets") {
			seq += rapid.Uint64Range(1, 10).Draw(t, "step")
			p := &Packet{Sequence: seq}
			h.put(p)
			model[seq] = p
		}
		for back := range uint64(200) {
			want := model[seq-back]
			got := h.near(uint16(seq - back))
			if got == nil && back >= 64 {
				continue // may be overwritten
			}
			if got != want {
				t.Fatalf("%d behind: %v, want %v", back, got, want)
			}
		}
		if h.near(uint16(seq+1)) != nil {
			t.Fatal("a packet that is still to come")
		}
	})
}

func TestHistoryAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newUplinkRig(t, Config{HistoryAge: time.Second})
		defer r.close()
		if r.layer.packetAt(0) != nil {
			t.Error("found in an empty history")
		}
		r.video(0, 1)
		time.Sleep(time.Second)
		if r.layer.packetAt(0) == nil {
			t.Error("gone before its time")
		}
		time.Sleep(time.Nanosecond)
		if r.layer.packetAt(0) != nil {
			t.Error("older than the history's age")
		}
	})
}

func TestRate(t *testing.T) {
	rows := []struct {
		name  string
		every int64
		n     uint64
		span  int64
		after int64
		want  float64
	}{
		{"nothing", second, 0, 0, 0, 0},
		{"steady", second / 100, 10, 3 * second, 0, 1000},
		{"within the first window", second / 1000, 1, second / 2, 0, 400},
		{"just ended", second / 100, 10, 3 * second, second / 2, 500},
		{"long ago", second / 100, 10, 3 * second, 3 * second, 0},
		{"so long ago that the ring came round", second / 100, 10, 3 * second, 16 << rateShift, 0},
		{"more than fits", second / 10, 1 << 60, 2 * second, 0, 8 * float64(rateCount) / 1.0737},
	}
	for _, row := range rows {
		var r rate
		now := int64(0)
		for ; now < row.span; now += row.every {
			r.add(now, row.n)
		}
		got := r.perSecond(now + row.after)
		if got < row.want*0.8-1 || got > row.want*1.2+1 {
			t.Errorf("%s: %.0f, want about %.0f", row.name, got, row.want)
		}
	}
}
