// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/switchyard-media/sfu/internal/config"
)

// ports are the listeners that are not the engine's.
type ports struct {
	http, grpc, pprof net.Listener // pprof nil: off
}

// openPorts listens on all of them or none.
func openPorts(cfg config.Config) (*ports, error) {
	p := &ports{}
	for _, want := range []struct {
		key, address string
		to           *net.Listener
	}{
		{"http.address", cfg.HTTP.Address, &p.http},
		{"grpc.address", cfg.GRPC.Address, &p.grpc},
		{"pprof.address", cfg.Pprof.Address, &p.pprof},
	} {
		if want.address == config.Off {
			continue
		}
		l, err := net.Listen("tcp", want.address)
		if err != nil {
			p.close()
			return nil, explainListen(want.key, want.address, "TCP", err)
		}
		*want.to = l
	}
	return p, nil
}

func (p *ports) close() {
	for _, l := range []net.Listener{p.http, p.grpc, p.pprof} {
		if l != nil {
			_ = l.Close() // nothing was accepted
		}
	}
}

// listenProblem says in words what is wrong with an address.
func listenProblem(err error) string {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "another process has this port (perhaps a node that already runs)"
	case errors.Is(err, os.ErrPermission):
		return "this user may not have this port (below 1024 only root or CAP_NET_BIND_SERVICE may)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this machine has no such address"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "too many open files: raise the limit (ulimit -n, LimitNOFILE=)"
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return "this machine has no IPv6, or no IPv4"
	case errors.As(err, &dns):
		return "the host name has no address"
	}
	return "it cannot be listened on"
}
