// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/switchyard-media/sfu/router"
)

// The two protocols, as they stand in paths.
const (
	whip = "whip"
	whep = "whep"
)

// patience is how long a request may take, its body included.
const patience = 10 * time.Second

// Server is the face. Make one with New. Safe for concurrent use.
type Server struct {
	cfg   Config     // immutable after New
	links []string   // values of Link header fields, one an ICE server's URL; immutable after New
	rates *addresses // has its own lock
	tally *tally     // has its own lock
	kicks kicks      // has its own lock

	mu        sync.Mutex                     // guards the rest
	resources map[string]*resource           // by the last part of their path
	sessions  map[router.SessionID]*resource // the same ones
	opening   int                            // places kept for those that are being made
}

// Why New refuses a Config.
var (
	errNoNode    = errors.New("whip: the configuration names no node")
	errNoKeys    = errors.New("whip: the configuration names no keys for tokens")
	errICEServer = errors.New("whip: an ICE server's URL or credentials cannot stand in a header field")
)

// New makes a server, which follows its node until that is closed.
func New(c Config) (*Server, error) {
	switch {
	case c.Node == nil:
		return nil, errNoNode
	case c.Keys == nil:
		return nil, errNoKeys
	}
	c.MaxSessions = positive(c.MaxSessions, 10_000)
	c.MaxBody = positive(c.MaxBody, 256<<10)
	c.Rate = positive(c.Rate, 20)
	c.Burst = positive(c.Burst, 60)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	links, err := linksOf(c.ICEServers)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: c, links: links, rates: newAddresses(c.Rate, c.Burst), tally: newTally(), kicks: kicks{node: c.Node},
		resources: make(map[string]*resource), sessions: make(map[router.SessionID]*resource),
	}
	watcher, err := s.watch()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotFollowing, err)
	}
	if err := s.kicks.catchUp(); err != nil {
		watcher.Close()
		return nil, fmt.Errorf("%w: %w", errNotFollowing, err)
	}
	go s.follow(watcher)
	return s, nil
}

func positive(n, fallback int) int {
	if n > 0 {
		return n
	}
	return fallback
}

// linksOf writes ICE servers as RFC 9725, section 4.6, has them: a field for each URL.
func linksOf(servers []ICEServer) ([]string, error) {
	var links []string
	for _, server := range servers {
		for _, address := range server.URLs {
			if !visible(address) || strings.ContainsAny(address, "<> ") || !visible(server.Username) || !visible(server.Credential) {
				return nil, fmt.Errorf("%w: %q", errICEServer, address)
			}
			link := "<" + address + `>; rel="ice-server"`
			if strings.HasPrefix(address, "turn") {
				link += "; username=" + quoted(server.Username) + "; credential=" + quoted(server.Credential) + `; credential-type="password"`
			}
			links = append(links, link)
		}
	}
	return links, nil
}

// visible says whether s has only characters that a quoted-string may have (RFC 9110, section 5.6.4).
func visible(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func quoted(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

// Handler serves /whip/ and /whep/.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// reply is an answer. Functions make it as a value, so that nothing is written before everything is decided.
type reply struct {
	status int
	header [][2]string
	body   string
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(patience)) // a recorder of a test has none
	out, err := s.respond(w, r.WithContext(ctx))
	if err != nil {
		out = s.refuse(err)
	}
	h := w.Header()
	for _, field := range out.header {
		h.Add(field[0], field[1])
	}
	s.allowOrigin(h, r)
	h.Set("Cache-Control", "no-store") // answers hold credentials of ICE
	h.Set("X-Content-Type-Options", "nosniff")
	s.tally.count(r.Method, out.status)
	w.WriteHeader(out.status)
	_, _ = w.Write([]byte(out.body)) // a client that has gone; net/http leaves it out for HEAD
}

// target is what a path names.
type target struct {
	protocol          string // whip or whep
	app, room, stream string
	id                string // of a resource; empty: the endpoint
	endpoint          string // its path, escaped as it came
}

// targetOf reads /{protocol}/{app}/{room}/{stream} with or without /{id}. Whether ids are good ones is the node's to say.
func targetOf(escaped string) (target, bool) {
	parts := strings.Split(escaped, "/")
	if len(parts) < 5 || len(parts) > 6 || parts[0] != "" || parts[1] != whip && parts[1] != whep {
		return target{}, false
	}
	t := target{protocol: parts[1], endpoint: strings.Join(parts[:5], "/")}
	for i, to := range []*string{&t.app, &t.room, &t.stream, &t.id} {
		if 2+i >= len(parts) {
			break
		}
		part, err := url.PathUnescape(parts[2+i])
		if err != nil || part == "" {
			return target{}, false
		}
		*to = part
	}
	return t, true
}

// respond is the way of every request.
func (s *Server) respond(w http.ResponseWriter, r *http.Request) (reply, error) {
	if wait, ok := s.rates.allow(addressOf(r.RemoteAddr), time.Now()); !ok {
		return reply{}, errRate.after(wait)
	}
	t, ok := targetOf(r.URL.EscapedPath())
	if !ok {
		return reply{}, errNoTarget
	}
	allowed := endpointMethods
	if t.id != "" {
		allowed = resourceMethods
	}
	switch {
	case r.Method == http.MethodOptions:
		return s.options(t, allowed), nil
	case !strings.Contains(allowed+",", r.Method+","):
		return reply{}, errMethod.with("Allow", allowed)
	case t.id != "":
		return s.onResource(w, r, t)
	case r.Method == http.MethodPost:
		return s.create(w, r, t)
	default: // GET and HEAD: there is nothing to show, and this is how players find out what the URL is
		return reply{status: http.StatusOK, header: [][2]string{{"Content-Type", typeSDP}, {"Accept-Post", typeSDP}}}, nil
	}
}

// The methods of the two kinds of resources, as in Allow.
const (
	endpointMethods = "GET, HEAD, OPTIONS, POST"
	resourceMethods = "DELETE, GET, HEAD, OPTIONS, PATCH"
)
