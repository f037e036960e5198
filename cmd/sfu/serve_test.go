// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// dial connects to the node's control API.
func dial(t *testing.T, target string, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	if len(options) == 0 {
		options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	c, err := grpc.NewClient(target, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func call(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func health(t *testing.T, c *grpc.ClientConn) string {
	t.Helper()
	r, err := grpc_health_v1.NewHealthClient(c).Check(call(t), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return r.GetStatus().String()
}

// openSession makes a session that never connects: something to drain.
func openSession(t *testing.T, c *grpc.ClientConn, app string) string {
	t.Helper()
	r, err := sfuv1.NewSessionServiceClient(c).CreateSession(call(t), &sfuv1.CreateSessionRequest{
		AppId: app, User: &sfuv1.User{Id: "u", Name: "U"}, RoomMode: sfuv1.RoomMode_ROOM_MODE_MULTI,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.GetSession().GetId()
}

// TestNodeWithoutConfiguration is what somebody does first.
func TestNodeWithoutConfiguration(t *testing.T) {
	r := startSFU(t, nil, anyPorts...)
	for _, want := range []string{"http", "live", "ready", "metrics", "grpc", "media", "offered", "pprof", "config"} {
		if r.at[want] == "" || strings.Contains(r.at[want], ":0") {
			t.Errorf("the banner has %q for %s", r.at[want], want)
		}
	}
	if !strings.Contains(r.banner, "no file (looked for sfu.yaml, /etc/sfu/sfu.yaml)") {
		t.Errorf("the banner does not say which file was read:\n%s", r.banner)
	}
	for name, want := range map[string]string{
		"live": "ok\n", "ready": "ok\n", "metrics": "\nsfu_sessions 0\n", "http": r.at["grpc"], "pprof": "goroutine",
	} {
		if code, body := get(t, r.at[name]); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d, want %q in\n%s", r.at[name], code, want, body)
		}
	}
	c := dial(t, r.at["grpc"])
	if got := health(t, c); got != "SERVING" {
		t.Errorf("health: %s", got)
	}
	id := openSession(t, c, "app")
	node, err := sfuv1.NewNodeServiceClient(c).GetNode(call(t), &sfuv1.GetNodeRequest{})
	if err != nil || node.GetNode().GetVersion() == "" || len(node.GetNode().GetAddresses()) == 0 {
		t.Errorf("GetNode: %v, %v", node, err)
	}
	if _, err := sfuv1.NewRoomServiceClient(c).JoinRoom(call(t), &sfuv1.JoinRoomRequest{SessionId: id, RoomId: "r"}); err != nil {
		t.Errorf("multi-room is not enabled without configuration: %v", err)
	}
	if _, body := get(t, r.at["metrics"]); !strings.Contains(body, "\nsfu_rooms 1\n") ||
		!strings.Contains(body, `sfu_rpc_duration_seconds_count{code="OK",method="sfu.v1.RoomService/JoinRoom"} 1`) {
		t.Errorf("metrics do not show the room and the call:\n%s", body)
	}
	if _, err := sfuv1.NewSessionServiceClient(c).CloseSession(call(t), &sfuv1.CloseSessionRequest{SessionId: id}); err != nil {
		t.Error(err)
	}
	r.stop()
	for _, dir := range []string{r.cmd.Dir, strings.TrimPrefix(r.cmd.Env[0], "HOME=")} {
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("files were left in %s: %v %v", dir, left, err)
		}
	}
}

func TestPortTaken(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tcp.Close() }()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()
	for _, c := range []struct{ flag, key, address string }{
		{"--http-address", "http.address", tcp.Addr().String()},
		{"--grpc-address", "grpc.address", tcp.Addr().String()},
		{"--pprof-address", "pprof.address", tcp.Addr().String()},
		{"--tcp-address", "media.tcp_address", tcp.Addr().String()},
		{"--udp-address", "media.udp_address", udp.LocalAddr().String()},
	} {
		_, text, code := output(t, nil, append(anyPorts, c.flag+"="+c.address)...)
		for _, want := range []string{"cannot start", c.address, c.key, c.flag, "another process has this port"} {
			if code != 1 || !strings.Contains(text, want) {
				t.Errorf("%s %s: exit code %d, want %q in:\n%s", c.flag, c.address, code, want, text)
			}
		}
	}
}

func TestDrain(t *testing.T) {
	t.Run("waits for the last session", func(t *testing.T) {
		r := startSFU(t, nil, append(anyPorts, "--drain-deadline=1h")...)
		c := dial(t, r.at["grpc"])
		id := openSession(t, c, "app")
		r.signal(syscall.SIGTERM)
		r.waitLog("draining", `"sessions":1`)
		if code, body := get(t, r.at["ready"]); code != 503 || !strings.Contains(body, "[-] not draining") {
			t.Errorf("/readyz: %d %s", code, body)
		}
		if code, _ := get(t, r.at["live"]); code != 200 {
			t.Errorf("/livez: %d", code)
		}
		if got := health(t, c); got != "NOT_SERVING" {
			t.Errorf("health: %s", got)
		}
		sessions := sfuv1.NewSessionServiceClient(c)
		_, err := sessions.CreateSession(call(t), &sfuv1.CreateSessionRequest{AppId: "app", User: &sfuv1.User{Id: "v", Name: "V"}})
		if status.Code(err) != codes.Unavailable {
			t.Errorf("a draining node takes a session: %v", err)
		}
		if _, err := sfuv1.NewNodeServiceClient(c).Undrain(call(t), &sfuv1.UndrainRequest{}); status.Code(err) != codes.Unavailable {
			t.Errorf("a stop is taken back: %v", err)
		}
		if got := health(t, c); got != "NOT_SERVING" {
			t.Errorf("health after an Undrain that was refused: %s", got)
		}
		if _, err := sessions.CloseSession(call(t), &sfuv1.CloseSessionRequest{SessionId: id}); err != nil {
			t.Error(err)
		}
		if code := r.wait(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
	for _, deadline := range []string{"0s", "200ms"} {
		t.Run("ends at a deadline of "+deadline, func(t *testing.T) {
			r := startSFU(t, nil, append(anyPorts, "--drain-deadline="+deadline)...)
			openSession(t, dial(t, r.at["grpc"]), "app")
			r.signal(os.Interrupt)
			if code := r.wait(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
	t.Run("a second signal ends it at once", func(t *testing.T) {
		r := startSFU(t, nil, append(anyPorts, "--drain-deadline=1h")...)
		openSession(t, dial(t, r.at["grpc"]), "app")
		r.signal(syscall.SIGTERM)
		r.waitLog("draining")
		r.signal(syscall.SIGTERM)
		if code := r.wait(); code != 1 {
			t.Errorf("exit code %d", code)
		}
	})
}

// TestFewDescriptors is F11: it starts and says so.
func TestFewDescriptors(t *testing.T) {
	was := binary
	defer func() { binary = was }()
	dir := t.TempDir()
	binary = filepath.Join(dir, "limited")
	script := "#!/bin/sh\nulimit -n 128\nexec '" + was + "' \"$@\"\n"
	if err := os.WriteFile(binary, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	r := startSFU(t, nil, anyPorts...)
	r.waitLog("open files", "at most 128", "LimitNOFILE")
	if code, _ := get(t, r.at["ready"]); code != 200 {
		t.Errorf("/readyz: %d", code)
	}
	r.stop()
}

func TestNoAddressToOffer(t *testing.T) {
	_, text, code := output(t, nil, append(anyPorts, "--udp-address=:0", "--set=media.interfaces=none0")...)
	if code != 1 || !strings.Contains(text, "cannot start: no address to offer to clients on the interfaces [none0]") {
		t.Errorf("exit code %d\n%s", code, text)
	}
}

// settled gives a file a name in one step, as a careful operator or a tool does.
func settled(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

const reloadBase = "http: {address: 127.0.0.1:0}\ngrpc: {address: 127.0.0.1:0}\npprof: {address: \"off\"}\n" +
	"media: {udp_address: 127.0.0.1:0, tcp_address: \"off\", loopback: true}\n"

func TestReload(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sfu.yaml")
	settled(t, name, reloadBase)
	r := startSFU(t, []string{"SFU_CONFIG=" + name})
	if !strings.Contains(r.banner, name) {
		t.Errorf("the banner does not name %s:\n%s", name, r.banner)
	}
	nodes := sfuv1.NewNodeServiceClient(dial(t, r.at["grpc"]))
	rooms := func(app string) uint32 {
		l, err := nodes.GetLimits(call(t), &sfuv1.GetLimitsRequest{AppId: app})
		if err != nil {
			t.Fatal(err)
		}
		return l.GetLimits().GetMaxRoomsPerUser()
	}
	for _, c := range []struct {
		text   string
		log    []string
		school uint32
	}{
		{reloadBase + "log: {level: debug}\napps:\n  school: {limits: {rooms_per_user: 9}}\n", []string{"reloaded", "log.level", "apps.school.limits.rooms_per_user"}, 9},
		{reloadBase + "log: {level: warn}\nnode: {rooms: 7}\napps:\n  school: {limits: {rooms_per_user: 8}}\n", []string{"reload refused", `"key":"node.rooms"`, `"from":"10000"`, name + ":6:15"}, 9},
		{reloadBase + "log: {level: debug}\n", []string{"reload refused", `"key":"apps.school.limits.rooms_per_user"`}, 9},
		{reloadBase + "apps:\n  school: {limits: {rooms_per_user: 9}}\n  default: {multi_room: false}\n", []string{"reload refused", `"key":"apps.default.multi_room"`}, 9},
		{reloadBase + "apps:\n  school: {limits: {rooms_per", []string{"reload refused", "not valid"}, 9},
		{reloadBase + "log: {level: debug}\napps:\n  school: {limits: {rooms_per_user: 3}}\n", []string{"reloaded", `["apps.school.limits.rooms_per_user"]`}, 3},
	} {
		settled(t, name, c.text)
		r.signal(syscall.SIGHUP)
		r.waitLog(c.log...)
		if got := rooms("school"); got != c.school {
			t.Errorf("rooms per user of school: %d, want %d, after\n%s", got, c.school, c.text)
		}
	}
	if got := rooms("other"); got != 5 {
		t.Errorf("rooms per user of another app: %d", got)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	r.signal(syscall.SIGHUP)
	r.waitLog("reload refused", "cannot read the file named by SFU_CONFIG")
	r.signal(syscall.SIGTERM)
	if code := r.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestTokensAreReadAgain renews a token while the node runs.
func TestTokensAreReadAgain(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	settled(t, tokens, "first-token-0123456789\n")
	r := startSFU(t, nil, append(anyPorts, "--set=grpc.token_file="+tokens)...)
	nodes := sfuv1.NewNodeServiceClient(dial(t, r.at["grpc"]))
	try := func(token string) codes.Code {
		_, err := nodes.GetNode(withToken(call(t), token), &sfuv1.GetNodeRequest{})
		return status.Code(err)
	}
	if got := []codes.Code{try(""), try("wrong"), try("first-token-0123456789")}; got[0] != codes.Unauthenticated || got[1] != codes.Unauthenticated || got[2] != codes.OK {
		t.Errorf("without, with a wrong and with the right token: %v", got)
	}
	settled(t, tokens, "second-token-0123456789\n")
	r.signal(syscall.SIGHUP)
	r.waitLog("reloaded")
	if got := []codes.Code{try("first-token-0123456789"), try("second-token-0123456789")}; got[0] != codes.Unauthenticated || got[1] != codes.OK {
		t.Errorf("with the old and the new token: %v", got)
	}
	if strings.Contains(r.text()+r.banner, "-token-0123456789") {
		t.Error("a token is in the log")
	}
	out, _, _ := output(t, nil, "config", "print", "--set=grpc.token_file="+tokens)
	if !strings.Contains(out, tokens) || strings.Contains(out, "second-token") {
		t.Error("config print does not show the token's file, or shows the token")
	}
	r.stop()
}

func withToken(ctx context.Context, token string) context.Context {
	if token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}
