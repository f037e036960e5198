// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
)

// What the pictures in docs/img are of.
var (
	phone    = chromium.Look{Width: 390, Height: 844, Scale: 2, Phone: true, Still: true}
	desk     = chromium.Look{Width: 1360, Height: 860, Still: true}
	darkDesk = chromium.Look{Width: 1360, Height: 860, Still: true, Dark: true}
)

// TestScreenshots takes pictures of the pages, with people in them, and checks that there is something to see and that nothing
// sticks out of the window. With SCREENSHOTS=1 (make screenshots) they are kept.
func TestScreenshots(t *testing.T) {
	node := start(t, anyPorts...)
	browser := chromium.Start(t, chromium.Config{})
	page := node.printed("demo")
	ann := open(t, browser, "ann", page+"#name=Ada&rooms=lobby,stage&publish=pattern")
	ann.Look(phone)
	bob := open(t, browser, "bob", page+"#name=Grace&rooms=lobby,stage&publish=pattern")
	cem := open(t, browser, "cem", page+"#name=Alan&rooms=stage&publish=pattern&play=0")
	cem.publishes("stage")
	ann.shows(map[string]int{"lobby": 1, "stage": 2})
	bob.shows(map[string]int{"lobby": 1, "stage": 2})
	for _, d := range []*site{ann, bob} {
		d.write("section.room[data-room=lobby] [data-action=message-text]", "Hello from "+map[*site]string{ann: "Ada", bob: "Grace"}[d]+"\r")
		d.there("article.tile[data-own=false] [data-number=bitrate]:not(:empty)")
	}
	chromium.Until(ann.Tab, "both messages", "document.querySelectorAll('section.room[data-room=lobby] [data-message]').length", func(n int) bool { return n == 2 })

	for _, d := range []*site{ann, bob} {
		chromium.Eval[int](d.Tab, "document.activeElement.blur(), scrollTo(0, 0), 0")
	}
	bob.keep("demo-desk")
	bob.Look(darkDesk)
	bob.keep("demo-desk-dark")
	ann.keep("demo-phone")
	newcomer := open(t, browser, "newcomer", page)
	newcomer.Look(phone)
	newcomer.there("[data-action=join-all]:enabled")
	newcomer.keep("demo-phone-start")

	admin := open(t, browser, "admin", node.printed("admin"))
	admin.there("body[data-connection=live]")
	admin.there(".tile .value")
	chromium.Until(admin.Tab, "some history", "window.admin.state.history.bytesOutRate?.length ?? 0", func(n int) bool { return n >= 8 })
	admin.keep("admin-desk")
	admin.click("a[data-to=rooms]")
	admin.click("[data-list=rooms] > [data-room=stage] a")
	admin.there("[data-part=streams] [data-layer]")
	admin.gone("[data-part=users] [data-user]:not([data-state=connected])")
	admin.there("[data-part=subscriptions] [data-subscription][data-limit]:not([data-limit=''])")
	admin.keep("admin-desk-room")
	admin.Look(phone)
	admin.keep("admin-phone-room")
}

// keep takes a picture, checks it, and keeps it if asked to.
func (d *site) keep(name string) {
	d.t.Helper()
	if over := chromium.Eval[int](d.Tab, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); over > 0 {
		d.t.Errorf("%s: %d pixels stick out to the right", name, over)
	}
	data := d.Screenshot()
	picture, err := png.Decode(bytes.NewReader(data))
	must(d.t, err)
	if colours, most := busy(picture); colours < 64 || most > 0.9 {
		d.t.Errorf("%s: %d colours, %.0f %% of the picture are of one", name, colours, most*100)
	}
	if os.Getenv("SCREENSHOTS") == "" {
		return
	}
	var small bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	must(d.t, encoder.Encode(&small, picture))
	if small.Len() < len(data) {
		data = small.Bytes()
	}
	d.t.Logf("%s: %v, %d kB", name, picture.Bounds().Size(), len(data)/1000)
	dir := filepath.Join("..", "..", "docs", "img")
	must(d.t, os.MkdirAll(dir, 0o755))
	must(d.t, os.WriteFile(filepath.Join(dir, name+".png"), data, 0o644))
}

// busy counts a picture's colours, and answers how much of it has the most frequent one.
func busy(m image.Image) (colours int, most float64) {
	counts := make(map[[3]uint32]int)
	b := m.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, b, _ := m.At(x, y).RGBA()
			counts[[3]uint32{r, g, b}]++
		}
	}
	largest := 0
	for _, n := range counts {
		largest = max(largest, n)
	}
	return len(counts), float64(largest) / float64(b.Dx()*b.Dy())
}
