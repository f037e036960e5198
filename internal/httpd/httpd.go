// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package httpd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits of all servers. What is posted here is short, and so is every answer but a profile. WebSockets are not bound by
// them, since net/http takes the deadlines off a connection that it hands over; event streams take theirs off themselves.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	idleTimeout       = time.Minute
	maxHeaderBytes    = 16 << 10
	writeTimeout      = 30 * time.Second // not for the profiler: a profile takes as long as it is asked to
)

// Server serves one handler on one listener. Safe for concurrent use.
type Server struct {
	http *http.Server  // immutable after Start
	end  func()        // immutable: cancels the contexts of requests
	done chan struct{} // closed by serve when it ends
	log  *slog.Logger  // immutable
}

// Options of a server.
type Options struct {
	Slow   bool         // long answers, a profile, are possible
	TLS    *Certificate // nil: plain HTTP
	Logger *slog.Logger // required
}

// Start serves h on l, which it owns from now on, until Shutdown.
func Start(l net.Listener, h http.Handler, o Options) *Server {
	base, end := context.WithCancel(context.Background())
	log := o.Logger
	s := &Server{
		http: &http.Server{
			Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
			MaxHeaderBytes: maxHeaderBytes, WriteTimeout: writeTimeout,
			ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
			BaseContext: func(net.Listener) context.Context { return base },
		},
		end: end, done: make(chan struct{}), log: log,
	}
	if o.Slow {
		s.http.WriteTimeout = 0
	}
	if o.TLS != nil {
		s.http.TLSConfig = o.TLS.config()
	}
	go s.serve(l)
	return s
}

func (s *Server) serve(l net.Listener) {
	defer close(s.done)
	serve := s.http.Serve
	if s.http.TLSConfig != nil {
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") } // the certificate is in TLSConfig
	}
	if err := serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("HTTP server ended", "address", l.Addr(), "error", err)
	}
}

// Shutdown takes no more requests, tells running ones to end by their contexts, waits for them until ctx ends, and closes
// what is left.
func (s *Server) Shutdown(ctx context.Context) {
	s.end()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // the only thing left to do
	}
	<-s.done
}
