// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"math"
	"runtime"
	"time"

	"github.com/switchyard-media/sfu/bench/load"
	"github.com/switchyard-media/sfu/bench/stats"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// Report is what one plan has shown; it is the JSON object.
type Report struct {
	Scenario        string    `json:"scenario"`
	Started         time.Time `json:"started"`
	NodeVersion     string    `json:"node_version"`
	Machine         Machine   `json:"machine"`
	Settings        []string  `json:"node_settings,omitempty"`
	TransportCC     bool      `json:"clients_offer_transport_cc"`
	Rest            float64   `json:"clients_rest_ms"`
	ReceiveGRO      bool      `json:"clients_receive_gro"`
	DurationSeconds float64   `json:"duration_seconds"`
	NodeBinary      string    `json:"node_binary,omitempty"` // as given
	NodeArgs        string    `json:"node_args,omitempty"`   // as given
	Size            Size      `json:"size"`

	Sessions      int `json:"sessions"`
	Subscribers   int `json:"subscribers,omitempty"` // as asked for; of webinar
	Publishers    int `json:"published_tracks"`
	Subscriptions int `json:"subscribed_tracks"`

	CPUPerPacket       float64 `json:"cpu_us_per_packet"`
	CPUPerPacketUser   float64 `json:"cpu_user_us_per_packet"`
	CPUPerPacketSystem float64 `json:"cpu_system_us_per_packet"`
	CPUCores           float64 `json:"cpu_cores"`
	Floor              *Floor  `json:"floor,omitempty"`
	RatioToFloor       float64 `json:"cpu_ratio_to_floor,omitempty"`

	PacketsPerSecond   float64 `json:"packets_per_second"`
	PacketsInPerSecond float64 `json:"packets_in_per_second"`
	NodeOutPerSecond   float64 `json:"node_packets_out_per_second"` // as the node counts: without retransmissions
	UplinkBits         float64 `json:"uplink_bits_per_second"`      // UDP payload that publishers sent
	BitsPerSecond      float64 `json:"bits_per_second"`
	Sent               uint64  `json:"packets_sent"`
	Expected           uint64  `json:"packets_expected"`
	Delivered          uint64  `json:"packets_delivered"`
	Lost               uint64  `json:"lost"`
	LostShare          float64 `json:"lost_share"` // of those expected, 0 to 1
	Duplicates         uint64  `json:"duplicates"`
	Reordered          uint64  `json:"reordered"`
	Unexpected         uint64  `json:"unexpected"`
	Undecrypted        uint64  `json:"undecrypted"`
	Foreign            uint64  `json:"without_stamp"`

	Latency Latency `json:"latency_ms"`
	Join    Join    `json:"join"`
	Leave   Leave   `json:"leave"`
	Memory  Memory  `json:"memory"`
	Churn   int     `json:"churn_joins,omitempty"`

	Slow    *Slow    `json:"slow_subscriber,omitempty"` // of slow; what else is here is of all the others
	Control *Control `json:"control,omitempty"`         // of control

	Drops       map[string]uint64 `json:"drops"`
	KernelDrops KernelDrops       `json:"kernel_drops"`
	Feedback    Feedback          `json:"feedback"`
	Generator   Generator         `json:"load_generator"`
}

// Size is how large the scenario was, on the axis that -ramp and -grow raise.
type Size struct {
	Axis  string  `json:"axis"`
	Value float64 `json:"value"`
}

// Slow is the subscriber that is measured apart.
type Slow struct {
	Kind      string  `json:"kind"` // nothing, stalled or lossy
	Expected  uint64  `json:"packets_expected"`
	Delivered uint64  `json:"packets_delivered"`
	Thrown    uint64  `json:"thrown_away"` // by itself, retransmissions included
	Latency   Latency `json:"latency_ms"`
}

// Machine is where it ran.
type Machine struct {
	CPUs   int    `json:"cpus"`
	Model  string `json:"model"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
}

// Floor is the bare cost of the same packets.
type Floor struct {
	CPUPerPacket       float64 `json:"cpu_us_per_packet"`
	CPUPerPacketUser   float64 `json:"cpu_user_us_per_packet"`
	CPUPerPacketSystem float64 `json:"cpu_system_us_per_packet"`
	PacketsPerSecond   float64 `json:"packets_per_second"`
	PacketsPerSend     float64 `json:"packets_per_send"` // in a run for one receiver (UDP_SEGMENT)
	PacketsPerCall     float64 `json:"packets_per_call"` // of sendmmsg
}

// Latency is from just before a publisher encrypts to the kernel's time of arrival at a subscriber, in ms.
type Latency struct {
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
	P999 float64 `json:"p999"`
}

// Join is the cost of all joins at the start, without media, and the times of single joins under load.
type Join struct {
	CPU         float64 `json:"cpu_ms"`
	Timed       int     `json:"timed"`
	Never       int     `json:"without_a_packet"`
	Answered    Times   `json:"answered_ms"`
	Connected   Times   `json:"connected_ms"`
	FirstPacket Times   `json:"first_packet_ms"`
	Keyframe    Times   `json:"keyframe_ms"`
}

// Leave is how soon it is quiet.
type Leave struct {
	Silence     Times  `json:"silence_ms"`              // last packet of the room, from the call of LeaveRoom on
	ToAnswer    Times  `json:"answered_ms"`             // LeaveRoom
	Quiet       Times  `json:"silence_after_answer_ms"` // last packet of the room, from the answer on: has to be below 0
	AfterAnswer uint64 `json:"packets_after_answer"`    // arrived after it
	SentLater   uint64 `json:"packets_sent_after_answer"`
	Sessions    uint64 `json:"sessions_left"`
	Goroutines  int64  `json:"goroutines_left"`
}

// Times are percentiles of a few tens of values, in ms.
type Times struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	Max float64 `json:"max"`
}

// Memory is the node's: resident at the end of the measurement, and what joining added.
type Memory struct {
	RSS                  float64 `json:"rss_mb"`
	Heap                 float64 `json:"heap_mb"`
	RSSPerSession        float64 `json:"rss_kb_per_session"`
	Goroutines           uint64  `json:"goroutines"`
	GoroutinesPerSession float64 `json:"goroutines_per_session"`
}

// KernelDrops are datagrams that no process has seen: at the clients' sockets, and of the whole machine.
type KernelDrops struct {
	Clients     uint64 `json:"client_sockets"`
	Node        uint64 `json:"node_sockets"`
	Receive     uint64 `json:"machine_udp_receive_buffer"`
	InErrors    uint64 `json:"machine_udp_in_errors"`
	SendBuffers uint64 `json:"machine_udp_send_buffer"`
}

// Feedback is what clients sent to the node, and what it did about it.
type Feedback struct {
	Reports     uint64 `json:"receiver_reports"`
	NACKs       uint64 `json:"nacks"`
	PLIs        uint64 `json:"plis"`
	TransportCC uint64 `json:"transport_cc"`
	Repaired    uint64 `json:"repaired"`
	Again       uint64 `json:"repeated"` // retransmissions of what had come
	PLIsToSend  uint64 `json:"keyframe_requests_to_publishers"`
}

// Generator is this process.
type Generator struct {
	CPUCores float64 `json:"cpu_cores"`
	Others   float64 `json:"other_processes_cpu_cores"` // neither node nor load generator: what disturbs
	SendP99  float64 `json:"send_p99_ms"`               // from a publisher's stamp to the return of its call that sends
	SendMax  float64 `json:"send_max_ms"`
}

func newReport(ctx context.Context, o *options, p *plan, n *node) *Report {
	r := &Report{
		Scenario: p.name, Started: time.Now().UTC().Truncate(time.Second), NodeVersion: n.version(ctx),
		Machine:  Machine{runtime.NumCPU(), cpuModel(), kernel(), runtime.Version()},
		Settings: o.settings, TransportCC: o.transportCC, Rest: ms(o.rest), ReceiveGRO: o.receiveGRO, DurationSeconds: o.duration.Seconds(),
		NodeArgs: o.nodeArgs, Size: sizeOf(o),
		Sessions: len(p.members), Publishers: int(p.tracks), Subscriptions: p.subscriptions(),
	}
	if len(o.binaries) > 0 {
		r.NodeBinary = o.binary
	}
	if p.name == "webinar" {
		r.Subscribers = o.or(o.subscribers, viewersWebinar)
	}

	return r
}

func sizeOf(o *options) Size {
	s, err := scenarioOf(o.scenario)
	if err != nil {
		return Size{} // of no scenario: the mode says how many
	}

	return Size{s.axis.name, s.axis.get(o)}
}

func ms(d time.Duration) float64 { return round(float64(d) / float64(time.Millisecond)) }

// round keeps three decimals: more would be noise in the output.
func round(x float64) float64 { return math.Round(x*1000) / 1000 }

func perPacket(d time.Duration, n uint64) float64 {
	if n == 0 {
		return 0
	}

	return round(float64(d) / float64(time.Microsecond) / float64(n))
}

func timesOf(s stats.Sample) Times {
	return Times{ms(s.Quantile(0.5)), ms(s.Quantile(0.95)), ms(s.Max())}
}

func cpuOf(l *sfuv1.Load) (user, system time.Duration) {
	return l.GetCpuTime().GetUser().AsDuration(), l.GetCpuTime().GetSystem().AsDuration()
}

// setUp takes what joining all clients has cost.
func (r *Report) setUp(before, after *sfuv1.Load, clients []*load.Client) {
	n := float64(len(clients))
	u0, s0 := cpuOf(before)
	u1, s1 := cpuOf(after)
	r.Join.CPU = round(ms(u1+s1-u0-s0) / n)
	r.Memory.GoroutinesPerSession = round((float64(after.GetGoroutines()) - float64(before.GetGoroutines())) / n)
	r.Memory.RSSPerSession = round((float64(after.GetRss()) - float64(before.GetRss())) / n / 1024)
	r.Leave.Goroutines = -int64(before.GetGoroutines())
}

// window takes the measurement. CPU time is that between the two readings, per packet that came to clients between them.
func (r *Report) window(from, to point, latency *stats.Histogram) {
	u0, s0 := cpuOf(from.load)
	u1, s1 := cpuOf(to.load)
	n := to.counters.Packets - from.counters.Packets
	seconds := to.at.Sub(from.at).Seconds()
	r.CPUPerPacketUser, r.CPUPerPacketSystem = perPacket(u1-u0, n), perPacket(s1-s0, n)
	r.CPUPerPacket = perPacket(u1-u0+s1-s0, n)
	r.CPUCores = round((u1 - u0 + s1 - s0).Seconds() / seconds)
	r.PacketsPerSecond = round(float64(n) / seconds)
	r.PacketsInPerSecond = round(float64(to.load.GetPacketsIn()-from.load.GetPacketsIn()) / seconds)
	r.NodeOutPerSecond = round(float64(to.load.GetPacketsOut()-from.load.GetPacketsOut()) / seconds)
	r.BitsPerSecond = round(float64(to.counters.Bytes-from.counters.Bytes) * 8 / seconds)
	r.Latency = latencyOf(latency)
	r.Memory.RSS, r.Memory.Heap = round(float64(to.load.GetRss())/1e6), round(float64(to.load.GetHeap())/1e6)
	r.Memory.Goroutines = to.load.GetGoroutines()
	r.Drops = make(map[string]uint64)
	for reason, n := range to.load.GetDrops() {
		if d := n - from.load.GetDrops()[reason]; d != 0 {
			r.Drops[reason] = d
		}
	}
	a, b := from.counters, to.counters
	r.KernelDrops = KernelDrops{
		Clients: b.KernelDrops - a.KernelDrops, Node: to.nodeDrops - from.nodeDrops, Receive: to.kernel.receive - from.kernel.receive,
		InErrors: to.kernel.in - from.kernel.in, SendBuffers: to.kernel.send - from.kernel.send,
	}
	r.Unexpected, r.Undecrypted, r.Foreign = b.Unexpected-a.Unexpected, b.Undecrypted-a.Undecrypted, b.Foreign-a.Foreign
	r.Duplicates, r.Reordered = b.Duplicates-a.Duplicates, b.Reordered-a.Reordered
	r.Feedback = Feedback{
		b.Reports - a.Reports, b.NACKs - a.NACKs, b.PLIs - a.PLIs, b.TransportCC - a.TransportCC, b.Repaired - a.Repaired - (b.Again - a.Again), b.Again - a.Again,
		to.load.GetPlisOut() - from.load.GetPlisOut(),
	}
	r.Generator.CPUCores = round((to.own - from.own).Seconds() / seconds)
	r.Generator.Others = round(max((to.busy-from.busy).Seconds()/seconds-r.Generator.CPUCores-r.CPUCores, 0))
}

func latencyOf(h *stats.Histogram) Latency {
	return Latency{
		P50: ms(h.Quantile(0.5)), P95: ms(h.Quantile(0.95)), P99: ms(h.Quantile(0.99)), Max: ms(h.Max()), Mean: ms(h.Mean()), P999: ms(h.Quantile(0.999)),
	}
}

// account compares, track by track and client by client, what was sent in the window with what came.
func (r *Report) account(all *run) {
	sent := make(map[*load.Track]bool)
	all.poller.Locked(func() {
		for i, c := range all.clients {
			for _, t := range c.Received() {
				_, n := t.Track.Sent()
				if !sent[t.Track] {
					sent[t.Track] = true
					r.Sent += n
					r.UplinkBits += float64(t.Track.Bytes()) * 8 / r.DurationSeconds
				}
				if len(t.Track.Layers) > 0 {
					continue // which layers came is the node's choice
				}
				if all.plan.members[i].Apart {
					r.Slow.Expected += n
					r.Slow.Delivered += t.WindowPackets

					continue
				}
				r.Expected += n
				r.Delivered += t.WindowPackets
			}
		}
	})
	r.Lost, r.UplinkBits = r.Expected-r.Delivered, round(r.UplinkBits)
	if r.Expected > 0 {
		r.LostShare = float64(r.Lost) / float64(r.Expected)
	}
}

func (r *Report) joined(j *joinTimes) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r.Join.Timed, r.Join.Never = j.joins, j.never
	r.Join.Answered, r.Join.Connected = timesOf(j.answered), timesOf(j.connected)
	r.Join.FirstPacket, r.Join.Keyframe = timesOf(j.firstPacket), timesOf(j.keyframe)
	r.Leave.Silence, r.Leave.ToAnswer, r.Leave.Quiet = timesOf(j.silence), timesOf(j.left), timesOf(j.quiet)
	r.Leave.AfterAnswer, r.Leave.SentLater = j.late, j.later
}

func (r *Report) floor(f floorResult) {
	r.Floor = &Floor{
		CPUPerPacket: perPacket(f.User+f.System, f.Packets), CPUPerPacketUser: perPacket(f.User, f.Packets),
		CPUPerPacketSystem: perPacket(f.System, f.Packets),
		PacketsPerSecond:   round(float64(f.Packets) / f.Wall.Seconds()), PacketsPerSend: round(float64(f.Packets) / float64(f.Runs)),
		PacketsPerCall: round(float64(f.Packets) / float64(f.Calls)),
	}
	if r.Floor.CPUPerPacket > 0 {
		r.RatioToFloor = round(r.CPUPerPacket / r.Floor.CPUPerPacket)
	}
}

// left takes what remains when all have left.
func (r *Report) left(l *sfuv1.Load) {
	r.Leave.Sessions = l.GetSessions()
	r.Leave.Goroutines += int64(l.GetGoroutines())
}
