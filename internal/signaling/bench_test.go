// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// unlimited is more than any benchmark asks for in a second.
const unlimited = 1 << 30

// startBench starts a tier and its node, neither of which bounds how much is asked for.
func startBench(b *testing.B) (*tier, *sfutest.Node) {
	b.Helper()
	node := startNode(b, func(c *sfu.Config) {
		l := &c.Router.DefaultApp.Limits
		l.MembersPerRoom, l.BroadcastPerSecond, l.BroadcastPerUser = 2000, unlimited, unlimited
	})
	return startTier(b, newKeys(b), func(c *Config) { c.Rate, c.Burst = unlimited, unlimited }, node), node
}

// lean is a client that costs as little as it can: it has no goroutine, and reads when it is told to.
type lean struct {
	b      *testing.B
	conn   net.Conn
	reader *bufio.Reader
	frame  []byte
	last   int // id of the last request
}

// lean connects a client and says Hello.
func (x *tier) lean(b *testing.B, user string) *lean {
	b.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(x.url, "ws://"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	l := &lean{b: b, conn: conn, reader: bufio.NewReaderSize(conn, 256)}
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: tier\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if err != nil {
		b.Fatal(err)
	}
	answer, err := http.ReadResponse(l.reader, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		b.Fatalf("answer %v, error %v", answer, err)
	}
	l.ask(`"hello":{"token":"` + x.sign(claims(user)) + `","roomMode":"ROOM_MODE_MULTI"}`)
	return l
}

// send sends a request.
func (l *lean) send(request string) {
	l.last++
	body := `{"id":` + strconv.Itoa(l.last) + `,` + request + `}`
	frame := []byte{0x81, 0x80 | 126, 0, 0, 0, 0, 0, 0} // a mask of zeros changes nothing
	binary.BigEndian.PutUint16(frame[2:], uint16(len(body)))
	if len(body) < 126 {
		frame = append(frame[:0], 0x81, 0x80|byte(len(body)), 0, 0, 0, 0)
	}
	if _, err := l.conn.Write(append(frame, body...)); err != nil {
		l.b.Fatal(err)
	}
}

// read reads one frame, which is good until the next.
func (l *lean) read() []byte {
	header, err := l.reader.ReadByte()
	if err != nil || header != 0x81 {
		l.b.Fatalf("header %x, error %v", header, err)
	}
	short, err := l.reader.ReadByte()
	size, length := uint64(short), make([]byte, 8)
	switch short {
	case 126:
		_, err = io.ReadFull(l.reader, length[6:])
		size = binary.BigEndian.Uint64(length)
	case 127:
		_, err = io.ReadFull(l.reader, length)
		size = binary.BigEndian.Uint64(length)
	}
	if err != nil {
		l.b.Fatal(err)
	}
	if uint64(cap(l.frame)) < size {
		l.frame = make([]byte, size)
	}
	l.frame = l.frame[:size]
	if _, err := io.ReadFull(l.reader, l.frame); err != nil {
		l.b.Fatal(err)
	}
	return l.frame
}

// heard reads a frame that has to be a notice of a kind.
func (l *lean) heard(kind string) {
	if frame := l.read(); !bytes.Contains(frame, []byte(`"notice"`)) || !bytes.Contains(frame, []byte(kind)) {
		l.b.Fatalf("%.200s, want a notice of %s", frame, kind)
	}
}

// ask sends a request that has to succeed, while nothing else is told.
func (l *lean) ask(request string) {
	l.b.Helper()
	l.send(request)
	if frame := l.read(); !bytes.Contains(frame, []byte(`"reply"`)) || bytes.Contains(frame, []byte(`"failure"`)) {
		l.b.Fatalf("%.60s: %.200s", request, frame)
	}
}

func (l *lean) login(room string)  { l.ask(`"loginRoom":{"roomId":"` + room + `"}`) }
func (l *lean) logout(room string) { l.ask(`"logoutRoom":{"roomId":"` + room + `"}`) }

// populate lets sessions into rooms that have no client here: session i into the room that in names. It answers their ids.
func populate(b *testing.B, node *sfutest.Node, n int, in func(i int) string) (ids []string) {
	b.Helper()
	for i := range n {
		s, err := node.API.Session.CreateSession(b.Context(), &sfuv1.CreateSessionRequest{
			AppId: app, User: &sfuv1.User{Id: fmt.Sprint("there", i), Name: fmt.Sprint("name of there", i)}, RoomMode: multi,
		})
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, s.GetSession().GetId())
		_, err = node.API.Room.JoinRoom(b.Context(), &sfuv1.JoinRoomRequest{SessionId: ids[i], RoomId: in(i), Grants: grantsIn(everything)})
		if err != nil {
			b.Fatal(err)
		}
	}
	return ids
}

// BenchmarkLogin is a client that enters a room and leaves it, while others are there whom nobody here has to tell.
func BenchmarkLogin(b *testing.B) {
	for _, others := range []int{0, 9, 99} {
		b.Run(fmt.Sprint("members=", others+1), func(b *testing.B) {
			x, node := startBench(b)
			populate(b, node, others, func(int) string { return "r" })
			c := x.lean(b, "ada")
			b.ReportAllocs()
			for b.Loop() {
				c.login("r")
				c.logout("r")
			}
		})
	}
}

// BenchmarkConnect is a client from its connection over Hello and the first login to Goodbye.
func BenchmarkConnect(b *testing.B) {
	x, _ := startBench(b)
	b.ReportAllocs()
	for b.Loop() {
		c := x.lean(b, "ada")
		c.login("r")
		c.ask(`"goodbye":{}`)
		_ = c.conn.Close()
	}
}

// BenchmarkRelay is one event for all members of a room that are clients here, from the request that causes it until each of
// them has read its notice. Of join two events are one round.
func BenchmarkRelay(b *testing.B) {
	kinds := []struct {
		name   string
		events int
		cause  func(c *lean)
		notice string
	}{
		{"message", 1, func(c *lean) { c.ask(`"sendMessage":{"roomId":"r","kind":"MESSAGE_KIND_BROADCAST","text":"hello"}`) }, `"message"`},
		{"join", 2, func(c *lean) { c.login("r"); c.logout("r") }, `"users"`},
	}
	for _, kind := range kinds {
		for _, n := range []int{1, 100, 1000} {
			b.Run(fmt.Sprint(kind.name, "/members=", n), func(b *testing.B) {
				x, _ := startBench(b)
				cause, members := x.lean(b, "ada"), make([]*lean, n)
				for i := range members {
					members[i] = x.lean(b, fmt.Sprint("u", i))
					members[i].login("r")
					for _, m := range members[:i] {
						m.heard(`"users"`)
					}
				}
				if kind.name == "message" {
					cause.login("r")
					for _, m := range members {
						m.heard(`"users"`)
					}
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				busy := processor(b)
				for b.Loop() {
					kind.cause(cause)
					for _, m := range members {
						for range kind.events {
							m.heard(kind.notice)
						}
					}
				}
				busy = processor(b) - busy
				runtime.ReadMemStats(&after)
				notices := float64(b.N * kind.events * n)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/notices, "ns/notice")
				b.ReportMetric(float64(busy.Nanoseconds())/notices, "cpu-ns/notice")
				b.ReportMetric(float64(after.Mallocs-before.Mallocs)/notices, "allocs/notice")
			})
		}
	}
}

// processor is the time that the process has had on any processor: what else runs on the machine is not in it.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkIdle is what clients take that have entered a room each and do nothing; node is what their sessions take without
// them. The clients' own ends are in it, about 1.5 KB each.
func BenchmarkIdle(b *testing.B) {
	const clients = 1000
	room := func(i int) string { return fmt.Sprint("room", i) }
	b.Run("node", func(b *testing.B) {
		_, node := startBench(b)
		for b.Loop() {
			before := settled()
			ids := populate(b, node, clients, room)
			settled().report(b, before, clients)
			for _, id := range ids {
				if _, err := node.API.Session.CloseSession(b.Context(), &sfuv1.CloseSessionRequest{SessionId: id}); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("tier+node", func(b *testing.B) {
		x, _ := startBench(b)
		all := make([]*lean, clients)
		for b.Loop() {
			before := settled()
			for i := range all {
				all[i] = x.lean(b, fmt.Sprint("u", i))
				all[i].login(room(i))
			}
			settled().report(b, before, clients)
			for i, c := range all {
				c.ask(`"goodbye":{}`)
				_ = c.conn.Close()
				all[i] = nil
			}
		}
	})
}

// taken is what the process takes.
type taken struct{ heap, stacks, goroutines float64 }

// settled reads it when nobody does anything.
func settled() taken {
	var m runtime.MemStats
	for range 3 { // stacks shrink by half each time
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return taken{float64(m.HeapAlloc), float64(m.StackInuse), float64(runtime.NumGoroutine())}
}

func (t taken) report(b *testing.B, before taken, clients float64) {
	b.ReportMetric((t.heap-before.heap)/clients, "heap-B/client")
	b.ReportMetric((t.stacks-before.stacks)/clients, "stack-B/client")
	b.ReportMetric((t.goroutines-before.goroutines)/clients, "goroutines/client")
}
