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
	subscribers   int
	members       int
	users         int
	rooms         int
	roomsPerUser  int
	rate          float64
	duration      time.Duration
	videoBits     int
	probes        int
	transportCC   bool
	floor         bool
	json          bool
	quiet         bool
	node          string
	sfu           string
	settings      list
	profiles      string
	joinsAtOnce   int
	ramp          bool
	rest          time.Duration
	floorDuration time.Duration
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
	o := &options{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(notes)
	f.StringVar(&o.scenario, "scenario", "webinar", strings.Join(scenarioNames(), ", "))
	f.IntVar(&o.subscribers, "subscribers", 50, "viewers in webinar, churn, publish-once (a room) and cross-room (a room); students a group in class")
	f.IntVar(&o.members, "members", 0, "participants in meeting (default 6) and audio (default 30)")
	f.IntVar(&o.users, "users", 20, "users in multiroom")
	f.IntVar(&o.rooms, "rooms", 0, "rooms in multiroom (default 10) and publish-once (default 5); groups in class (default 5)")
	f.IntVar(&o.roomsPerUser, "rooms-per-user", 5, "rooms of each user in multiroom")
	f.Float64Var(&o.rate, "rate", 5, "joins a second in churn, each followed by a leave after a second")
	f.DurationVar(&o.duration, "duration", 10*time.Second, "length of the measurement")
	f.IntVar(&o.videoBits, "video-bps", 2_000_000, "bit rate of each camera")
	f.IntVar(&o.probes, "probes", 10, "clients that join and leave one after the other afterwards, under load, to time it")
	f.BoolVar(&o.transportCC, "transport-cc", true, "clients offer transport-wide congestion control, as browsers do")
	f.BoolVar(&o.floor, "floor", true, "measure the floor in the same run")
	f.DurationVar(&o.floorDuration, "floor-duration", 3*time.Second, "for so long")
	f.BoolVar(&o.json, "json", false, "print JSON, one object a report, and no table")
	f.BoolVar(&o.quiet, "quiet", false, "no progress on standard error")
	f.StringVar(&o.node, "node", "", "gRPC address of a running node on this machine; empty: start one")
	f.StringVar(&o.sfu, "sfu", "", "binary of the node; empty: build ./cmd/sfu")
	f.Var(&o.settings, "set", "key=value for the node that is started; may be repeated")
	f.StringVar(&o.profiles, "profiles", "", "directory to write the node's CPU and allocation profiles to, taken during the measurement")
	f.IntVar(&o.joinsAtOnce, "joins-at-once", 4, "how many clients join at the same time at the start")
	f.DurationVar(&o.rest, "rest", 0, "how long clients rest after reading what has come, so that fewer of the node's packets wake them up")
	f.BoolVar(&o.ramp, "ramp", false, "webinar only: from -subscribers on, more and more until p99 is above 50 ms or loss above 0.1 %, then half as much again")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%w: %s", errUsage, f.Arg(0))
	}

	return o, o.check()
}

var errUsage = errors.New("not understood")

func (o *options) check() error {
	for name, ok := range map[string]bool{
		"-subscribers 1 to 2000":       o.subscribers >= 1 && o.subscribers <= 2000,
		"-members 0 or 2 to 64":        o.members == 0 || o.members >= 2 && o.members <= 64,
		"-users 2 to 1000":             o.users >= 2 && o.users <= 1000,
		"-rooms 0 to 1000":             o.rooms >= 0 && o.rooms <= 1000,
		"-rooms-per-user 1 to -rooms":  o.roomsPerUser >= 1,
		"-rate 0.1 to 200":             o.rate >= 0.1 && o.rate <= 200,
		"-duration 1s to 10m":          o.duration >= time.Second && o.duration <= 10*time.Minute,
		"-floor-duration 1s to 1m":     o.floorDuration >= time.Second && o.floorDuration <= time.Minute,
		"-video-bps 50000 to 20000000": o.videoBits >= 50_000 && o.videoBits <= 20_000_000,
		"-probes 0 to 1000":            o.probes >= 0 && o.probes <= 1000,
		"-joins-at-once 1 to 64":       o.joinsAtOnce >= 1 && o.joinsAtOnce <= 64,
		"-rest 0 to 10ms":              o.rest >= 0 && o.rest <= 10*time.Millisecond,
		"-ramp with webinar only":      !o.ramp || o.scenario == "webinar",
	} {
		if !ok {
			return fmt.Errorf("%w: give %s", errUsage, name)
		}
	}

	return nil
}

// longest is a bound for the whole command, so that it ends whatever the node does.
func (o *options) longest() time.Duration {
	if o.ramp {
		return (rampSteps + 1) * (o.duration + time.Minute/2)
	}

	return 4*time.Minute + 4*(o.duration+o.floorDuration) + time.Duration(o.probes)*2*time.Second
}

func (o *options) or(n, fallback int) int {
	if n == 0 {
		return fallback
	}

	return n
}
