// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/switchyard-media/sfu/internal/sfutest"
)

// TestMain is the floor or the yard-stick when it is started as one: both run this same binary.
func TestMain(m *testing.M) {
	if os.Getenv(floorVariable) != "" {
		os.Exit(code(floorChild(os.Stdin, os.Stdout)))
	}
	if name := os.Getenv(yardstickVariable); name != "" {
		yardstickChild(name)
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // they wait most of the time
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// quick are flags for a short run against a node in this process.
func quick(n *sfutest.Node) []string {
	return []string{
		"-node", n.Target, "-json", "-quiet", "-duration", "500ms", "-floor-duration", "200ms", "-warm-up", "100ms", "-settle", "2s",
		"-video-bps", "300000", "-probes", "1",
	}
}

// play runs the command against a node in this process.
func play(t *testing.T, args ...string) *Report {
	t.Helper()
	n := sfutest.StartNode(t, nil)
	var out bytes.Buffer
	if err := bench(t.Context(), append(quick(n), args...), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	fields := make(map[string]any)
	if err := json.Unmarshal(out.Bytes(), &fields); err != nil {
		t.Fatalf("%v in %s", err, &out)
	}
	for _, name := range []string{"cpu_us_per_packet", "cpu_ratio_to_floor", "packets_per_second", "lost", "latency_ms", "join", "memory", "drops"} {
		if _, ok := fields[name]; !ok && (name != "cpu_ratio_to_floor" || !slices.Contains(args, "-floor=false")) {
			t.Errorf("the report has no %s", name)
		}
	}
	r := &Report{}
	if err := json.Unmarshal(out.Bytes(), r); err != nil {
		t.Fatal(err)
	}

	return r
}

// delivered is what must hold on any machine: nothing lost, nothing twice, nothing that nobody asked for.
func delivered(t *testing.T, r *Report) {
	t.Helper()
	if r.Expected == 0 || r.Delivered != r.Expected || r.Lost != 0 {
		t.Errorf("%d of %d packets, %d lost", r.Delivered, r.Expected, r.Lost)
	}
	if r.Duplicates != 0 || r.Unexpected != 0 || r.Undecrypted != 0 {
		t.Errorf("%d duplicates, %d unexpected, %d not decrypted", r.Duplicates, r.Unexpected, r.Undecrypted)
	}
	if r.Leave.Sessions != 0 {
		t.Errorf("%d sessions are left", r.Leave.Sessions)
	}
}

func TestWebinar(t *testing.T) {
	t.Parallel()
	r := play(t, "-scenario", "webinar", "-subscribers", "3", "-probes", "2", "-duration", "1100ms")
	delivered(t, r)
	if r.Sessions != 4 || r.Publishers != 2 || r.Subscriptions != 6 || r.Expected != 3*r.Sent {
		t.Errorf("%d sessions, %d tracks, %d subscribed, %d sent, %d expected", r.Sessions, r.Publishers, r.Subscriptions, r.Sent, r.Expected)
	}
	if r.Join.Timed != 2 || r.Join.Never != 0 || r.Join.FirstPacket.P50 <= 0 || r.Join.Keyframe.P50 <= 0 {
		t.Errorf("joins: %+v", r.Join)
	}
	if r.CPUPerPacket <= 0 || r.Floor == nil || r.Floor.CPUPerPacket <= 0 || r.Floor.PacketsPerSend < 1 || r.RatioToFloor <= 0 {
		t.Errorf("CPU %v, floor %+v, ratio %v", r.CPUPerPacket, r.Floor, r.RatioToFloor)
	}
	if r.Latency.P50 <= 0 || r.Latency.P50 > r.Latency.P99 || r.Latency.P99 > r.Latency.Max+0.001 {
		t.Errorf("latency %+v", r.Latency)
	}
	if r.Feedback.Reports == 0 {
		t.Error("clients have reported nothing")
	}
	var table bytes.Buffer
	if err := r.table(&table); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"node CPU per packet", "floor", "lost", "latency", "memory"} {
		if !strings.Contains(table.String(), word) {
			t.Errorf("the table does not speak of %s", word)
		}
	}
}

func TestScenariosDeliver(t *testing.T) {
	for name, c := range map[string]struct {
		args     []string
		sessions int
		tracks   int // subscribed
	}{
		"meeting":   {[]string{"-members", "3"}, 3, 12},
		"multiroom": {[]string{"-users", "4", "-rooms", "2", "-rooms-per-user", "2"}, 4, 12},
		"class":     {[]string{"-subscribers", "2", "-rooms", "2"}, 6, 30},
		"churn":     {[]string{"-subscribers", "1", "-rate", "4", "-duration", "1500ms"}, 2, 2},
		"control":   {[]string{"-subscribers", "1", "-pilots", "2", "-duration", "2s"}, 4, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := play(t, append(c.args, "-scenario", name, "-floor=false")...)
			delivered(t, r)
			if r.Sessions != c.sessions || r.Subscriptions != c.tracks {
				t.Errorf("%d sessions, %d tracks subscribed", r.Sessions, r.Subscriptions)
			}
			if name == "churn" && (r.Churn == 0 || r.Join.Timed != r.Churn+1) {
				t.Errorf("%d churned, %d joins timed", r.Churn, r.Join.Timed)
			}
			if r.Leave.AfterAnswer != 0 || r.Leave.SentLater != 0 || r.Leave.Quiet.Max > 0 {
				t.Errorf("packets of a room that was left: %+v", r.Leave)
			}
			if name == "control" {
				steered(t, r.Control)
			}
		})
	}
}

func TestPublishOnceSavesUploads(t *testing.T) {
	o, err := parse([]string{"-scenario", "publish-once", "-subscribers", "3", "-rooms", "4"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	plans, err := plansOf(o)
	if err != nil || len(plans) != 2 {
		t.Fatal(plans, err)
	}
	if plans[0].tracks != 2 || plans[1].tracks != 8 || plans[0].subscriptions() != 24 || plans[1].subscriptions() != 24 {
		t.Errorf("%d and %d tracks, %d and %d subscribed", plans[0].tracks, plans[1].tracks, plans[0].subscriptions(), plans[1].subscriptions())
	}
}

// TestMultiroomIsTheLoadOfTheTable: 20 users in 5 of 10 rooms each is 180 audio tracks delivered.
func TestMultiroomIsTheLoadOfTheTable(t *testing.T) {
	o, err := parse([]string{"-scenario", "multiroom"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	plans, err := plansOf(o)
	if err != nil {
		t.Fatal(err)
	}
	if p := plans[0]; len(p.members) != 20 || p.subscriptions() != 180 || len(p.members[3].Rooms) != 5 {
		t.Errorf("%d members, %d subscribed", len(p.members), p.subscriptions())
	}
}

func TestOptionsAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"-scenario", "picnic"},
		{"-subscribers", "-1"},
		{"-ramp", "-grow"},
		{"-node", "127.0.0.1:1", "-node-args", "--x"},
		{"-grow", "-size", "0"},
		{"-duration", "1h"},
		{"extra"},
		{"-members", "1"},
		{"-scenario", "multiroom", "-rooms", "3", "-rooms-per-user", "4"},
	} {
		if err := bench(t.Context(), append(args, "-quiet"), io.Discard, io.Discard); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}

func TestParseSNMP(t *testing.T) {
	const text = "Ip: Forwarding\nIp: 1\nUdp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\nUdp: 5 4 3 2 17 1\nUdpLite: InDatagrams\nUdpLite: 0\n"
	if e := parseSNMP(text); e.receive != 17 || e.send != 1 {
		t.Errorf("%+v", e)
	}
	if e := parseSNMP("Udp: InDatagrams"); e != (udpErrors{}) {
		t.Errorf("%+v", e)
	}
}

func TestParseStat(t *testing.T) {
	if got := parseStat("cpu  100 2 30 4000 50 6 7 8 9 10\ncpu0 1 1 1 1\n"); got != 1530*time.Millisecond {
		t.Errorf("%v", got)
	}
	if parseStat("") != 0 {
		t.Error("nothing is busy")
	}
}

func TestRampEndsWhereItDoesNotHold(t *testing.T) {
	for _, c := range []struct {
		p99  float64
		lost uint64
		want bool
	}{{50, 10, true}, {50.1, 0, false}, {1, 11, false}} {
		r := &Report{Expected: 10_000, Lost: c.lost, Latency: Latency{P99: c.p99}}
		if r.holds() != c.want {
			t.Errorf("p99 %v ms and %d of 10000 lost: holds %v", c.p99, c.lost, r.holds())
		}
	}
}

func TestEachOfStopsAtAnError(t *testing.T) {
	ran := make([]bool, 100)
	err := eachOf(1, len(ran), func(i int) error {
		ran[i] = true
		if i == 3 {
			return errUsage
		}

		return nil
	})
	if err == nil || !ran[3] || ran[99] {
		t.Errorf("error %v, the last ran: %v", err, ran[99])
	}
}

func TestEarlier(t *testing.T) {
	a, b := time.Unix(1, 0), time.Unix(2, 0)
	if !earlier(a, b).Equal(a) || !earlier(b, a).Equal(a) || !earlier(time.Time{}, b).Equal(b) || !earlier(a, time.Time{}).Equal(a) {
		t.Error("zero is not a time")
	}
}
