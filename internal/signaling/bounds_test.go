// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package signaling

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/switchyard-media/sfu/internal/sfutest"
	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
	"github.com/switchyard-media/sfu/sfu"
)

// TestProtocol sends what is no request, and looks at how the connection ends.
func TestProtocol(t *testing.T) {
	x := startTier(t, newKeys(t), func(c *Config) { c.MaxFrame = 4096 }, startNode(t, nil))
	signed := `{"id":1,"hello":{"token":"` + x.sign(claims("a")) + `","roomMode":"ROOM_MODE_MULTI"}}`
	for _, test := range []struct {
		name   string
		frames []string
		status string // of the last reply
		reason string
		code   websocket.StatusCode // 0: it stays open
	}{
		{"nothing of JSON", []string{"hello"}, "INVALID_ARGUMENT", "PROTOCOL", closeProtocol},
		{"an empty frame", []string{""}, "INVALID_ARGUMENT", "PROTOCOL", closeProtocol},
		{"no hello first", []string{`{"id":1,"ping":{}}`}, "INVALID_ARGUMENT", "PROTOCOL", closeProtocol},
		{"a hello without id", []string{`{"hello":{}}`}, "INVALID_ARGUMENT", "PROTOCOL", closeProtocol},
		{"garbage later", []string{signed, `{"id":2,`}, "INVALID_ARGUMENT", "PROTOCOL", closeProtocol},
		{"the same id", []string{signed, `{"id":1,"ping":{}}`}, "INVALID_ARGUMENT", "PROTOCOL", closeProtocol},
		{"a field of the wrong type", []string{signed, `{"id":2,"loginRoom":{"roomId":7}}`}, "INVALID_ARGUMENT", "PROTOCOL", 0},
		{"a request of the future", []string{signed, `{"id":2,"fly":{"high":true}}`}, "UNIMPLEMENTED", "UNKNOWN_REQUEST", 0},
		{"no request", []string{signed, `{"id":2}`}, "UNIMPLEMENTED", "UNKNOWN_REQUEST", 0},
		{"a field of the future", []string{signed, `{"id":2,"ping":{"why":"so"},"more":[{}]}`}, "", "", 0},
		{"a frame that is too long", []string{signed, strings.Repeat(" ", 5000)}, "", "", websocket.StatusMessageTooBig},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := x.connect()
			p.t = t
			for _, f := range test.frames {
				p.write([]byte(f))
			}
			if test.code == 0 {
				p.id = 2
				if f := p.reply(2).GetFailure(); f.GetStatus() != test.status || f.GetReason() != test.reason {
					t.Errorf("failure %v, want %s %s", f, test.status, test.reason)
				}
				p.ask(ping())
				return
			}
			if code := p.closed(); code != test.code {
				t.Errorf("closed with %d, want %d", code, test.code)
			}
			if last := p.frames[max(0, len(p.frames)-1):]; test.status != "" && last[0].GetReply().GetFailure().GetReason() != test.reason {
				t.Errorf("the last frame is %v", last)
			}
		})
	}
	p := x.connect()
	if err := p.socket.Write(t.Context(), websocket.MessageBinary, []byte(signed)); err != nil {
		t.Fatal(err)
	}
	if code := p.closed(); code != websocket.StatusUnsupportedData {
		t.Errorf("a binary frame: closed with %d", code)
	}
	if n := x.Stats().Dropped["protocol"]; n < 6 {
		t.Errorf("%d connections were dropped for the protocol", n)
	}
}

// TestRate asks too much: it is refused with a time to wait, and who goes on all the same is cut off.
func TestRate(t *testing.T) {
	x := startTier(t, newKeys(t), func(c *Config) { c.Rate, c.Burst = 1, 4 }, startNode(t, nil))
	p := x.user("a")
	for range 12 {
		p.id++ // it may have been cut off before the last ones
		_ = p.socket.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, `{"id":%d,"ping":{}}`, p.id))
	}
	if code := p.closed(); code != closeRate {
		t.Errorf("closed with %d, want %d", code, closeRate)
	}
	var done int
	var refused *signalv1.Failure
	for _, f := range p.frames {
		if f.GetReply().GetDone() != nil {
			done++
		}
		if v := f.GetReply().GetFailure(); v != nil {
			refused = v
		}
	}
	if done < 4 || done > 6 || refused.GetReason() != "RATE" || refused.GetRetryAfterMs() == 0 || refused.GetCode() != 1002073 {
		t.Errorf("%d of %d were answered, then %v", done, p.id, refused)
	}
	got := x.Stats()
	if got.Dropped["rate"] != 1 || got.Failures["RATE"] == 0 || got.Requests["ping"] != uint64(done) || got.Requests["hello"] != 1 {
		t.Errorf("stats %+v", got)
	}
}

// TestSilence cuts off connections that say nothing, before Hello and after it.
func TestSilence(t *testing.T) {
	node, keys := startNode(t, nil), newKeys(t)
	hasty := startTier(t, keys, func(c *Config) { c.HelloTimeout = 50 * time.Millisecond }, node)
	if code := hasty.connect().closed(); code != closeNoHello {
		t.Errorf("without hello: closed with %d, want %d", code, closeNoHello)
	}
	if got := hasty.Stats().Dropped["no_hello"]; got != 1 {
		t.Errorf("%d without hello", got)
	}
	x := startTier(t, keys, func(c *Config) { c.PingInterval = time.Second }, node)
	p := x.user("a")
	p.login("r1")
	if code := p.closed(); code != closeSilent {
		t.Errorf("closed with %d, want %d", code, closeSilent)
	}
	if got := x.Stats().Dropped["silent"]; got != 1 {
		t.Errorf("%d were silent", got)
	}
	if back := x.resume(p); len(back.hello.GetRooms()) != 1 {
		t.Errorf("it is back in %v", back.hello.GetRooms())
	}
}

// TestTooMany refuses connections past the bounds, and lets others in when some have gone.
func TestTooMany(t *testing.T) {
	x := startTier(t, newKeys(t), func(c *Config) { c.MaxClients, c.MaxPerAddress = 3, 2 }, startNode(t, nil))
	refused := func(what string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		socket, reply, err := websocket.Dial(ctx, x.url, nil)
		if err == nil {
			_ = socket.CloseNow()
			t.Errorf("%s: it was let in", what)
			return
		}
		if reply == nil || reply.StatusCode != http.StatusServiceUnavailable || reply.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %v, %v", what, reply, err)
		}
	}
	p, q := x.connect(), x.connect()
	refused("a third that has shown no token")
	p.ask(hello(&signalv1.Hello{Token: x.sign(claims("p")), RoomMode: multi}))
	q.ask(hello(&signalv1.Hello{Token: x.sign(claims("q")), RoomMode: multi}))
	x.connect()
	refused("a fourth")
	if got := x.Stats(); got.Dropped["too_many"] != 2 || got.Clients != 3 || got.Accepted != 3 {
		t.Errorf("stats %+v", got)
	}
}

// TestOrigins lets pages of other origins in only when they are listed.
func TestOrigins(t *testing.T) {
	x := startTier(t, newKeys(t), func(c *Config) { c.AllowedOrigins = []string{"https://good.example"} }, startNode(t, nil))
	for origin, want := range map[string]bool{"https://good.example": true, "https://bad.example": false, "": true} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		socket, reply, err := websocket.Dial(ctx, x.url, &websocket.DialOptions{HTTPHeader: header})
		cancel()
		if (err == nil) != want {
			t.Errorf("origin %q: %v", origin, err)
		}
		if err == nil {
			_ = socket.CloseNow()
		} else if reply.StatusCode != http.StatusForbidden {
			t.Errorf("origin %q: status %d", origin, reply.StatusCode)
		}
	}
}

// TestSlowClient has a client that does not read, in a room where much is said: it is cut off, and nobody else waits.
func TestSlowClient(t *testing.T) {
	const long = 50_000 // more at once, so that sockets are full soon
	node := startNode(t, func(c *sfu.Config) { c.Router.DefaultApp.Limits.MetadataBytes = long + 100 })
	x := startTier(t, newKeys(t), func(c *Config) { c.Queue = 16 }, node)
	a := x.user("a")
	a.login("r1")
	slow := x.deaf("slow", "r1")
	value := strings.Repeat("x", long)
	last := ""
	for i := 0; x.Stats().Dropped["slow"] == 0; i++ {
		if i > 5000 {
			t.Fatal("it was not cut off")
		}
		last = fmt.Sprint(value, i)
		_, err := node.Room.SetRoomMetadata(t.Context(), &sfuv1.SetRoomMetadataRequest{AppId: app, RoomId: "r1", Key: "k", Value: &last})
		if err != nil {
			t.Fatal(err)
		}
		// The others keep up: what they are told is what has just been said.
		a.notice("what was said", func(n *signalv1.Notice) bool { return n.GetRoomMetadata().GetValue() == last })
		a.forget()
	}
	if back := x.resume(slow); back.hello.GetRooms()[0].GetMetadata()["k"] != last {
		t.Error("it did not get what it missed")
	}
}

// forget lets go of the frames that have come.
func (p *peer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frames = nil
	clear(p.taken)
}

// deaf signs in, enters a room, and then reads nothing any more. Its end of the connection takes little.
func (x *tier) deaf(user, room string) *peer {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), patience)
	defer cancel()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(2048)
		}
		return conn, err
	}}
	socket, _, err := websocket.Dial(ctx, x.url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { _ = socket.CloseNow() })
	p := &peer{t: x.t, socket: socket}
	for _, m := range []*signalv1.ClientMessage{hello(&signalv1.Hello{Token: x.sign(claims(user)), RoomMode: multi}), login(room)} {
		p.send(m)
		_, frame, err := socket.Read(ctx)
		reply := &signalv1.ServerMessage{}
		if err == nil {
			err = protojson.Unmarshal(frame, reply)
		}
		if err != nil || reply.GetReply().GetFailure() != nil {
			x.t.Fatal(reply, err)
		}
		if w := reply.GetReply().GetWelcome(); w != nil {
			p.hello = w
		}
	}
	return p
}

// TestSlowCall holds up the node's answer to a leave: pings, other rooms and other clients go on, the same room waits its turn.
func TestSlowCall(t *testing.T) {
	node := startNode(t, nil)
	way := steer(t, node.Target)
	x := startTier(t, newKeys(t), through(way), node)
	a, b := x.user("a"), x.user("b")
	a.login("r1")
	a.login("r2")
	hold := make(chan struct{})
	way.set(func() {
		way.before = func(method string) error {
			if method == "LeaveRoom" {
				<-hold
			}
			return nil
		}
	})
	leaving := a.send(logout("r1"))
	again := a.send(login("r1"))
	a.ask(ping())
	a.ask(saying("r2", "meanwhile"))
	b.login("r1")
	all := a.send(logout("")) // the whole session waits, and so does what comes after it
	behind := a.send(saying("r2", "not any more"))
	for range maxWaiting - 3 {
		a.send(saying("r2", "in the queue"))
	}
	a.refused(saying("r2", "one too many"), "RESOURCE_EXHAUSTED", "BUSY", 1002073)
	a.mu.Lock()
	for _, f := range a.frames {
		if id := f.GetReply().GetId(); id == leaving || id == again || id == all || id == behind {
			t.Errorf("answered too early: %v", f)
		}
	}
	a.mu.Unlock()
	close(hold)
	for _, id := range []uint32{leaving, again, all} {
		if f := a.reply(id).GetFailure(); f != nil {
			t.Errorf("request %d: %v", id, f)
		}
	}
	if f := a.reply(behind).GetFailure(); f.GetReason() != "NOT_A_MEMBER" {
		t.Errorf("what came after leaving all: %v", f)
	}
}

// TestSeveralNodes puts all that is of one app and group on one node, and says so when that one is away.
func TestSeveralNodes(t *testing.T) {
	nodes := []*sfutest.Node{startNode(t, nil), startNode(t, nil), startNode(t, nil)}
	keys := newKeys(t)
	x := startTier(t, keys, nil, nodes...)
	y := startTier(t, keys, func(c *Config) { c.Nodes[0], c.Nodes[2] = c.Nodes[2], c.Nodes[0] }, nodes...)
	used := map[string]bool{}
	for i := range 12 {
		in := func(user string) *peer {
			c := claims(user)
			c.Group = fmt.Sprint("group", i)
			tier := x
			if user != "a" {
				tier = y
			}
			return tier.as(c)
		}
		a, b := in("a"), in("b")
		a.login("r1")
		b.login("r1")
		a.joins("b")
		used[pick(x.nodes, app, fmt.Sprint("group", i)).id] = true
		a.ask(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_Goodbye{Goodbye: &signalv1.Goodbye{}}})
		// A room token of another group would be for another node.
		b.refused(&signalv1.ClientMessage{Request: &signalv1.ClientMessage_LoginRoom{LoginRoom: &signalv1.LoginRoom{
			RoomId: "r2", Token: x.sign(claims("b")),
		}}}, "PERMISSION_DENIED", "TOKEN_MISMATCH", 1002033)
	}
	if len(used) < 2 {
		t.Errorf("only %v were used", used)
	}
	down := pick(x.nodes, app, "group0")
	nodes[down.id[1]-'0'].StopFace()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := down.wait(ctx, func() (bool, error) { return down.failed, nil })
	if err != nil {
		t.Fatal(err)
	}
	c := claims("c")
	c.Group = "group0"
	x.connect().refused(hello(&signalv1.Hello{Token: x.sign(c)}), "UNAVAILABLE", "NODE_UNAVAILABLE", 0)
}

// TestPick moves few when a node comes or goes.
func TestPick(t *testing.T) {
	three := []*node{{id: "a"}, {id: "b"}, {id: "c"}}
	count := map[string]int{}
	for i := range 3000 {
		group := fmt.Sprint(i)
		n := pick(three, app, group)
		count[n.id]++
		if two := pick(three[:2], app, group); n.id != "c" && two != n {
			t.Fatalf("group %d moved from %s to %s without c", i, n.id, two.id)
		}
	}
	for id, n := range count {
		if n < 900 || n > 1100 {
			t.Errorf("node %s has %d of 3000", id, n)
		}
	}
}

// TestConfig refuses what cannot work.
func TestConfig(t *testing.T) {
	keys, conn := newKeys(t), dial(t, "127.0.0.1:1")
	for name, c := range map[string]Config{
		"no keys":       {Nodes: []Node{{ID: "a", Conn: conn}}},
		"no nodes":      {Keys: keys},
		"no connection": {Keys: keys, Nodes: []Node{{ID: "a"}}},
		"origin":        {Keys: keys, Nodes: []Node{{ID: "a", Conn: conn}}, AllowedOrigins: []string{"["}},
		"twice":         {Keys: keys, Nodes: []Node{{ID: "a", Conn: conn}, {ID: "a", Conn: conn}}},
	} {
		if s, err := New(c); !errors.Is(err, ErrConfig) || s != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoWebSocket answers ordinary requests in an ordinary way, and none after Close.
func TestNoWebSocket(t *testing.T) {
	x := startTier(t, newKeys(t), nil, startNode(t, nil))
	get := func() int {
		reply, err := http.Get(x.http.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer reply.Body.Close()
		_, _ = io.Copy(io.Discard, reply.Body)
		return reply.StatusCode
	}
	if code := get(); code != http.StatusUpgradeRequired {
		t.Errorf("status %d", code)
	}
	if err := x.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if code := get(); code != http.StatusServiceUnavailable {
		t.Errorf("after Close: status %d", code)
	}
	if s := x.Stats(); s.Clients != 0 {
		t.Errorf("%d clients are left", s.Clients)
	}
}

// TestTurns orders jobs by room.
func TestTurns(t *testing.T) {
	var l turns
	jobs := map[string]*job{}
	add := func(name, room string) (begun []string) {
		j := &job{room: room}
		jobs[name] = j
		ready, ok := l.add(j, false)
		if !ok {
			t.Errorf("%s was not taken", name)
		}
		return names(jobs, ready)
	}
	done := func(name string) []string { return names(jobs, l.done(jobs[name])) }
	for i, step := range []struct {
		got  []string
		want string
	}{
		{add("a1", "a"), "a1"},
		{add("a2", "a"), ""},
		{add("b1", "b"), "b1"},
		{add("all", ""), ""},
		{add("c1", "c"), ""}, // behind all
		{done("b1"), ""},
		{done("a1"), "a2"},
		{done("a2"), "all"},
		{add("c2", "c"), ""},
		{done("all"), "c1"},
		{add("d", "d"), "d"},
		{add("e", "e"), "e"},
		{add("f", "f"), "f"},
		{add("g", "g"), ""}, // four run
		{done("d"), "g"},
		{done("c1"), "c2"},
	} {
		if got := strings.Join(step.got, " "); got != step.want {
			t.Errorf("step %d began %q, want %q", i, got, step.want)
		}
	}
	l.close()
	if _, ok := l.add(&job{}, true); ok {
		t.Error("a job was taken after close")
	}
}

func names(jobs map[string]*job, ready []*job) (list []string) {
	for _, j := range ready {
		for name, k := range jobs {
			if j == k {
				list = append(list, name)
			}
		}
	}
	return list
}
