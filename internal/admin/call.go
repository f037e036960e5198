// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// call passes one call on to a node.
func (h *handler) call(w http.ResponseWriter, r *http.Request, conn grpc.ClientConnInterface, p path, who caller) *failure {
	m, ok := h.methods[p.service+"/"+p.method]
	if !ok {
		return failf(http.StatusNotFound, "NOT_FOUND", "METHOD_NOT_OFFERED", "%s/%s cannot be called here; docs/admin.md lists what can", p.service, p.method)
	}
	if m.changes && !h.mutation {
		return failf(http.StatusForbidden, "PERMISSION_DENIED", "READ_ONLY", "%s/%s changes something, and this node is set to only be looked at here", p.service, p.method)
	}
	request := m.in.New().Interface()
	if f := readRequest(w, r, request); f != nil {
		return f
	}
	if m.check != nil {
		if f := m.check(request); f != nil {
			return f
		}
	}
	if !h.calls.take() {
		return failf(http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", "TOO_MANY_CALLS", "%d calls are running already", maxCalls)
	}
	defer h.calls.leave()
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	reply := m.out.New().Interface()
	err := conn.Invoke(ctx, m.full, request, reply, grpc.MaxCallRecvMsgSize(maxReply))
	if m.changes {
		h.note(r, p, who, request, err)
	}
	if err != nil {
		return failureOf(err)
	}
	body, err := encode(reply)
	if err != nil {
		return failf(http.StatusInternalServerError, "INTERNAL", "INTERNAL", "the node's answer cannot be put into JSON")
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the client is gone: nobody to tell
	return nil
}

// note logs a call that changes something: who changed what has to be found out afterwards. Texts of people are left out.
func (h *handler) note(r *http.Request, p path, who caller, request proto.Message, err error) {
	about := []any{"node", p.node, "method", p.service + "/" + p.method, "by", who.name, "from", r.RemoteAddr}
	m := request.ProtoReflect()
	for _, name := range []protoreflect.Name{"app_id", "room_id", "user_id", "session_id", "stream_id", "subscription_id"} {
		if field := m.Descriptor().Fields().ByName(name); field != nil && m.Has(field) {
			about = append(about, string(name), m.Get(field).String())
		}
	}
	if err != nil {
		about = append(about, "error", err)
	}
	h.log.Info("admin call", about...)
}

// readRequest reads a body. That it has to be called JSON keeps other sites' forms out: they cannot send that without CORS.
func readRequest(w http.ResponseWriter, r *http.Request, into proto.Message) *failure {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return failf(http.StatusUnsupportedMediaType, "INVALID_ARGUMENT", "CONTENT_TYPE", "content-type must be application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, long := errors.AsType[*http.MaxBytesError](err); long {
			return failf(http.StatusRequestEntityTooLarge, "INVALID_ARGUMENT", "BODY_TOO_LONG", "the body is longer than %d bytes", maxBody)
		}
		return failf(http.StatusBadRequest, "INVALID_ARGUMENT", "BODY_INVALID", "the body cannot be read")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil // an empty request, as curl -X POST sends it
	}
	if err := decode(body, into); err != nil {
		return failf(http.StatusBadRequest, "INVALID_ARGUMENT", "BODY_INVALID", "the body is not a %s in protobuf JSON: %v", into.ProtoReflect().Descriptor().Name(), err)
	}
	return nil
}

// encode writes protobuf JSON on one line. The library varies its white space on purpose; that would only trouble people with
// grep.
func encode(m proto.Message) ([]byte, error) {
	text, err := protojson.Marshal(m)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Compact(&out, text)
	return out.Bytes(), err
}

// decode reads protobuf JSON. Unknown fields are errors: a misspelt incarnation must not turn into no fence at all.
func decode(body []byte, into proto.Message) error {
	err := protojson.UnmarshalOptions{}.Unmarshal(body, into)
	if err == nil {
		return nil
	}
	// In its errors it varies white space too, and names itself.
	text := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	return errors.New(strings.TrimPrefix(text, "proto: "))
}
