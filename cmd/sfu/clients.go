// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/grpc"

	"github.com/switchyard-media/sfu/internal/admin"
	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/internal/config"
	"github.com/switchyard-media/sfu/internal/httpd"
	"github.com/switchyard-media/sfu/internal/signaling"
	"github.com/switchyard-media/sfu/internal/whip"
	sdkjs "github.com/switchyard-media/sfu/sdk/js"
	"github.com/switchyard-media/sfu/sfu"
	"github.com/switchyard-media/sfu/web"
)

// The demo: its app, and how long its tokens are good for.
const (
	demoApp = "demo"
	demoTTL = time.Hour
)

// behind is a node as the faces for clients see it.
type behind struct {
	id   string
	conn *grpc.ClientConn
}

// clients is what clients and people use: pages, signaling tier, WHIP and WHEP, the admin page's API. Immutable after
// newClients.
type clients struct {
	keys   *auth.Keys
	nodes  []behind
	tier   *signaling.Server // nil: off
	whip   *whip.Server      // nil: off
	mounts []httpd.Mount
}

// clientsOf is what newClients needs to know.
type clientsOf struct {
	config config.Config
	nodes  []behind  // their connections are its to close
	tier   bool      // with the signaling tier
	engine *sfu.Node // nil: no media here, so neither WHIP nor WHEP
	log    *slog.Logger
}

// newClients makes everything that is switched on. After an error nothing runs, and the connections are closed.
func newClients(o clientsOf) (c *clients, err error) {
	c = &clients{nodes: o.nodes}
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			c.close(ctx, o.log)
		}
	}()
	if c.keys, err = loadKeys(o.config); err != nil {
		return nil, err
	}
	if o.tier {
		if err := c.addTier(o); err != nil {
			return nil, err
		}
	}
	if o.engine != nil && o.config.WHIP.Enabled {
		if err := c.addWHIP(o); err != nil {
			return nil, err
		}
	}
	if o.config.Admin.Enabled {
		if err := c.addAdmin(o); err != nil {
			return nil, err
		}
	}
	return c, c.addDemo(o)
}

// loadKeys reads the keys of tokens, or makes one.
func loadKeys(cfg config.Config) (*auth.Keys, error) {
	if cfg.Tokens.KeyFile == "" {
		return auth.NewKeys()
	}
	keys, err := auth.LoadKeys(cfg.Tokens.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tokens.key_file: %w", err)
	}
	return keys, nil
}

func (c *clients) mount(pattern string, h http.Handler) {
	c.mounts = append(c.mounts, httpd.Mount{Pattern: pattern, Handler: h})
}

func (c *clients) addTier(o clientsOf) error {
	cfg := o.config.SignalTier()
	cfg.Keys, cfg.Logger = c.keys, o.log
	for _, n := range o.nodes {
		cfg.Nodes = append(cfg.Nodes, signaling.Node{ID: n.id, Conn: n.conn})
	}
	tier, err := signaling.New(cfg)
	if err != nil {
		return fmt.Errorf("signaling: %w", err)
	}
	c.tier = tier
	c.mount("/signal", tier.Handler())
	return nil
}

func (c *clients) addWHIP(o clientsOf) error {
	cfg := o.config.WHIPFace()
	cfg.Node, cfg.Keys, cfg.Logger = o.engine, c.keys, o.log
	face, err := whip.New(cfg)
	if err != nil {
		return fmt.Errorf("WHIP and WHEP: %w", err)
	}
	c.whip = face
	c.mount("/whip/", face.Handler())
	c.mount("/whep/", face.Handler())
	return nil
}

func (c *clients) addAdmin(o clientsOf) error {
	cfg := o.config.AdminFace()
	cfg.Keys, cfg.Logger = c.keys, o.log
	for _, n := range o.nodes {
		cfg.Nodes = append(cfg.Nodes, admin.Node{ID: n.id, Conn: n.conn})
	}
	api, err := admin.New(cfg)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	c.mount("/admin/api/", api)
	return c.addPages("admin")
}

func (c *clients) addPages(directory string) error {
	pages, err := httpd.Pages(web.Files, directory)
	if err != nil {
		return err
	}
	c.mount("/"+directory+"/", pages)
	return nil
}

// addDemo adds the demo page, what it is made of, and its tokens.
func (c *clients) addDemo(o clientsOf) error {
	if err := c.addPages("demo"); err != nil {
		return err
	}
	c.mount("GET /sdk/switchyard.js", httpd.Open(httpd.File("switchyard.js", sdkjs.Bundle)))
	where := httpd.DemoConfig{App: demoApp}
	if c.tier != nil {
		where.Signal = "/signal"
	}
	if o.config.DemoTokens() {
		where.Tokens = "/demo/token"
		c.mount("POST /demo/token", httpd.DemoTokens(c.demoToken))
	}
	c.mount("GET /demo/config.json", where)
	return nil
}

// demoToken signs a token for the demo page: every room of the demo app.
func (c *clients) demoToken(r httpd.TokenRequest) (string, time.Duration, error) {
	token, err := c.keys.Sign(&auth.Claims{
		App: demoApp, UserID: r.UserID, UserName: r.UserName, Expires: time.Now().Add(demoTTL),
		Rooms: []auth.Room{{Any: true, Grants: auth.Grants{Publish: true, Subscribe: true, Message: true, Manage: r.Manage}}},
	})
	return token, demoTTL, err
}

// close tells clients of the tier that it goes, and lets go of the nodes.
func (c *clients) close(ctx context.Context, log *slog.Logger) {
	if c == nil {
		return
	}
	if c.tier != nil {
		if err := c.tier.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			log.Error("the signaling tier did not stop in order", "error", err)
		}
	}
	for _, n := range c.nodes {
		_ = n.conn.Close() // closed twice at worst
	}
}
