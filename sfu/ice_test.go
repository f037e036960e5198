// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOfferedAddresses(t *testing.T) {
	addr := netip.MustParseAddr
	local := []localAddress{{addr("10.0.0.5"), "eth0", "interface eth0"}, {addr("2001:db8::5"), "eth0", "interface eth0"}, {addr("10.0.0.6"), "eth1", "interface eth1"}}
	for name, test := range map[string]struct {
		external []ExternalAddress
		want     []string
	}{
		"none":               {nil, []string{"10.0.0.5:7", "[2001:db8::5]:7", "10.0.0.6:7"}},
		"for any IPv4":       {[]ExternalAddress{{Address: addr("203.0.113.1")}}, []string{"203.0.113.1:7", "[2001:db8::5]:7"}},
		"for one":            {[]ExternalAddress{{Address: addr("203.0.113.1"), Internal: addr("10.0.0.6")}}, []string{"203.0.113.1:7", "10.0.0.5:7", "[2001:db8::5]:7"}},
		"with another port":  {[]ExternalAddress{{Address: addr("2001:db8::1"), Port: 9}}, []string{"[2001:db8::1]:9", "10.0.0.5:7", "10.0.0.6:7"}},
		"beside the address": {[]ExternalAddress{{Address: addr("203.0.113.1")}, {Address: addr("10.0.0.5")}}, []string{"203.0.113.1:7", "10.0.0.5:7", "[2001:db8::5]:7"}},
		"the same twice":     {[]ExternalAddress{{Address: addr("203.0.113.1")}, {Address: addr("203.0.113.1")}}, []string{"203.0.113.1:7", "[2001:db8::5]:7"}},
	} {
		var got []string
		for _, c := range offered(&Config{External: test.external}, local, 7, "udp") {
			got = append(got, c.Address.String())
			if c.Why == "" {
				t.Errorf("%s: %v without a reason", name, c.Address)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestCandidateLine(t *testing.T) {
	at := netip.MustParseAddrPort("[2001:db8::1]:7782")
	for want, c := range map[string]CandidateInfo{
		"1 1 udp 2130706431 2001:db8::1 7782 typ host":                 {Address: at, Protocol: "udp"},
		"1 1 tcp 1526726655 2001:db8::1 7782 typ host tcptype passive": {Address: at, Protocol: "tcp"},
	} {
		if got := candidateLine(0, c); got != want {
			t.Errorf("%q, not %q", got, want)
		}
		if err := checkCandidate("candidate:" + want); err != nil {
			t.Errorf("our own candidate: %v", err)
		}
	}
}
