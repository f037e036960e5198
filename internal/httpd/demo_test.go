// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package httpd

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// askToken asks as the demo page does, but for what change changes.
func askToken(t *testing.T, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	h := Routes{Metrics: http.NotFoundHandler(), Mounts: []Mount{{"POST /demo/token", DemoTokens(func(r TokenRequest) (string, time.Duration, error) {
		if r.UserID == "bad" {
			return "", 0, errors.New("bad user id")
		}
		if r.Manage {
			return "manager " + r.UserID, time.Hour, nil
		}
		return r.UserID + " " + r.UserName, time.Hour, nil
	})}}}.Handler()
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/demo/token", strings.NewReader(`{"user_id":"ada","user_name":"Ada","manage":false}`))
	r.RemoteAddr, r.Host = "127.0.0.1:5000", "127.0.0.1:7780"
	r.Header.Set("Content-Type", "application/json")
	change(r)
	h.ServeHTTP(w, r)
	return w
}

func TestDemoTokensForThisMachine(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"plain":   func(*http.Request) {},
		"by name": func(r *http.Request) { r.Host = "localhost:7780" },
		"IPv6":    func(r *http.Request) { r.RemoteAddr, r.Host = "[::1]:5000", "[::1]:7780" },
		"mapped":  func(r *http.Request) { r.RemoteAddr = "[::ffff:127.0.0.1]:5000" },
		"charset": func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=utf-8") },
		"a page": func(r *http.Request) {
			r.Header.Set("Origin", "http://127.0.0.1:7780")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		},
		"over TLS": func(r *http.Request) {
			r.TLS = &tls.ConnectionState{}
			r.Header.Set("Origin", "https://127.0.0.1:7780")
		},
	} {
		w := askToken(t, change)
		if w.Code != 200 || w.Body.String() != `{"token":"ada Ada","expires_in":3600}`+"\n" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: headers %v", name, w.Header())
		}
	}
	w := askToken(t, body(`{"user_id":"ada","manage":true}`))
	if w.Code != 200 || !strings.Contains(w.Body.String(), "manager ada") {
		t.Errorf("as manager: %d %s", w.Code, w.Body)
	}
}

func body(text string) func(*http.Request) {
	return func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(text)) }
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// TestDemoTokensForNobodyElse is the table of those who get none, and what they are told.
func TestDemoTokensForNobodyElse(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		status int
		told   string
	}{
		{"another machine", func(r *http.Request) { r.RemoteAddr = "192.0.2.1:5000" }, 403, "on the machine"},
		{"the machine by its other address", func(r *http.Request) { r.RemoteAddr = "10.0.0.7:5000" }, 403, "on the machine"},
		{"nobody known", func(r *http.Request) { r.RemoteAddr = "" }, 403, "on the machine"},
		{"a name that somebody points here", func(r *http.Request) { r.Host = "rebound.example:7780" }, 403, "by the name localhost"},
		{"a name that looks like ours", func(r *http.Request) { r.Host = "localhost.example.com" }, 403, "by the name localhost"},
		{"the machine's other address", func(r *http.Request) { r.Host = "10.0.0.7:7780" }, 403, "by the name localhost"},
		{"no name", func(r *http.Request) { r.Host = "" }, 403, "by the name localhost"},
		{"a proxy here", header("X-Forwarded-For", "192.0.2.1"), 403, "not through a proxy"},
		{"a standard proxy here", header("Forwarded", "for=192.0.2.1"), 403, "not through a proxy"},
		{"another proxy here", header("Via", "1.1 cache"), 403, "not through a proxy"},
		{"a proxy that names nobody", header("X-Forwarded-For", ""), 403, "not through a proxy"},
		{"a proxy that was told nothing", func(r *http.Request) { r.ProtoMinor = 0 }, 403, "not through a proxy"},
		{"a page of another site", header("Sec-Fetch-Site", "cross-site"), 403, "pages of this origin"},
		{"a page of another port", header("Sec-Fetch-Site", "same-site"), 403, "pages of this origin"},
		{"a typed address", header("Sec-Fetch-Site", "none"), 403, "pages of this origin"},
		{"another origin", header("Origin", "https://example.com"), 403, "pages of this origin"},
		{"the origin of another port", header("Origin", "http://127.0.0.1:8080"), 403, "pages of this origin"},
		{"the origin over TLS", header("Origin", "https://127.0.0.1:7780"), 403, "pages of this origin"},
		{"an origin that is hidden", header("Origin", "null"), 403, "pages of this origin"},
		{"two origins", func(r *http.Request) { r.Header["Origin"] = []string{"http://127.0.0.1:7780", "https://example.com"} }, 403, "pages of this origin"},
		{"a form", header("Content-Type", "application/x-www-form-urlencoded"), 403, "application/json"},
		{"plain text", header("Content-Type", "text/plain"), 403, "application/json"},
		{"no type", func(r *http.Request) { r.Header.Del("Content-Type") }, 403, "application/json"},
		{"a preflight", func(r *http.Request) { r.Method = "OPTIONS" }, 405, ""},
		{"a read", func(r *http.Request) { r.Method = "GET" }, 405, ""},
		{"no body", body(""), 400, "want {"},
		{"no JSON", body("ada"), 400, "want {"},
		{"a list", body("[]"), 400, "want {"},
		{"an unknown field", body(`{"user_id":"a","admin":true}`), 400, "want {"},
		{"a field of another type", body(`{"user_id":7}`), 400, "want {"},
		{"something behind", body(`{"user_id":"a"}{}`), 400, "want {"},
		{"too long", body(`{"user_id":"` + strings.Repeat("a", maxDemoRequest) + `"}`), 400, "want {"},
		{"a bad user", body(`{"user_id":"bad"}`), 400, "bad user id"},
	} {
		w := askToken(t, c.change)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.told) || strings.Contains(w.Body.String(), "token\":") {
			t.Errorf("%s: %d %s, want %d and %q", c.name, w.Code, w.Body, c.status, c.told)
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: pages of others may read the answer", c.name)
		}
	}
}

func TestDemoConfig(t *testing.T) {
	for want, c := range map[string]DemoConfig{
		`{"signal":"/signal","app":"demo","tokens":"/demo/token"}`: {Signal: "/signal", App: "demo", Tokens: "/demo/token"},
		`{"app":"demo"}`: {App: "demo"},
	} {
		status, body, header := get(c, "GET", "/demo/config.json")
		if status != 200 || body != want+"\n" || header.Get("Content-Type") != "application/json" {
			t.Errorf("%d %s %s, want %s", status, header.Get("Content-Type"), body, want)
		}
	}
}
