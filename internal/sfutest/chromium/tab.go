// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package chromium

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Tab is a page of its own. Only its test's goroutine may use it.
type Tab struct {
	// immutable after Open
	t     testing.TB
	ctx   context.Context
	close context.CancelFunc
	done  chan struct{} // closed when read has ended

	mu       sync.Mutex // guards the rest
	troubles []string
}

// Open opens a page that is closed with the test, and waits until it has loaded. scripts run in it before any of its own, free
// of its content security policy.
func (b *Browser) Open(t testing.TB, url string, scripts ...string) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	tab := &Tab{t: t, ctx: ctx, close: cancel, done: make(chan struct{})}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	go tab.read(chromedp.Console(ctx))
	t.Cleanup(tab.Close)
	for _, script := range scripts {
		tab.Do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
			return err
		}))
	}
	tab.Do(chromedp.Navigate(url))
	return tab
}

// Close closes the page, as the end of the test does.
func (p *Tab) Close() {
	p.close()
	<-p.done
}

// read keeps what somebody should look into.
func (p *Tab) read(console func(yield func(chromedp.ConsoleMessage, error) bool)) {
	defer close(p.done)
	for m, err := range console {
		if err != nil {
			return
		}
		if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleException || m.Type == "assert" || m.Source == "security" {
			p.mu.Lock()
			p.troubles = append(p.troubles, fmt.Sprintf("%s (%s:%d)", m, m.URL, m.Line+1))
			p.mu.Unlock()
		}
	}
}

// Troubles are the errors on the page's console so far: uncaught exceptions, unhandled rejections, console.error, and what the
// browser itself refused, as breaches of the content security policy and failed loads.
func (p *Tab) Troubles() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.troubles)
}

// Do does things of chromedp, and fails the test when one fails or takes longer than Patience.
func (p *Tab) Do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%v; the page's console: %q", err, p.Troubles())
	}
}

// Eval evaluates an expression in the page, waits for what it promises, and answers it. It fails the test when the page throws.
func Eval[T any](p *Tab, expression string) T {
	p.t.Helper()
	got, err := TryEval[T](p, expression)
	if err != nil {
		p.t.Fatalf("%s: %v; the page's console: %q", shortened(expression), err, p.Troubles())
	}
	return got
}

// TryEval is Eval that answers what went wrong.
func TryEval[T any](p *Tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Call calls a function of the page with arguments that JSON has words for, and answers what it promises.
func Call[T any](p *Tab, function string, args ...any) T {
	p.t.Helper()
	return Eval[T](p, Expression(p.t, function, args...))
}

// Expression is a call in JavaScript.
func Expression(t testing.TB, function string, args ...any) string {
	t.Helper()
	words := make([]string, len(args))
	for i, arg := range args {
		word, err := json.Marshal(arg)
		if err != nil {
			t.Fatal(err)
		}
		words[i] = string(word)
	}
	return fmt.Sprintf("%s(%s)", function, strings.Join(words, ", "))
}

// Until evaluates an expression every tenth of a second until enough says so, and answers the last value. It fails the test
// after Patience.
func Until[T any](p *Tab, what, expression string, enough func(T) bool) T {
	p.t.Helper()
	late := time.After(Patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		now := Eval[T](p, expression)
		if enough(now) {
			return now
		}
		select {
		case <-tick.C:
		case <-late:
			text, _ := json.MarshalIndent(now, "", "  ")
			p.t.Fatalf("waited in vain for %s; last: %s; the page's console: %q", what, text, p.Troubles())
		}
	}
}

func shortened(text string) string {
	const most = 200
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
