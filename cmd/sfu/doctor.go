// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/switchyard-media/sfu/internal/config"
	"github.com/switchyard-media/sfu/sfu"
)

type doctorCommand struct {
	layers
	Strict bool `help:"Exit with code 1 on warnings too."`
}

// Run implements the command.
func (c *doctorCommand) Run(p *process) error {
	l, err := c.load(p)
	if err != nil {
		say(p.stdout, "%-8s configuration\n%s\n", problem, err)
		return errReported
	}
	findings := examine(l, realMachine())
	writeFindings(p.stdout, findings)
	problems, warnings := count(findings)
	say(p.stdout, "\n%d problems, %d warnings\n", problems, warnings)
	if problems > 0 || c.Strict && warnings > 0 {
		return errReported
	}
	return nil
}

// verdict is how a finding is meant.
type verdict string

const (
	fine    verdict = "ok"
	note    verdict = "note"    // good to know
	warning verdict = "warning" // works, and not well
	problem verdict = "PROBLEM" // the node does not start, or no client can connect
)

// finding is one line of the report.
type finding struct {
	verdict verdict
	about   string
	text    string
	remedy  string // what to do; empty: nothing
}

func count(all []finding) (problems, warnings int) {
	for _, f := range all {
		switch f.verdict {
		case problem:
			problems++
		case warning:
			warnings++
		default: // nothing to count
		}
	}
	return problems, warnings
}

func writeFindings(w io.Writer, all []finding) {
	for _, f := range all {
		say(w, "%-8s %-18s %s\n", f.verdict, f.about, f.text)
		if f.remedy != "" {
			say(w, "%-8s %-18s -> %s\n", "", "", f.remedy)
		}
	}
}

// machine is what doctor looks at; tests have their own.
type machine struct {
	listen       func(network, address string) error // binds and lets go
	running      func(http string) bool              // a node answers at the HTTP address
	offered      func(sfu.Config) (sfu.Info, error)  // binds what it can and says what clients would be offered
	readFile     func(name string) ([]byte, error)
	openFiles    func() (uint64, error)
	interfaces   func() ([]net.Addr, error)
	segmentation func() (send, receive error) // UDP_SEGMENT and UDP_GRO
	linux        bool
}

// examine does every check.
func examine(l *config.Loaded, m machine) []finding {
	out := []finding{{fine, "configuration", where(l), ""}}
	for _, w := range warnings(l) {
		out = append(out, finding{warning, "configuration", w, ""})
	}
	out = append(out, examinePorts(l.Config, m)...)
	out = append(out, examineOffered(l.Config, m)...)
	out = append(out, examineClients(l.Config)...)
	out = append(out, examineFamilies(m)...)
	return append(out, examineLimits(m)...)
}

// examinePorts binds each address in turn. A port that a running node of ours has is no problem.
func examinePorts(cfg config.Config, m machine) []finding {
	var out []finding
	running := false
	for _, p := range []struct{ key, network, address string }{
		{"http.address", "tcp", cfg.HTTP.Address},
		{"grpc.address", "tcp", cfg.GRPC.Address},
		{"media.udp_address", "udp", cfg.Media.UDPAddress},
		{"media.tcp_address", "tcp", cfg.Media.TCPAddress},
		{"pprof.address", "tcp", cfg.Pprof.Address},
	} {
		if p.address == config.Off {
			out = append(out, finding{fine, p.key, "off", ""})
			continue
		}
		err := m.listen(p.network, p.address)
		if errors.Is(err, syscall.EADDRINUSE) && (running || m.running(cfg.HTTP.Address)) {
			running = true
			out = append(out, finding{note, p.key, p.network + " " + p.address + " is taken, and a node runs here: that one, surely", ""})
			continue
		}
		if err != nil {
			out = append(out, finding{
				problem, p.key, fmt.Sprintf("%s %s: %s", p.network, p.address, listenProblem(err)),
				fmt.Sprintf("stop the other process, or set another: %s, %s or %s", p.key, flagFor(p.key), config.EnvName(p.key)),
			})
			continue
		}
		out = append(out, finding{fine, p.key, p.network + " " + p.address + " is free", ""})
	}
	return out
}

// examineOffered asks the engine itself, on ports of the system's choice, so that it works beside a running node.
func examineOffered(cfg config.Config, m machine) []finding {
	engine, err := cfg.SFU()
	if err != nil {
		return []finding{{problem, "media.dtls_cert_file", err.Error(), "check that certificate and key are PEM files and belong together"}}
	}
	want := map[string]string{"udp": portOf(engine.UDPAddress), "tcp": portOf(engine.TCPAddress)}
	engine.UDPAddress = anyPort(engine.UDPAddress)
	engine.TCPAddress = anyPort(engine.TCPAddress)
	info, err := m.offered(engine)
	if err != nil {
		return []finding{{
			problem, "offered", "the media engine does not start: " + err.Error(),
			"set media.external_addresses, look at media.interfaces, or set media.loopback for clients on this machine",
		}}
	}
	var out []finding
	public := false
	for _, c := range info.Candidates {
		addr := c.Address.Addr()
		public = public || !addr.IsPrivate() && !addr.IsLoopback() && !addr.IsLinkLocalUnicast()
		port := fmt.Sprint(c.Address.Port())
		if boundPort(info, c.Address.Port()) {
			port = want[c.Protocol]
		}
		out = append(out, finding{fine, "offered", fmt.Sprintf("%s %s: %s", c.Protocol, net.JoinHostPort(addr.String(), port), c.Why), ""})
	}
	if !public {
		out = append(out, finding{
			note, "offered", "only private addresses: clients elsewhere on the Internet cannot connect",
			"if they should, set media.external_addresses to the public address and let its port through to this machine",
		})
	}
	return out
}

// boundPort reports whether a port is one that the system chose for this look.
func boundPort(info sfu.Info, port uint16) bool {
	for _, at := range append(info.UDP, info.TCP...) {
		if at.Port() == port {
			return true
		}
	}
	return false
}

func portOf(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "0"
	}
	return port
}

// anyPort is the same address with a port of the system's choice.
func anyPort(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return "" // off
	}
	return net.JoinHostPort(host, "0")
}

// examineFamilies looks for IPv6 beyond this machine.
func examineFamilies(m machine) []finding {
	all, err := m.interfaces()
	if err != nil {
		return []finding{{warning, "network", "interfaces cannot be listed: " + err.Error(), ""}}
	}
	var six []string
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() == nil && ip.IP.IsGlobalUnicast() {
			six = append(six, ip.IP.String())
		}
	}
	if len(six) == 0 {
		return []finding{{note, "IPv6", "this machine has no IPv6 address: clients with IPv6 only cannot connect", ""}}
	}
	return []finding{{fine, "IPv6", strings.Join(six, ", "), ""}}
}

// realMachine looks at this one.
func realMachine() machine {
	return machine{
		listen: tryListen, running: nodeAnswers, offered: tryEngine, readFile: readFile,
		openFiles: openFiles, interfaces: net.InterfaceAddrs, segmentation: trySegmentation, linux: onLinux,
	}
}

func tryListen(network, address string) error {
	var c io.Closer
	var err error
	if network == "udp" {
		c, err = net.ListenPacket(network, address)
	} else {
		c, err = net.Listen(network, address)
	}
	if err != nil {
		return err
	}
	return c.Close()
}

func tryEngine(cfg sfu.Config) (sfu.Info, error) {
	n, err := sfu.NewNode(cfg)
	if err != nil {
		return sfu.Info{}, err
	}
	info := n.Info()
	return info, closeEngine(n, time.Second)
}
