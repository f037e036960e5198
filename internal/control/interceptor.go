// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/switchyard-media/sfu/sfu"
)

// gate is what every call passes on its way in, in this order: count, contain panics, authenticate, limit the rate, set a deadline,
// answer repeats. Errors become statuses on the way out, in one place.
type gate struct {
	node    *sfu.Node     // immutable, as are all below
	log     *slog.Logger  //
	vault   *vault        // nil: callers in this process, who are let in
	callers *callers      //
	counts  *counters     //
	timeout time.Duration // of unary calls
}

// public says which methods need no credentials: a load balancer asks for health before it knows any.
func public(method string) bool { return strings.HasPrefix(method, "/grpc.health.v1.Health/") }

func (g *gate) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (reply any, err error) {
	start := time.Now()
	g.counts.active.Add(1)
	defer func() {
		if p := recover(); p != nil {
			err = g.panicked(info.FullMethod, p)
		}
		err = statusOf(g.seen(info.FullMethod, err))
		g.counts.active.Add(-1)
		g.counts.call(strings.TrimPrefix(info.FullMethod, "/"), status.Code(err), time.Since(start))
	}()
	if err := g.admit(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	keyed, ok := request.(interface{ GetRequestId() string })
	if !ok || keyed.GetRequestId() == "" {
		return handler(ctx, request)
	}
	return g.once(ctx, keyed.GetRequestId(), request, info.FullMethod, handler)
}

// once answers a repeated request_id with the first answer.
func (g *gate) once(ctx context.Context, id string, request any, method string, handler grpc.UnaryHandler) (any, error) {
	if len(id) > maxID {
		return nil, argument("request_id", "must be at most %d bytes", maxID)
	}
	message, ok := request.(proto.Message)
	if !ok {
		return handler(ctx, request)
	}
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		return nil, err
	}
	got, err := g.node.Idempotent(ctx, method, id, sha256.Sum256(body), func() (any, error) {
		reply, err := handler(ctx, request)
		if message, ok := reply.(proto.Message); ok && err == nil {
			return kept{message}, nil
		}
		return reply, err
	})
	if k, ok := got.(kept); ok {
		return k.Message, err
	}
	return got, err
}

// kept is an answer that is remembered; it may hold a whole room.
type kept struct{ proto.Message }

// inMemory is about how many times larger a message is in memory than on the wire.
const inMemory = 4

// Size implements sfu.Sized.
func (k kept) Size() int { return inMemory * proto.Size(k.Message) }

func (g *gate) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	g.counts.streams.Add(1)
	defer func() {
		if p := recover(); p != nil {
			err = g.panicked(info.FullMethod, p)
		}
		err = statusOf(g.seen(info.FullMethod, err))
		g.counts.streams.Add(-1)
	}()
	if err := g.admit(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return handler(server, stream)
}

func (g *gate) admit(ctx context.Context, method string) error {
	if public(method) || g.vault == nil {
		return nil
	}
	caller, err := g.vault.admit(ctx)
	switch {
	case errors.Is(err, errForbidden):
		g.counts.refuse("forbidden")
		return err
	case err != nil:
		g.counts.refuse("unauthenticated")
		return err
	}
	if ok, wait := g.callers.allow(caller, time.Now()); !ok {
		g.counts.refuse("rate")
		return errCallRate.After(wait)
	}
	return nil
}

// seen logs what the caller will be told too little of.
func (g *gate) seen(method string, err error) error {
	if err != nil && status.Code(statusOf(err)).String() == "Internal" {
		g.log.Error("call failed", "method", method, "error", err)
	}
	return err
}

func (g *gate) panicked(method string, p any) error {
	g.counts.panics.Add(1)
	g.log.Error("call panicked", "method", method, "panic", p, "stack", string(debug.Stack()))
	return errInternal
}
