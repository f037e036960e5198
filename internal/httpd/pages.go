// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package httpd

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// pagePolicy lets a page use what comes from where it comes from, and nothing else: no script or style inside the page, no
// other origin, no plug-ins. ws: to the same origin is covered by connect-src 'self' (CSP level 3 section 6.7.2.8).
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
	"connect-src 'self'; media-src 'self' blob: mediastream:; worker-src 'self'; manifest-src 'self'; frame-src 'self'; " +
	"frame-ancestors 'self'; base-uri 'none'; form-action 'self'; object-src 'none'"

// pagePermissions give camera and the like to the page itself, and to nobody that it embeds.
const pagePermissions = "camera=(self), microphone=(self), display-capture=(self), autoplay=(self), fullscreen=(self), " +
	"screen-wake-lock=(self), clipboard-write=(self), speaker-selection=(self), geolocation=(), usb=(), serial=(), hid=(), payment=()"

// contentTypes are ours, by extension: what the system knows differs from machine to machine, and browsers take no module
// of another type.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".mjs": "text/javascript; charset=utf-8", ".json": "application/json", ".map": "application/json", ".txt": "text/plain; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".ico": "image/x-icon",
	".woff2": "font/woff2", ".wasm": "application/wasm", ".webmanifest": "application/manifest+json",
	".webm": "video/webm", ".mp4": "video/mp4", ".ogg": "audio/ogg", ".wav": "audio/wav", ".y4m": "video/x-raw",
}

// file is one embedded file, ready to be sent; immutable.
type file struct {
	body []byte
	kind string // Content-Type
	tag  string // ETag
}

func newFile(name string, body []byte) file {
	kind, ok := contentTypes[path.Ext(name)]
	if !ok {
		kind = "application/octet-stream"
	}
	sum := sha256.Sum256(body)
	return file{body: body, kind: kind, tag: `"` + hex.EncodeToString(sum[:12]) + `"`}
}

// ServeHTTP implements http.Handler.
func (f file) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Permissions-Policy", pagePermissions)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer some requests of the page would have the origin null
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Cache-Control", "no-cache") // kept, and asked for again by its tag: a new release is seen at once
	h.Set("Content-Type", f.kind)
	h.Set("ETag", f.tag)
	http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(f.body))
}

// File serves one file, for example a module. Its name is for its type.
func File(name string, body []byte) http.Handler { return newFile(name, body) }

// Pages serves the files below a directory of files at /directory/, index.html for a directory. They are read once.
func Pages(files fs.FS, directory string) (http.Handler, error) {
	all := make(map[string]file)
	err := fs.WalkDir(files, directory, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		all["/"+name] = newFile(name, body)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the pages in %s: %w", directory, err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			writeText(w, http.StatusMethodNotAllowed, "pages are only read\n")
			return
		}
		name := req.URL.Path
		if strings.HasSuffix(name, "/") {
			name += "index.html"
		}
		f, ok := all[name]
		if !ok {
			http.NotFound(w, req)
			return
		}
		f.ServeHTTP(w, req)
	}), nil
}

// Open lets pages of every origin read what h serves: a module that others import, with nothing secret in it.
func Open(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.ServeHTTP(w, req)
	})
}
