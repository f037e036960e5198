// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// problem is a refusal: what an answer says beside its status (RFC 9457). The ones below are templates, never changed.
type problem struct {
	status int
	reason string // stable, UPPER_SNAKE, as in the control API
	detail string // for people
	retry  time.Duration
	header [][2]string
}

// Error implements error.
func (p *problem) Error() string { return p.detail }

func (p *problem) saying(detail string) *problem {
	c := *p
	c.detail = detail
	return &c
}

func (p *problem) after(d time.Duration) *problem {
	c := *p
	c.retry = max(d, time.Second)
	return &c
}

func (p *problem) with(name, value string) *problem {
	c := *p
	c.header = append(slices.Clip(c.header), [2]string{name, value})
	return &c
}

// What this face refuses by itself; the rest comes from the node.
var (
	errRate        = &problem{status: http.StatusTooManyRequests, reason: "CALL_RATE", detail: "requests come too fast from this address"}
	errNoTarget    = &problem{status: http.StatusNotFound, reason: "NO_SUCH_PATH", detail: "want /whip/{app}/{room}/{stream} or /whep/{app}/{room}/{stream}"}
	errNoResource  = &problem{status: http.StatusNotFound, reason: "SESSION_NOT_FOUND", detail: "no such session; it may have ended"}
	errMethod      = &problem{status: http.StatusMethodNotAllowed, reason: "METHOD_NOT_ALLOWED", detail: "the method has no meaning here"}
	errNoToken     = &problem{status: http.StatusUnauthorized, reason: "BAD_CREDENTIALS", detail: "the request brings no bearer token"}
	errToken       = &problem{status: http.StatusUnauthorized, reason: "BAD_CREDENTIALS", detail: "the token is not valid"}
	errGrant       = &problem{status: http.StatusForbidden, reason: "GRANT_MISSING", detail: "the token does not allow this"}
	errKicked      = &problem{status: http.StatusForbidden, reason: "KICKED", detail: "the user was put out of the room after the token was issued"}
	errMediaType   = &problem{status: http.StatusUnsupportedMediaType, reason: "MEDIA_TYPE", detail: "the body is of another type than is taken here"}
	errTooLarge    = &problem{status: http.StatusRequestEntityTooLarge, reason: "BODY_TOO_LARGE", detail: "the body is too long"}
	errBody        = &problem{status: http.StatusBadRequest, reason: "BODY_UNREADABLE", detail: "the body did not arrive whole"}
	errSDP         = &problem{status: http.StatusBadRequest, reason: "SDP_INVALID", detail: "the body is not an offer"}
	errMedia       = &problem{status: http.StatusUnprocessableEntity, reason: "MEDIA_NOT_SUPPORTED", detail: "the offer asks for what this protocol does not have"}
	errFragment    = &problem{status: http.StatusBadRequest, reason: "FRAGMENT_INVALID", detail: "the body is not a fragment of SDP (RFC 8840)"}
	errNoCondition = &problem{status: http.StatusPreconditionRequired, reason: "IF_MATCH_REQUIRED", detail: `want If-Match with the ETag of the ICE session, or * for a restart`}
	errCondition   = &problem{status: http.StatusPreconditionFailed, reason: "STALE_ETAG", detail: "the ICE session is another one by now"}
	errNotLive     = &problem{status: http.StatusConflict, reason: "STREAM_NOT_FOUND", detail: "nobody publishes this stream now", retry: 2 * time.Second}
	errFull        = &problem{status: http.StatusServiceUnavailable, reason: "SESSION_LIMIT", detail: "the server has the most sessions allowed", retry: 5 * time.Second}
	errPartial     = &problem{status: http.StatusUnprocessableEntity, reason: "MEDIA_NOT_SUPPORTED", detail: "not every m-line of the offer could be taken"}
)

// kindStatuses is the one place where the node's errors get their HTTP statuses.
var kindStatuses = map[router.ErrorKind]int{
	router.KindInternal:           http.StatusInternalServerError,
	router.KindInvalidArgument:    http.StatusBadRequest,
	router.KindNotFound:           http.StatusNotFound,
	router.KindAlreadyExists:      http.StatusConflict,
	router.KindFailedPrecondition: http.StatusConflict,
	router.KindPermissionDenied:   http.StatusForbidden,
	router.KindResourceExhausted:  http.StatusServiceUnavailable,
	router.KindAborted:            http.StatusConflict,
	router.KindUnavailable:        http.StatusServiceUnavailable,
	router.KindUnauthenticated:    http.StatusUnauthorized,
	router.KindUnimplemented:      http.StatusNotImplemented,
	router.KindDeadlineExceeded:   http.StatusServiceUnavailable,
}

// problemOf turns any error into a refusal. Errors it does not know say nothing of the inside to the client.
func problemOf(err error) *problem {
	if own, ok := errors.AsType[*problem](err); ok {
		return own
	}
	var domain *router.Error
	switch {
	case errors.As(err, &domain):
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		domain = sfu.ErrDeadline
	default:
		domain = sfu.ErrInternal
	}
	p := &problem{status: kindStatuses[domain.Kind], reason: domain.Reason, detail: domain.Error(), retry: domain.RetryAfter}
	switch {
	case domain.Is(sfu.ErrSDPTooLarge):
		p.status = http.StatusRequestEntityTooLarge
	case domain.Is(sfu.ErrMediaLineLimit):
		p.status, p.retry = http.StatusUnprocessableEntity, 0
	case domain.Is(sfu.ErrCandidateLimit):
		p.status = http.StatusTooManyRequests
	case p.status == 0:
		p.status = http.StatusInternalServerError
	}
	if p.status == http.StatusServiceUnavailable && p.retry == 0 {
		p.retry = 2 * time.Second
	}
	return p
}

// refuse writes a refusal as problem details (RFC 9457).
func (s *Server) refuse(err error) reply {
	p := problemOf(err)
	if p.status == http.StatusInternalServerError {
		s.cfg.Logger.Error("WHIP request failed", "error", err)
	}
	body, err := json.Marshal(struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Reason string `json:"reason"`
	}{http.StatusText(p.status), p.status, p.detail, p.reason})
	if err != nil { // strings and a number: cannot be
		body = nil
	}
	out := reply{status: p.status, header: append([][2]string{{"Content-Type", "application/problem+json"}}, p.header...), body: string(body)}
	if p.retry > 0 {
		seconds := int64((p.retry + time.Second - 1) / time.Second)
		out.header = append(out.header, [2]string{"Retry-After", strconv.FormatInt(seconds, 10)})
	}
	return out
}
