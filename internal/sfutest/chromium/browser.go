// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package chromium

import (
	"context"
	"io"
	"maps"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Patience is how long a test waits for what has to come. Nothing that works takes that long, on a busy machine either.
const Patience = time.Minute

// Config of a Browser. The zero Config will do.
type Config struct {
	Output io.Writer      // gets what the browser writes to its standard output and error; nil: nobody
	Flags  map[string]any // more of the command line, or other values: true and false, or text
}

// Browser is a running Chromium that knows nothing of earlier ones.
type Browser struct {
	ctx context.Context // of its first tab
}

// Start starts a browser that is ended with the test.
func Start(t testing.TB, config Config) *Browser {
	t.Helper()
	program := find(t)
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir())}
	for name, value := range flags(config.Flags) {
		options = append(options, chromedp.Flag(name, value))
	}
	if config.Output != nil {
		options = append(options, chromedp.CombinedOutput(config.Output))
	}
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
	return &Browser{ctx: ctx}
}

func flags(more map[string]any) map[string]any {
	all := map[string]any{
		"disable-features": "WebRtcHideLocalIpsWithMdns", // nobody answers mDNS on loopback
		"autoplay-policy":  "no-user-gesture-required",
	}
	for _, name := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
		"disable-component-update", "disable-sync", "disable-dev-shm-usage", "disable-extensions", "mute-audio",
		"use-fake-device-for-media-stream", "use-fake-ui-for-media-stream", // a camera and a microphone that nobody has to allow
		"allow-loopback-in-peer-connection",                                                                               // candidates on 127.0.0.1, where the node is
		"disable-background-timer-throttling", "disable-renderer-backgrounding", "disable-backgrounding-occluded-windows", // only one tab is in front
	} {
		all[name] = true
	}
	maps.Copy(all, more)
	return all
}

func find(t testing.TB) string {
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
