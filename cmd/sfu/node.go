// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/switchyard-media/sfu/internal/config"
	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/httpd"
	"github.com/switchyard-media/sfu/internal/metrics"
	"github.com/switchyard-media/sfu/sfu"
)

// node is everything that runs.
type node struct {
	// immutable after start
	log     *slog.Logger
	levels  *logLevels
	load    func() (*config.Loaded, error) // reads the configuration again
	engine  *sfu.Node
	control *control.Server
	httpAt  net.Addr
	grpcAt  net.Addr
	pprofAt net.Addr        // nil: off
	servers []*httpd.Server // HTTP port, profiler
	grpcHow string          // in words: TLS, authentication
	// of the HTTP port; nil: plain HTTP
	certificate *httpd.Certificate
	clients     *clients
	faces       faces
	failed      chan error // what serveControl ended with

	// owned by run
	cfg config.Config // in force

	started atomic.Bool // written by start and shut, read by the HTTP port
}

// start opens the ports, all of them or none.
func start(cfg config.Config, log *slog.Logger) (*node, error) {
	n := &node{log: log, cfg: cfg, grpcHow: grpcHow(cfg.GRPC), failed: make(chan error, 1)}
	ports, err := openPorts(cfg)
	if err != nil {
		return nil, err
	}
	if err := n.build(cfg, ports); err != nil {
		ports.close()
		return nil, errors.Join(err, n.abandon())
	}
	if err := n.open(ports); err != nil {
		ports.close()
		return nil, errors.Join(err, n.abandon())
	}
	n.started.Store(true)
	return n, nil
}

// build makes the parts.
func (n *node) build(cfg config.Config, ports *ports) error {
	certificate, err := loadCertificate(cfg)
	if err != nil {
		return err
	}
	n.certificate = certificate
	engine, err := cfg.SFU()
	if err != nil {
		return err
	}
	engine.Logger = n.log
	if n.engine, err = sfu.NewNode(engine); err != nil {
		return explainMedia(cfg, err)
	}
	face := cfg.Control()
	face.Node, face.Logger, face.Version = n.engine, n.log, versionString()
	face.Addresses = append(face.Addresses, control.Address{Purpose: "http", Network: "tcp", Address: ports.http.Addr().String()})
	if ports.pprof != nil {
		face.Addresses = append(face.Addresses, control.Address{Purpose: "debug", Network: "tcp", Address: ports.pprof.Addr().String()})
	}
	if n.control, err = control.New(face); err != nil {
		return err
	}
	conn, err := n.control.Local()
	if err != nil {
		return err
	}
	n.clients, err = newClients(clientsOf{
		config: cfg, nodes: []behind{{config.LocalNode, conn}}, tier: cfg.Signal.Enabled, engine: n.engine, log: n.log,
	})
	if err != nil {
		return err
	}
	n.faces = facesOf(cfg, n.clients)
	return nil
}

// open begins to serve.
func (n *node) open(ports *ports) error {
	registry, err := metrics.NewRegistry(metrics.Sources{
		Load: n.engine.Load, Info: n.engine.Info, Control: n.control.Stats, Version: versionString(),
	})
	if err != nil {
		return err
	}
	if err := registry.Register(clientCollector{n.clients}); err != nil {
		return err
	}
	n.httpAt, n.grpcAt = ports.http.Addr(), ports.grpc.Addr()
	routes := httpd.Routes{Ready: n.ready, Page: n.page, Metrics: metricsHandler(registry), Mounts: n.clients.mounts}
	n.servers = append(n.servers, httpd.Start(ports.http, routes.Handler(), httpd.Options{TLS: n.certificate, Logger: n.log}))
	if ports.pprof != nil {
		n.pprofAt = ports.pprof.Addr()
		n.servers = append(n.servers, httpd.Start(ports.pprof, httpd.Profiler(), httpd.Options{Slow: true, Logger: n.log}))
	}
	go n.serveControl(ports.grpc)
	n.control.SetServing(true)
	return nil
}

// abandon ends what build and open have made so far.
func (n *node) abandon() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n.clients.close(ctx, n.log)
	if n.control != nil {
		n.control.Stop()
	}
	if n.engine == nil {
		return nil
	}
	return closeEngine(n.engine, time.Second)
}

// loadCertificate reads the certificate of the HTTP port; nil: none.
func loadCertificate(cfg config.Config) (*httpd.Certificate, error) {
	if cfg.HTTP.TLSCertFile == "" {
		return nil, nil
	}
	c, err := httpd.LoadCertificate(cfg.HTTP.TLSCertFile, cfg.HTTP.TLSKeyFile)
	if err != nil {
		return nil, fmt.Errorf("http.tls_cert_file: %w", err)
	}
	return c, nil
}

func metricsHandler(registry *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

func (n *node) serveControl(l net.Listener) { n.failed <- n.control.Serve(l) }

func closeEngine(e *sfu.Node, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	return e.Close(ctx)
}

// ready are the checks of /readyz.
func (n *node) ready() []httpd.Check {
	draining := n.engine.Info().Draining
	return []httpd.Check{
		{Name: "started", OK: n.started.Load(), Explain: "the node is starting or has stopped"},
		{Name: "not draining", OK: !draining, Explain: "the node takes no new sessions: it was told to drain"},
	}
}

// addresses are what was bound, and what clients are offered.
type addresses struct {
	http, grpc, pprof string // host:port; pprof empty: off
	faces             faces
	udp, tcp          []netip.AddrPort
	offered           []sfu.CandidateInfo
	grpcHow           string // in words: TLS, authentication
}

func (n *node) addresses() addresses {
	info := n.engine.Info()
	a := addresses{
		http: n.httpAt.String(), grpc: n.grpcAt.String(), udp: info.UDP, tcp: info.TCP, offered: info.Candidates,
		grpcHow: n.grpcHow, faces: n.faces,
	}
	if n.pprofAt != nil {
		a.pprof = n.pprofAt.String()
	}
	return a
}

// shut ends everything in order: clients are told to go elsewhere, no new calls, then the sessions, then the pages, which show
// how it goes until the end.
// wait bounds each of the steps.
func (n *node) shut(wait time.Duration) {
	n.started.Store(false)
	n.control.SetServing(false)
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	n.clients.close(ctx, n.log)
	n.control.GracefulStop(ctx)
	if err := closeEngine(n.engine, wait); err != nil {
		n.log.Error("the media engine did not stop in time", "error", err)
	}
	for _, s := range n.servers {
		ctx, cancel := context.WithTimeout(context.Background(), min(wait, time.Second))
		s.Shutdown(ctx)
		cancel()
	}
}

// explainMedia names the key of a media port that cannot be had.
func explainMedia(cfg config.Config, err error) error {
	var op *net.OpError
	if !errors.As(err, &op) {
		return err
	}
	if op.Net != "" && op.Net[0] == 't' {
		return explainListen("media.tcp_address", cfg.Media.TCPAddress, "TCP", err)
	}
	return explainListen("media.udp_address", cfg.Media.UDPAddress, "UDP", err)
}

// explainListen says in plain words why an address cannot be listened on, and what to change.
func explainListen(key, address, protocol string, err error) error {
	return fmt.Errorf("%s %s (%s): %s; set another with %s, %s or %s: %w",
		protocol, address, key, listenProblem(err), key, flagFor(key), config.EnvName(key), err)
}
