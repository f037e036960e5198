// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long a test waits for what has to come; nothing that works takes that long.
const patience = 40 * time.Second

// pictures and script are what each page has.
//
//go:embed picture.js
var pictures string

//go:embed page.js
var script string

// chromium is a running browser and the server of its pages.
type chromium struct {
	ctx    context.Context // of the browser's first tab
	origin string
	log    *logbook
}

// startChromium starts a browser that knows nothing of earlier ones and is ended with the test.
func startChromium(t *testing.T) *chromium {
	t.Helper()
	program := findChromium(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, "<!doctype html><title>client</title><body><script>%s</script><script>%s</script>", pictures, script)
	}))
	t.Cleanup(server.Close)
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir())}
	for _, name := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
		"disable-component-update", "disable-sync", "disable-dev-shm-usage", "disable-extensions", "mute-audio",
		"use-fake-device-for-media-stream", "use-fake-ui-for-media-stream", // a camera and a microphone that nobody has to allow
		"allow-loopback-in-peer-connection",                                                                               // candidates on 127.0.0.1, where the node is
		"disable-background-timer-throttling", "disable-renderer-backgrounding", "disable-backgrounding-occluded-windows", // only one tab is in front
	} {
		options = append(options, chromedp.Flag(name, true))
	}
	options = append(options,
		chromedp.Flag("disable-features", "WebRtcHideLocalIpsWithMdns"), // nobody answers mDNS on loopback
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("enable-logging", "stderr"), chromedp.Flag("vmodule", "video_receive_stream2=1"))
	log := &logbook{}
	options = append(options, chromedp.CombinedOutput(log))
	allocator, release := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(release)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", program, err)
	}
	version, err := chromedp.Run(ctx, chromedp.Evaluate[string]("navigator.userAgent"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %s", program, version)
	return &chromium{ctx: ctx, origin: server.URL, log: log}
}

func findChromium(t *testing.T) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("no browser on PATH: looked for %s; .ci/setup installs one on Debian", strings.Join(names, ", "))
	return ""
}

// tab is a page of its own.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// open opens a page that is closed with the test.
func (c *chromium) open(t *testing.T) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(c.ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate(c.origin)); err != nil {
		t.Fatalf("opening a page: %v", err)
	}
	return &tab{t: t, ctx: ctx}
}

// ask calls a method of the page's script and waits for what it promises.
func ask[T any](p *tab, method string, args ...any) T {
	p.t.Helper()
	words := make([]string, len(args))
	for i, arg := range args {
		word, err := json.Marshal(arg)
		if err != nil {
			p.t.Fatal(err)
		}
		words[i] = string(word)
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	call := fmt.Sprintf("page.%s(%s)", method, strings.Join(words, ", "))
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](call, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("page.%s: %v", method, err)
	}
	return got
}

// tell calls a method that answers nothing.
func (p *tab) tell(method string, args ...any) {
	p.t.Helper()
	_ = ask[chromedp.Void](p, method, args...)
}
