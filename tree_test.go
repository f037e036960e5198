// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Package switchyard_test holds the tests that look at the source tree as a
// whole: who may import whom (arch_test.go) and the habits the code keeps
// (style_test.go and its neighbours). They read files and never build them, so
// they see every platform's files in one run and finish in a second or two.
package switchyard_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// module is the import path of the tree's own module; go.mod is held to it in
// TestGoMod.
const module = "github.com/switchyard-media/sfu"

// goFile is one parsed Go file.
type goFile struct {
	path      string // slash-separated, relative to the root
	dir       string // directory of path; "." for the root
	src       []byte
	ast       *ast.File
	test      bool // name ends in _test.go
	generated bool
}

// tree is everything the tests look at.
type tree struct {
	fset     *token.FileSet
	files    []*goFile
	text     []string // every other file, relative paths
	problems []string // what could not be read or parsed
}

// at gives a position as path:line for a message.
func (t *tree) at(p token.Pos) string {
	pos := t.fset.Position(p)

	return pos.Filename + ":" + itoa(pos.Line)
}

// sources are the hand-written files: what the style rules apply to.
func (t *tree) sources() []*goFile {
	var out []*goFile
	for _, f := range t.files {
		if !f.generated {
			out = append(out, f)
		}
	}

	return out
}

// packages groups hand-written non-test files by directory.
func (t *tree) packages() map[string][]*goFile {
	out := make(map[string][]*goFile)
	for _, f := range t.sources() {
		if !f.test {
			out[f.dir] = append(out[f.dir], f)
		}
	}

	return out
}

var loadTree = sync.OnceValue(func() *tree {
	t := &tree{fset: token.NewFileSet()}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(p)
		if d.IsDir() {
			return enterDir(name, d.Name())
		}
		if !strings.HasSuffix(name, ".go") {
			t.text = append(t.text, name)

			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		t.addGo(name, src)

		return nil
	})
	if err != nil {
		t.problems = append(t.problems, err.Error())
	}

	return t
})

// enterDir says which directories are not ours to judge: version control,
// build output, packages fetched for the browser tests, and nested modules
// (their Go is not the product's).
func enterDir(name, base string) error {
	switch {
	case name == ".":
		return nil
	case base == ".git", base == "node_modules", base == "bin", base == "dist":
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(filepath.FromSlash(name), "go.mod")); err == nil {
		return fs.SkipDir
	}

	return nil
}

// addGo parses one file. Go files under testdata are inputs, not code.
func (t *tree) addGo(name string, src []byte) {
	if strings.Contains(name, "testdata/") {
		return
	}
	parsed, err := parser.ParseFile(t.fset, name, src, parser.ParseComments)
	if err != nil {
		t.problems = append(t.problems, err.Error())

		return
	}
	t.files = append(t.files, &goFile{
		path: name, dir: path.Dir(name), src: src, ast: parsed,
		test:      strings.HasSuffix(name, "_test.go"),
		generated: ast.IsGenerated(parsed),
	})
}

// parseTree builds a tree from snippets, so that every rule can be shown to
// find what it is for. Keys are paths, values whole files.
func parseTree(tb testing.TB, files map[string]string) *tree {
	tb.Helper()
	t := &tree{fset: token.NewFileSet()}
	for name, src := range files {
		t.addGo(name, []byte(src))
	}
	if len(t.problems) != 0 {
		tb.Fatalf("snippet does not parse: %v", t.problems)
	}

	return t
}

// report fails the test once per finding.
func report(t *testing.T, findings []string) {
	t.Helper()
	for _, f := range findings {
		t.Error(f)
	}
}

func TestTreeParses(t *testing.T) { report(t, loadTree().problems) }
