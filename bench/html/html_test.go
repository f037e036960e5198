// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	nethtml "golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write testdata/*.html again")

func read(t *testing.T, name, text string) []*Run {
	t.Helper()
	runs, err := Read(name, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}

	return runs
}

func written(t *testing.T, runs ...*Run) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, runs...); err != nil {
		t.Fatal(err)
	}

	return b.String()
}

// fixture is the page of the files in testdata.
func fixture(t *testing.T, names ...string) string {
	t.Helper()
	var runs []*Run
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, read(t, name, string(text))...)
	}

	return written(t, runs...)
}

func TestGolden(t *testing.T) {
	for golden, inputs := range map[string][]string{
		"one.html":   {"base.json"},
		"two.html":   {"base.json", "next.json"},
		"links.html": {"links.json"},
	} {
		got := fixture(t, inputs...)
		name := filepath.Join("testdata", golden)
		if *update {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("%s, write it again with -update (-want +got):\n%s", name, diff)
		}
	}
}

// outline is the page without its text: elements and attributes as an XML parser sees them. It fails where that one does.
func outline(t *testing.T, page string) []string {
	t.Helper()
	var out []string
	for dec := xml.NewDecoder(strings.NewReader(page)); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok {
			line := e.Name.Local
			for _, a := range e.Attr {
				line += " " + a.Name.Local
			}
			out = append(out, line)
		}
	}
}

// browserOutline is the same as browsers see it, whose parser repairs instead of failing.
func browserOutline(t *testing.T, page string) []string {
	t.Helper()
	root, err := nethtml.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for n := range root.Descendants() {
		if n.Type != nethtml.ElementNode {
			continue
		}
		line := n.Data
		for _, a := range n.Attr {
			line += " " + a.Key
		}
		out = append(out, line)
	}

	return out
}

func TestWellFormed(t *testing.T) {
	page := fixture(t, "base.json", "next.json")
	elements := outline(t, page)
	if n := len(elements); n < 200 {
		t.Errorf("%d elements", n)
	}
	// An HTML parser makes tbody, head and the like where they are left out; we leave out none, so that both see the same.
	if diff := cmp.Diff(elements, browserOutline(t, page)); diff != "" {
		t.Errorf("XML and HTML parsers disagree (-xml +html):\n%s", diff)
	}
}

var idUse = regexp.MustCompile(`(id|aria-labelledby)="([^"]*)"`)

func TestAccessible(t *testing.T) {
	page := fixture(t, "base.json", "next.json")
	ids := make(map[string]bool)
	var used []string
	for _, m := range idUse.FindAllStringSubmatch(page, -1) {
		if m[1] != "id" {
			used = append(used, strings.Fields(m[2])...)

			continue
		}
		if ids[m[2]] {
			t.Errorf("id %q twice", m[2])
		}
		ids[m[2]] = true
	}
	for _, id := range used {
		if !ids[id] {
			t.Errorf("no element has the id %q", id)
		}
	}
	plots := strings.Count(page, `<svg role="img"`)
	if plots < 6 {
		t.Errorf("%d plots", plots)
	}
	if d := strings.Count(page, "</desc>"); d != plots {
		t.Errorf("%d plots, %d descriptions", plots, d)
	}
	if tables, captions := strings.Count(page, "<table"), strings.Count(page, "<caption"); tables != captions {
		t.Errorf("%d tables, %d captions", tables, captions)
	}
	if strings.Contains(page, "<th>") {
		t.Error("a table heading without scope")
	}
}

func TestNothingOutside(t *testing.T) {
	page := strings.ToLower(fixture(t, "base.json", "next.json"))
	for _, s := range []string{"http:", "https:", "//", "src=", "href", "url(", "@import", "<script", "<link", "<iframe", "<object", "javascript:", " on", "data:"} {
		for i := 0; ; {
			k := strings.Index(page[i:], s)
			if k < 0 {
				break
			}
			i += k + len(s)
			around := page[max(0, i-30):min(len(page), i+20)]
			if s != " on" || regexp.MustCompile(`^[a-z]+=`).MatchString(page[i:]) {
				t.Errorf("%q in %q", s, around)
			}
		}
	}
	if !strings.Contains(page, `content="default-src &#39;none&#39;`) && !strings.Contains(page, `content="default-src 'none'`) {
		t.Error("no policy that forbids loading")
	}
}

// TestHostileStrings puts what would break out in every place of a string, and compares with a page of harmless ones.
func TestHostileStrings(t *testing.T) {
	const text = `{"scenario":"NAME","started":"NAME","node_version":"NAME","machine":{"cpus":2,"model":"NAME","kernel":"NAME","go":"NAME"},
		"node_settings":["NAME"],"subscribers":SIZE,"sessions":SIZE,"cpu_us_per_packet":3,"cpu_user_us_per_packet":1,"cpu_system_us_per_packet":2,
		"floor":{"cpu_us_per_packet":1},"cpu_ratio_to_floor":3,"packets_per_second":10,"packets_expected":5,"lost":1,
		"latency_ms":{"p50":1,"p95":2,"p99":3,"max":4},"memory":{"rss_mb":40},"NAME":7,"drops":{"NAME":1}}`
	filled := func(name string) string {
		quoted := strings.ReplaceAll(strings.ReplaceAll(name, `\`, `\\`), `"`, `\"`)
		quoted = strings.NewReplacer("\x00", `\u0000`, "\x1b", `\u001b`, "\n", `\n`).Replace(quoted)
		whole := strings.ReplaceAll(text, "NAME", quoted)
		all := strings.ReplaceAll(whole, "SIZE", "5") + strings.ReplaceAll(whole, "SIZE", "10")

		return all + `{"steps":[` + strings.ReplaceAll(whole, "SIZE", "5") + "," + strings.ReplaceAll(whole, "SIZE", "9") + `],"knee":` +
			strings.ReplaceAll(whole, "SIZE", "5") + "}"
	}
	harmless := written(t, append(read(t, "x.json", filled("x")), read(t, "x.json", filled("x"))...)...)
	want := outline(t, harmless)
	for _, name := range []string{
		`</title></desc></svg></style><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onload='alert(1)`, "`;alert(1)//",
		`]]>--><!--`, `{{.Title}}`, `&lt;b&gt;&amp;&#0;`, `javascript:alert(1)`, "a\x00b\x1b[31m\nc", "\u202Egnp.exe\u2066", "\uFFFE\uFFFF", `\`, strings.Repeat("long ", 5000),
	} {
		page := written(t, append(read(t, name+".json", filled(name)), read(t, name+".json", filled(name))...)...)
		if diff := cmp.Diff(want, outline(t, page)); diff != "" {
			t.Errorf("%q changes the page (-harmless +hostile):\n%s", shorten(name, 80), diff)
		}
		if diff := cmp.Diff(browserOutline(t, harmless), browserOutline(t, page)); diff != "" {
			t.Errorf("%q changes what a browser makes of the page (-harmless +hostile):\n%s", shorten(name, 80), diff)
		}
		if i := strings.IndexFunc(page, func(r rune) bool { return r < ' ' && r != '\n' || r == '\u202E' || r == '\uFFFE' }); i >= 0 {
			t.Errorf("%q leaves a character that should not be there at %q", shorten(name, 80), page[max(0, i-20):i+5])
		}
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out.html")
	if err := File(out, "testdata/base.json", "testdata/next.json"); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(first, []byte("<!DOCTYPE html>\n")) {
		t.Errorf("it begins with %.40q", first)
	}
	bad := filepath.Join(dir, "bad.json")
	if err := os.WriteFile(bad, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := File(out, "testdata/base.json", bad); !errors.Is(err, ErrSyntax) {
		t.Errorf("a bad file: %v", err)
	}
	if err := File(out, filepath.Join(dir, "none.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := File(bad, "testdata/base.json"); !errors.Is(err, ErrOutput) {
		t.Errorf("an input as output: %v", err)
	}
	if err := File(out); !errors.Is(err, ErrNoReport) {
		t.Errorf("no input: %v", err)
	}
	if again, err := os.ReadFile(out); err != nil || !bytes.Equal(first, again) {
		t.Errorf("a failure has changed the page: %v", err)
	}
	if err := Live(out, strings.NewReader(`{"scenario":"webinar","cpu_us_per_packet":3}`)); err != nil {
		t.Error(err)
	}
	if page, err := os.ReadFile(out); err != nil || !strings.Contains(string(page), "this run") {
		t.Errorf("the page of a live run: %v", err)
	}
}

func TestLetters(t *testing.T) {
	var got []string
	for _, i := range []int{0, 1, 25, 26, 27, 51, 52, 701, 702} {
		got = append(got, letter(i))
	}
	if want := []string{"A", "B", "Z", "AA", "AB", "AZ", "BA", "ZZ", "AAA"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
