// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc/connectivity"

	"github.com/switchyard-media/sfu/internal/config"
	"github.com/switchyard-media/sfu/internal/httpd"
)

// tier is a signaling tier in a process of its own. It may be killed at any time: sessions are the nodes', and clients come
// back.
type tier struct {
	// immutable after startTier
	log         *slog.Logger
	levels      *logLevels
	load        func() (*config.Loaded, error) // reads the configuration again
	nodes       []*remote
	clients     *clients
	faces       faces
	certificate *httpd.Certificate // nil: plain HTTP
	server      *httpd.Server
	at          net.Addr

	// owned by run
	cfg config.Config // in force

	started atomic.Bool // written by startTier and shut, read by the HTTP port
}

// startTier opens the port and connects to the nodes; it does not wait for them.
func startTier(cfg config.Config, log *slog.Logger) (*tier, error) {
	t := &tier{log: log, cfg: cfg}
	var err error
	if t.certificate, err = loadCertificate(cfg); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", cfg.Signal.Address)
	if err != nil {
		return nil, explainListen("signal.address", cfg.Signal.Address, "TCP", err)
	}
	if t.nodes, err = nodesOf(cfg); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	var nodes []behind
	for _, n := range t.nodes {
		nodes = append(nodes, behind{n.config.ID, n.conn})
	}
	if t.clients, err = newClients(clientsOf{config: cfg, nodes: nodes, tier: true, log: log}); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		clientCollector{t.clients}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(c); err != nil {
			t.closeClients(time.Second)
			return nil, errors.Join(err, l.Close())
		}
	}
	t.at, t.faces = l.Addr(), facesOf(cfg, t.clients)
	routes := httpd.Routes{Ready: t.ready, Page: t.page, Metrics: metricsHandler(registry), Mounts: t.clients.mounts}
	t.server = httpd.Start(l, routes.Handler(), httpd.Options{TLS: t.certificate, Logger: log})
	t.started.Store(true)
	return t, nil
}

// ready are the checks of /readyz: one node is enough, since clients of the others are told to try again.
func (t *tier) ready() []httpd.Check {
	connected := slices.ContainsFunc(t.nodes, func(n *remote) bool { return n.conn.GetState() == connectivity.Ready })
	return []httpd.Check{
		{Name: "started", OK: t.started.Load(), Explain: "the tier has stopped"},
		{Name: "nodes", OK: connected, Explain: "no node answers"},
	}
}

// run carries out signals until the tier has stopped: SIGTERM or SIGINT stops, SIGHUP reloads.
func (t *tier) run(signals <-chan os.Signal) {
	for s := range signals {
		if s == syscall.SIGHUP {
			t.reload()
			continue
		}
		t.log.Info("told to stop: stopping", "signal", s.String(), "clients", t.clients.tier.Stats().Clients)
		t.shut()
		t.log.Info("stopped")
		return
	}
}

// shut tells clients to come back elsewhere, then ends the pages.
func (t *tier) shut() {
	t.started.Store(false)
	t.closeClients(stopPatience)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	t.server.Shutdown(ctx)
}

func (t *tier) closeClients(wait time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	t.clients.close(ctx, t.log)
}

// reload reads the configuration and the files that it names again; as with a node, all of it or nothing.
func (t *tier) reload() {
	l, err := t.load()
	if err != nil {
		t.log.Error("reload refused, the old configuration stays in force: "+firstLine(err.Error()), "error", err)
		return
	}
	changes := config.Diff(t.cfg, l.Config)
	if refuseChanges(t.log, changes, l) {
		return
	}
	if err := t.reloadSecrets(); err != nil {
		t.log.Error("reload refused, the old certificates, tokens and keys stay in force", "error", err)
		return
	}
	t.levels.set(l.Config.Log)
	t.cfg = l.Config
	t.log.Info("reloaded", "config", where(l), "changed", paths(changes))
}

func (t *tier) reloadSecrets() error {
	if err := tryClientSecrets(t.cfg); err != nil {
		return err
	}
	for _, n := range t.nodes {
		if _, err := readRemote(n.config); err != nil {
			return err
		}
	}
	for _, n := range t.nodes {
		if err := n.reload(); err != nil {
			return err
		}
	}
	return reloadClientSecrets(t.clients.keys, t.certificate)
}
