// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// failure is a request that was not done, as the answer says it.
type failure struct {
	Status  string `json:"status"`          // canonical gRPC code, such as NOT_FOUND
	Reason  string `json:"reason"`          // of google.rpc.ErrorInfo, or one of this package
	Message string `json:"message"`         // for people
	Code    int    `json:"code"`            // zego_code; 0: none
	Field   string `json:"field,omitempty"` // of the request, where it is to blame

	http      int
	allow     string        // method that is
	retry     time.Duration // 0: not said
	challenge bool          // a token is what is missing
}

func failf(status int, canonical, reason, format string, args ...any) *failure {
	return &failure{Status: canonical, Reason: reason, Message: fmt.Sprintf(format, args...), http: status}
}

func (f *failure) write(w http.ResponseWriter) {
	if f.allow != "" {
		w.Header().Set("Allow", f.allow)
	}
	if f.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.retry+time.Second-1)/time.Second)))
	}
	if f.challenge {
		w.Header().Set("WWW-Authenticate", `Bearer realm="switchyard admin"`) // RFC 6750, section 3
	}
	writeJSON(w, f.http, f)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody to tell
}

// httpStatus is the usual mapping of google.rpc.Code, but for UNAUTHENTICATED: that is this process without credentials at the
// node, which no token of the client mends.
var httpStatus = map[codes.Code]int{
	codes.Canceled:           499, // nobody reads it
	codes.InvalidArgument:    http.StatusBadRequest,
	codes.FailedPrecondition: http.StatusBadRequest,
	codes.OutOfRange:         http.StatusBadRequest,
	codes.Unauthenticated:    http.StatusBadGateway,
	codes.PermissionDenied:   http.StatusForbidden,
	codes.NotFound:           http.StatusNotFound,
	codes.AlreadyExists:      http.StatusConflict,
	codes.Aborted:            http.StatusConflict,
	codes.ResourceExhausted:  http.StatusTooManyRequests,
	codes.Unimplemented:      http.StatusNotImplemented,
	codes.Unavailable:        http.StatusServiceUnavailable,
	codes.DeadlineExceeded:   http.StatusGatewayTimeout,
}

// failureOf turns what a node answered into an answer of ours.
func failureOf(err error) *failure {
	st := status.Convert(err)
	name := code.Code(st.Code()).String()
	f := failf(http.StatusInternalServerError, name, name, "%s", st.Message())
	if st.Code() == codes.Unavailable {
		f.Reason = "NODE_UNREACHABLE" // unless the node itself says what is the matter
	}
	if s, ok := httpStatus[st.Code()]; ok {
		f.http = s
	}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			f.Reason = d.GetReason()
			f.Code, _ = strconv.Atoi(d.GetMetadata()["zego_code"]) // 0 when there is none
		case *errdetails.RetryInfo:
			f.retry = d.GetRetryDelay().AsDuration()
		case *errdetails.BadRequest:
			if v := d.GetFieldViolations(); len(v) > 0 {
				f.Field = v[0].GetField()
			}
		}
	}
	return f
}
