// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package httpd

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"io"
	"net/http"
	"net/http/pprof"
	"strings"
)

// Check is one thing that has to be so before the node takes work.
type Check struct {
	Name    string // one word or two
	OK      bool
	Explain string // in words, when it is not OK
}

// Link is a line of the index page.
type Link struct {
	Name, Address string
	URL           string // empty: not something a browser opens
	Note          string
}

// Page is what the index page shows.
type Page struct {
	Title string
	Links []Link
}

// Routes makes the handler of the HTTP port. Its functions are called for each request, from any goroutine.
type Routes struct {
	Ready   func() []Check
	Page    func() Page
	Metrics http.Handler
	Mounts  []Mount
}

// Mount is a handler of somebody else's.
type Mount struct {
	Pattern string // of http.ServeMux
	Handler http.Handler
}

// Handler routes. Only GET and HEAD are answered, but where a mount says otherwise.
func (r Routes) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", r.ready)
	mux.Handle("GET /metrics", r.Metrics)
	mux.HandleFunc("GET /{$}", r.index)
	for _, m := range r.Mounts {
		mux.Handle(m.Pattern, m.Handler)
	}
	return guard(mux)
}

// ready answers 200 when every check is OK, else 503. With ?verbose it lists them all, else those that are not.
func (r Routes) ready(w http.ResponseWriter, req *http.Request) {
	status := http.StatusOK
	var all, failed strings.Builder
	for _, c := range r.Ready() {
		if c.OK {
			all.WriteString("[+] " + c.Name + "\n")
			continue
		}
		status = http.StatusServiceUnavailable
		line := "[-] " + c.Name + ": " + c.Explain + "\n"
		all.WriteString(line)
		failed.WriteString(line)
	}
	text := failed.String()
	if req.URL.Query().Has("verbose") {
		text = all.String()
	}
	if status == http.StatusOK {
		text += "ok\n"
	} else {
		text += "not ready\n"
	}
	writeText(w, status, text)
}

const indexStyle = `:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:2em auto;max-width:48em;padding:0 1em}` +
	`td{padding:.2em 1.5em .2em 0;vertical-align:top}`

// plainPolicy is for everything but the pages: it may show the index page's own style, and nothing else.
var plainPolicy = func() string {
	sum := sha256.Sum256([]byte(indexStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-ancestors 'none'"
}()

var indexPage = template.Must(template.New("index").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title>
<style>` + indexStyle + `</style>
<h1>{{.Title}}</h1>
<table>{{range .Links}}
<tr><td>{{.Name}}<td>{{if .URL}}<a href="{{.URL}}">{{.Address}}</a>{{else}}<code>{{.Address}}</code>{{end}}<td>{{.Note}}{{end}}
</table>
</html>
`))

func (r Routes) index(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	if err := indexPage.Execute(&b, r.Page()); err != nil {
		writeText(w, http.StatusInternalServerError, "the page cannot be made\n")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = b.WriteTo(w) // the client is gone: nobody to tell
}

// ServerName is the Server header of every answer; by it sfu doctor knows a node of ours.
const ServerName = "switchyard-sfu"

// guard sets what every answer has that does not set it otherwise: it runs no script, is in no frame and is not kept. It hands
// the http.ResponseWriter on as it is, so that handlers can take over the connection.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h := w.Header()
		h.Set("Server", ServerName)
		h.Set("Content-Security-Policy", plainPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, req)
	})
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the client is gone: nobody to tell
}

// Profiler is the handler of the profiler's port: Go's usual pages below /debug/pprof/. It refuses requests by another
// name than the machine's own, so that a page in a browser on this machine cannot reach it by DNS rebinding.
func Profiler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("/{$}", http.RedirectHandler("/debug/pprof/", http.StatusFound))
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !localName(req.Host) {
			writeText(w, http.StatusForbidden, "by this name the profiler does not answer; use 127.0.0.1 or localhost\n")
			return
		}
		mux.ServeHTTP(w, req)
	})
}
