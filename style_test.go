// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package switchyard_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A check looks at a tree and says what it found, one finding a line. The
// tests below run every check on our own tree; style_self_test.go runs them on
// snippets that break each rule.
type check struct {
	name string
	run  func(*tree) []string
}

var checks = []check{
	{"SPDX header on every file", checkSPDX},
	{"one package comment a package", checkPackageDoc},
	{"exported names are documented", checkExportedDoc},
	{"package names say something", checkPackageNames},
	{"interfaces stay small", checkInterfaceSize},
	{"libraries neither print nor end the process", checkNoPrintNoExit},
	{"pure code does not look at the clock", checkNoClock},
	{"router does no I/O", checkRouterImports},
	{"go statements are listed in doc.go", checkGoStatements},
	{"no blocking send on the packet path", checkSends},
	{"locks and atomics say what they guard", checkGuardNotes},
	{"tests do not sleep", checkNoSleep},
	{"the packet route names functions that exist", checkPacketRoute},
	{"package comments name what exists", checkNamesInComments},
}

func TestStyle(t *testing.T) {
	for _, c := range checks {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			report(t, c.run(loadTree()))
		})
	}
}

const (
	spdxAuthors = "// SPDX-FileCopyrightText: 2026 The Switchyard authors\n"
	spdxLicence = "// SPDX-License-Identifier: Apache-2.0\n"
)

func checkSPDX(t *tree) []string {
	var out []string
	for _, f := range t.sources() {
		if !strings.HasPrefix(string(f.src), spdxAuthors+spdxLicence) {
			out = append(out, f.path+": does not start with the two SPDX lines")
		}
	}

	return out
}

// emptyNames are names that would take anything, and in time do.
var emptyNames = []string{
	"util", "utils", "common", "helper", "helpers", "manager", "managers",
	"impl", "param", "params", "misc", "shared", "base", "lib",
}

func checkPackageNames(t *tree) []string {
	var out []string
	for _, f := range t.sources() {
		name := strings.TrimSuffix(f.ast.Name.Name, "_test")
		if slices.Contains(emptyNames, name) {
			out = append(out, fmt.Sprintf("%s: package %s: name it after what it holds", f.path, name))
		}
	}

	return out
}

// maxMethods is how many methods an interface may have before it is the whole
// type again.
const maxMethods = 5

func checkInterfaceSize(t *tree) []string {
	var out []string
	for _, f := range t.sources() {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			it, ok := n.(*ast.InterfaceType)
			if !ok {
				return true
			}
			methods := 0
			for _, m := range it.Methods.List {
				methods += max(1, len(m.Names))
			}
			if methods > maxMethods {
				out = append(out, fmt.Sprintf("%s: interface with %d methods, more than %d", t.at(it.Pos()), methods, maxMethods))
			}

			return true
		})
	}

	return out
}

// mayPrint are the places that belong to a process or a test, not to a library.
func mayPrint(f *goFile) bool {
	return f.test || below(f.dir, "cmd") || below(f.dir, "bench") || below(f.dir, "examples") || below(f.dir, "internal/sfutest")
}

func checkNoPrintNoExit(t *tree) []string {
	var out []string
	for _, f := range t.sources() {
		if mayPrint(f) {
			continue
		}
		eachCall(f, func(call *ast.CallExpr, pkg, name string) {
			printing := pkg == "fmt" && strings.HasPrefix(name, "Print")
			ending := pkg == "os" && name == "Exit" || pkg == "" && name == "panic"
			builtin := pkg == "" && (name == "print" || name == "println")
			if printing || ending || builtin || pkg == "log" {
				out = append(out, fmt.Sprintf("%s: %s in a library: return an error, or log with slog", t.at(call.Pos()), name))
			}
		})
	}

	return out
}

// clockCalls read or wait for the clock; code that takes time as an argument
// has no use for them.
var clockCalls = []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"}

// pureFile marks the parts that decide and never act.
var pureFile = regexp.MustCompile(`^(router/.*|rtpforward/[^/]*(select|rewrite)[^/]*)\.go$`)

func checkNoClock(t *tree) []string {
	var out []string
	for _, f := range t.sources() {
		if f.test || !pureFile.MatchString(f.path) {
			continue
		}
		eachCall(f, func(call *ast.CallExpr, pkg, name string) {
			if pkg == "time" && slices.Contains(clockCalls, name) {
				out = append(out, fmt.Sprintf("%s: time.%s: time is an argument here", t.at(call.Pos()), name))
			}
		})
	}

	return out
}

// noRouterImports are the parts of the standard library that do I/O.
var noRouterImports = []string{"net", "os", "log", "io/fs", "syscall", "runtime", "database", "embed", "plugin", "unsafe"}

func checkRouterImports(t *tree) []string {
	var out []string
	for _, f := range t.sources() {
		if f.test || !below(f.dir, "router") {
			continue
		}
		for _, spec := range f.ast.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			if anyBelow(imp, noRouterImports) || !standardLibrary(imp) && !below(imp, module+"/router") {
				out = append(out, fmt.Sprintf("%s: router imports %s: it decides and does nothing else", t.at(spec.Pos()), imp))
			}
		}
	}

	return out
}

func checkNoSleep(t *tree) []string {
	var out []string
	for _, f := range t.sources() {
		if !f.test || importName(f, "testing/synctest") != "" {
			continue
		}
		eachCall(f, func(call *ast.CallExpr, pkg, name string) {
			if pkg == "time" && name == "Sleep" {
				out = append(out, t.at(call.Pos())+": time.Sleep in a test without testing/synctest: wait for the thing itself")
			}
		})
	}

	return out
}

// eachCall calls fn for every call of a plain or package-qualified function;
// pkg is the import path ("" for a plain name).
func eachCall(f *goFile, fn func(call *ast.CallExpr, pkg, name string)) {
	paths := make(map[string]string)
	for _, spec := range f.ast.Imports {
		imp, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(versionless(imp))
		if spec.Name != nil {
			name = spec.Name.Name
		}
		paths[name] = imp
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch fun := call.Fun.(type) {
		case *ast.Ident:
			fn(call, "", fun.Name)
		case *ast.SelectorExpr:
			if x, ok := fun.X.(*ast.Ident); ok && x.Obj == nil && paths[x.Name] != "" {
				fn(call, paths[x.Name], fun.Sel.Name)
			}
		}

		return true
	})
}

// importName gives the name under which a file imports a path, "" if it does not.
func importName(f *goFile, imp string) string {
	for _, spec := range f.ast.Imports {
		if spec.Path.Value != strconv.Quote(imp) {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}

		return path.Base(imp)
	}

	return ""
}

// Words that must not be in the tree. They are put together here so that this
// file passes its own test.
var (
	machinePath = regexp.MustCompile(`(^|[^\w.-])/(wo` + `rk|fa` + `rm|ro` + `ot)/`)
	unfinished  = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX)\b`)
	textFile    = regexp.MustCompile(`(?i)(\.(md|txt|ya?ml|json|proto|sh|js|mjs|ts|html|css|service|toml|svg|conf)|(^|/)(Makefile|Dockerfile|LICENSE|NOTICE|run|setup|go\.mod))$`)
)

func TestNoLeftovers(t *testing.T) {
	tr := loadTree()
	for _, f := range tr.files {
		report(t, leftovers(f.path, string(f.src)))
	}
	for _, name := range tr.text {
		if !textFile.MatchString(name) || strings.Contains(name, "testdata/fuzz/") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)

			continue
		}
		report(t, leftovers(name, string(src)))
	}
}

func leftovers(name, src string) []string {
	if !machinePath.MatchString(src) && !unfinished.MatchString(src) {
		return nil
	}
	var out []string
	line := 0
	for l := range strings.Lines(src) {
		line++
		if machinePath.MatchString(l) {
			out = append(out, fmt.Sprintf("%s:%d: a path of one machine: %s", name, line, strings.TrimSpace(l)))
		}
		if unfinished.MatchString(l) {
			out = append(out, fmt.Sprintf("%s:%d: unfinished: %s", name, line, strings.TrimSpace(l)))
		}
	}

	return out
}

// sortedKeys walks a map in a fixed order, so that failures read the same twice.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// lineOf is the line of a position.
func (t *tree) lineOf(p token.Pos) int { return t.fset.Position(p).Line }
