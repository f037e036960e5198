// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// options are the command line.
type options struct {
	scenario      string
	subscribers   int // 0: the scenario's own number
	members       int
	users         int
	rooms         int
	roomsPerUser  int
	rate          float64
	pilots        int
	loss          float64
	duration      time.Duration
	warmUp        time.Duration
	settle        time.Duration
	videoBits     int
	probes        int
	transportCC   bool
	floor         bool
	json          bool
	quiet         bool
	node          string
	binaries      list
	variants      list
	repeat        int
	settings      list
	profiles      string
	joinsAtOnce   int
	linksAtOnce   int
	simulcast     bool
	rest          time.Duration
	receiveGRO    bool
	floorDuration time.Duration

	page *page // never nil

	// modes
	ramp       bool
	contention bool
	idle       int
	grow       bool
	links      bool
	cost       bool
	costOff    string
	costWarmUp time.Duration
	sizes      list

	// of the variant that runs
	binary   string // of the node
	nodeArgs string
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

// Set implements flag.Value.
func (l *list) Set(s string) error {
	*l = append(*l, s)

	return nil
}

func parse(args []string, notes io.Writer) (*options, error) {
	o := &options{page: &page{}}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(notes)
	o.loadFlags(f)
	o.measureFlags(f)
	o.nodeFlags(f)
	o.modeFlags(f)
	o.page.flags(f)
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if err := o.page.take(f.Args()); err != nil {
		return nil, err
	}

	return o, o.check()
}

// loadFlags are what clients do.
func (o *options) loadFlags(f *flag.FlagSet) {
	f.StringVar(&o.scenario, "scenario", "webinar", strings.Join(append(scenarioNames(), linkNames()...), ", "))
	f.IntVar(&o.subscribers, "subscribers", 0, "viewers in webinar, churn, slow, control and floor (default 50), a room in publish-once (10) and cross-room (25), pupils a group in class (4)")
	f.IntVar(&o.members, "members", 0, "participants in meeting (default 6) and audio (default 30)")
	f.IntVar(&o.users, "users", 20, "users in multiroom")
	f.IntVar(&o.rooms, "rooms", 0, "rooms in multiroom (default 10), publish-once (5) and webinar (1, viewers spread over them); groups in class (6)")
	f.IntVar(&o.roomsPerUser, "rooms-per-user", 5, "rooms of each user in multiroom")
	f.Float64Var(&o.rate, "rate", 5, "joins a second in churn, each followed by a leave after a second")
	f.IntVar(&o.pilots, "pilots", 4, "clients in control that call one after the other, all at the same time")
	f.Float64Var(&o.loss, "slow-loss", 0.3, "share of packets that the lossy subscriber of slow loses")
	f.IntVar(&o.videoBits, "video-bps", 2_000_000, "bit rate of each camera (pupils in class: 300000)")
	f.BoolVar(&o.transportCC, "transport-cc", true, "clients offer transport-wide congestion control, as browsers do")
	f.BoolVar(&o.simulcast, "simulcast", false, "cameras of webinar and churn send three layers, -video-bps, a third and a tenth of it; give -floor=false, and read nothing into losses")
	f.IntVar(&o.linksAtOnce, "links-at-once", 4, "how many links of the scenario links are played at the same time")
	f.IntVar(&o.joinsAtOnce, "joins-at-once", 4, "how many clients join at the same time at the start")
	f.BoolVar(&o.receiveGRO, "receive-gro", false, "clients take several packets at once (UDP_GRO), in the floor, too")
	f.DurationVar(&o.rest, "rest", 0, "how long clients rest after reading what has come, so that fewer of the node's packets wake them up")
}

// measureFlags are what is measured, and how it is told.
func (o *options) measureFlags(f *flag.FlagSet) {
	f.DurationVar(&o.duration, "duration", 10*time.Second, "length of the measurement")
	f.DurationVar(&o.warmUp, "warm-up", time.Second, "time from when all media flows to the measurement")
	f.DurationVar(&o.settle, "settle", 500*time.Millisecond, "time that packets in flight are given")
	f.IntVar(&o.probes, "probes", 10, "clients that join and leave one after the other afterwards, under load, to time it")
	f.BoolVar(&o.floor, "floor", true, "measure the floor in the same run")
	f.DurationVar(&o.floorDuration, "floor-duration", 3*time.Second, "for so long")
	f.BoolVar(&o.json, "json", false, "print JSON, one object a report, and no table")
	f.BoolVar(&o.quiet, "quiet", false, "no progress on standard error")
	f.StringVar(&o.profiles, "profiles", "", "directory to write the node's CPU and allocation profiles to, taken during the measurement")
	f.IntVar(&o.repeat, "repeat", 1, "how often everything is measured, variants in turn")
}

// nodeFlags are which node is loaded.
func (o *options) nodeFlags(f *flag.FlagSet) {
	f.StringVar(&o.node, "node", "", "gRPC address of a running node on this machine; empty: start one")
	f.Var(&o.binaries, "node-bin", "binary of the node; none: build ./cmd/sfu; given several times they are measured in turn")
	f.Var(&o.binaries, "sfu", "the same")
	f.Var(&o.variants, "node-args", "flags for the node that is started, separated by spaces; given several times they are measured in turn")
	f.Var(&o.settings, "set", "key=value for every node that is started; may be repeated")
}

func (o *options) modeFlags(f *flag.FlagSet) {
	f.BoolVar(&o.ramp, "ramp", false, "more and more load until p99 is above 50 ms or loss above 0.1 %, then half as much again as held")
	f.BoolVar(&o.contention, "contention", false, "profile what waits for locks in the node meanwhile, and print it by package (webinar: 100 subscribers unless told)")
	f.IntVar(&o.idle, "idle", 0, "so many connected sessions without media, and what they cost; no scenario")
	f.BoolVar(&o.grow, "grow", false, "growth curves: the scenario at several sizes, or with -scenario all the four of docs/performance.md")
	f.BoolVar(&o.links, "links", false, "simulated links, the node's estimator beside pion's gcc, in virtual time; no node, no scenario")
	f.BoolVar(&o.cost, "cost", false, "what congestion control and simulcast cost: the scenario (webinar: 100 subscribers unless told) with and without each, in turn, -repeat times (3 unless told)")
	f.DurationVar(&o.costWarmUp, "cost-warm-up", 12*time.Second, "time from when all media flows to the measurement, in -cost: estimates have to have settled")
	f.StringVar(&o.costOff, "cost-off", "congestion.enabled=false", "setting of the node that is without, in -cost")
	f.Var(&o.sizes, "size", "one of the sizes of -grow; repeat for each; none: a list of its own for each curve")
}

var errUsage = errors.New("not understood")

func (o *options) check() error {
	modes := 0
	for _, on := range []bool{o.ramp, o.contention, o.grow, o.idle > 0, o.links, o.cost} {
		if on {
			modes++
		}
	}
	for name, ok := range map[string]bool{
		"-subscribers 0 to 2000":                                 o.subscribers >= 0 && o.subscribers <= 2000,
		"-members 0 or 2 to 64":                                  o.members == 0 || o.members >= 2 && o.members <= 64,
		"-users 2 to 1000":                                       o.users >= 2 && o.users <= 1000,
		"-rooms 0 to 1000":                                       o.rooms >= 0 && o.rooms <= 1000,
		"-rooms-per-user 1 to -rooms":                            o.roomsPerUser >= 1,
		"-rate 0.1 to 200":                                       o.rate >= 0.1 && o.rate <= 200,
		"-pilots 1 to 64":                                        o.pilots >= 1 && o.pilots <= 64,
		"-slow-loss 0 to 0.9":                                    o.loss >= 0 && o.loss <= 0.9,
		"-duration 100ms to 10m":                                 o.duration >= 100*time.Millisecond && o.duration <= 10*time.Minute,
		"-warm-up 0 to 1m":                                       o.warmUp >= 0 && o.warmUp <= time.Minute,
		"-settle 10ms to 10s":                                    o.settle >= 10*time.Millisecond && o.settle <= 10*time.Second,
		"-floor-duration 100ms to 1m":                            o.floorDuration >= 100*time.Millisecond && o.floorDuration <= time.Minute,
		"-video-bps 50000 to 20000000":                           o.videoBits >= 50_000 && o.videoBits <= 20_000_000,
		"-probes 0 to 1000":                                      o.probes >= 0 && o.probes <= 1000,
		"-joins-at-once 1 to 64":                                 o.joinsAtOnce >= 1 && o.joinsAtOnce <= 64,
		"-cost-warm-up 0 to 1m":                                  o.costWarmUp >= 0 && o.costWarmUp <= time.Minute,
		"-links-at-once 1 to 16":                                 o.linksAtOnce >= 1 && o.linksAtOnce <= 16,
		"-cost with a node that is started":                      !o.cost || o.node == "",
		"-simulcast with webinar or churn":                       !o.simulcast && !o.cost || o.scenario == "webinar" || o.scenario == "churn",
		"modes with scenarios of media":                          modes == 0 || o.links || !isLinks(o.scenario),
		"-rest 0 to 10ms":                                        o.rest >= 0 && o.rest <= 10*time.Millisecond,
		"-repeat 1 to 100":                                       o.repeat >= 1 && o.repeat <= 100,
		"-idle 0 to 10000":                                       o.idle >= 0 && o.idle <= 10_000,
		"one of -ramp, -contention, -idle, -grow, -links, -cost": modes <= 1,
		"-node without -node-bin or -node-args":                  o.node == "" || len(o.binaries)+len(o.variants) == 0,
		"-contention with a node that is started":                !o.contention || o.node == "",
		"-scenario all with -grow":                               o.scenario != "all" || o.grow,
		"-ramp and -contention with media, not floor":            !(o.ramp || o.contention) || o.scenario != "floor",
	} {
		if !ok {
			return fmt.Errorf("%w: give %s", errUsage, name)
		}
	}

	return nil
}

// longest is a bound for one measurement, so that it ends whatever the node does.
func (o *options) longest() time.Duration {
	return 2*time.Minute + o.costWarmUp + 4*(o.duration+o.floorDuration) + time.Duration(o.probes)*2*time.Second + time.Duration(o.idle)*50*time.Millisecond
}

func (o *options) or(n, fallback int) int {
	if n == 0 {
		return fallback
	}

	return n
}

// each calls f for every variant of the node: each binary with each set of flags, and all of them once more for each repetition.
func (o *options) each(f func(*options) error) error {
	binaries, variants := o.binaries, o.variants
	if len(binaries) == 0 {
		binaries = list{o.binary}
	}
	if len(variants) == 0 {
		variants = list{""}
	}
	for range o.repeat {
		for _, b := range binaries {
			for _, args := range variants {
				v := *o
				v.binary, v.nodeArgs = b, args
				if err := f(&v); err != nil {
					return err
				}
			}
		}
	}

	return nil
}
