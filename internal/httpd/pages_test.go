// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package httpd

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

var somePages = fstest.MapFS{
	"demo/index.html":     {Data: []byte("<!doctype html>demo")},
	"demo/main.js":        {Data: []byte("export {}")},
	"demo/look/page.css":  {Data: []byte("a{}")},
	"demo/look/cat.svg":   {Data: []byte("<svg/>")},
	"demo/strange.thing":  {Data: []byte("?")},
	"other/secret.txt":    {Data: []byte("not served")},
	"demo/sub/index.html": {Data: []byte("sub")},
}

func demoPages(t *testing.T) http.Handler {
	t.Helper()
	pages, err := Pages(somePages, "demo")
	if err != nil {
		t.Fatal(err)
	}
	return Routes{Mounts: []Mount{
		{"/demo/", pages},
		{"GET /sdk/x.js", Open(File("x.js", []byte("export {}")))},
	}, Metrics: http.NotFoundHandler()}.Handler()
}

func TestPages(t *testing.T) {
	h := demoPages(t)
	for _, c := range []struct {
		method, target string
		status         int
		kind, body     string
	}{
		{"GET", "/demo/", 200, "text/html; charset=utf-8", "<!doctype html>demo"},
		{"HEAD", "/demo/", 200, "text/html; charset=utf-8", ""},
		{"GET", "/demo/index.html", 200, "text/html; charset=utf-8", "<!doctype html>demo"},
		{"GET", "/demo/main.js", 200, "text/javascript; charset=utf-8", "export {}"},
		{"GET", "/demo/main.js?v=1", 200, "text/javascript; charset=utf-8", "export {}"},
		{"GET", "/demo/look/page.css", 200, "text/css; charset=utf-8", "a{}"},
		{"GET", "/demo/look/cat.svg", 200, "image/svg+xml", "<svg/>"},
		{"GET", "/demo/strange.thing", 200, "application/octet-stream", "?"},
		{"GET", "/demo/sub/", 200, "text/html; charset=utf-8", "sub"},
		{"GET", "/sdk/x.js", 200, "text/javascript; charset=utf-8", "export {}"},
		{"GET", "/demo", 307, "text/html; charset=utf-8", "<a href=\"/demo/\">Temporary Redirect</a>.\n\n"},
		{"GET", "/demo/nothing", 404, "text/plain; charset=utf-8", "404 page not found\n"},
		{"GET", "/demo/look/", 404, "text/plain; charset=utf-8", "404 page not found\n"},
		{"GET", "/demo/look", 404, "text/plain; charset=utf-8", "404 page not found\n"},
		{"GET", "/demo/%2e%2e/other/secret.txt", 404, "text/plain; charset=utf-8", "404 page not found\n"},
		{"GET", "/demo/..%2fother%2fsecret.txt", 404, "text/plain; charset=utf-8", "404 page not found\n"},
		{"GET", "/other/secret.txt", 404, "text/plain; charset=utf-8", "404 page not found\n"},
		{"POST", "/demo/", 405, "text/plain; charset=utf-8", "pages are only read\n"},
		{"DELETE", "/demo/main.js", 405, "text/plain; charset=utf-8", "pages are only read\n"},
	} {
		status, body, header := get(h, c.method, c.target)
		if status != c.status || body != c.body || header.Get("Content-Type") != c.kind {
			t.Errorf("%s %s: %d %s %q, want %d %s %q", c.method, c.target, status, header.Get("Content-Type"), body, c.status, c.kind, c.body)
		}
		if header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: without nosniff", c.method, c.target)
		}
	}
	if _, err := Pages(somePages, "none"); err == nil {
		t.Error("a directory that is not there has pages")
	}
}

// TestPagesMayDoLittle holds the policy to what it must not say, and to what the pages need.
func TestPagesMayDoLittle(t *testing.T) {
	_, _, header := get(demoPages(t), "GET", "/demo/")
	policy := header.Get("Content-Security-Policy")
	for _, bad := range []string{"unsafe", "*", "http:", "https:"} {
		if strings.Contains(policy, bad) {
			t.Errorf("the policy has %s: %s", bad, policy)
		}
	}
	for _, want := range []string{
		"default-src 'none'", "script-src 'self';", "style-src 'self';", "connect-src 'self';", "media-src 'self' blob: mediastream:;",
		"img-src 'self' data: blob:;", "base-uri 'none'", "object-src 'none'",
	} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	for _, want := range []string{"camera=(self)", "microphone=(self)", "display-capture=(self)"} {
		if !strings.Contains(header.Get("Permissions-Policy"), want) {
			t.Errorf("permissions lack %s: %s", want, header.Get("Permissions-Policy"))
		}
	}
	if header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("pages of others may read ours")
	}
	_, _, header = get(demoPages(t), "GET", "/sdk/x.js")
	if header.Get("Access-Control-Allow-Origin") != "*" {
		t.Error("pages of others may not import the SDK")
	}
}

func TestPagesAreKeptByTheirTag(t *testing.T) {
	h := demoPages(t)
	_, _, header := get(h, "GET", "/demo/")
	tag := header.Get("ETag")
	if tag == "" || header.Get("Cache-Control") != "no-cache" {
		t.Fatalf("headers %v, want a tag and no-cache", header)
	}
	for sent, want := range map[string]int{tag: 304, `"other", ` + tag: 304, `"other"`: 200, "*": 304} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/demo/", nil)
		r.Header.Set("If-None-Match", sent)
		h.ServeHTTP(w, r)
		if w.Code != want || w.Code == 304 && w.Body.Len() != 0 {
			t.Errorf("If-None-Match %s: %d with %d bytes, want %d", sent, w.Code, w.Body.Len(), want)
		}
	}
	changed := fstest.MapFS{"demo/index.html": {Data: []byte("<!doctype html>new")}}
	pages, err := Pages(changed, "demo")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, header := get(pages, "GET", "/demo/"); header.Get("ETag") == tag {
		t.Error("another page has the same tag")
	}
}

// TestEmbeddedTypesAreKnown walks whatever a directory holds: a module of an unknown type is refused by browsers.
func TestEmbeddedTypesAreKnown(t *testing.T) {
	for _, root := range []string{"../../web/demo", "../../web/admin"} {
		err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && newFile(name, nil).kind == "application/octet-stream" {
				t.Errorf("%s/%s: no content type is known for it", root, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
