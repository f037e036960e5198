// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"time"

	"github.com/switchyard-media/sfu/router"
)

// The engine's own errors, beside those of package router. Reasons are part of the control API.
var (
	ErrStaleOffer      = &router.Error{Kind: router.KindAborted, Reason: "STALE_OFFER", Field: "offer_id", Message: "a later offer was negotiated, or another one under this number"}
	ErrSDP             = &router.Error{Kind: router.KindInvalidArgument, Reason: "SDP_INVALID", Field: "offer_sdp", Message: "the offer cannot be used"}
	ErrSDPTooLarge     = &router.Error{Kind: router.KindInvalidArgument, Reason: "SDP_TOO_LARGE", Field: "offer_sdp", Message: "the offer is larger than this node takes"}
	ErrMediaLineLimit  = &router.Error{Kind: router.KindResourceExhausted, Reason: "MEDIA_LINE_LIMIT", Field: "offer_sdp", Message: "the offer has more m-lines than a session may have", RetryAfter: 5 * time.Second}
	ErrCandidate       = &router.Error{Kind: router.KindInvalidArgument, Reason: "CANDIDATE_INVALID", Field: "candidates", Message: "not an ICE candidate"}
	ErrCandidateLimit  = &router.Error{Kind: router.KindResourceExhausted, Reason: "CANDIDATE_LIMIT", Field: "candidates", Message: "the session has the most candidates allowed", RetryAfter: time.Second}
	ErrRequestIDReused = &router.Error{Kind: router.KindInvalidArgument, Reason: "REQUEST_ID_REUSED", Field: "request_id", Message: "request_id was used with another request"}
	ErrNotNegotiated   = &router.Error{Kind: router.KindFailedPrecondition, Reason: "NOT_NEGOTIATED", Message: "the session has not negotiated yet"}
	ErrStopTimeout     = &router.Error{Kind: router.KindDeadlineExceeded, Reason: "STOP_TIMEOUT", Message: "the stop was ordered, but the media workers have not confirmed it yet"}
	ErrClosed          = &router.Error{Kind: router.KindUnavailable, Reason: "NODE_CLOSED", Message: "the node is closed"}
	ErrWatcherLimit    = &router.Error{Kind: router.KindResourceExhausted, Reason: "WATCHER_LIMIT", Message: "the node has the most watchers allowed", RetryAfter: 5 * time.Second}
	ErrBusy            = &router.Error{Kind: router.KindResourceExhausted, Reason: "SESSION_BUSY", Message: "the session has too many requests waiting", RetryAfter: time.Second}
	ErrDeadline        = &router.Error{Kind: router.KindDeadlineExceeded, Reason: "DEADLINE_EXCEEDED", Message: "the caller's deadline passed"}
	ErrInternal        = &router.Error{Kind: router.KindInternal, Reason: "INTERNAL", Message: "internal error"}
)

// saying returns a copy of a sentinel with a message of its own.
func saying(sentinel *router.Error, message string) *router.Error {
	c := *sentinel
	c.Message = message

	return &c
}
