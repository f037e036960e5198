// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pion/datachannel"
	"github.com/pion/webrtc/v4"
)

// clientProcess makes this test binary a process of clients, so that theirs is not counted as the node's.
const clientProcess = "TRANSPORT_TEST_CLIENTS"

// exchange is what goes over its pipes: a line each way for each client.
type exchange struct {
	SDP    string
	Remote Remote
	Done   bool
}

// TestClientProcess is the other end of BenchmarkJoin and TestIdle, and nothing otherwise.
func TestClientProcess(t *testing.T) {
	if os.Getenv(clientProcess) == "" {
		return
	}
	withChannel := os.Getenv(clientProcess) == "channel"
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.NewFile(3, "offers"))
	for {
		p := newPeer(t, peerOptions{})
		if withChannel {
			if _, err := p.pc.CreateDataChannel("sfu", nil); err != nil {
				t.Fatal(err)
			}
		}
		connected, once := make(chan struct{}), sync.Once{}
		p.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
			if s == webrtc.PeerConnectionStateConnected {
				once.Do(func() { close(connected) })
			}
		})
		sdp, remote := p.offer(false)
		var answer exchange
		if out.Encode(exchange{SDP: sdp, Remote: remote}) != nil || in.Decode(&answer) != nil || answer.Done {
			_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark has measured

			return
		}
		if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer.SDP}); err != nil {
			t.Fatal(err)
		}
		<-connected
	}
}

// clients starts the process.
func clients(b testing.TB, kind string) (next func() exchange, answer func(exchange)) {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestClientProcess$")
	cmd.Env = append(os.Environ(), clientProcess+"="+kind)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.ExtraFiles, cmd.Stderr = []*os.File{w}, os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	_ = w.Close()
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
		_ = r.Close()
	})
	in, out := json.NewDecoder(bufio.NewReader(r)), json.NewEncoder(stdin)

	return func() (e exchange) {
			if err := in.Decode(&e); err != nil {
				b.Fatal(err)
			}

			return e
		}, func(e exchange) {
			if err := out.Encode(e); err != nil {
				b.Fatal(err)
			}
		}
}

// admit connects the client that has made an offer.
func admit(t testing.TB, n *node, kind string, offer exchange, answer func(exchange)) *Transport {
	t.Helper()
	o := &owner{state: make(chan struct{}, 1)}
	local := NewCredentials()
	tr := n.transport(o, local, false)
	opened := make(chan struct{})
	o.channel = func(c *datachannel.DataChannel) {
		close(opened)
		_, _ = io.Copy(io.Discard, c)
	}
	if kind == "channel" {
		tr.AcceptChannels(0)
	} else {
		close(opened)
	}
	if err := tr.Start(offer.Remote); err != nil {
		t.Fatal(err)
	}
	answer(exchange{SDP: answerText(offer.SDP, n, local, "passive")})
	o.await(t, func() bool { return tr.State() == StateSecure })
	tr.Writer(0)
	select {
	case <-opened:
	case <-time.After(patience):
		t.Fatal("no channel")
	}

	return tr
}

// TestIdle bounds the goroutines of sessions that do nothing.
func TestIdle(t *testing.T) {
	const sessions = 4
	for kind, most := range map[string]int{"media": 8, "channel": 12} {
		t.Run(kind, func(t *testing.T) {
			n := newNode(t, nil)
			next, answer := clients(t, kind)
			offer := next()
			before := runtime.NumGoroutine()
			for range sessions {
				admit(t, n, kind, offer, answer)
				offer = next()
			}
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for range int(patience / (10 * time.Millisecond)) {
				if runtime.NumGoroutine()-before <= sessions*most {
					answer(exchange{Done: true})

					return
				}
				<-tick.C
			}
			t.Errorf("%d goroutines for %d sessions", runtime.NumGoroutine()-before, sessions)
		})
	}
}

// BenchmarkJoin connects clients of another process one after the other, and reports what a join costs this one, and what
// a connected session that does nothing keeps.
func BenchmarkJoin(b *testing.B) {
	for _, kind := range []string{"media", "channel"} {
		b.Run(kind, func(b *testing.B) {
			n := newNode(b, nil)
			next, answer := clients(b, kind)
			offer := next()
			held := make([]*Transport, 0, b.N)
			heap, stacks := memory()
			goroutines, cpu := runtime.NumGoroutine(), spent()
			b.ResetTimer()
			for range b.N {
				held = append(held, admit(b, n, kind, offer, answer))
				offer = next()
			}
			b.StopTimer()
			cpu = spent() - cpu
			heapAfter, stacksAfter := memory()
			each := func(v float64) float64 { return v / float64(b.N) }
			b.ReportMetric(each(float64(runtime.NumGoroutine()-goroutines)), "goroutines/session")
			b.ReportMetric(each(float64(heapAfter-heap))/1024, "KiB-heap/session")
			b.ReportMetric(each(float64(stacksAfter-stacks))/1024, "KiB-stack/session")
			b.ReportMetric(each(float64(cpu.Microseconds()))/1000, "cpu-ms/join")
			if path := os.Getenv("TRANSPORT_TEST_PROFILE"); path != "" {
				writeProfiles(b, path+"-"+kind)
			}
			answer(exchange{Done: true})
			runtime.KeepAlive(held)
		})
	}
}

func writeProfiles(b *testing.B, path string) {
	b.Helper()
	for _, name := range []string{"heap", "goroutine"} {
		f, err := os.Create(path + "." + name)
		if err != nil {
			b.Fatal(err)
		}
		_ = pprof.Lookup(name).WriteTo(f, 0)
		_ = f.Close()
	}
}

func memory() (heap, stacks int64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)

	return int64(m.HeapAlloc), int64(m.StackInuse)
}

func spent() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)

	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
