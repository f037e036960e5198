// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/switchyard-media/sfu/web"
)

// What a page of ours must not have: the content security policy would refuse it.
var inline = map[string]*regexp.Regexp{
	"a script within the page":        regexp.MustCompile(`(?is)<script(?:\s[^>]*)?>\s*[^<\s]`),
	"a script that is no module":      regexp.MustCompile(`(?i)<script(?:\s+(?:src="[^"]*"|defer|async))*\s*>`),
	"a style sheet within the page":   regexp.MustCompile(`(?i)<style\b`),
	"a style attribute":               regexp.MustCompile(`(?i)<[^>]*\sstyle\s*=`),
	"a listener in an attribute":      regexp.MustCompile(`(?i)<[^>]*\son[a-z]+\s*=`),
	"an address that is a program":    regexp.MustCompile(`(?i)(?:href|src)\s*=\s*"?\s*(?:javascript|data):`),
	"something of another origin":     regexp.MustCompile(`(?i)(?:href|src)\s*=\s*"?\s*(?:https?:)?//`),
	"a base that moves every address": regexp.MustCompile(`(?i)<base\b`),
}

// What a module of ours must not do: texts of others could become elements or programs.
var unsafe = map[string]*regexp.Regexp{
	"makes elements of text":            regexp.MustCompile(`\b(?:innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|srcdoc|document\.write)\b`),
	"makes programs of text":            regexp.MustCompile(`\b(?:eval|Function)\s*\(|\bset(?:Timeout|Interval)\s*\(\s*['"` + "`" + `]`),
	"sets a style attribute":            regexp.MustCompile(`setAttribute\(\s*['"]style|cssText`),
	"takes something of another origin": regexp.MustCompile(`(?:from|import\(|fetch\()\s*['"](?:https?:)?//`),
}

var (
	attribute = regexp.MustCompile(`(?i)\b(?:href|src)\s*=\s*"([^"]*)"`)
	imported  = regexp.MustCompile(`(?m)(?:^import|^export|^\}).*?from\s+'([^']+)'|\bimport\(\s*'([^']+)'|new URL\(\s*'([^']+)',\s*import\.meta\.url`)
	sheetURL  = regexp.MustCompile(`url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)`)
)

// served are addresses that the node answers besides files of the pages.
var served = []string{"/sdk/switchyard.js", "/demo/config.json"}

func TestPagesHaveNothingInline(t *testing.T) {
	t.Parallel()
	for name, text := range texts(t, ".html") {
		for what, pattern := range inline {
			if found := pattern.FindString(text); found != "" {
				t.Errorf("%s has %s: %q", name, what, found)
			}
		}
	}
}

func TestModulesMakeNothingOfText(t *testing.T) {
	t.Parallel()
	for name, text := range texts(t, ".js") {
		for what, pattern := range unsafe {
			if found := pattern.FindString(text); found != "" {
				t.Errorf("%s %s: %q", name, what, found)
			}
		}
	}
}

func TestReferencesExist(t *testing.T) {
	t.Parallel()
	patterns := map[string]*regexp.Regexp{".html": attribute, ".js": imported, ".css": sheetURL}
	count := 0
	for extension, pattern := range patterns {
		for name, text := range texts(t, extension) {
			for _, match := range pattern.FindAllStringSubmatch(text, -1) {
				count++
				if reference := strings.Join(match[1:], ""); !exists(name, reference) {
					t.Errorf("%s refers to %q, which is not there", name, reference)
				}
			}
		}
	}
	if count < 20 {
		t.Errorf("found %d references only: the patterns no longer fit the pages", count)
	}
}

// exists says whether the reference of a file leads anywhere.
func exists(from, reference string) bool {
	address, err := url.Parse(reference)
	if err != nil || address.Host != "" {
		return false
	}
	if address.Path == "" {
		return true // a place in the same page
	}
	target := path.Join("/", path.Dir(from), address.Path)
	if path.IsAbs(address.Path) {
		target = path.Clean(address.Path)
	}
	if slices.Contains(served, target) {
		return true
	}
	info, err := fs.Stat(web.Files, strings.TrimPrefix(target, "/"))
	if err == nil && info.IsDir() {
		_, err = fs.Stat(web.Files, path.Join(strings.TrimPrefix(target, "/"), "index.html"))
	}
	return err == nil
}

// texts are the files of all pages that have the extension.
func texts(t *testing.T, extension string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := fs.WalkDir(web.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != extension {
			return err
		}
		text, err := fs.ReadFile(web.Files, name)
		found[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatalf("no file *%s in the pages", extension)
	}
	return found
}
