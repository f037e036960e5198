// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
)

// logbook reads what the browser writes and keeps the complaints of its decoders, which no statistic counts.
type logbook struct {
	mu       sync.Mutex // guards the rest
	rest     []byte     // the beginning of a line
	failures []string
}

// Write implements io.Writer.
func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		if text := string(line); strings.Contains(text, "Failed to decode frame") {
			l.failures = append(l.failures, text)
		}
		l.rest = rest
	}
}

// of answers the complaints about a stream.
func (l *logbook) of(ssrc uint32) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, text := range l.failures {
		if strings.Contains(text, fmt.Sprintf("SSRC: %d,", ssrc)) {
			found = append(found, text)
		}
	}
	return found
}
