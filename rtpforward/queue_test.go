// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
)

func TestQueueKeepsAnEighthForCommands(t *testing.T) {
	q := newQueue(64)
	packets := 0
	for q.push(&Packet{}, nil, q.reserve()) {
		packets++
	}
	commands := 0
	for q.push(nil, &command{}, 0) {
		commands++
	}
	if packets != 56 || commands != 8 {
		t.Errorf("took %d packets and %d commands, want 56 and 8", packets, commands)
	}
	if q.length() != 64 {
		t.Errorf("length %d, want 64", q.length())
	}
	for i := range 64 {
		p, c, ok := q.pop()
		if !ok || (p != nil) != (i < 56) || (c != nil) != (i >= 56) {
			t.Fatalf("entry %d: packet %v, command %v, ok %v", i, p != nil, c != nil, ok)
		}
	}
	if _, _, ok := q.pop(); ok || q.ready() || q.length() != 0 {
		t.Error("the emptied queue is not empty")
	}
}

func TestQueueLengthIsRoundedUp(t *testing.T) {
	for _, c := range []struct{ ask, want int }{{-1, 16}, {0, 16}, {17, 32}, {64, 64}, {8000, 8192}} {
		if got := len(newQueue(c.ask).cells); got != c.want {
			t.Errorf("newQueue(%d) has %d entries, want %d", c.ask, got, c.want)
		}
	}
}

// TestQueueManyProducers: whatever was taken by push comes out once, and what
// one producer pushed comes out in its order.
func TestQueueManyProducers(t *testing.T) {
	const producers, each = 16, 5000
	q := newQueue(256)
	ups := make([]*UpTrack, producers)
	for i := range ups {
		ups[i] = &UpTrack{}
	}
	var accepted [producers]atomic.Uint64
	var wg sync.WaitGroup
	for i := range producers {
		wg.Go(func() {
			for n := uint64(1); n <= each; n++ {
				p := &Packet{Up: ups[i], Sequence: n}
				if i%2 == 0 { // these insist, like posters
					for !q.push(p, nil, 0) {
						runtime.Gosched()
					}
				} else if !q.push(p, nil, q.reserve()) {
					continue
				}
				accepted[i].Add(1)
			}
		})
	}
	var done atomic.Bool
	go func() { wg.Wait(); done.Store(true) }()

	index := make(map[*UpTrack]int)
	for i, u := range ups {
		index[u] = i
	}
	var got, last [producers]uint64
	for {
		over := done.Load() // before pop: then an empty queue stays empty
		p, _, ok := q.pop()
		if !ok {
			if over {
				break
			}
			runtime.Gosched()
			continue
		}
		i := index[p.Up]
		if p.Sequence <= last[i] {
			t.Fatalf("producer %d: %d after %d", i, p.Sequence, last[i])
		}
		last[i] = p.Sequence
		got[i]++
	}
	for i := range producers {
		if got[i] != accepted[i].Load() {
			t.Errorf("producer %d: %d came out, %d were taken", i, got[i], accepted[i].Load())
		}
		if i%2 == 0 && got[i] != each {
			t.Errorf("producer %d: %d came out, %d pushed", i, got[i], each)
		}
	}
}

// TestShardWakesUp: every packet is seen although the shard parks between them.
func TestShardWakesUp(t *testing.T) {
	f := New(Config{Shards: 1, Hold: -1})
	defer f.Close()
	u := f.NewUplink(UplinkConfig{})
	defer u.Close()
	up := u.NewTrack(TrackConfig{}).NewUpTrack(upConfig())
	arrived := make(chan uint16, 1)
	d := f.NewDownlink(DownlinkConfig{NewWriter: out(writerFunc(func(_ uint32, sequence uint16) { arrived <- sequence }))})
	dt := d.NewDownTrack(audioSlot())
	d.SetReady(true)
	<-dt.Bind(up.track, false)
	var last uint16
	for n := uint64(1); n <= 20000; n++ {
		p := packet(up, n, n*960, int64(n), 98, nil)
		if !f.shards[0].push(p) {
			t.Fatal("refused")
		}
		select {
		case got := <-arrived:
			if n > 1 && got != last+1 {
				t.Fatalf("packet %d left as %d after %d", n, got, last)
			}
			last = got
		case <-time.After(30 * time.Second):
			t.Fatalf("packet %d is stuck: the shard missed it", n)
		}
	}
}

func BenchmarkQueue(b *testing.B) {
	q := newQueue(8192)
	p := &Packet{}
	b.ReportAllocs()
	for b.Loop() {
		q.push(p, nil, q.reserve())
		q.pop()
	}
}

func BenchmarkQueueContended(b *testing.B) {
	q := newQueue(8192)
	p := &Packet{}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if _, _, ok := q.pop(); !ok {
				select {
				case <-stop:
					return
				default:
					runtime.Gosched()
				}
			}
		}
	})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			for !q.push(p, nil, q.reserve()) {
				runtime.Gosched()
			}
		}
	})
	close(stop)
	wg.Wait()
}

// writerFunc is a packetSink that is told only SSRC and sequence number.
type writerFunc func(ssrc uint32, sequence uint16)

func (f writerFunc) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	f(h.SSRC, h.SequenceNumber)
	return len(payload), nil
}
