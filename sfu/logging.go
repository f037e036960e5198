// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/pion/logging"
)

// logEvery is the least time between two lines of one scope and level: what comes from the network must not be able to
// fill a disk. Lines left out are counted and told with the next one.
const logEvery = time.Second

// secrets are what no log line may carry: the ICE password is all that a stranger lacks to take over a transport.
var secrets = regexp.MustCompile(`(?i)(ice-pwd:|pwd=|password[=: ]+)\S+`)

// pionLogs hands pion's log lines to slog, one scope per pion package.
type pionLogs struct {
	log *slog.Logger // immutable

	mu     sync.Mutex               // guards scopes
	scopes map[string]*pionLogScope // by name: loggers are made per connection, their limits are per node
}

func newPionLogs(log *slog.Logger) *pionLogs {
	return &pionLogs{log: log, scopes: make(map[string]*pionLogScope)}
}

// NewLogger implements logging.LoggerFactory.
func (p *pionLogs) NewLogger(scope string) logging.LeveledLogger {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.scopes[scope]
	if s == nil {
		s = &pionLogScope{log: p.log.With("pion", scope)}
		p.scopes[scope] = s
	}

	return s
}

// pionLogScope is one scope's logger. Pion calls warnings and errors what a hostile or absent client causes, so both
// become debug lines of ours: whatever matters to an operator is logged by the session itself, with its id.
type pionLogScope struct {
	log *slog.Logger // immutable

	mu      sync.Mutex // guards the rest
	last    [2]time.Time
	skipped [2]int
}

func (s *pionLogScope) write(which int, message func() string) {
	if !s.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	s.mu.Lock()
	now := time.Now()
	if now.Sub(s.last[which]) < logEvery {
		s.skipped[which]++
		s.mu.Unlock()

		return
	}
	skipped := s.skipped[which]
	s.last[which], s.skipped[which] = now, 0
	s.mu.Unlock()
	s.log.Debug(secrets.ReplaceAllString(message(), "$1***"), "level", [...]string{"warn", "error"}[which], "skipped", skipped)
}

// Trace implements logging.LeveledLogger: left out, it speaks of every packet.
func (s *pionLogScope) Trace(string) {}

// Tracef implements logging.LeveledLogger: left out, it speaks of every packet.
func (s *pionLogScope) Tracef(string, ...any) {}

// Debug implements logging.LeveledLogger: left out, it repeats what the session logs.
func (s *pionLogScope) Debug(string) {}

// Debugf implements logging.LeveledLogger: left out, it repeats what the session logs.
func (s *pionLogScope) Debugf(string, ...any) {}

// Info implements logging.LeveledLogger: left out, it repeats what the session logs.
func (s *pionLogScope) Info(string) {}

// Infof implements logging.LeveledLogger: left out, it repeats what the session logs.
func (s *pionLogScope) Infof(string, ...any) {}

// Warn implements logging.LeveledLogger.
func (s *pionLogScope) Warn(m string) { s.write(0, func() string { return m }) }

// Warnf implements logging.LeveledLogger.
func (s *pionLogScope) Warnf(f string, args ...any) {
	s.write(0, func() string { return fmt.Sprintf(f, args...) })
}

// Error implements logging.LeveledLogger.
func (s *pionLogScope) Error(m string) { s.write(1, func() string { return m }) }

// Errorf implements logging.LeveledLogger.
func (s *pionLogScope) Errorf(f string, args ...any) {
	s.write(1, func() string { return fmt.Sprintf(f, args...) })
}
