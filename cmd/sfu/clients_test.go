// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/internal/config"
	"github.com/switchyard-media/sfu/internal/httpd"
)

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request with header fields in pairs.
func ask(t *testing.T, client *http.Client, method, url, body string, fields ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
		if fields[i] == "Host" {
			req.Host = fields[i+1]
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if cerr := resp.Body.Close(); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

func origin(t *testing.T, r *running) string {
	t.Helper()
	return strings.TrimSuffix(r.at["http"], "/")
}

// demoToken asks for a token as the demo page does.
func demoToken(t *testing.T, origin, request string) string {
	t.Helper()
	a := ask(t, http.DefaultClient, "POST", origin+"/demo/token", request,
		"Content-Type", "application/json", "Origin", origin, "Sec-Fetch-Site", "same-origin")
	var got struct {
		Token     string `json:"token"`
		ExpiresIn int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 || got.Token == "" || got.ExpiresIn != 3600 {
		t.Fatalf("POST /demo/token: %d %s", a.status, a.body)
	}
	return got.Token
}

// TestPagesOfANode opens what somebody opens first, over real HTTP.
func TestPagesOfANode(t *testing.T) {
	r := startSFU(t, nil, anyPorts...)
	at := origin(t, r)
	first := strings.Fields(strings.SplitN(r.banner, "\n", 4)[2])
	if first[0] != "demo" || first[1] != at+"/demo/" {
		t.Errorf("the banner begins with %q, want the demo's URL", first)
	}
	if _, index := get(t, at+"/"); !ordered(index, "/demo/", "/admin/", "/livez", "/metrics") {
		t.Errorf("the index page does not have demo and admin first:\n%s", index)
	}
	for _, c := range []struct {
		path, kind, want string
		kept             bool // by its tag
	}{
		{"/demo/", "text/html; charset=utf-8", "<!doctype html>", true},
		{"/admin/", "text/html; charset=utf-8", "<!doctype html>", true},
		{"/sdk/switchyard.js", "text/javascript; charset=utf-8", "export", true},
		{"/demo/config.json", "application/json", `{"signal":"/signal","app":"demo","tokens":"/demo/token"}`, false},
		{"/admin/api/nodes", "application/json", `"local"`, false},
	} {
		a := ask(t, http.DefaultClient, "GET", at+c.path, "")
		if a.status != 200 || a.header.Get("Content-Type") != c.kind || !strings.Contains(a.body, c.want) {
			t.Errorf("GET %s: %d %s %.200s", c.path, a.status, a.header.Get("Content-Type"), a.body)
		}
		policy := a.header.Get("Content-Security-Policy")
		if a.header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("GET %s: header %v", c.path, a.header)
		}
		if tag := a.header.Get("ETag"); c.kept {
			if again := ask(t, http.DefaultClient, "GET", at+c.path, "", "If-None-Match", tag); again.status != 304 {
				t.Errorf("GET %s again, by tag %s: %d", c.path, tag, again.status)
			}
		}
	}
	for path, want := range map[string]int{
		"/demo/none.js": 404, "/none": 404, "/sdk/none.js": 404, "/signal": 426, "/demo/token": 404,
	} {
		if a := ask(t, http.DefaultClient, "GET", at+path, ""); a.status != want {
			t.Errorf("GET %s: %d, want %d", path, a.status, want)
		}
	}
	r.stop()
}

// ordered reports whether all words are in a text, in this order.
func ordered(text string, words ...string) bool {
	for _, w := range words {
		_, rest, ok := strings.Cut(text, w)
		if !ok {
			return false
		}
		text = rest
	}
	return true
}

// TestDemoTokenOpensDoors gets a token from a node, and uses it: WHIP looks at the offer then, and not at the token.
func TestDemoTokenOpensDoors(t *testing.T) {
	r := startSFU(t, nil, anyPorts...)
	at := origin(t, r)
	token := demoToken(t, at, `{"user_id":"ada","user_name":"Ada","manage":false}`)
	offer := func(app, token string) int {
		return ask(t, http.DefaultClient, "POST", at+"/whip/"+app+"/lobby/cam", "no SDP", "Content-Type", "application/sdp", "Authorization", "Bearer "+token).status
	}
	if got := offer("demo", "nothing"); got != 401 {
		t.Errorf("without a good token: %d", got)
	}
	if got := offer("other", token); got < 401 || got > 403 {
		t.Errorf("in another app: %d", got)
	}
	if got := offer("demo", token); got == 401 || got == 403 || got/100 != 4 {
		t.Errorf("with the token: %d, want a complaint about the offer", got)
	}
	for name, fields := range map[string][]string{
		"DNS rebinding": {"Content-Type", "application/json", "Host", "rebound.example"},
		"another site":  {"Content-Type", "application/json", "Origin", "https://example.com"},
		"a form":        {"Content-Type", "text/plain"},
		"a proxy":       {"Content-Type", "application/json", "X-Forwarded-For", "192.0.2.1"},
	} {
		if a := ask(t, http.DefaultClient, "POST", at+"/demo/token", `{"user_id":"ada"}`, fields...); a.status != 403 || strings.Contains(a.body, `"token"`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	_, metrics := get(t, r.at["metrics"])
	for _, want := range []string{"\nsfu_signal_clients 0\n", "\nsfu_signal_connections_total 0\n", `sfu_whip_requests_total{method="POST"} 3`, `sfu_whip_answers_total{status="401"} `} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %q in the metrics", want)
		}
	}
	r.stop()
}

// TestDemoClaims holds a token of the demo to every room of the demo app, and to no more.
func TestDemoClaims(t *testing.T) {
	c, err := newClients(clientsOf{config: config.Config{Tokens: config.Tokens{Demo: true}}, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, manage := range []bool{false, true} {
		token, ttl, err := c.demoToken(httpd.TokenRequest{UserID: "ada", UserName: "Ada", Manage: manage})
		if err != nil || ttl != time.Hour {
			t.Fatalf("%v, %v", ttl, err)
		}
		got, err := c.keys.Check(token)
		if err != nil {
			t.Fatal(err)
		}
		want := auth.Claims{
			App: "demo", UserID: "ada", UserName: "Ada",
			Rooms: []auth.Room{{Any: true, Grants: auth.Grants{Publish: true, Subscribe: true, Message: true, Manage: manage}}},
		}
		if d := cmp.Diff(want, *got, cmpopts.IgnoreFields(auth.Claims{}, "Issued", "Expires")); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	if token, _, err := c.demoToken(httpd.TokenRequest{UserID: "a b"}); err == nil {
		t.Errorf("a bad user id gets %q", token)
	}
}

// TestWithKeyFile runs a node as an operator does: no demo tokens, tokens by the file, which is read again.
func TestWithKeyFile(t *testing.T) {
	keys := newKeyFile(t, "*")
	r := startSFU(t, nil, append(anyPorts, "--set=tokens.key_file="+keys, "--set=admin.token_only=true")...)
	at := origin(t, r)
	if a := ask(t, http.DefaultClient, "GET", at+"/demo/config.json", ""); a.body != `{"signal":"/signal","app":"demo"}`+"\n" {
		t.Errorf("the demo is told of tokens: %s", a.body)
	}
	if a := ask(t, http.DefaultClient, "POST", at+"/demo/token", `{"user_id":"ada"}`, "Content-Type", "application/json"); a.status == 200 {
		t.Errorf("a demo token is handed out: %s", a.body)
	}
	admin, _, _ := output(t, nil, "token", "--key-file", keys, "--app=school", "--admin")
	nodes := func(token string) int {
		return ask(t, http.DefaultClient, "GET", at+"/admin/api/nodes", "", "Authorization", "Bearer "+strings.TrimSpace(token)).status
	}
	if a := ask(t, http.DefaultClient, "GET", at+"/admin/api/nodes", ""); a.status != 401 || nodes(admin) != 200 {
		t.Errorf("without a token %d, with one %d", a.status, nodes(admin))
	}
	settled(t, keys, "broken")
	r.signal(syscall.SIGHUP)
	r.waitLog("reload refused", "key file")
	if got := nodes(admin); got != 200 {
		t.Errorf("after a broken key file: %d", got)
	}
	line, _, _ := output(t, nil, "token", "key", "--app=*")
	settled(t, keys, line)
	r.signal(syscall.SIGHUP)
	r.waitLog("reloaded")
	renewed, _, _ := output(t, nil, "token", "--key-file", keys, "--app=school", "--admin")
	if got := []int{nodes(admin), nodes(renewed)}; got[0] != 401 || got[1] != 200 {
		t.Errorf("with a token of the old and of the new key: %v", got)
	}
	if secret := strings.Fields(line)[2]; strings.Contains(r.text()+r.banner, secret) || strings.Contains(r.text(), strings.TrimSpace(renewed)) {
		t.Error("a secret is in the log")
	}
	r.signal(syscall.SIGTERM)
	if code := r.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestPagesOverTLS renews the certificate of the pages while they are served.
func TestPagesOverTLS(t *testing.T) {
	a, dir := newAuthority(t), t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	write := func(serial int64) {
		pair := a.server(serial)
		settled(t, cert, pair[0])
		settled(t, key, pair[1])
	}
	write(100)
	r := startSFU(t, nil, append(anyPorts, "--set=http.tls_cert_file="+cert, "--set=http.tls_key_file="+key)...)
	at := origin(t, r)
	if !strings.HasPrefix(at, "https://") || !strings.HasPrefix(r.at["demo"], "https://") || !strings.HasPrefix(r.at["signal"], "wss://") {
		t.Errorf("the banner does not say https:\n%s", r.banner)
	}
	shown := func() int64 {
		transport := &http.Transport{TLSClientConfig: a.client("")}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Get(at + "/demo/")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if got := shown(); got != 100 {
		t.Errorf("certificate %d, want 100", got)
	}
	settled(t, cert, "broken")
	r.signal(syscall.SIGHUP)
	r.waitLog("reload refused", "TLS certificate")
	if got := shown(); got != 100 {
		t.Errorf("after a broken file certificate %d, want 100", got)
	}
	write(200)
	r.signal(syscall.SIGHUP)
	r.waitLog("reloaded")
	if got := shown(); got != 200 {
		t.Errorf("certificate %d, want 200", got)
	}
	if _, err := tls.Dial("tcp", strings.TrimPrefix(at, "https://"), a.client("")); err != nil {
		t.Error(err)
	}
	r.signal(syscall.SIGTERM)
	if code := r.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestSwitchedOff turns off what can be turned off.
func TestSwitchedOff(t *testing.T) {
	r := startSFU(t, nil, append(anyPorts, "--set=signal.enabled=false", "--set=whip.enabled=false", "--set=admin.enabled=false", "--set=tokens.demo=false")...)
	at := origin(t, r)
	for _, path := range []string{"/signal", "/whip/a/b/c", "/whep/a/b/c", "/admin/", "/admin/api/nodes", "/demo/token"} {
		if a := ask(t, http.DefaultClient, "GET", at+path, ""); a.status != 404 {
			t.Errorf("GET %s: %d, want 404", path, a.status)
		}
	}
	if a := ask(t, http.DefaultClient, "GET", at+"/demo/config.json", ""); a.body != `{"app":"demo"}`+"\n" {
		t.Errorf("the demo is told %s", a.body)
	}
	if strings.Contains(r.banner, "/demo/") || strings.Contains(r.banner, "/admin/") {
		t.Errorf("the banner tells of what is off:\n%s", r.banner)
	}
	if _, metrics := get(t, r.at["metrics"]); strings.Contains(metrics, "sfu_signal_") || strings.Contains(metrics, "sfu_whip_") {
		t.Error("metrics tell of what is off")
	}
	r.stop()
}
