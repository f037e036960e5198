// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package httpd

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func routes(ready ...Check) http.Handler {
	return Routes{
		Ready: func() []Check { return ready },
		Page: func() Page {
			return Page{Title: "node <1>", Links: []Link{
				{Name: "pages", Address: "127.0.0.1:1", URL: "http://127.0.0.1:1/", Note: "here"},
				{Name: "bad", Address: "<script>", URL: "javascript:alert(1)"},
			}}
		},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "sfu_x 1\n") }),
	}.Handler()
}

func get(h http.Handler, method, target string) (int, string, http.Header) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w.Code, w.Body.String(), w.Header()
}

func TestRoutes(t *testing.T) {
	good, bad := Check{Name: "started", OK: true}, Check{Name: "not draining", Explain: "it is told to stop"}
	for _, c := range []struct {
		name, method, target string
		ready                []Check
		status               int
		body                 string
	}{
		{"live", "GET", "/livez", []Check{bad}, 200, "ok\n"},
		{"ready", "GET", "/readyz", []Check{good}, 200, "ok\n"},
		{"ready, in words", "GET", "/readyz?verbose", []Check{good}, 200, "[+] started\nok\n"},
		{"not ready", "GET", "/readyz", []Check{good, bad}, 503, "[-] not draining: it is told to stop\nnot ready\n"},
		{"not ready, in words", "GET", "/readyz?verbose=1", []Check{good, bad}, 503, "[+] started\n[-] not draining: it is told to stop\nnot ready\n"},
		{"metrics", "GET", "/metrics", nil, 200, "sfu_x 1\n"},
		{"nothing", "GET", "/nothing", nil, 404, "404 page not found\n"},
		{"no posts", "POST", "/livez", nil, 405, "Method Not Allowed\n"},
		{"no profiler here", "GET", "/debug/pprof/", nil, 404, "404 page not found\n"},
	} {
		status, body, header := get(routes(c.ready...), c.method, c.target)
		if status != c.status || body != c.body {
			t.Errorf("%s: %d %q, want %d %q", c.name, status, body, c.status, c.body)
		}
		if !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", c.name, header)
		}
	}
}

func TestIndexIsEscaped(t *testing.T) {
	status, body, header := get(routes(), "GET", "/")
	if status != 200 || header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%d %v", status, header)
	}
	for _, want := range []string{"node &lt;1&gt;", `<a href="http://127.0.0.1:1/">127.0.0.1:1</a>`, "&lt;script&gt;"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	_, style, _ := strings.Cut(body, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	if policy := header.Get("Content-Security-Policy"); !strings.Contains(policy, base64.StdEncoding.EncodeToString(sum[:])) || strings.Contains(policy, "unsafe") {
		t.Errorf("the page may not show its own style, or any: %s", policy)
	}
	if strings.Contains(body, `href="javascript:`) {
		t.Error("a link runs a script")
	}
}

func TestProfilerAnswersLocalNamesOnly(t *testing.T) {
	for host, want := range map[string]int{
		"127.0.0.1:7784": 200, "localhost": 200, "[::1]:7784": 200, "LOCALHOST:1": 200,
		"example.com": 403, "10.0.0.1:7784": 403, "": 403, "localhost.example.com": 403,
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/debug/pprof/", nil)
		r.Host = host
		Profiler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q: %d, want %d", host, w.Code, want)
		}
	}
}

func TestServerStops(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, released := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-released // hangs until it is cut off
	})
	s := Start(l, h, Options{Slow: true, Logger: slog.New(slog.DiscardHandler)})
	failed := make(chan error, 1)
	go func() {
		resp, err := http.Get("http://" + l.Addr().String() + "/")
		if err == nil {
			err = resp.Body.Close()
		}
		failed <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	s.Shutdown(ctx)
	close(released)
	if err := <-failed; err == nil {
		t.Error("a request that hangs was answered")
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it listens after Shutdown")
	}
	http.DefaultClient.CloseIdleConnections()
}
