// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"strings"

	"github.com/pion/logging"
)

// srtpLogs counts what SRTP refuses. pion says it with a log line for each such packet, and nowhere else; the line is made
// whether anybody reads it or not, so counting costs a search in it. TestRefusedSRTP holds pion to the wording.
type srtpLogs struct {
	logging.LoggerFactory
	socket *socket
}

// NewLogger implements logging.LoggerFactory.
func (l srtpLogs) NewLogger(scope string) logging.LeveledLogger {
	logger := l.LoggerFactory.NewLogger(scope)
	if scope != "srtp" {
		return logger
	}

	return srtpLog{logger, l.socket}
}

// srtpLog is the logger of one SRTP or SRTCP session.
type srtpLog struct {
	logging.LeveledLogger
	socket *socket
}

// Info implements logging.LeveledLogger.
func (l srtpLog) Info(m string) {
	l.socket.drops[srtpRefusal(m)].Add(1)
	l.LeveledLogger.Info(m)
}

// srtpRefusal tells by pion's words why a packet was refused.
func srtpRefusal(m string) socketDrop {
	switch {
	case strings.Contains(m, "duplicated packet"):
		return dropReplayed
	case strings.Contains(m, "failed to verify auth tag"):
		return dropForged
	}

	return dropSRTP
}
