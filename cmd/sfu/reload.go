// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/internal/config"
	"github.com/switchyard-media/sfu/internal/httpd"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// reload reads the configuration again and applies it if everything that differs may change while the node runs;
// otherwise, or when it is not valid, everything stays as it was and the log says why. Certificates and tokens are read
// again in any case that the configuration is good: it is for them that SIGHUP is mostly sent.
func (n *node) reload() {
	l, err := n.load()
	if err != nil {
		n.log.Error("reload refused, the old configuration stays in force: "+firstLine(err.Error()), "error", err)
		return
	}
	changes := config.Diff(n.cfg, l.Config)
	if refuseChanges(n.log, changes, l) {
		return
	}
	if err := n.reloadSecrets(); err != nil {
		n.log.Error("reload refused, the old certificates and tokens stay in force", "error", err)
		return
	}
	if !n.reloadApps(l.Config, changes) {
		return
	}
	n.levels.set(l.Config.Log)
	n.cfg = l.Config
	n.log.Info("reloaded", "config", where(l), "changed", paths(changes))
}

// refuseChanges reports whether something differs that cannot change while the process runs, and logs what.
func refuseChanges(log *slog.Logger, changes []config.Change, l *config.Loaded) bool {
	refused := false
	for _, c := range changes {
		if !c.Reload {
			log.Error("reload refused, the old configuration stays in force: "+c.Path+" cannot change while the node runs",
				"key", c.Path, "from", c.Old, "to", c.New, "where", l.Origins[c.Path].String())
			refused = true
		}
	}
	return refused
}

func paths(changes []config.Change) []string {
	out := make([]string, len(changes))
	for i, c := range changes {
		out[i] = c.Path
	}
	return out
}

// reloadSecrets reads certificates, tokens and keys again: all of them, or none when one cannot be used.
func (n *node) reloadSecrets() error {
	if err := tryClientSecrets(n.cfg); err != nil {
		return err
	}
	if err := n.control.Reload(); err != nil {
		return err
	}
	return reloadClientSecrets(n.clients.keys, n.certificate)
}

// tryClientSecrets reads the files of the HTTP port for nothing but to see whether they can be used.
func tryClientSecrets(cfg config.Config) error {
	_, err := loadCertificate(cfg)
	if err == nil {
		_, err = loadKeys(cfg)
	}
	return err
}

// reloadClientSecrets puts them into force.
func reloadClientSecrets(keys *auth.Keys, certificate *httpd.Certificate) error {
	if certificate != nil {
		if err := certificate.Reload(); err != nil {
			return err
		}
	}
	return keys.Reload()
}

// reloadApps tells the router of each app that differs. Sessions and rooms over a lowered limit stay.
func (n *node) reloadApps(c config.Config, changes []config.Change) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	done := make(map[string]bool)
	for _, change := range changes {
		id := appOf(c, change.Path)
		if id == "" || done[id] {
			continue
		}
		done[id] = true
		if _, err := sfu.Do[router.App](ctx, n.engine, router.SetApp{App: c.App(id)}); err != nil {
			n.log.Error("reload failed halfway: an app was not changed", "app", id, "error", err)
			return false
		}
	}
	return true
}

// appOf is the app that a path below apps is about; empty when it is about none. Ids may have dots in them.
func appOf(c config.Config, path string) string {
	rest, ok := strings.CutPrefix(path, "apps.")
	if !ok {
		return ""
	}
	best := ""
	for id := range c.Apps {
		if strings.HasPrefix(rest, id+".") && len(id) > len(best) {
			best = id
		}
	}
	return best
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
