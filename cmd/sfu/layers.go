// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/switchyard-media/sfu/internal/config"
)

// sources are the flags by which any command reads the configuration.
type sources struct {
	File string   `name:"config" short:"c" placeholder:"FILE" help:"Configuration file (also SFU_CONFIG; otherwise ./sfu.yaml, /etc/sfu/sfu.yaml, or none)."`
	Set  []string `sep:"none" placeholder:"KEY=VALUE" help:"Set any key, for example --set node.rooms=500. May be repeated."`
}

// layers are the flags of the commands that are about a node. The tag key names what a flag sets; --set goes first, so that a
// flag of its own wins over it.
type layers struct {
	sources

	UDPAddress    *string  `name:"udp-address" key:"media.udp_address" placeholder:"HOST:PORT" help:"Media over UDP (:7782). Port 0 anywhere: the system chooses."`
	TCPAddress    *string  `name:"tcp-address" key:"media.tcp_address" placeholder:"HOST:PORT" help:"Media over TCP (:7782), or off."`
	External      []string `name:"external-address" key:"media.external_addresses" placeholder:"IP" help:"Address that clients reach this node at, when it is behind NAT. May be repeated."`
	Loopback      bool     `key:"media.loopback" help:"Offer loopback addresses to clients: for tests on one machine."`
	GRPCAddress   *string  `name:"grpc-address" key:"grpc.address" placeholder:"HOST:PORT" help:"Control API (127.0.0.1:7781)."`
	HTTPAddress   *string  `name:"http-address" key:"http.address" placeholder:"HOST:PORT" help:"Pages, signaling, WHIP, health, metrics (127.0.0.1:7780)."`
	PprofAddress  *string  `name:"pprof-address" key:"pprof.address" placeholder:"HOST:PORT" help:"Profiler (127.0.0.1:7784), or off."`
	LogLevel      *string  `key:"log.level" placeholder:"LEVEL" help:"debug, info, warn or error."`
	LogFormat     *string  `key:"log.format" placeholder:"FORMAT" help:"auto, text or json."`
	DrainDeadline *string  `key:"drain_deadline" placeholder:"DURATION" help:"How long to serve on after SIGTERM (30s)."`
}

// load reads the configuration with these flags over everything else.
func (l *layers) load(p *process) (*config.Loaded, error) { return l.sources.load(p, flagSettings(l)) }

// load reads the configuration with --set, and then other flags, over everything else.
func (s *sources) load(p *process, flags []config.Setting) (*config.Loaded, error) {
	var all []config.Setting
	for _, text := range s.Set {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("--set %s: want key=value", text)
		}
		all = append(all, config.Setting{Path: strings.TrimSpace(key), Value: value, Source: "flag --set"})
	}
	return config.Load(config.Sources{File: s.File, Environ: p.environ, Settings: append(all, flags...)})
}

// flagSettings are the flags that were given, of a struct with key tags.
func flagSettings(flags any) []config.Setting {
	var out []config.Setting
	for f, fv := range reflect.ValueOf(flags).Elem().Fields() {
		key := f.Tag.Get("key")
		if key == "" || fv.IsZero() {
			continue
		}
		value := fmt.Sprint(reflect.Indirect(fv).Interface())
		if list, ok := reflect.TypeAssert[[]string](fv); ok {
			value = strings.Join(list, ",")
		}
		out = append(out, config.Setting{Path: key, Value: value, Source: "flag --" + flagName(f)})
	}
	return out
}

// flagName is the flag of a key's field, as kong derives it.
func flagName(f reflect.StructField) string {
	if name := f.Tag.Get("name"); name != "" {
		return name
	}
	var b strings.Builder
	for i, r := range f.Name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('-')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// flagFor is the flag that sets a key, for messages; --set when it has none of its own.
func flagFor(key string) string {
	t := reflect.TypeFor[layers]()
	for f := range t.Fields() {
		if f.Tag.Get("key") == key {
			return "--" + flagName(f)
		}
	}
	return "--set " + key + "="
}
