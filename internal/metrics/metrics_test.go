// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"flag"
	"io"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/udpmux"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/rtpforward"
	"github.com/switchyard-media/sfu/sfu"
)

var update = flag.Bool("update", false, "write the table in docs/operations.md again")

// busy are sources in which every number is different, so that two that are swapped show.
func busy() Sources {
	load := sfu.Load{
		Counts: router.Counts{Sessions: 1, Rooms: 2, Members: 3, Streams: 4, Subscriptions: 5},
		Forward: rtpforward.Stats{
			In: 11, InBytes: 12, Accepted: 51, Offered: 52, Out: 13, OutBytes: 14, Retransmitted: 15, NACKsIn: 16, NACKsOut: 17, PLIsIn: 18, PLIsOut: 19,
			Shards: []rtpforward.ShardStats{{Capacity: 20, Downlinks: 21, Sinks: 22, Queue: 23, Packets: 24, QueueFull: 25, FeedbackDropped: 27, Flushes: 26}, {}},
		},
		Profiles: map[string]uint64{"AEAD_AES_128_GCM": 31}, Connections: map[string]uint64{"connected": 32, "new": 33},
		MessagesDelivered: 34, MessagesDropped: 35, EffectsDropped: 36, UDPDropped: map[string]uint64{"unknown": 37},
		Panics: 40, Watchers: 38, Resyncs: 39,
		Adaptive: sfu.AdaptiveLoad{
			Controlled: 81, Limits: map[string]uint64{"none": 82, "bandwidth": 83}, LayerSwitches: 84, Freezes: 85, Probes: 86, ProbeBytes: 87,
			Backlog: 88, PausedByBandwidth: 89, Estimates: []int64{100_000, 100_001, 30_000_000},
		},
		Socket: udpmux.Stats{
			In: 61, InBytes: 62, Reads: 63, Out: 64, OutBytes: 65, Sends: 66, Runs: 67, GSO: true, ReadBuffer: 68, WriteBuffer: 69, Sockets: 70, KernelDrops: 71,
		},
	}
	for r := range rtpforward.DropReasons {
		load.Forward.Drops[r] = 100 + uint64(r)
	}
	call := control.CallStats{Method: "sfu.v1.RoomService/JoinRoom", Code: "OK", Count: 6, Seconds: 1.5}
	call.Buckets[0], call.Buckets[3], call.Buckets[len(call.Buckets)-1] = 1, 2, 3
	return Sources{
		Load: func() sfu.Load { return load },
		Info: func() sfu.Info { return sfu.Info{Draining: true} },
		Control: func() control.Stats {
			return control.Stats{
				Calls: []control.CallStats{call}, Active: 41, Streams: 42, Connections: 43,
				Refused: map[string]uint64{"rate": 44}, Panics: 45,
			}
		},
		Version: "1.2.3",
	}
}

// scrape is what Prometheus would get.
func scrape(t *testing.T, src Sources) string {
	t.Helper()
	r, err := NewRegistry(src)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("%d %v\n%s", w.Code, err, body)
	}
	return string(body)
}

func TestEveryNumberArrives(t *testing.T) {
	got := scrape(t, busy())
	for _, want := range []string{
		"sfu_draining 1", "sfu_sessions 1", "sfu_rooms 2", "sfu_members 3", "sfu_streams 4", "sfu_subscriptions 5",
		"sfu_rtp_received_packets_total 11", "sfu_rtp_received_bytes_total 12", "sfu_rtp_sent_packets_total 13", "sfu_rtp_sent_bytes_total 14",
		"sfu_rtp_accepted_packets_total 51", "sfu_rtp_offered_packets_total 52",
		"sfu_rtp_retransmitted_packets_total 15", "sfu_rtcp_received_nacks_total 16", "sfu_rtcp_sent_nacks_total 17",
		"sfu_rtcp_received_plis_total 18", "sfu_rtcp_sent_plis_total 19",
		`sfu_shard_queue_capacity{shard="0"} 20`, `sfu_shard_sessions{shard="0"} 21`, `sfu_shard_sinks{shard="0"} 22`, `sfu_shard_queue_length{shard="0"} 23`,
		`sfu_shard_packets_total{shard="0"} 24`, `sfu_shard_queue_full_total{shard="0"} 25`, `sfu_shard_flushes_total{shard="0"} 26`, `sfu_shard_rtcp_dropped_total{shard="0"} 27`,
		`sfu_shard_flushes_total{shard="1"} 0`,
		`sfu_srtp_profiles_total{profile="AEAD_AES_128_GCM"} 31`, `sfu_session_connections{state="connected"} 32`, `sfu_session_connections{state="new"} 33`,
		"sfu_messages_delivered_total 34", "sfu_messages_dropped_total 35", "sfu_session_inbox_full_total 36", `sfu_udp_dropped_total{reason="unknown"} 37`,
		"sfu_udp_received_datagrams_total 61", "sfu_udp_received_bytes_total 62", "sfu_udp_reads_total 63",
		"sfu_udp_sent_datagrams_total 64", "sfu_udp_sent_bytes_total 65", "sfu_udp_sends_total 66", "sfu_udp_sent_runs_total 67",
		`sfu_udp_offload{kind="gso"} 1`, `sfu_udp_offload{kind="gro"} 0`, `sfu_udp_buffer_bytes{direction="receive"} 68`, `sfu_udp_buffer_bytes{direction="send"} 69`,
		"sfu_udp_sockets 70", "sfu_udp_kernel_dropped_total 71",
		"sfu_link_controlled_sessions 81", `sfu_video_slots{limit="none"} 82`, `sfu_video_slots{limit="bandwidth"} 83`, `sfu_video_slots{limit="paused"} 0`,
		"sfu_layer_switches_total 84", "sfu_freezes_total 85", "sfu_link_probes_total 86", "sfu_link_probe_bytes_total 87", "sfu_link_backlog_packets 88",
		"sfu_video_slots_paused_by_bandwidth 89",
		`sfu_link_estimate_bitrate_bucket{le="50000"} 0`, `sfu_link_estimate_bitrate_bucket{le="100000"} 1`,
		`sfu_link_estimate_bitrate_bucket{le="200000"} 2`, `sfu_link_estimate_bitrate_bucket{le="2e+07"} 2`,
		`sfu_link_estimate_bitrate_bucket{le="+Inf"} 3`, "sfu_link_estimate_bitrate_sum 3.0200001e+07", "sfu_link_estimate_bitrate_count 3",
		"sfu_session_panics_total 40", "sfu_event_watchers 38", "sfu_event_resyncs_total 39",
		"sfu_rpc_active 41", "sfu_rpc_streams 42", "sfu_rpc_connections 43", `sfu_rpc_refused_total{reason="rate"} 44`, "sfu_rpc_panics_total 45",
		`sfu_rpc_duration_seconds_bucket{code="OK",method="sfu.v1.RoomService/JoinRoom",le="0.0005"} 1`,
		`sfu_rpc_duration_seconds_bucket{code="OK",method="sfu.v1.RoomService/JoinRoom",le="0.005"} 3`,
		`sfu_rpc_duration_seconds_bucket{code="OK",method="sfu.v1.RoomService/JoinRoom",le="10"} 3`,
		`sfu_rpc_duration_seconds_bucket{code="OK",method="sfu.v1.RoomService/JoinRoom",le="+Inf"} 6`,
		`sfu_rpc_duration_seconds_sum{code="OK",method="sfu.v1.RoomService/JoinRoom"} 1.5`,
		`version="1.2.3"`, "go_goroutines ", "process_cpu_seconds_total ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
	for r := range rtpforward.DropReasons {
		if want := `sfu_rtp_dropped_packets_total{reason="` + r.String() + `"} 1`; !strings.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
}

// TestEveryFieldIsShown fails when a counter is added to Load, Stats or ShardStats and nobody thinks of metrics.
func TestEveryFieldIsShown(t *testing.T) {
	src := busy()
	load, rpc := src.Load(), src.Control()
	for name, v := range map[string]any{
		"Load": load, "Counts": load.Counts, "Stats": load.Forward, "ShardStats": load.Forward.Shards[0], "AdaptiveLoad": load.Adaptive, "control.Stats": rpc,
	} {
		for i := range reflect.ValueOf(v).NumField() {
			if f := reflect.ValueOf(v).Field(i); f.IsZero() {
				t.Errorf("%s.%s is not in the test's sources: does it need a metric?", name, reflect.TypeOf(v).Field(i).Name)
			}
		}
	}
}

func TestFamilies(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(scrape(t, busy()))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "sfu_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	for _, f := range Families() {
		if strings.HasSuffix(f.Name, "_total") != (f.Type == "counter") {
			t.Errorf("%s is a %s", f.Name, f.Type)
		}
		for _, l := range f.Labels {
			if slices.Contains([]string{"room", "user", "session", "stream", "app"}, l) {
				t.Errorf("%s has label %s: their number is not bounded", f.Name, l)
			}
		}
	}
}

const tableBegin, tableEnd = "<!-- metrics:begin -->\n", "<!-- metrics:end -->"

func TestTableInDocs(t *testing.T) {
	const name = "../../docs/operations.md"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(text), tableBegin)
	table, tail, ok2 := strings.Cut(rest, tableEnd)
	if !ok1 || !ok2 {
		t.Fatal("docs/operations.md has no place for the table of metrics")
	}
	if *update {
		table = Table()
		if err := os.WriteFile(name, []byte(head+tableBegin+table+tableEnd+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if table != Table() {
		t.Error("the table of metrics in docs/operations.md is not what the code says; run go test ./internal/metrics -update")
	}
}
