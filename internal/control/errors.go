// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

// errorDomain is the domain of every google.rpc.ErrorInfo this face sends.
const errorDomain = "sfu"

// kindCodes is the one place where domain errors get their gRPC codes.
var kindCodes = map[router.ErrorKind]codes.Code{
	router.KindInternal:           codes.Internal,
	router.KindInvalidArgument:    codes.InvalidArgument,
	router.KindNotFound:           codes.NotFound,
	router.KindAlreadyExists:      codes.AlreadyExists,
	router.KindFailedPrecondition: codes.FailedPrecondition,
	router.KindPermissionDenied:   codes.PermissionDenied,
	router.KindResourceExhausted:  codes.ResourceExhausted,
	router.KindAborted:            codes.Aborted,
	router.KindUnavailable:        codes.Unavailable,
	router.KindUnauthenticated:    codes.Unauthenticated,
	router.KindUnimplemented:      codes.Unimplemented,
	router.KindDeadlineExceeded:   codes.DeadlineExceeded,
}

// Errors of the face itself.
var (
	errCredentials = &router.Error{Kind: router.KindUnauthenticated, Reason: "BAD_CREDENTIALS", Code: 1002033, Message: "the call brings no valid credentials"}
	errForbidden   = &router.Error{Kind: router.KindPermissionDenied, Reason: "CALLER_NOT_ALLOWED", Message: "the certificate's names are not on the list of allowed ones"}
	errCallRate    = &router.Error{Kind: router.KindResourceExhausted, Reason: "CALL_RATE", Code: 1002071, Message: "calls come too fast"}
	errEnding      = &router.Error{Kind: router.KindUnavailable, Reason: "NODE_CLOSED", Message: "the process was told to stop, which nothing takes back"}
	errInternal    = &router.Error{Kind: router.KindInternal, Reason: "INTERNAL", Message: "internal error; the node's log says more"}
)

// statusOf turns an error of the node into a gRPC status. Errors it does not know say nothing of the inside to the caller.
func statusOf(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	var domain *router.Error
	switch {
	case errors.As(err, &domain):
	case errors.Is(err, context.DeadlineExceeded):
		domain = sfu.ErrDeadline
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, err.Error())
	default:
		domain = errInternal
	}
	code, ok := kindCodes[domain.Kind]
	if !ok {
		code = codes.Internal
	}
	st := status.New(code, err.Error())
	if domain == errInternal {
		st = status.New(code, domain.Error())
	}
	detailed, detailErr := st.WithDetails(details(domain)...)
	if detailErr != nil {
		return st.Err() // the code and text are right; details are not worth failing for
	}
	return detailed.Err()
}

func details(e *router.Error) []protoadapt.MessageV1 {
	list := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: e.Reason, Domain: errorDomain, Metadata: metadataOf(e)}}
	if e.RetryAfter > 0 {
		list = append(list, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)})
	}
	part := strings.Contains(e.Field, "[") // of a call made of several: which one failed matters whatever the failure
	if e.Field != "" && (part || e.Kind == router.KindInvalidArgument) {
		list = append(list, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: e.Field, Description: e.Message, Reason: e.Reason},
		}})
	}
	return list
}

func metadataOf(e *router.Error) map[string]string {
	m := make(map[string]string)
	if e.Code != 0 {
		m["zego_code"] = strconv.Itoa(e.Code)
	}
	if e.Kind == router.KindAborted && e.Current != 0 {
		m["current"] = strconv.FormatUint(e.Current, 10)
	}
	if e.Subject != "" {
		m["subject"] = e.Subject
	}
	return m
}

// failureOf is an error as part of a reply, for items of a batch.
func failureOf(err error) *sfuv1.Failure {
	if err == nil {
		return nil
	}
	var domain *router.Error
	if !errors.As(err, &domain) {
		domain = errInternal
	}
	return &sfuv1.Failure{
		Code: int32(kindCodes[domain.Kind]), Reason: domain.Reason, Metadata: metadataOf(domain), Message: domain.Error(),
	}
}

// argument is an INVALID_ARGUMENT about one field.
func argument(field, format string, args ...any) error {
	e := router.ErrArgument.In(field)
	e.Message = fmt.Sprintf(format, args...)
	return e
}
