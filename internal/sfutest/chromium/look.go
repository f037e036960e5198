// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package chromium

import (
	"context"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Look is what a page is shown on.
type Look struct {
	Width, Height int     // of the window, in CSS pixels
	Scale         float64 // device pixels per CSS pixel; 0: 1
	Phone         bool    // a touch screen, and a browser that lays pages out as on a phone
	Dark          bool    // colour scheme
	Still         bool    // whoever looks prefers reduced motion
}

// Look has a page shown so from now on.
func (p *Tab) Look(l Look) {
	p.t.Helper()
	options := []chromedp.EmulateViewportOption{chromedp.EmulateLandscape}
	if l.Phone {
		options = []chromedp.EmulateViewportOption{chromedp.EmulatePortrait, chromedp.EmulateMobile, chromedp.EmulateTouch}
	}
	if l.Scale != 0 {
		options = append(options, chromedp.EmulateScale(l.Scale))
	}
	scheme, motion := "light", "no-preference"
	if l.Dark {
		scheme = "dark"
	}
	if l.Still {
		motion = "reduce"
	}
	p.Do(chromedp.EmulateViewport(int64(l.Width), int64(l.Height), options...), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion},
		}})
		return err
	}))
}

// Focus has the page believe that it is the one in front: it renders, and takes keys.
func (p *Tab) Focus() {
	p.t.Helper()
	p.Do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		return err
	}))
}

// Screenshot is a picture of the window, as PNG.
func (p *Tab) Screenshot() []byte {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	data, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatalf("taking a picture of the page: %v", err)
	}
	return data
}
