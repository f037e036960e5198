// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/internal/sfutest"
	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	app   = "demo"
	multi = sfuv1.RoomMode_ROOM_MODE_MULTI
	// patience is how long a test waits for what has to come; nothing that works takes that long, on the slowest machine.
	patience = time.Minute
)

// startNode starts a node whose sessions may stay without a connection for the whole test.
func startNode(t testing.TB, change func(*sfu.Config)) *sfutest.Node {
	t.Helper()
	return sfutest.StartNode(t, func(c *sfu.Config, _ *control.Config) {
		c.Router.SessionTTL = time.Hour
		if change != nil {
			change(c)
		}
	})
}

// tier is a Server with its face and keys.
type tier struct {
	*Server
	t    testing.TB
	keys *auth.Keys
	url  string
	http *httptest.Server
}

func newKeys(t testing.TB) *auth.Keys {
	t.Helper()
	keys, err := auth.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// dial connects to a node's gRPC face.
func dial(t testing.TB, target string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// startTier starts a tier in front of nodes, which are named n0, n1 and so on.
func startTier(t testing.TB, keys *auth.Keys, change func(*Config), nodes ...*sfutest.Node) *tier {
	t.Helper()
	config := Config{Keys: keys, PingInterval: time.Minute}
	for i, n := range nodes {
		config.Nodes = append(config.Nodes, Node{ID: fmt.Sprint("n", i), Conn: dial(t, n.Target)})
	}
	if change != nil {
		change(&config)
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	x := &tier{Server: s, t: t, keys: keys, http: httptest.NewServer(s.Handler())}
	x.url = "ws" + strings.TrimPrefix(x.http.URL, "http")
	t.Cleanup(x.end)
	return x
}

// end stops the tier; the sessions of its clients go on.
func (x *tier) end() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := x.Close(ctx); err != nil {
		x.t.Errorf("closing the tier: %v", err)
	}
	x.http.Close()
}

// everything is what most tests' users may do.
var everything = auth.Grants{Publish: true, Subscribe: true, Message: true, Manage: true}

// claims are those of a user that may do everything everywhere, for an hour.
func claims(user string) *auth.Claims {
	now := time.Now()
	return &auth.Claims{
		App: app, UserID: user, UserName: "name of " + user, Rooms: []auth.Room{{Any: true, Grants: everything}},
		Issued: now, Expires: now.Add(time.Hour),
	}
}

func (x *tier) sign(c *auth.Claims) string {
	x.t.Helper()
	token, err := x.keys.Sign(c)
	if err != nil {
		x.t.Fatal(err)
	}
	return token
}

// peer is a client of the tier. Replies are matched with requests; notices are kept in order.
type peer struct {
	t      testing.TB
	socket *websocket.Conn
	id     uint32
	hello  *signalv1.Welcome

	mu      sync.Mutex // guards the rest
	changed chan struct{}
	frames  []*signalv1.ServerMessage // all, in order
	taken   map[int]bool              // frames that notice has answered
	err     error                     // that ended the connection
}

// connect opens a connection and says nothing.
func (x *tier) connect() *peer {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), patience)
	defer cancel()
	socket, _, err := websocket.Dial(ctx, x.url, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	socket.SetReadLimit(16 << 20)
	p := &peer{t: x.t, socket: socket, changed: make(chan struct{}), taken: make(map[int]bool)}
	ended := make(chan struct{})
	go p.collect(ended)
	x.t.Cleanup(func() {
		_ = socket.CloseNow()
		<-ended
	})
	return p
}

func (p *peer) collect(ended chan struct{}) {
	defer close(ended)
	for {
		_, frame, err := p.socket.Read(context.Background())
		m := &signalv1.ServerMessage{}
		if err == nil {
			err = protojson.Unmarshal(frame, m)
		}
		p.mu.Lock()
		if err == nil {
			p.frames = append(p.frames, m)
		} else {
			p.err = err
		}
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// wait returns when the condition, called with mu held after every frame, is true.
func (p *peer) wait(what string, condition func() bool) {
	p.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		p.mu.Lock()
		ok, err, changed := condition(), p.err, p.changed
		p.mu.Unlock()
		switch {
		case ok:
			return
		case err != nil:
			p.t.Fatalf("waiting for %s: %v", what, err)
		}
		select {
		case <-changed:
		case <-timeout.C:
			p.t.Fatalf("waiting for %s: it did not come", what)
		}
	}
}

// write sends a frame.
func (p *peer) write(frame []byte) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	if err := p.socket.Write(ctx, websocket.MessageText, frame); err != nil {
		p.t.Fatal(err)
	}
}

// send sends a request and answers its id. The request is the oneof's wrapper.
func (p *peer) send(m *signalv1.ClientMessage) uint32 {
	p.t.Helper()
	p.id++
	m.Id = p.id
	frame, err := protojson.Marshal(m)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(frame)
	return p.id
}

// reply waits for the reply to a request.
func (p *peer) reply(id uint32) *signalv1.Reply {
	p.t.Helper()
	var reply *signalv1.Reply
	p.wait(fmt.Sprintf("the reply to %d", id), func() bool {
		for _, f := range p.frames {
			if f.GetReply().GetId() == id {
				reply = f.GetReply()
			}
		}
		return reply != nil
	})
	return reply
}

// ask sends a request that has to succeed.
func (p *peer) ask(m *signalv1.ClientMessage) *signalv1.Reply {
	p.t.Helper()
	reply := p.reply(p.send(m))
	if f := reply.GetFailure(); f != nil {
		p.t.Fatalf("%T: %v", m.GetRequest(), f)
	}
	return reply
}

// refused sends a request that has to fail for a reason.
func (p *peer) refused(m *signalv1.ClientMessage, status, reason string, code uint32) *signalv1.Failure {
	p.t.Helper()
	f := p.reply(p.send(m)).GetFailure()
	if f.GetStatus() != status || f.GetReason() != reason || f.GetCode() != code {
		p.t.Errorf("%T: failure %v, want %s %s %d", m.GetRequest(), f, status, reason, code)
	}
	return f
}

// notice waits for the first notice that match picks, of those that it has not answered yet.
func (p *peer) notice(what string, match func(*signalv1.Notice) bool) *signalv1.Notice {
	p.t.Helper()
	var found *signalv1.Notice
	p.wait(what, func() bool {
		for i, f := range p.frames {
			if n := f.GetNotice(); n != nil && !p.taken[i] && match(n) {
				found, p.taken[i] = n, true
				break
			}
		}
		return found != nil
	})
	return found
}

// notices are all that have come.
func (p *peer) notices() (list []*signalv1.Notice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.frames {
		if n := f.GetNotice(); n != nil {
			list = append(list, n)
		}
	}
	return list
}

// closed waits for the end of the connection and answers its code; -1: there was none.
func (p *peer) closed() websocket.StatusCode {
	p.t.Helper()
	var err error
	timeout := time.After(patience)
	for {
		p.mu.Lock()
		changed := p.changed
		err = p.err
		p.mu.Unlock()
		if err != nil {
			return websocket.CloseStatus(err)
		}
		select {
		case <-changed:
		case <-timeout:
			p.t.Fatal("the connection was not closed")
		}
	}
}

func hello(h *signalv1.Hello) *signalv1.ClientMessage {
	return &signalv1.ClientMessage{Request: &signalv1.ClientMessage_Hello{Hello: h}}
}

// as signs in with a new session.
func (x *tier) as(c *auth.Claims) *peer {
	x.t.Helper()
	p := x.connect()
	p.hello = p.ask(hello(&signalv1.Hello{Token: x.sign(c), RoomMode: multi})).GetWelcome()
	return p
}

// user signs in as one who may do everything.
func (x *tier) user(id string) *peer { x.t.Helper(); return x.as(claims(id)) }

func login(room string) *signalv1.ClientMessage {
	return &signalv1.ClientMessage{Request: &signalv1.ClientMessage_LoginRoom{LoginRoom: &signalv1.LoginRoom{RoomId: room}}}
}

func logout(room string) *signalv1.ClientMessage {
	return &signalv1.ClientMessage{Request: &signalv1.ClientMessage_LogoutRoom{LogoutRoom: &signalv1.LogoutRoom{RoomId: room}}}
}

func (p *peer) login(room string) *signalv1.RoomState {
	p.t.Helper()
	return p.ask(login(room)).GetRoom()
}

func (p *peer) userID() string { return p.hello.GetSession().GetUser().GetId() }

// clientOf is the tier's side of a peer.
func (n *node) clientOf(p *peer) *client {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.clients[p.hello.GetSession().GetId()]
}
