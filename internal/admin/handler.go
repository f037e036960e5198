// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc"
)

// Bounds of what is served. Whoever is let in is trusted with the node, not with the process's memory.
const (
	root              = "/admin/api/"
	maxCalls          = 16               // calls to nodes running at once; more are refused
	maxBody           = 256 << 10        // bytes of a request; the largest, a message of 64 KiB, takes 88 KiB in base64
	maxReply          = 16 << 20         // bytes of a node's answer to a call
	maxItem           = 64 << 20         // bytes of one item of an event stream: a room is never cut
	callTimeout       = 12 * time.Second // of one call; the node's own limit is 10 s as shipped
	writePatience     = 10 * time.Second // how long a reader of events may take for one item
	defaultMaxStreams = 16
)

// handler answers /admin/api/. Safe for concurrent use.
type handler struct {
	// immutable after newHandler
	ids      []string // of nodes, in the order of Config
	nodes    map[string]grpc.ClientConnInterface
	methods  map[string]method // by Service/Method
	mutation bool
	access   *access
	calls    places
	streams  places
	log      *slog.Logger
}

// places bounds what happens at once: who finds none is refused and does not wait.
type places chan struct{}

func (p places) take() bool {
	select {
	case p <- struct{}{}:
		return true
	default:
		return false
	}
}

func (p places) leave() { <-p }

func newHandler(c Config) (*handler, error) {
	if c.Keys == nil {
		return nil, errors.New("admin: Config.Keys is required")
	}
	if len(c.Nodes) == 0 {
		return nil, errors.New("admin: Config.Nodes names no node")
	}
	log := c.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	maxStreams := c.MaxStreams
	if maxStreams <= 0 {
		maxStreams = defaultMaxStreams
	}
	methods, err := findMethods()
	if err != nil {
		return nil, err
	}
	h := &handler{
		nodes: make(map[string]grpc.ClientConnInterface, len(c.Nodes)), methods: methods, mutation: c.AllowMutation,
		access: newAccess(c.Keys, c.TokenOnly), calls: make(places, maxCalls), streams: make(places, maxStreams), log: log,
	}
	for _, n := range c.Nodes {
		if n.ID == "" || n.Conn == nil || h.nodes[n.ID] != nil {
			return nil, fmt.Errorf("admin: node %q has no id or no connection, or is named twice", n.ID)
		}
		h.ids = append(h.ids, n.ID)
		h.nodes[n.ID] = n.Conn
	}
	return h, nil
}

// ServeHTTP implements http.Handler. There is no CORS: no other site's page gets an answer.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	who, f := h.access.check(r)
	if f == nil {
		f = h.route(w, r, who)
	}
	if f == nil {
		return
	}
	h.log.Debug("admin request refused", "method", r.Method, "path", r.URL.Path, "from", r.RemoteAddr, "status", f.Status, "reason", f.Reason)
	f.write(w)
}

// path is what a request is for; empty fields were not in it.
type path struct{ node, service, method string }

// parsePath takes a path apart, escaped as it came, so that a node's id may have any character.
func parsePath(escaped string) (p path, ok bool) {
	rest, ok := strings.CutPrefix(escaped, root)
	if !ok {
		return p, false
	}
	parts := strings.Split(rest, "/")
	if len(parts) > 3 {
		return p, false
	}
	for i, into := range []*string{&p.node, &p.service, &p.method}[:len(parts)] {
		part, err := url.PathUnescape(parts[i])
		if err != nil || part == "" {
			return path{}, false
		}
		*into = part
	}
	return p, true
}

func (h *handler) route(w http.ResponseWriter, r *http.Request, who caller) *failure {
	p, ok := parsePath(r.URL.EscapedPath())
	switch {
	case !ok || p.service == "" && p.node != "nodes" || p.method == "" && p.service != "" && p.service != "events":
		return failf(http.StatusNotFound, "NOT_FOUND", "PATH_NOT_FOUND", "nothing is here; docs/admin.md lists what there is")
	case p.method == "" && r.Method != http.MethodGet:
		return notAllowed(http.MethodGet)
	case p.method != "" && r.Method != http.MethodPost:
		return notAllowed(http.MethodPost)
	case p.service == "":
		writeJSON(w, http.StatusOK, map[string]any{"nodes": h.ids, "mutation": h.mutation})
		return nil
	}
	conn, ok := h.nodes[p.node]
	if !ok {
		return failf(http.StatusNotFound, "NOT_FOUND", "NODE_NOT_FOUND", "there is no node %q here", p.node)
	}
	if p.method == "" {
		return h.watch(w, r, conn, who)
	}
	return h.call(w, r, conn, p, who)
}

func notAllowed(instead string) *failure {
	f := failf(http.StatusMethodNotAllowed, "UNIMPLEMENTED", "METHOD_NOT_ALLOWED", "this takes %s only", instead)
	f.allow = instead
	return f
}
