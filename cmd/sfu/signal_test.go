// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/encoding/protojson"

	signalv1 "github.com/switchyard-media/sfu/proto/sfu/signal/v1"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// eventually asks again until it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	late := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !so() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("it never came: %s", what)
		}
	}
}

// startTierAt runs sfu signal.
func startTierAt(t *testing.T, args ...string) *running {
	t.Helper()
	return startSFU(t, nil, append([]string{"signal", "--listen=127.0.0.1:0"}, args...)...)
}

// nodeBehind asks a node for its version through the tier's admin API; empty: it does not answer.
func nodeBehind(t *testing.T, at, id string) string {
	t.Helper()
	a := ask(t, http.DefaultClient, "POST", at+"/admin/api/"+id+"/NodeService/GetNode", "{}", "Content-Type", "application/json")
	if a.status != 200 {
		return ""
	}
	var reply sfuv1.GetNodeResponse
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(a.body), &reply); err != nil {
		t.Fatal(err)
	}
	return reply.GetNode().GetVersion()
}

// client is somebody at a tier.
type client struct {
	t    *testing.T
	conn *websocket.Conn
}

// connect connects to /signal and says hello with a demo token. It gives what came back.
func connect(t *testing.T, at, token string, resume *signalv1.Resume) (*client, *signalv1.ServerMessage) {
	t.Helper()
	conn, _, err := websocket.Dial(call(t), "ws"+strings.TrimPrefix(at, "http")+"/signal", nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	t.Cleanup(func() { _ = conn.CloseNow() })
	c := &client{t: t, conn: conn}
	c.send(&signalv1.ClientMessage{Id: 1, Request: &signalv1.ClientMessage_Hello{Hello: &signalv1.Hello{
		Token: token, RoomMode: sfuv1.RoomMode_ROOM_MODE_MULTI, Resume: resume,
	}}})
	m, err := c.next()
	if err != nil {
		t.Fatal(err)
	}
	return c, m
}

func (c *client) send(m *signalv1.ClientMessage) {
	c.t.Helper()
	frame, err := protojson.Marshal(m)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.conn.Write(call(c.t), websocket.MessageText, frame); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) next() (*signalv1.ServerMessage, error) {
	_, frame, err := c.conn.Read(call(c.t))
	if err != nil {
		return nil, err
	}
	var m signalv1.ServerMessage
	if err := protojson.Unmarshal(frame, &m); err != nil {
		c.t.Fatal(err)
	}
	return &m, nil
}

// endsWithGoingAway reads to the end of the connection, and holds the tier to what it says before.
func (c *client) endsWithGoingAway() {
	c.t.Helper()
	told := false
	for {
		m, err := c.next()
		if err != nil {
			break
		}
		told = told || m.GetNotice().GetGoingAway() != nil
	}
	if !told {
		c.t.Error("the connection ended without a word")
	}
}

// TestSignalAlone puts a tier in front of a node with TLS, client certificates and a token: a client signs in through it, and
// survives the tier's end, in order and not in order.
func TestSignalAlone(t *testing.T) {
	a, dir := newAuthority(t), t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		settled(t, name, text)
		return name
	}
	pair, own := a.server(100), a.clientPair("signaling.example")
	node := startSFU(t, nil, append(anyPorts,
		"--set=grpc.tls_cert_file="+file("node.crt", pair[0]), "--set=grpc.tls_key_file="+file("node.key", pair[1]),
		"--set=grpc.client_ca_file="+file("ca.crt", a.pem), "--set=grpc.token_file="+file("token", "a-token-of-some-length\n"),
		"--set=signal.enabled=false", "--drain-deadline=0s")...) // nobody will end the session
	keys := newKeyFile(t, "demo")
	config := file("tier.yaml", fmt.Sprintf(`
tokens: {key_file: %s}
signal:
  nodes:
    - {id: first, address: "%s", tls_ca_file: %s, tls_cert_file: %s, tls_key_file: %s, token_file: %s}
`, keys, node.at["grpc"], filepath.Join(dir, "ca.crt"), file("own.crt", own[0]), file("own.key", own[1]), filepath.Join(dir, "token")))
	token, _, _ := output(t, nil, "token", "--key-file", keys, "--app=demo", "--user=ada", "--any-room")

	r := startTierAt(t, "--config="+config)
	at := origin(t, r)
	eventually(t, "the tier is ready", func() bool { code, _ := get(t, r.at["ready"]); return code == 200 })
	if nodeBehind(t, at, "first") == "" {
		t.Error("the node does not answer through the tier")
	}
	c, m := connect(t, at, strings.TrimSpace(token), nil)
	session := m.GetReply().GetWelcome().GetSession()
	if session.GetId() == "" {
		t.Fatalf("hello is answered by %v", m)
	}
	if _, metrics := get(t, r.at["metrics"]); !strings.Contains(metrics, "\nsfu_signal_clients 1\n") || !strings.Contains(metrics, "\ngo_goroutines ") {
		t.Errorf("the metrics do not show the client:\n%s", metrics)
	}

	r.signal(syscall.SIGTERM)
	c.endsWithGoingAway()
	if code := r.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, how := range []string{"stopped", "killed"} { // the one above was stopped, the next one is killed
		r = startTierAt(t, "--config="+config)
		resume := &signalv1.Resume{SessionId: session.GetId(), SessionEpoch: session.GetEpoch()}
		eventually(t, "the session goes on after the tier was "+how, func() bool {
			_, m = connect(t, origin(t, r), strings.TrimSpace(token), resume)
			return m.GetReply().GetWelcome() != nil
		})
		if w := m.GetReply().GetWelcome(); !w.GetResumed() || w.GetSession().GetId() != session.GetId() {
			t.Errorf("after the tier was %s: %v", how, m)
		}
		if err := r.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-r.exited
	}
	node.stop()
}

// TestSignalBeforeItsNode starts a tier with no node to be seen, and nodes that come and go.
func TestSignalBeforeItsNode(t *testing.T) {
	first := startSFU(t, nil, anyPorts...)
	grpcAt := first.at["grpc"]
	first.stop() // its port is known, and nobody is there
	r := startTierAt(t, "--node=n="+grpcAt)
	if code, body := get(t, r.at["ready"]); code != 503 || !strings.Contains(body, "no node answers") {
		t.Errorf("/readyz without a node: %d %s", code, body)
	}
	if code, _ := get(t, r.at["live"]); code != 200 {
		t.Errorf("/livez without a node: %d", code)
	}
	token := demoToken(t, origin(t, r), `{"user_id":"ada"}`)
	if _, m := connect(t, origin(t, r), token, nil); m.GetReply().GetFailure() == nil || m.GetReply().GetFailure().GetStatus() != "UNAVAILABLE" {
		t.Errorf("without a node hello is answered by %v", m)
	}
	for range 2 {
		node := startSFU(t, nil, append(anyPorts, "--grpc-address="+grpcAt)...)
		eventually(t, "the tier has found its node", func() bool { return nodeBehind(t, origin(t, r), "n") != "" })
		eventually(t, "the tier is ready", func() bool { code, _ := get(t, r.at["ready"]); return code == 200 })
		if err := node.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-node.exited
		eventually(t, "the tier misses its node", func() bool { code, _ := get(t, r.at["ready"]); return code == 503 })
	}
	r.signal(syscall.SIGTERM)
	if code := r.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestSignalReads covers what a tier reads at start and on SIGHUP.
func TestSignalReads(t *testing.T) {
	dir := t.TempDir()
	config, token := filepath.Join(dir, "sfu.yaml"), filepath.Join(dir, "token")
	settled(t, token, "first-token-0123456789")
	node := startSFU(t, nil, append(anyPorts, "--set=grpc.token_file="+token)...)
	wrong := filepath.Join(dir, "shown")
	settled(t, wrong, "wrong-token-0123456789\n")
	text := fmt.Sprintf("signal: {address: 127.0.0.1:0, nodes: [{id: n, address: \"%s\", token_file: %s}]}\n", node.at["grpc"], wrong)
	settled(t, config, text)
	r := startSFU(t, nil, "signal", "-c", config)
	if got := nodeBehind(t, origin(t, r), "n"); got != "" {
		t.Errorf("with the wrong token the node answers %q", got)
	}
	settled(t, wrong, "# none\n")
	r.signal(syscall.SIGHUP)
	r.waitLog("reload refused", "no token in the file")
	settled(t, wrong, "first-token-0123456789\n")
	r.signal(syscall.SIGHUP)
	r.waitLog("reloaded")
	if nodeBehind(t, origin(t, r), "n") == "" {
		t.Error("with the right token the node does not answer")
	}
	settled(t, config, text+"whip: {enabled: false}\n")
	r.signal(syscall.SIGHUP)
	r.waitLog("reload refused", "whip.enabled")
	if strings.Contains(r.text()+r.banner, "-token-0123456789") {
		t.Error("a token is in the log")
	}
	r.signal(syscall.SIGTERM)
	if code := r.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for name, c := range map[string]struct{ text, want string }{
		"TLS without a node":      {"grpc: {tls_cert_file: " + token + ", tls_key_file: " + token + "}", "signal.nodes is empty"},
		"a CA that is none":       {"signal: {nodes: [{id: n, address: \"a:1\", tls_ca_file: " + token + "}]}", "signal.nodes: n: "},
		"a key file that is none": {"tokens: {key_file: " + token + "}", "tokens.key_file: "},
		"a taken port":            {"signal: {address: \"" + hostOf(t, origin(t, node)) + "\"}", "signal.address"},
	} {
		settled(t, config, c.text+"\n")
		if _, errs, code := output(t, nil, "signal", "-c", config); code != 1 || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %d %s, want %q", name, code, errs, c.want)
		}
	}
	node.stop()
}

// TestTierGoesFirst stops a node with a client at its own tier: the client is told to come back, before anything else ends.
func TestTierGoesFirst(t *testing.T) {
	r := startSFU(t, nil, append(anyPorts, "--drain-deadline=0s")...)
	c, m := connect(t, origin(t, r), demoToken(t, origin(t, r), `{"user_id":"ada"}`), nil)
	if m.GetReply().GetWelcome() == nil {
		t.Fatalf("hello is answered by %v", m)
	}
	stream, err := http.NewRequestWithContext(call(t), "GET", origin(t, r)+"/admin/api/local/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	events, err := http.DefaultClient.Do(stream)
	if err != nil || events.StatusCode != 200 {
		t.Fatalf("events: %v, %v", events, err)
	}
	defer func() { _ = events.Body.Close() }()
	r.signal(syscall.SIGTERM)
	c.endsWithGoingAway()
	if code := r.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
