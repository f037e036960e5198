// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"log/slog"
	"math"
	"os"
	"sync/atomic"

	"github.com/switchyard-media/sfu/internal/config"
)

// logLevels are the levels in force; a reload changes them.
type logLevels struct {
	now atomic.Pointer[levelSet] // written by set, read by every log call
}

// levelSet is immutable.
type levelSet struct {
	own, pion slog.Level
	scopes    map[string]slog.Level
}

func (l *logLevels) set(c config.Log) {
	s := &levelSet{own: level(c.Level), pion: level(c.PionLevel), scopes: make(map[string]slog.Level)}
	for scope, word := range c.PionScopes {
		s.scopes[scope] = level(word)
	}
	l.now.Store(s)
}

// level is the least level that a word of the configuration lets through.
func level(word string) slog.Level {
	switch word {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	case "off":
		return math.MaxInt
	default:
		return slog.LevelInfo
	}
}

// newLogger makes the process's logger.
func newLogger(w io.Writer, format string, levels *logLevels) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	var h slog.Handler = slog.NewJSONHandler(w, options)
	if format == "text" || format == "auto" && terminal(w) {
		h = slog.NewTextHandler(w, options)
	}
	return slog.New(levelHandler{Handler: h, levels: levels})
}

// terminal reports whether somebody is looking.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// pionKey is the attribute by which the engine marks pion's lines; its value is the part of pion they come from.
const pionKey = "pion"

// levelHandler drops what is below the level in force. It exists because slog's own option is one level for all.
type levelHandler struct {
	slog.Handler
	levels *logLevels
	scope  string // of pion; empty: our own lines
}

// Enabled implements slog.Handler.
func (h levelHandler) Enabled(_ context.Context, l slog.Level) bool {
	s := h.levels.now.Load()
	if h.scope == "" {
		return l >= s.own
	}
	if least, ok := s.scopes[h.scope]; ok {
		return l >= least
	}
	return l >= s.pion
}

// WithAttrs implements slog.Handler.
func (h levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		if a.Key == pionKey {
			h.scope = a.Value.String()
		}
	}
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

// WithGroup implements slog.Handler.
func (h levelHandler) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}
