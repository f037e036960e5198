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

// Limits of both servers. Nobody posts anything here, and every answer is short but a profile.
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
	done chan struct{} // closed by serve when it ends
	log  *slog.Logger  // immutable
}

// Start serves h on l, which it owns from now on, until Shutdown. Long answers, a profile, are possible when slow is set.
func Start(l net.Listener, h http.Handler, slow bool, log *slog.Logger) *Server {
	s := &Server{
		http: &http.Server{
			Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
			MaxHeaderBytes: maxHeaderBytes, WriteTimeout: writeTimeout,
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
		done: make(chan struct{}), log: log,
	}
	if slow {
		s.http.WriteTimeout = 0
	}
	go s.serve(l)
	return s
}

func (s *Server) serve(l net.Listener) {
	defer close(s.done)
	if err := s.http.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("HTTP server ended", "address", l.Addr(), "error", err)
	}
}

// Shutdown takes no more requests, waits for running ones until ctx ends, and closes what is left.
func (s *Server) Shutdown(ctx context.Context) {
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // the only thing left to do
	}
	<-s.done
}
