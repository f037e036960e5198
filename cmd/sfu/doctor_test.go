// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/switchyard-media/sfu/internal/config"
	"github.com/switchyard-media/sfu/sfu"
)

// healthy is a machine that lacks nothing.
func healthy() machine {
	return machine{
		listen:  func(string, string) error { return nil },
		running: func(string) bool { return false },
		offered: func(c sfu.Config) (sfu.Info, error) {
			at := netip.MustParseAddrPort("198.51.100.1:40000")
			return sfu.Info{UDP: []netip.AddrPort{at}, Candidates: []sfu.CandidateInfo{
				{Address: at, Protocol: "udp", Why: "interface eth0"},
				{Address: netip.MustParseAddrPort("203.0.113.7:5000"), Protocol: "udp", Why: "external address by configuration"},
			}}, nil
		},
		readFile:     func(string) ([]byte, error) { return []byte("4194304\n"), nil },
		openFiles:    func() (uint64, error) { return 65536, nil },
		interfaces:   func() ([]net.Addr, error) { return []net.Addr{&net.IPNet{IP: net.ParseIP("2001:db8::1")}}, nil },
		segmentation: func() (error, error) { return nil, nil },
		linux:        true,
	}
}

func TestDoctor(t *testing.T) {
	taken := func(network, address string) error {
		if address == ":7782" && network == "udp" {
			return &net.OpError{Op: "listen", Net: "udp", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
		}
		return nil
	}
	for _, c := range []struct {
		name               string
		change             func(*machine, *config.Config)
		problems, warnings int
		want               []string
	}{
		{"nothing wrong", func(*machine, *config.Config) {}, 0, 0, []string{
			"udp 198.51.100.1:7782: interface eth0", "udp 203.0.113.7:5000: external address by configuration", "2001:db8::1",
		}},
		{"a port is taken", func(m *machine, _ *config.Config) { m.listen = taken }, 1, 0, []string{
			"PROBLEM  media.udp_address  udp :7782: another process has this port", "--udp-address or SFU_MEDIA_UDP_ADDRESS",
		}},
		{"a port is taken by a node", func(m *machine, _ *config.Config) {
			m.listen, m.running = taken, func(at string) bool { return at == "127.0.0.1:7780" }
		}, 0, 0, []string{"note     media.udp_address"}},
		{"a port is not allowed", func(m *machine, _ *config.Config) {
			m.listen = func(string, string) error { return os.ErrPermission }
		}, 5, 0, []string{"this user may not have this port"}},
		{"private addresses", func(m *machine, _ *config.Config) {
			m.offered = func(sfu.Config) (sfu.Info, error) {
				return sfu.Info{Candidates: []sfu.CandidateInfo{{Address: netip.MustParseAddrPort("10.0.0.1:1"), Protocol: "udp"}}}, nil
			}
		}, 0, 0, []string{"only private addresses"}},
		{"the engine does not start", func(m *machine, _ *config.Config) {
			m.offered = func(sfu.Config) (sfu.Info, error) { return sfu.Info{}, errors.New("no sockets today") }
		}, 1, 0, []string{"no sockets today", "set media.external_addresses"}},
		{"small buffers", func(m *machine, _ *config.Config) {
			m.readFile = func(string) ([]byte, error) { return []byte("212992\n"), nil }
		}, 0, 2, []string{"sysctl -w net.core.rmem_max=4194304", "sysctl -w net.core.wmem_max=4194304"}},
		{"no such files", func(m *machine, _ *config.Config) {
			m.readFile = func(n string) ([]byte, error) { return nil, fmt.Errorf("open %s: %w", n, os.ErrNotExist) }
		}, 0, 0, []string{"cannot be read"}},
		{"few open files", func(m *machine, _ *config.Config) {
			m.openFiles = func() (uint64, error) { return 256, nil }
		}, 0, 1, []string{"at most 256", "ulimit -n"}},
		{"old kernel", func(m *machine, _ *config.Config) {
			m.segmentation = func() (error, error) { return syscall.ENOPROTOOPT, nil }
		}, 0, 0, []string{"note     UDP GSO", "ok       UDP GRO"}},
		{"no IPv6", func(m *machine, _ *config.Config) {
			m.interfaces = func() ([]net.Addr, error) { return []net.Addr{&net.IPNet{IP: net.ParseIP("fe80::1")}}, nil }
		}, 0, 0, []string{"no IPv6 address"}},
		{"another system", func(m *machine, _ *config.Config) { m.linux = false }, 0, 0, []string{"not Linux"}},
		{"open control API", func(_ *machine, c *config.Config) { c.GRPC.Address = ":7781" }, 0, 2, []string{"no authentication"}},
		{"bad certificate", func(_ *machine, c *config.Config) {
			c.Media.DTLSCertFile, c.Media.DTLSKeyFile = os.Args[0], os.Args[0]
		}, 1, 0, []string{"media.dtls_cert_file"}},
		{"pages here", func(*machine, *config.Config) {}, 0, 0, []string{
			"ok       pages              http://127.0.0.1:7780/demo/, for browsers on this machine only", "note     tokens             only the demo's",
		}},
		{"pages elsewhere without TLS", func(_ *machine, c *config.Config) { c.HTTP.Address = ":7780" }, 0, 3, []string{"note     pages", "http://localhost:7780/demo/", "no camera without TLS"}},
		{"no tier", func(_ *machine, c *config.Config) { c.Signal.Enabled = false }, 0, 0, []string{"note     pages", "sfu signal"}},
		{"no tokens", func(_ *machine, c *config.Config) { c.Tokens.Demo = false }, 0, 1, []string{"warning  tokens", "sfu token key"}},
		{"keys of tokens that are none", func(_ *machine, c *config.Config) { c.Tokens.KeyFile = os.DevNull }, 1, 1, []string{"PROBLEM  tokens", "there is no key in it"}},
		{"bad certificate of the pages", func(_ *machine, c *config.Config) {
			c.HTTP.TLSCertFile, c.HTTP.TLSKeyFile = os.Args[0], os.Args[0]
		}, 1, 0, []string{"PROBLEM  http.tls_cert_file", "https://127.0.0.1:7780/demo/"}},
		{"off", func(_ *machine, c *config.Config) { c.Media.TCPAddress = config.Off }, 0, 0, []string{"ok       media.tcp_address  off"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, l := healthy(), &config.Loaded{Config: config.Default(), Searched: []string{"sfu.yaml"}}
			c.change(&m, &l.Config)
			findings := examine(l, m)
			var b strings.Builder
			writeFindings(&b, findings)
			if problems, warnings := count(findings); problems != c.problems || warnings != c.warnings {
				t.Errorf("%d problems, %d warnings, want %d and %d", problems, warnings, c.problems, c.warnings)
			}
			for _, want := range c.want {
				if !strings.Contains(b.String(), want) {
					t.Errorf("no %q", want)
				}
			}
			if t.Failed() {
				t.Log(b.String())
			}
		})
	}
}

// TestDoctorHere looks at this machine, beside a node and after it.
func TestDoctorHere(t *testing.T) {
	var found string
	for range 5 { // what the node had, any process of the machine may have got since
		if found = doctorAround(t); found == "" {
			return
		}
	}
	t.Error(found)
}

// doctorAround gives what the doctor finds after a node, if that is not what it should.
func doctorAround(t *testing.T) string {
	t.Helper()
	r := startSFU(t, nil, anyPorts...)
	at := []string{"doctor", "--loopback"}
	for flag, address := range map[string]string{
		"http": r.at["http"], "grpc": r.at["grpc"], "pprof": r.at["pprof"],
	} {
		address = strings.TrimPrefix(address, "http://")
		address, _, _ = strings.Cut(address, "/")
		at = append(at, "--"+flag+"-address="+address)
	}
	for address := range strings.FieldsSeq(r.at["media"]) {
		address, network, _ := strings.Cut(address, "/")
		at = append(at, "--"+network+"-address="+address)
	}
	out, errs, code := output(t, nil, at...)
	if code != 0 || strings.Count(out, "is taken, and a node runs here") != 5 || !strings.Contains(out, "udp 127.0.0.1:") {
		t.Errorf("beside a node: exit code %d\n%s%s", code, out, errs)
	}
	r.stop()
	out, errs, code = output(t, nil, at...)
	if code != 0 || strings.Count(out, " is free") != 5 {
		return fmt.Sprintf("after it: exit code %d\n%s%s", code, out, errs)
	}
	return ""
}
