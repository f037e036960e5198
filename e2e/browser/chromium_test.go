// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser_test

import (
	_ "embed"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
)

// script is what each page has beside pictures.
//
//go:embed page.js
var script string

// pages is a running browser and the server of its pages.
type pages struct {
	browser *chromium.Browser
	origin  string
	log     *logbook
}

// startChromium starts a browser that knows nothing of earlier ones and is ended with the test.
func startChromium(t *testing.T) *pages {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, "<!doctype html><title>client</title><body><script>%s</script><script>%s</script>", chromium.Pictures, script)
	}))
	t.Cleanup(server.Close)
	log := &logbook{}
	browser := chromium.Start(t, chromium.Config{Output: log, Flags: map[string]any{"enable-logging": "stderr", "vmodule": "video_receive_stream2=1"}})
	return &pages{browser: browser, origin: server.URL, log: log}
}

// open opens a page that is closed with the test.
func (p *pages) open(t *testing.T) *chromium.Tab {
	t.Helper()
	return p.browser.Open(t, p.origin)
}

// ask calls a method of the page's script and waits for what it promises.
func ask[T any](p *chromium.Tab, method string, args ...any) T {
	return chromium.Call[T](p, "page."+method, args...)
}

// tell calls a method that answers nothing.
func (c *client) tell(method string, args ...any) {
	c.t.Helper()
	_ = ask[chromedp.Void](c.Tab, method, args...)
}
