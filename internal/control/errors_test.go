// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/router"
	"github.com/switchyard-media/sfu/sfu"
)

func detail[T any](t *testing.T, err error) (found T, ok bool) {
	t.Helper()
	st, isStatus := status.FromError(err)
	if !isStatus {
		t.Fatalf("%v is no status", err)
	}
	for _, d := range st.Details() {
		if v, is := d.(T); is {
			return v, true
		}
	}
	return found, false
}

func TestStatusOfDomainErrors(t *testing.T) {
	for _, test := range []struct {
		err    error
		code   codes.Code
		reason string
		zego   string
	}{
		{router.ErrRoomModeFixed, codes.FailedPrecondition, "ROOM_MODE_FIXED", "1001020"},
		{router.ErrSingleRoomMode, codes.FailedPrecondition, "SINGLE_ROOM_MODE", "1002001"},
		{router.ErrUserMismatch, codes.FailedPrecondition, "USER_MISMATCH", "1002018"},
		{router.ErrMultiRoomDisabled, codes.PermissionDenied, "MULTI_ROOM_DISABLED", "1002036"},
		{router.ErrUserRoomLimit, codes.ResourceExhausted, "USER_ROOM_LIMIT", "1002037"},
		{router.ErrPublishRoom, codes.InvalidArgument, "ROOM_ID_REQUIRED", "1003070"},
		{router.ErrPlayRoom, codes.InvalidArgument, "ROOM_ID_REQUIRED", "1004070"},
		{fmt.Errorf("joining: %w", router.ErrRoomFull.About("r")), codes.ResourceExhausted, "ROOM_FULL", "1002034"},
		{sfu.ErrStaleOffer, codes.Aborted, "STALE_OFFER", ""},
		{sfu.ErrStopTimeout, codes.DeadlineExceeded, "STOP_TIMEOUT", ""},
		{errCredentials, codes.Unauthenticated, "BAD_CREDENTIALS", "1002033"},
		{errForbidden, codes.PermissionDenied, "CALLER_NOT_ALLOWED", ""},
		{errors.New("secret inside"), codes.Internal, "INTERNAL", ""},
	} {
		err := statusOf(test.err)
		if got := status.Code(err); got != test.code {
			t.Errorf("%v: code %v, want %v", test.err, got, test.code)
		}
		info, ok := detail[*errdetails.ErrorInfo](t, err)
		if !ok || info.GetReason() != test.reason || info.GetDomain() != "sfu" || info.GetMetadata()["zego_code"] != test.zego {
			t.Errorf("%v: error info %v, want reason %s, code %q", test.err, info, test.reason, test.zego)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%v tells the caller of the inside", err)
		}
	}
}

func TestStatusDetails(t *testing.T) {
	retry, ok := detail[*errdetails.RetryInfo](t, statusOf(router.ErrMessageRate.After(1500*time.Millisecond)))
	if !ok || retry.GetRetryDelay().AsDuration() != 1500*time.Millisecond {
		t.Errorf("retry info %v", retry)
	}
	bad, ok := detail[*errdetails.BadRequest](t, statusOf(argument("page.size", "must be at most %d", 7)))
	if !ok || bad.GetFieldViolations()[0].GetField() != "page.size" || bad.GetFieldViolations()[0].GetDescription() != "must be at most 7" {
		t.Errorf("bad request %v", bad)
	}
	info, _ := detail[*errdetails.ErrorInfo](t, statusOf(router.ErrStaleIncarnation.Now(42).About("room")))
	if info.GetMetadata()["current"] != "42" || info.GetMetadata()["subject"] != "room" {
		t.Errorf("metadata %v", info.GetMetadata())
	}
	if got := status.Code(statusOf(fmt.Errorf("waiting: %w", context.DeadlineExceeded))); got != codes.DeadlineExceeded {
		t.Errorf("deadline became %v", got)
	}
	if statusOf(nil) != nil {
		t.Error("no error became a status")
	}
}

func TestEveryKindHasACode(t *testing.T) {
	for kind := router.KindInternal; kind <= router.KindDeadlineExceeded; kind++ {
		if _, ok := kindCodes[kind]; !ok {
			t.Errorf("kind %d has no gRPC code", kind)
		}
	}
}

// TestEveryReasonIsDocumented reads the sentinels from the sources, so that a new one cannot be left out of the API, and the
// API promises none that there is not.
func TestEveryReasonIsDocumented(t *testing.T) {
	found, sent := 0, make(map[string]bool)
	for _, dir := range []string{"../../router", "../../sfu", "."} {
		for _, reason := range reasonsIn(t, dir) {
			found++
			sent["ERROR_REASON_"+reason] = true
			if _, ok := sfuv1.ErrorReason_value["ERROR_REASON_"+reason]; !ok {
				t.Errorf("%s: reason %s is not in proto/sfu/v1/errors.proto", dir, reason)
			}
		}
	}
	for name, n := range sfuv1.ErrorReason_value {
		if n != 0 && !sent[name] {
			t.Errorf("%s is documented, and nothing sends it", name)
		}
	}
	if found < 40 {
		t.Errorf("only %d reasons found: the test reads the wrong files", found)
	}
}

func reasonsIn(t *testing.T, dir string) (list []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, raw, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if pair, ok := n.(*ast.KeyValueExpr); ok {
				key, isName := pair.Key.(*ast.Ident)
				value, isText := pair.Value.(*ast.BasicLit)
				if isName && isText && key.Name == "Reason" {
					if text, err := strconv.Unquote(value.Value); err == nil {
						list = append(list, text)
					}
				}
			}
			return true
		})
	}
	return list
}

func TestEveryEndReasonHasAName(t *testing.T) {
	for reason, wire := range reasons {
		if got := wire.String(); got != "END_REASON_"+string(reason) {
			t.Errorf("%s is told as %s", reason, got)
		}
	}
	if len(reasons) != len(sfuv1.EndReason_name)-1 {
		t.Errorf("%d reasons are told, the API has %d", len(reasons), len(sfuv1.EndReason_name)-1)
	}
}
