// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/switchyard-media/sfu/internal/config"
	"github.com/switchyard-media/sfu/internal/httpd"
)

type signalCommand struct {
	sources
	Listen    *string  `key:"signal.address" placeholder:"HOST:PORT" help:"Listen here (127.0.0.1:7785)."`
	Node      []string `key:"signal.nodes" sep:"none" placeholder:"[NAME=]HOST:PORT" help:"Control API of a node, without TLS and token; for these see signal.nodes of the configuration. May be repeated. None at all: the node at grpc.address."`
	LogLevel  *string  `key:"log.level" placeholder:"LEVEL" help:"debug, info, warn or error."`
	LogFormat *string  `key:"log.format" placeholder:"FORMAT" help:"auto, text or json."`
	Quiet     bool     `short:"q" help:"Do not print the addresses at start; the log has them."`
}

// Run implements the command.
func (c *signalCommand) Run(p *process) error {
	signals := p.signals() // before anything runs that a signal should stop in order
	load := func() (*config.Loaded, error) { return c.load(p, flagSettings(c)) }
	l, err := load()
	if err != nil {
		return err
	}
	log, levels := begin(p, l, "starting the signaling tier")
	t, err := startTier(l.Config, log)
	if err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	t.levels, t.load = levels, load
	if !c.Quiet {
		say(p.stdout, "%s", t.banner(where(l)))
	}
	log.Info("listening", "http", t.at.String(), "nodes", t.nodeNames())
	t.run(signals)
	return nil
}

var errTierTLS = errors.New("signal.nodes is empty, and the control API of this configuration uses TLS: name the node there, with tls_ca_file")

// nodesOf connects to the nodes that the configuration names.
func nodesOf(cfg config.Config) ([]*remote, error) {
	if len(cfg.Signal.Nodes) == 0 && cfg.GRPC.TLSCertFile != "" {
		return nil, errTierTLS
	}
	var out []*remote
	for _, n := range cfg.NodesOfTier() {
		r, err := connectTo(n, cfg.GRPC.MaxReplyBytes)
		if err != nil {
			for _, r := range out {
				_ = r.conn.Close() // nothing was called
			}
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// links are the tier's addresses, and those of its nodes.
func (t *tier) links() []httpd.Link {
	out := append(t.faces.links(t.at.String()), t.faces.healthLinks(t.at.String())...)
	for _, n := range t.nodes {
		out = append(out, httpd.Link{Name: "node", Address: n.config.Address, Note: "called " + n.config.ID})
	}
	return out
}

func (t *tier) banner(config string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Switchyard signaling tier %s (%s %s/%s)\n\n", versionString(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	writeLinks(&b, t.links())
	fmt.Fprintf(&b, "  %-7s %s\n\nCtrl-C stops.\n", "config", config)
	return b.String()
}

func (t *tier) page() httpd.Page {
	return httpd.Page{Title: "Switchyard signaling tier " + versionString(), Links: t.links()}
}

func (t *tier) nodeNames() []string {
	var out []string
	for _, n := range t.nodes {
		out = append(out, n.config.ID+"="+n.config.Address)
	}
	return out
}
