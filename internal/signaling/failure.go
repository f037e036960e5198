// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
)

// failure is why a request is refused: by the tier itself, or by the node.
type failure struct {
	status codes.Code
	reason string
	code   uint32 // numeric code of the SDK; 0: none
	text   string
	retry  time.Duration
}

// Error implements error.
func (f *failure) Error() string { return f.reason + ": " + f.text }

// Is compares reasons: text and delay belong to one occurrence.
func (f *failure) Is(target error) bool {
	other, ok := target.(*failure)
	return ok && other.reason == f.reason
}

// The tier's own reasons. docs/signaling.md lists them.
var (
	errBadToken      = &failure{status: codes.Unauthenticated, reason: "BAD_TOKEN", code: 1002033, text: "the token is not valid"}
	errTokenExpired  = &failure{status: codes.Unauthenticated, reason: "TOKEN_EXPIRED", code: 1002033, text: "the token has expired"}
	errTokenMismatch = &failure{status: codes.PermissionDenied, reason: "TOKEN_MISMATCH", code: 1002033, text: "the token is not for this session's app, group and user"}
	errTokenOlder    = &failure{status: codes.FailedPrecondition, reason: "TOKEN_OLDER", text: "the token is older than the one it is to replace"}
	errNotGranted    = &failure{status: codes.PermissionDenied, reason: "ROOM_NOT_GRANTED", code: 1002033, text: "the token does not name this room"}
	errKicked        = &failure{status: codes.PermissionDenied, reason: "KICKED", code: 1002055, text: "the user was put out of the room after the token was issued"}
	errManage        = &failure{status: codes.PermissionDenied, reason: "MANAGE_DENIED", text: "the member has no manage grant in this room"}
	errNotOwn        = &failure{status: codes.PermissionDenied, reason: "NOT_OWN_STREAM", text: "only a stream of one's own can be changed so"}
	errNotMember     = &failure{status: codes.NotFound, reason: "NOT_A_MEMBER", code: 1002002, text: "the session is not in this room"}
	errNoPlaying     = &failure{status: codes.NotFound, reason: "SUBSCRIPTION_NOT_FOUND", text: "the session has no such subscription"}
	errPlayRoom      = &failure{status: codes.InvalidArgument, reason: "ROOM_ID_REQUIRED", code: 1004070, text: "the room is missing"}
	errNoSession     = &failure{status: codes.NotFound, reason: "SESSION_NOT_FOUND", text: "there is no such session of this user"}
	errModeFixed     = &failure{status: codes.FailedPrecondition, reason: "ROOM_MODE_FIXED", code: 1001020, text: "the session has another room mode"}
	errProtocol      = &failure{status: codes.InvalidArgument, reason: "PROTOCOL", text: "the frame is not a request that may come here"}
	errUnknown       = &failure{status: codes.Unimplemented, reason: "UNKNOWN_REQUEST", text: "the tier does not know this request"}
	errRate          = &failure{status: codes.ResourceExhausted, reason: "RATE", code: 1002073, text: "too many requests"}
	errBusy          = &failure{status: codes.ResourceExhausted, reason: "BUSY", code: 1002073, text: "too many requests wait already", retry: time.Second}
	errNode          = &failure{status: codes.Unavailable, reason: "NODE_UNAVAILABLE", text: "the node does not answer", retry: time.Second}
	errDeadline      = &failure{status: codes.DeadlineExceeded, reason: "DEADLINE_EXCEEDED", text: "the node did not answer in time", retry: time.Second}
	errInternal      = &failure{status: codes.Internal, reason: "INTERNAL", text: "a fault of the tier or the node"}
)

// saying is the failure with another text.
func (f *failure) saying(text string) *failure {
	g := *f
	g.text = text
	return &g
}

// after is the failure with a time to wait.
func (f *failure) after(d time.Duration) *failure {
	g := *f
	g.retry = d
	return &g
}

// domain is ErrorInfo.domain of the node's own errors. Others come from the way to it, and may say more than is good of how
// that looks.
const domain = "sfu"

// failureOf says what a client is told of the error of a call.
func failureOf(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	st := status.Convert(err)
	f := &failure{status: st.Code(), text: st.Message()}
	own := false
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			own, f.reason = d.GetDomain() == domain, d.GetReason()
			n, _ := strconv.ParseUint(d.GetMetadata()["zego_code"], 10, 32)
			f.code = uint32(n)
		case *errdetails.RetryInfo:
			f.retry = d.GetRetryDelay().AsDuration()
		}
	}
	switch {
	case f.reason == "BAD_CREDENTIALS" || f.reason == "CALLER_NOT_ALLOWED":
		return errNode // the tier's own, not the client's
	case own:
		return f
	case st.Code() == codes.Unavailable || st.Code() == codes.Unauthenticated || st.Code() == codes.Unimplemented:
		return errNode
	case st.Code() == codes.DeadlineExceeded || st.Code() == codes.Canceled:
		return errDeadline
	}
	return errInternal
}

// open says whether a call with this error may have been carried out nevertheless.
func open(err error) bool {
	if _, ok := errors.AsType[*failure](err); ok {
		return false
	}
	switch status.Code(err) {
	case codes.DeadlineExceeded, codes.Unavailable, codes.Canceled, codes.Internal, codes.Unknown:
		return true
	default:
		return false
	}
}

// reply makes the answer to the request with the id.
func (f *failure) reply(id uint32) *signalv1.Reply {
	return &signalv1.Reply{Id: id, Result: &signalv1.Reply_Failure{Failure: &signalv1.Failure{
		Status: code.Code(f.status).String(), Reason: f.reason, Code: f.code, Message: f.text,
		RetryAfterMs: uint32(max(0, f.retry.Milliseconds())),
	}}}
}

// ended says whether the error says that the session is no more.
func ended(err error) bool {
	reason := failureOf(err).reason
	return reason == "SESSION_NOT_FOUND" || reason == "STALE_EPOCH"
}

// within is the context of one request's calls to a node. It outlives the client's connection: what was asked for is carried
// out, and told to the connection that resumes.
func (s *Server) within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.calls, s.config.RequestTimeout)
}
