// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package switchyard_test

import (
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// markdownLink finds the target of [text](target); a title after it is left out.
var markdownLink = regexp.MustCompile(`\]\(([^)\s]+)[^)]*\)`)

// localLinks gives the files that a Markdown document links to, relative to
// the root. Links elsewhere, and to headings of the same document, are not
// looked at; nor is what stands in code.
func localLinks(name, src string) []string {
	var out []string
	fenced := false
	for line := range strings.Lines(src) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		}
		if fenced {
			continue
		}
		for _, m := range markdownLink.FindAllStringSubmatch(inlineCode.ReplaceAllString(line, ""), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, ":") {
				continue
			}
			out = append(out, path.Join(path.Dir(name), target))
		}
	}

	return out
}

var inlineCode = regexp.MustCompile("`[^`]*`")

func TestDocumentLinks(t *testing.T) {
	for _, name := range loadTree().text {
		if !strings.HasSuffix(name, ".md") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)

			continue
		}
		for _, target := range localLinks(name, string(src)) {
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", name, target)
			}
		}
	}
}

func TestLocalLinks(t *testing.T) {
	src := "[a](b.md#c), [`x`](../Makefile \"title\") and `[no](no.md)` [web](https://h/p.md) [here](#d)\n```\n[no](no.md)\n```\n![p](img/p.svg)\n"
	want := []string{"docs/b.md", "Makefile", "docs/img/p.svg"}
	if diff := cmp.Diff(want, localLinks("docs/a.md", src)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
