// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/switchyard-media/sfu/router"
)

// idleClients makes this test binary a process of clients, so that what they take is not counted as the node's.
const (
	idleClients = "SFU_TEST_IDLE_CLIENTS"
	everything  = "everything" // two sources, four slots and the data channel; else two slots
)

// TestIdleClients is the other end of TestIdleSessions, and nothing otherwise: on each line of its input it makes a client,
// and writes its offer; then it takes the answer.
func TestIdleClients(t *testing.T) {
	kind := os.Getenv(idleClients)
	if kind == "" {
		return
	}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.NewFile(3, "offers"))
	for {
		var answer string
		if in.Decode(&answer) != nil {
			return
		}
		c := newClient(t, nil)
		c.slots(audioKind, videoKind)
		if kind == everything {
			c.source(webrtc.MimeTypeOpus)
			c.source(webrtc.MimeTypeVP8)
			c.slots(audioKind, videoKind).listen()
		}
		if out.Encode(c.offer(nil)) != nil || in.Decode(&answer) != nil {
			return
		}
		if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestIdleSessions holds what a connected session that does nothing keeps: goroutines, and memory for those and for itself.
func TestIdleSessions(t *testing.T) {
	t.Run("viewer", func(t *testing.T) { idleSessions(t, "viewer", 8, 150<<10) })
	t.Run(everything, func(t *testing.T) { idleSessions(t, everything, 12, 250<<10) })
}

// idleSessions allows more memory than it is: the node's own tables grow with the first sessions.
func idleSessions(t *testing.T, kind string, most int, bytes int64) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestIdleClients$")
	cmd.Env, cmd.Stderr = append(os.Environ(), idleClients+"="+kind), os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{w}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	n := startNode(t, func(c *Config) {
		_ = c.PacketConn.Close()
		c.PacketConn, c.UDPAddress = nil, "127.0.0.1:0"
	})
	defer func() {
		_ = stdin.Close()
		_ = cmd.Wait()
		_ = r.Close()
	}()
	in, out := json.NewDecoder(bufio.NewReader(r)), json.NewEncoder(stdin)
	join := func(user string) (connected func()) {
		t.Helper()
		id := must[router.Session](t, n, router.CreateSession{App: "app", User: router.User{ID: user, Name: user}, Mode: router.ModeMulti}).ID
		must[router.JoinReply](t, n, router.JoinRoom{Session: id, Room: "r"})
		var offer string
		if out.Encode("") != nil || in.Decode(&offer) != nil {
			t.Fatal("the clients are gone")
		}
		answer, err := n.Negotiate(context.Background(), id, router.Fence{}, offer, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Encode(answer.SDP); err != nil {
			t.Fatal(err)
		}

		return func() {
			t.Helper()
			eventually(t, "the client is connected, and told of its slots", func() bool {
				var state router.ConnectionState
				n.Read(func(r *router.Router) {
					s, _ := r.Session(id)
					state = s.Connection
				})

				return state == router.ConnectionConnected && n.Transport(id).DataChannel == (kind == everything)
			})
		}
	}
	join("first")() // and whatever is made once
	const count = 15
	goroutines, kept := runtime.NumGoroutine(), memoryKept()
	var connected []func()
	for i := range count {
		connected = append(connected, join(string(rune('a'+i))))
	}
	for _, wait := range connected {
		wait()
	}
	// What a join does has ended, or is about to.
	eventually(t, fmt.Sprintf("at most %d goroutines a session", most), func() bool {
		return runtime.NumGoroutine()-goroutines <= most*count
	})
	var each int64
	eventually(t, fmt.Sprintf("at most %d KiB a session", bytes>>10), func() bool {
		each = (memoryKept() - kept) / count

		return each <= bytes
	})
	t.Logf("%d goroutines and %d KiB a session", (runtime.NumGoroutine()-goroutines)/count, each>>10)
}

// memoryKept is what is in use when the garbage is gone, stacks included.
func memoryKept() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)

	return int64(m.HeapAlloc + m.StackInuse)
}
