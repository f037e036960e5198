// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newKeys(t testing.TB) *auth.Keys {
	t.Helper()
	keys, err := auth.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func sign(t testing.TB, keys *auth.Keys, claims auth.Claims) string {
	t.Helper()
	if claims.Issued.IsZero() {
		claims.Issued, claims.Expires = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	}
	claims.App = "a"
	token, err := keys.Sign(&claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// fakeNode is a node of which the test says what it answers.
type fakeNode struct {
	invoke func(method string, request, reply proto.Message) error
	stream func(ctx context.Context, request *sfuv1.WatchEventsRequest) (*sfuv1.WatchEventsResponse, error) // each turn gives one item
}

func (n *fakeNode) Invoke(_ context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	if n.invoke == nil {
		return nil
	}
	return n.invoke(method, args.(proto.Message), reply.(proto.Message))
}

func (n *fakeNode) NewStream(ctx context.Context, _ *grpc.StreamDesc, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	return &fakeStream{ctx: ctx, node: n}, nil
}

type fakeStream struct {
	grpc.ClientStream
	ctx     context.Context
	node    *fakeNode
	request *sfuv1.WatchEventsRequest
}

func (s *fakeStream) SendMsg(m any) error { s.request = m.(*sfuv1.WatchEventsRequest); return nil }
func (s *fakeStream) CloseSend() error    { return nil }

func (s *fakeStream) RecvMsg(m any) error {
	item, err := s.node.stream(s.ctx, s.request)
	if err == nil {
		proto.Merge(m.(proto.Message), item)
	}
	return err
}

func heartbeat(revision uint64) *sfuv1.WatchEventsResponse {
	return &sfuv1.WatchEventsResponse{Item: &sfuv1.WatchEventsResponse_Heartbeat{Heartbeat: &sfuv1.Heartbeat{Revision: revision, NodeEpoch: 7}}}
}

// newServer serves nodes that are not real, and may be changed.
func newServer(t testing.TB, node grpc.ClientConnInterface) http.Handler {
	t.Helper()
	h, err := New(Config{Nodes: []Node{{ID: "local", Conn: node}}, Keys: newKeys(t), AllowMutation: true})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// do asks as a program on the same machine does.
func do(h http.Handler, method, target, body string) (int, map[string]any) {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr, r.Host = "127.0.0.1:5000", "localhost:7780"
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var answer map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &answer) // the test sees what is missing
	return w.Code, answer
}

// live is a node behind the API behind a real HTTP server, as in sfu.
type live struct {
	*sfutest.Node
	url string
}

func startLive(t *testing.T) *live {
	t.Helper()
	n := sfutest.StartNode(t, nil)
	conn, err := grpc.NewClient(n.Target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s := httptest.NewUnstartedServer(newServer(t, conn))
	s.Config.ReadTimeout, s.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond // far shorter than an event stream
	s.Start()
	t.Cleanup(s.Close)
	t.Cleanup(s.Client().CloseIdleConnections)
	return &live{Node: n, url: s.URL + root}
}

func (l *live) post(t *testing.T, call, body string) (int, string) {
	t.Helper()
	r, err := http.Post(l.url+"local/"+call, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}
