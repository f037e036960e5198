// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	long := strings.Repeat("s", 32)
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "no key"},
		{"comments only", "# a\n\n", "no key"},
		{"two fields", "app " + long, "line 1: want app"},
		{"four fields", "# x\napp id " + long + " more", "line 2: want app"},
		{"bad app", "a/b id " + long, "line 1: the app"},
		{"bad id", "app i/d " + long, "line 1: the key id"},
		{"short secret", "app id " + long[1:], "31 bytes"},
		{"long secret", "app id " + strings.Repeat("s", 1025), "1025 bytes"},
		{"twice", "app id " + long + "\napp id " + long, "line 2: app app has a key id already"},
		{"too many", manyKeys(17), "line 17: app a has more than 16"},
	} {
		write(t, path, c.text)
		_, err := LoadKeys(path)
		if !errors.Is(err, ErrKeyFile) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want the file and %q", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "sssss") {
			t.Errorf("%s: the secret is in %q", c.name, err)
		}
	}
	if _, err := LoadKeys(path + "-none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	write(t, path, "\xef\xbb\xbf# byte order mark and all\r\n  app\tid "+long+"  \r\n* id "+long+"\n")
	if _, err := LoadKeys(path); err != nil {
		t.Errorf("a file written on Windows: %v", err)
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("a " + string(rune('a'+i)) + " " + strings.Repeat("s", 32) + "\n")
	}
	return b.String()
}

func TestEveryApp(t *testing.T) {
	k := keysOf(t, "* shared "+secretB+"\none own "+secretA+"\n")
	for _, app := range []string{"one", "two"} {
		token, err := k.Sign(&Claims{App: app, UserID: "a", Expires: time.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Check(token); err != nil {
			t.Errorf("app %s: %v", app, err)
		}
		only := keysOf(t, "one own "+secretA)
		if _, err := only.Check(token); (err == nil) != (app == "one") {
			t.Errorf("app %s is signed with the other's key: %v", app, err)
		}
	}
}

func TestNewKeys(t *testing.T) {
	a, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	token, err := a.Sign(&Claims{App: "any", UserID: "u", Expires: time.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Reload(); err != nil {
		t.Errorf("reloading: %v", err)
	}
	if _, err := a.Check(token); err != nil {
		t.Errorf("its own token: %v", err)
	}
	if _, err := b.Check(token); !errors.Is(err, ErrToken) {
		t.Errorf("another's token: %v", err)
	}
}

func TestNewLine(t *testing.T) {
	for _, app := range []string{"demo", "*"} {
		line, err := NewLine(app, "")
		if err != nil {
			t.Fatal(err)
		}
		again, err := NewLine(app, "")
		if err != nil || line == again {
			t.Errorf("twice the same line: %q, %v", line, err)
		}
		keysOf(t, line)
	}
	if line, err := NewLine("a b", ""); err == nil {
		t.Errorf("a bad app gives %q", line)
	}
}

// TestReload replaces keys while tokens are checked: a token of either key is good or refused, and nothing in between.
func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	write(t, path, "one old "+secretA)
	k, err := LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	token, err := k.Sign(&Claims{App: "one", UserID: "a", Expires: time.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	var checks sync.WaitGroup
	for range 4 {
		checks.Go(func() {
			for range 200 {
				if _, err := k.Check(token); err != nil {
					t.Errorf("while both files have the key: %v", err)
					return
				}
			}
		})
	}
	for i := range 20 {
		text := "one old " + secretA + "\n"
		if i%2 == 0 {
			text += "one new " + secretB + "\n"
		}
		write(t, path+".new", text)
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		if err := k.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	checks.Wait()
	write(t, path, "one new "+secretB)
	if err := k.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Check(token); !errors.Is(err, ErrToken) {
		t.Errorf("after its key has gone: %v", err)
	}
	write(t, path, "broken")
	if err := k.Reload(); !errors.Is(err, ErrKeyFile) {
		t.Errorf("a broken file: %v", err)
	}
	if _, err := k.Sign(&Claims{App: "one", UserID: "a", Expires: time.Now().Add(time.Minute)}); err != nil {
		t.Errorf("the keys from before a broken file are gone: %v", err)
	}
}
