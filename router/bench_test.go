// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"fmt"
	"testing"
	"time"
)

// bench drives a Router at a fixed pace of virtual time and stops the benchmark at the first refusal.
type bench struct {
	b   *testing.B
	r   *Router
	now time.Time
	n   int
}

func newBench(b *testing.B) *bench {
	b.Helper()
	limits := Limits{RoomsPerUser: 1 << 20, Rooms: 1 << 20, Sessions: 1 << 20, StreamsPerUser: 1 << 20, SubscriptionsPerUser: 1 << 20}
	cfg := Config{Epoch: 1, NodeRooms: 1 << 20, NodeSessions: 1 << 20, DefaultApp: App{MultiRoom: true, Limits: limits}}

	return &bench{b: b, r: New(cfg), now: time.Unix(1e9, 0)}
}

func (x *bench) do(cmd Command) any {
	reply, _, err := x.r.Apply(x.now, cmd)
	if err != nil {
		x.b.Fatalf("%T: %v", cmd, err)
	}
	x.n++

	return reply
}

// session opens a session with one source and the given number of slots of each kind.
func (x *bench) session(id string, slots int) {
	x.do(CreateSession{App: "app", ID: SessionID(id), User: User{ID: id, Name: id}, Mode: ModeMulti})
	lines := []Line{{Mid: "0", Kind: Audio, Direction: LineUp}, {Mid: "1", Kind: Video, Direction: LineUp}}
	for i := range 2 * slots {
		lines = append(lines, Line{Mid: fmt.Sprint(i + 2), Kind: Kind(1 + i%2), Direction: LineDown})
	}
	x.do(SetLines{Session: SessionID(id), Lines: lines})
}

// rooms opens other rooms, each with a publisher of its own.
func (x *bench) rooms(n int) {
	for i := range n {
		id := fmt.Sprint("other", i)
		x.session(id, 0)
		x.do(JoinRoom{Session: SessionID(id), Room: id})
		x.do(Publish{Session: SessionID(id), Room: id, Stream: "cam", AudioMid: "0", VideoMid: "1"})
	}
}

// BenchmarkCommands is the life of a room of four, over and over among 100 other rooms: join, publish, subscribe, leave.
func BenchmarkCommands(b *testing.B) {
	x := newBench(b)
	x.rooms(100)
	users := []SessionID{"a", "b", "c", "d"}
	for _, u := range users {
		x.session(string(u), 4)
	}
	x.n = 0
	b.ReportAllocs()
	for b.Loop() {
		for _, u := range users {
			x.do(JoinRoom{Session: u, Room: "room"})
			x.do(Publish{Session: u, Room: "room", Stream: string(u), AudioMid: "0", VideoMid: "1"})
		}
		for _, u := range users {
			for _, v := range users {
				if u != v {
					x.do(Subscribe{Session: u, Room: "room", Stream: string(v), Audio: true, Video: true})
				}
			}
		}
		for _, u := range users {
			x.do(LeaveRoom{Session: u, Room: "room"})
		}
	}
	b.ReportMetric(float64(x.n)/b.Elapsed().Seconds(), "commands/s")
}

// BenchmarkPublish publishes and unpublishes a stream that four members wait for, on nodes of different sizes.
func BenchmarkPublish(b *testing.B) {
	for _, rooms := range []int{1, 10000} {
		b.Run(fmt.Sprint("rooms=", rooms), func(b *testing.B) {
			x := newBench(b)
			x.rooms(rooms - 1)
			for _, u := range []string{"p", "a", "b", "c", "d"} {
				x.session(u, 2)
				x.do(JoinRoom{Session: SessionID(u), Room: "room"})
			}
			publish := Publish{Session: "p", Room: "room", Stream: "cam", AudioMid: "0", VideoMid: "1"}
			b.ReportAllocs()
			for b.Loop() {
				for _, u := range []SessionID{"a", "b", "c", "d"} {
					x.do(Subscribe{Session: u, Room: "room", Stream: "cam", Audio: true, Video: true})
				}
				x.do(publish)
				x.do(Unpublish{Session: "p", Room: "room", Stream: "cam"})
			}
		})
	}
}

// BenchmarkSubscribe subscribes and unsubscribes, on nodes of different sizes.
func BenchmarkSubscribe(b *testing.B) {
	for _, rooms := range []int{1, 10000} {
		b.Run(fmt.Sprint("rooms=", rooms), func(b *testing.B) {
			x := newBench(b)
			x.rooms(rooms - 1)
			for _, u := range []string{"p", "a"} {
				x.session(u, 2)
				x.do(JoinRoom{Session: SessionID(u), Room: "room"})
			}
			x.do(Publish{Session: "p", Room: "room", Stream: "cam", AudioMid: "0", VideoMid: "1"})
			b.ReportAllocs()
			for b.Loop() {
				sub, _ := x.do(Subscribe{Session: "a", Room: "room", Stream: "cam", Audio: true, Video: true}).(Subscription)
				x.do(Unsubscribe{ID: sub.ID})
			}
		})
	}
}

// BenchmarkJoinLarge joins and leaves a room of 1000: what is paid is the copy of the room in the reply.
func BenchmarkJoinLarge(b *testing.B) {
	x := newBench(b)
	for i := range 999 {
		id := fmt.Sprint("m", i)
		x.session(id, 0)
		x.do(JoinRoom{Session: SessionID(id), Room: "room"})
	}
	x.session("late", 0)
	b.ReportAllocs()
	for b.Loop() {
		x.do(JoinRoom{Session: "late", Room: "room"})
		x.do(LeaveRoom{Session: "late", Room: "room"})
	}
}

// BenchmarkTick lets a second pass on a node with 10 000 memberships that end far in the future.
func BenchmarkTick(b *testing.B) {
	x := newBench(b)
	for i := range 10000 {
		id := fmt.Sprint("m", i)
		x.session(id, 0)
		x.do(SetConnection{Session: SessionID(id), State: ConnectionConnected})
		x.do(JoinRoom{Session: SessionID(id), Room: fmt.Sprint("r", i%100), Expires: x.now.Add(1e6 * time.Hour)})
	}
	b.ReportAllocs()
	for b.Loop() {
		x.now = x.now.Add(time.Second)
		x.do(Tick{})
	}
}

// BenchmarkNodeSize compares a node of one room with one of 10 000, in turns, by the fastest of many short batches: on a
// busy machine nothing else says whether the cost depends on the number of rooms.
func BenchmarkNodeSize(b *testing.B) {
	const batch = 50
	var nodes [2]*bench
	for i, rooms := range []int{1, 10000} {
		x := newBench(b)
		x.rooms(rooms - 1)
		for _, u := range []string{"p", "a"} {
			x.session(u, 2)
			x.do(JoinRoom{Session: SessionID(u), Room: "room"})
		}
		nodes[i] = x
	}
	best := [2][2]time.Duration{{time.Hour, time.Hour}, {time.Hour, time.Hour}}
	for b.Loop() {
		for i, x := range nodes {
			best[0][i] = min(best[0][i], x.timed(batch, func() {
				x.do(Publish{Session: "p", Room: "room", Stream: "cam", AudioMid: "0", VideoMid: "1"})
				x.do(Unpublish{Session: "p", Room: "room", Stream: "cam"})
			}))
			x.do(Publish{Session: "p", Room: "room", Stream: "cam", AudioMid: "0", VideoMid: "1"})
			best[1][i] = min(best[1][i], x.timed(batch, func() {
				sub, _ := x.do(Subscribe{Session: "a", Room: "room", Stream: "cam", Audio: true, Video: true}).(Subscription)
				x.do(Unsubscribe{ID: sub.ID})
			}))
			x.do(Unpublish{Session: "p", Room: "room", Stream: "cam"})
		}
	}
	for k, name := range []string{"publish", "subscribe"} {
		b.ReportMetric(float64(best[k][0].Nanoseconds())/batch, name+"-1-ns")
		b.ReportMetric(float64(best[k][1].Nanoseconds())/batch, name+"-10000-ns")
		b.ReportMetric(float64(best[k][1])/float64(best[k][0]), name+"-ratio")
	}
	b.ReportMetric(0, "ns/op")
}

func (x *bench) timed(n int, f func()) time.Duration {
	start := time.Now()
	for range n {
		f()
	}

	return time.Since(start)
}

// BenchmarkManySlots fills and empties a session of a thousand slots with subscriptions of both kinds and of one.
func BenchmarkManySlots(b *testing.B) {
	const pairs = 500
	for name, video := range map[string]bool{"both": true, "audio": false} {
		b.Run(name, func(b *testing.B) {
			x := newBench(b)
			for _, u := range []string{"p", "a"} {
				x.session(u, pairs)
				x.do(JoinRoom{Session: SessionID(u), Room: "room"})
			}
			for i := range pairs {
				x.do(Publish{Session: "p", Room: "room", Stream: fmt.Sprint(i), AudioMid: "0", VideoMid: "1"})
			}
			x.n = 0
			b.ReportAllocs()
			for b.Loop() {
				ids := make([]SubscriptionID, pairs)
				for i := range pairs {
					ids[i] = x.do(Subscribe{Session: "a", Room: "room", Stream: fmt.Sprint(i), Audio: true, Video: video}).(Subscription).ID
				}
				for i := range pairs {
					x.do(Unsubscribe{ID: ids[i*7%pairs]})
				}
			}
			b.ReportMetric(float64(x.n)/b.Elapsed().Seconds(), "commands/s")
		})
	}
}
