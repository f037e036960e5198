// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package switchyard_test

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

// listedGo is one line of a package comment's list of goroutines.
var listedGo = regexp.MustCompile(`(?m)^\s*- go \S`)

// checkGoStatements compares a package's go statements with the list in its
// comment, so that the thread model can be read in one place. A call of
// sync.WaitGroup.Go or errgroup's Go starts a goroutine too and counts.
func checkGoStatements(t *tree) []string {
	var out []string
	pkgs := t.packages()
	for _, dir := range sortedKeys(pkgs) {
		var at []string
		listed := 0
		for _, f := range pkgs[dir] {
			at = append(at, goStatements(t, f)...)
			if f.ast.Doc != nil {
				listed += len(listedGo.FindAllString(f.ast.Doc.Text(), -1))
			}
		}
		if len(at) != listed {
			out = append(out, fmt.Sprintf("%s: %d goroutines are started, the package comment lists %d as \"- go function: what, who stops it\": %s",
				dir, len(at), listed, strings.Join(at, " ")))
		}
	}

	return out
}

func goStatements(t *tree, f *goFile) []string {
	var at []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			at = append(at, t.at(n.Pos()))
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			if ok && sel.Sel.Name == "Go" && len(n.Args) == 1 {
				at = append(at, t.at(n.Pos()))
			}
		}

		return true
	})

	return at
}

// checkSends finds channel sends in rtpforward that could wait. A send is the
// communication of a select case, and that select has a default.
func checkSends(t *tree) []string {
	var out []string
	for _, f := range t.sources() {
		if f.test || !below(f.dir, "rtpforward") {
			continue
		}
		safe := make(map[ast.Stmt]bool)
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectStmt); ok && hasDefault(sel) {
				for _, c := range sel.Body.List {
					safe[c.(*ast.CommClause).Comm] = true
				}
			}
			if send, ok := n.(*ast.SendStmt); ok && !safe[send] {
				out = append(out, t.at(send.Pos())+": channel send outside a select with default: a media goroutine never waits")
			}

			return true
		})
	}

	return out
}

func hasDefault(s *ast.SelectStmt) bool {
	return slices.ContainsFunc(s.Body.List, func(c ast.Stmt) bool { return c.(*ast.CommClause).Comm == nil })
}

// checkGuardNotes wants a comment at every lock and atomic in a struct: on the
// field, or at the head of the block of fields it stands in. A block ends at a
// blank line; a comment that is a block of its own heads the next one.
func checkGuardNotes(t *tree) []string {
	var out []string
	for _, f := range t.sources() {
		if f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if st, ok := n.(*ast.StructType); ok {
				out = append(out, unnoted(t, f, st)...)

				return false // unnoted goes into nested structs itself
			}

			return true
		})
	}

	return out
}

func unnoted(t *tree, f *goFile, st *ast.StructType) []string {
	if st.Fields == nil {
		return nil
	}
	headed := headedLines(t, f, st)
	var out []string
	for _, field := range st.Fields.List {
		if field.Doc != nil || field.Comment != nil || headed[t.lineOf(field.Pos())] {
			continue
		}
		if inner, ok := field.Type.(*ast.StructType); ok {
			out = append(out, unnoted(t, f, inner)...)

			continue
		}
		if guard := guardType(f, field.Type); guard != "" {
			out = append(out, fmt.Sprintf("%s: %s field has no note: say what it guards, or who writes and who reads it", t.at(field.Pos()), guard))
		}
	}

	return out
}

// headedLines gives the lines of a struct that stand in a block with a comment
// at its head.
func headedLines(t *tree, f *goFile, st *ast.StructType) map[int]bool {
	first, last := t.lineOf(st.Fields.Opening)+1, t.lineOf(st.Fields.Closing)-1
	comment, code := make(map[int]bool), make(map[int]bool)
	for _, g := range f.ast.Comments {
		if g.Pos() > st.Fields.Opening && g.End() < st.Fields.Closing {
			mark(comment, t.lineOf(g.Pos()), t.lineOf(g.End()))
		}
	}
	for _, field := range st.Fields.List {
		mark(code, t.lineOf(field.Pos()), t.lineOf(field.End()))
	}
	headed := make(map[int]bool)
	inBlock, noted, onlyComment := false, false, false
	for line := first; line <= last; line++ {
		pureComment := comment[line] && !code[line]
		switch {
		case !comment[line] && !code[line]: // blank: the block ends, a heading carries over
			noted = inBlock && onlyComment
			inBlock = false
		case !inBlock:
			inBlock, onlyComment = true, pureComment
			noted = noted || pureComment
		default:
			onlyComment = onlyComment && pureComment
		}
		headed[line] = inBlock && noted
	}

	return headed
}

func mark(lines map[int]bool, from, to int) {
	for l := from; l <= to; l++ {
		lines[l] = true
	}
}

// guardType names the lock or atomic a field holds, directly, by pointer or in
// an array or slice; "" if it holds none.
func guardType(f *goFile, x ast.Expr) string {
	switch e := x.(type) {
	case *ast.StarExpr:
		return guardType(f, e.X)
	case *ast.ArrayType:
		return guardType(f, e.Elt)
	case *ast.IndexExpr: // atomic.Pointer[T]
		return guardType(f, e.X)
	case *ast.SelectorExpr:
		pkg, ok := e.X.(*ast.Ident)
		if !ok {
			return ""
		}
		if pkg.Name == importName(f, "sync/atomic") {
			return "atomic." + e.Sel.Name
		}
		if pkg.Name == importName(f, "sync") && slices.Contains([]string{"Mutex", "RWMutex", "Map", "Cond"}, e.Sel.Name) {
			return "sync." + e.Sel.Name
		}
	}

	return ""
}
