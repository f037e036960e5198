// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchyard-media/sfu/internal/httpd"
	"github.com/switchyard-media/sfu/internal/sfutest"
)

// steered is what must hold on any machine.
func steered(t *testing.T, c *Control) {
	t.Helper()
	if c == nil {
		t.Fatal("nothing of the control plane")
	}
	for _, name := range []string{"join_room", "subscribe", "switch_subscription", "unsubscribe", "leave_room"} {
		if n := c.Calls[name]; n.Count == 0 || n.P50 <= 0 || n.P50 > n.Max {
			t.Errorf("%s: %+v", name, n)
		}
	}
	if c.EventLag.Count == 0 || c.Resume.Count == 0 || c.ResumedEvents == 0 || c.MissedEvents != 0 {
		t.Errorf("events: %+v", c)
	}
}

// reports runs the command against a node in this process, and reads the objects that it prints.
func reports[T any](t *testing.T, args ...string) (out []*T) {
	t.Helper()
	n := sfutest.StartNode(t, nil)
	var text bytes.Buffer
	if err := bench(t.Context(), append(quick(n), args...), &text, io.Discard); err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(&text); ; {
		r := new(T)
		if err := d.Decode(r); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
}

func TestSlowSubscriberIsApart(t *testing.T) {
	t.Parallel()
	all := reports[Report](t, "-scenario", "slow", "-subscribers", "2", "-floor=false", "-probes", "0")
	if len(all) != 3 {
		t.Fatalf("%d reports", len(all))
	}
	for i, kind := range []string{slowNone, slowStalled, slowLossy} {
		r := all[i]
		delivered(t, r)
		if r.Slow == nil || r.Slow.Kind != kind || r.Expected != 2*r.Sent || r.Slow.Expected != r.Sent {
			t.Fatalf("%s: %d sent, %d expected, slow %+v", kind, r.Sent, r.Expected, r.Slow)
		}
		switch s := r.Slow; kind {
		case slowNone:
			if s.Delivered != s.Expected {
				t.Errorf("%d of %d packets, and nothing is slow", s.Delivered, s.Expected)
			}
		case slowStalled:
			if s.Delivered != 0 {
				t.Errorf("%d packets were read by a stalled client", s.Delivered)
			}
		case slowLossy:
			if s.Thrown == 0 || s.Delivered == 0 {
				t.Errorf("%d packets thrown away, %d delivered", s.Thrown, s.Delivered)
			}
		}
	}
}

func TestFloorAlone(t *testing.T) {
	t.Parallel()
	r := reports[Report](t, "-scenario", "floor", "-subscribers", "2")[0]
	if r.Floor == nil || r.Floor.CPUPerPacket <= 0 || r.Floor.PacketsPerCall < r.Floor.PacketsPerSend || r.PacketsPerSecond != 0 {
		t.Errorf("floor %+v", r.Floor)
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	r := reports[idleReport](t, "-idle", "3")[0]
	if r.Sessions != 3 || r.Connected != 3 || r.Goroutines == 0 || r.RSS <= 0 {
		t.Errorf("%+v", r)
	}
}

func TestGrow(t *testing.T) {
	t.Parallel()
	g := reports[growth](t, "-grow", "-scenario", "webinar", "-size", "1", "-size", "3", "-floor=false")[0]
	if len(g.Curves) != 1 || len(g.Curves[0].Points) != 2 {
		t.Fatalf("%+v", g)
	}
	for i, size := range []float64{1, 3} {
		if p := g.Curves[0].Points[i]; p.Size != size || p.Sessions != int(size)+1 || p.Packets <= 0 || p.CPUPerPacket <= 0 {
			t.Errorf("point %d: %+v", i, p)
		}
	}
	var table bytes.Buffer
	if err := g.table(&table); err != nil || !strings.Contains(table.String(), "subscribers") {
		t.Errorf("%s, %v", &table, err)
	}
}

// breaks is a node that holds up to a size.
func breaks(at float64) player {
	return func(_ context.Context, o *options) (*Report, error) {
		r := &Report{Size: sizeOf(o), Expected: 1000, PacketsPerSecond: 280 * min(sizeOf(o).Value, at)}
		if r.Size.Value > at {
			r.Latency.P99 = kneeP99 + 1
		}

		return r, nil
	}
}

func TestRampFindsTheKnee(t *testing.T) {
	o, err := parse([]string{"-ramp", "-subscribers", "100"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	r, err := climb(t.Context(), o, breaks(250))
	if err != nil {
		t.Fatal(err)
	}
	var sizes []float64
	for _, s := range r.Steps {
		sizes = append(sizes, s.Size.Value)
	}
	if diff := cmp.Diff([]float64{100, 140, 196, 275, 275, 220, 247}, sizes); diff != "" {
		t.Errorf("sizes (-want +got):\n%s", diff)
	}
	if r.Knee.Size.Value != 247 || r.Beyond.Size.Value != 371 || r.Kept < 1 {
		t.Errorf("knee %v, beyond %v, %v of its throughput", r.Knee.Size, r.Beyond.Size, r.Kept)
	}
	if r, err := climb(t.Context(), o, breaks(10)); err != nil || r.Knee != nil || len(r.Steps) != 2 {
		t.Errorf("what does not hold at all: %+v, %v", r, err)
	}
	if r, err := climb(t.Context(), o, breaks(1e9)); err != nil || r.Beyond != nil {
		t.Errorf("what holds for ever: %+v, %v", r, err)
	}
}

func TestRaiseCountsSubscriptions(t *testing.T) {
	for _, c := range []struct {
		args []string
		want float64
	}{
		{[]string{"-subscribers", "10"}, 15},
		{[]string{"-scenario", "meeting", "-members", "10"}, 13}, // 13 × 12 is the first past 1.5 × 10 × 9
		{[]string{"-scenario", "churn", "-rate", "4"}, 6},
		{[]string{"-scenario", "slow", "-subscribers", "9"}, 14},
	} {
		o, err := parse(c.args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		s, err := scenarioOf(o.scenario)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := raise(o, s, 1.5); !ok || err != nil || s.axis.get(o) != c.want {
			t.Errorf("%v: %v, want %v (%v, %v)", c.args, s.axis.get(o), c.want, ok, err)
		}
	}
}

const someProfile = `--- mutex:
cycles/second=1000000000
sampling period=1
5000000 10 @ 0x1 0x2 0x3
#	0x1	sync.(*Mutex).Unlock+0x1f		/src/sync/mutex.go:223
#	0x2	github.com/switchyard-media/sfu/rtpforward.(*shard).take+0x1	/x/shard.go:9
#	0x3	main.main+0x1	/x/main.go:1

2000000 4 @ 0x4 0x5
#	0x4	runtime.chansend1+0x1	/src/runtime/chan.go:1
#	0x5	github.com/pion/ice/v4.(*Agent).run.func1+0x1	/x/agent.go:1

1000000 2 @ 0x6 0x7
#	0x6	runtime.selectgo+0x1	/src/runtime/select.go:1
#	0x7	net/http.(*conn).serve+0x1	/x/server.go:1
`

func TestContentionByPackage(t *testing.T) {
	before, err := parseProfile("cycles/second=1000000000\n4000000 7 @ 0x1 0x2 0x3\n")
	if err != nil {
		t.Fatal(err)
	}
	after, err := parseProfile(someProfile)
	if err != nil {
		t.Fatal(err)
	}
	var c contention
	c.take(profile{}, after.since(before))
	want := contention{
		Lock: []*site{{Waits{3, 1}, "github.com/switchyard-media/sfu/rtpforward", "github.com/switchyard-media/sfu/rtpforward.(*shard).take", true}},
		Send: []*site{{Waits{4, 2}, "github.com/pion/ice/v4", "github.com/pion/ice/v4.(*Agent).run.func1", false}},
		Wait: []*site{{Waits{2, 1}, "net/http", "net/http.(*conn).serve", false}},
		Ours: Waits{3, 1},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("contention (-want +got):\n%s", diff)
	}
	c.Report = &Report{Scenario: "webinar", DurationSeconds: 1}
	var table bytes.Buffer
	if err := c.table(&table); err != nil || !strings.Contains(table.String(), "packages of the node: 3 waits, 1.00 ms") {
		t.Errorf("%s, %v", &table, err)
	}
	for _, bad := range []string{"", "cycles/second=1\nx y @ 0x1\n"} {
		if _, err := parseProfile(bad); err == nil {
			t.Errorf("%q is a profile", bad)
		}
	}
}

func TestVariantsAreMeasuredInTurn(t *testing.T) {
	o, err := parse([]string{"-node-bin", "a", "-node-bin", "b", "-node-args", "--x", "-node-args", "--y", "-repeat", "2"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	if err := o.each(func(v *options) error {
		order = append(order, v.binary+v.nodeArgs)

		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a--x", "a--y", "b--x", "b--y", "a--x", "a--y", "b--x", "b--y"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestCompareTakesMedians(t *testing.T) {
	var all []*Report
	for _, cost := range []float64{5, 9, 6} {
		all = append(all, &Report{Scenario: "webinar", CPUPerPacket: cost, Lost: 1}, &Report{Scenario: "webinar", NodeArgs: "--y", CPUPerPacket: 2 * cost})
	}
	var out bytes.Buffer
	compare(&out, all)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], "6.00") || !strings.Contains(lines[1], "5.00–  9.00") || !strings.Contains(lines[2], "12.00") {
		t.Errorf("%s", &out)
	}
}

func TestParseDrops(t *testing.T) {
	const text = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n" +
		"  100: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 5 2 0000000000000000 12\n" +
		"  101: 00000000:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 6 2 0000000000000000 3\n" +
		"  102: 0100007F:1F91 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 7 2 0000000000000000 40\n"
	if n := parseDrops(text, 8080); n != 15 {
		t.Errorf("%d drops", n)
	}
}

// TestContentionOfAProcess reads the profiles of this process as those of a node are read.
func TestContentionOfAProcess(t *testing.T) {
	server := httptest.NewServer(httpd.Profiler())
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	was := runtime.SetMutexProfileFraction(1)
	defer runtime.SetMutexProfileFraction(was)
	n := &node{pprof: server.URL + "/debug/pprof/"}
	before, err := n.contention(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waitForALock()
	after, err := n.contention(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var c contention
	c.take(after[0].since(before[0]), after[1].since(before[1]))
	if !slices.ContainsFunc(c.Mutex, func(s *site) bool { return s.Ours && strings.Contains(s.Function, "waitForALock") }) {
		t.Errorf("the lock that was waited for is not in %+v", c)
	}
	if _, err := (&node{pprof: server.URL + "/nothing/"}).contention(t.Context()); err == nil {
		t.Error("a page that is no profile is taken")
	}
}

// waitForALock makes one goroutine wait for another's lock, for certain.
func waitForALock() {
	var mu sync.Mutex
	var done sync.WaitGroup
	mu.Lock()
	done.Go(func() {
		mu.Lock()
		defer mu.Unlock()
	})
	for !blockedOnALock() {
		runtime.Gosched()
	}
	mu.Unlock()
	done.Wait()
}

// blockedOnALock says whether a goroutine started by waitForALock waits for its lock.
func blockedOnALock() bool {
	all := make([]byte, 1<<20)
	for g := range strings.SplitSeq(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if strings.Contains(g, "[sync.Mutex.Lock") && strings.Contains(g, "waitForALock.func1") {
			return true
		}
	}

	return false
}

func FuzzProfile(f *testing.F) {
	f.Add(someProfile)
	f.Add("")
	f.Add("cycles/second=1\n1 1 @ 0x1\n#\t0x1\t\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseProfile(text)
		if err != nil {
			return
		}
		var c contention
		c.take(p, p.since(profile{}))
		if len(c.Lock)+len(c.Send)+len(c.Wait) > 3*len(p.stacks) {
			t.Errorf("%d stacks make %+v", len(p.stacks), c)
		}
	})
}
