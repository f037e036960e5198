// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestTogether does everything at the same time, and closes amid it.
func TestTogether(t *testing.T) {
	t.Parallel()
	for name, plain := range map[string]bool{"direct": false, "plain": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, func(cfg *Config) { cfg.PlainLane = plain })
			o := newOwner()
			p := newPeer(t, peerOptions{})
			tr := connect(t, n, p, o)
			upward(t, p, o, 1)
			stop := make(chan struct{})
			var work, going sync.WaitGroup
			run := func(f func(i int)) {
				going.Add(1)
				work.Go(func() {
					for i := 0; ; i++ {
						f(i)
						if i == 20 {
							going.Done()
						}
						select {
						case <-stop:
							if i >= 20 {
								return
							}
						default:
						}
					}
				})
			}
			for range 2 {
				run(func(int) { _ = tr.WriteRTCP(report) })
				run(func(i int) { tr.HandleMedia(append([]byte{0x80, byte(i)}, make([]byte, 40)...)) })
			}
			w := tr.Writer(0)
			run(func(i int) {
				if room := w.Reserve(20); room != nil {
					copy(room, rtpBytes(t, uint16(i), outSSRC, 0, nil, make([]byte, 8)))
					_ = w.Commit()
				}
				_ = w.WriteRTCP(report)
				n.maker.Flush(0)
			})
			run(func(int) {
				_ = fmt.Sprint(tr, tr.Profile(), tr.Paired(), tr.State(), n.maker.Refusals())
				tr.AcceptChannels(1000)
				_ = tr.AddCandidate("")
			})
			run(func(int) { _ = p.video.WriteRTP(rtpPacket) })
			run(func(int) { _ = tr.Restart(NewCredentials(), p.remote) })
			going.Wait()
			tr.Close()
			for len(o.media) > 0 {
				<-o.media
			}
			tr.HandleMedia(report)
			if len(o.media) > 0 {
				t.Error("media was handled after Close")
			}
			close(stop)
			work.Wait()
			if o.overlap.Load() {
				t.Error("two packets were handled at the same time")
			}
		})
	}
}

// TestCredentials looks at lengths and characters (RFC 8445, section 5.3).
func TestCredentials(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		c := NewCredentials()
		if len(c.Ufrag) != ufragLength || len(c.Pwd) != pwdLength || 6*pwdLength < 128 || seen[c.Ufrag] || seen[c.Pwd] {
			t.Fatalf("credentials %+v", c)
		}
		seen[c.Ufrag], seen[c.Pwd] = true, true
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	if _, err := NewMaker(Config{}); err == nil {
		t.Error("a Maker without a mux was made")
	}
	n := newNode(t, nil)
	o := newOwner()
	tr := n.transport(o, NewCredentials(), false)
	for _, f := range []string{"", "sha-256", "sha-256 AA:BB", "sha-1 " + n.maker.Fingerprint()[8:], "md5 00", "sha-256 XX"} {
		if err := tr.Start(Remote{Credentials: NewCredentials(), Fingerprint: f}); err == nil {
			t.Errorf("fingerprint %q was taken", f)
		}
	}
	if err := tr.Restart(NewCredentials(), Remote{Credentials: NewCredentials(), Fingerprint: n.maker.Fingerprint()}); err == nil {
		t.Error("restarted before it was started")
	}
	r := Remote{Credentials: NewCredentials(), Fingerprint: n.maker.Fingerprint(), Candidates: []string{"nonsense"}}
	if err := tr.Start(r); err != nil {
		t.Error(err)
	}
	if err := tr.Start(r); err == nil {
		t.Error("started twice")
	}
	if tr.Paired() || tr.RemoteAddr().IsValid() || tr.Profile() != "" || tr.State() != StateNew {
		t.Errorf("%v without a client", tr)
	}
	full := newNode(t, func(cfg *Config) { cfg.Lite = false })
	tr = full.transport(newOwner(), NewCredentials(), false)
	for candidate, good := range map[string]bool{
		"": true,
		"candidate:1 1 udp 2130706431 127.0.0.1 9 typ host":      true,
		"a=candidate:1 1 udp 2130706431 abcdef.local 9 typ host": true,
		"1 1 udp 2130706431 127.0.0.1 9 typ future":              true,
		"candidate:1 1 udp": false,
	} {
		if err := tr.AddCandidate(candidate); (err == nil) != good {
			t.Errorf("candidate %q: %v", candidate, err)
		}
	}
}

// TestSeeds holds the committed seeds of the fuzz tests to there being some.
func TestSeeds(t *testing.T) {
	for _, name := range []string{"FuzzHandleMedia", "FuzzAdmit", "FuzzCheckUfrag"} {
		if files, err := os.ReadDir(filepath.Join("testdata", "fuzz", name)); err != nil || len(files) == 0 {
			t.Errorf("%s has no seeds: %v", name, err)
		}
	}
}

// BenchmarkHandleMedia is a packet's way in.
func BenchmarkHandleMedia(b *testing.B) {
	for _, p := range []*profile{profileGCM, profileSHA} {
		b.Run(p.name, func(b *testing.B) {
			tr, h, client := receiver(b, p)
			h.discard = true
			const batch = 4096
			packets := make([][]byte, batch)
			b.ReportAllocs()
			var spent time.Duration
			for i := 0; i < b.N; i += batch {
				for j := range packets {
					var err error
					if packets[j], err = client.EncryptRTP(nil, rtpBytes(b, uint16(i+j), 5, 0, []byte{1, 2}, make([]byte, 1100)), nil); err != nil {
						b.Fatal(err)
					}
				}
				start := time.Now()
				for _, packet := range packets {
					tr.HandleMedia(packet)
				}
				spent += time.Since(start)
			}
			b.ReportMetric(float64(spent.Nanoseconds())/float64((b.N+batch-1)/batch*batch), "ns/packet")
		})
	}
}
