// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package switchyard_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

// checkPackageDoc wants one package comment, in one file, of the usual form.
func checkPackageDoc(t *tree) []string {
	var out []string
	pkgs := t.packages()
	for _, dir := range sortedKeys(pkgs) {
		var documented []*goFile
		for _, f := range pkgs[dir] {
			if f.ast.Doc != nil {
				documented = append(documented, f)
			}
		}
		if len(documented) != 1 {
			out = append(out, fmt.Sprintf("%s: %d files have a package comment, want 1 (an SPDX header needs a blank line below it)", dir, len(documented)))

			continue
		}
		f := documented[0]
		want := "Package " + f.ast.Name.Name + " "
		if f.ast.Name.Name == "main" {
			want = "Command "
		}
		if text := f.ast.Doc.Text(); !strings.HasPrefix(text, want) {
			out = append(out, fmt.Sprintf("%s: package comment starts with %q, want %q", f.path, firstLine(text), want))
		}
	}

	return out
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")

	return line
}

// wellKnown methods say by their name what they do.
var wellKnown = []string{"String", "Error", "Unwrap", "Read", "Write", "ServeHTTP", "Len", "Less", "Swap", "Is"}

func checkExportedDoc(t *tree) []string {
	var out []string
	for _, f := range t.sources() {
		if f.test || f.ast.Name.Name == "main" {
			continue
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Doc == nil && exportedFunc(d) {
					out = append(out, fmt.Sprintf("%s: exported %s has no comment", t.at(d.Pos()), d.Name.Name))
				}
			case *ast.GenDecl:
				out = append(out, undocumentedSpecs(t, d)...)
			}
		}
	}

	return out
}

func exportedFunc(d *ast.FuncDecl) bool {
	if !d.Name.IsExported() {
		return false
	}
	if d.Recv == nil {
		return true
	}

	return ast.IsExported(receiverName(d)) && !slices.Contains(wellKnown, d.Name.Name)
}

// receiverName is the type a method belongs to, without pointer and type parameters.
func receiverName(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	x := d.Recv.List[0].Type
	for {
		switch e := x.(type) {
		case *ast.StarExpr:
			x = e.X
		case *ast.ParenExpr:
			x = e.X
		case *ast.IndexExpr:
			x = e.X
		case *ast.IndexListExpr:
			x = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}

// undocumentedSpecs accepts a comment on the group: its members are read as one
// list, and a sentence a line that only restates the name would help nobody.
func undocumentedSpecs(t *tree, d *ast.GenDecl) []string {
	var out []string
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			own := s.Doc != nil || s.Comment != nil || d.Doc != nil
			if s.Name.IsExported() && !own {
				out = append(out, fmt.Sprintf("%s: exported type %s has no comment", t.at(s.Pos()), s.Name.Name))
			}
		case *ast.ValueSpec:
			if d.Doc != nil || s.Doc != nil || s.Comment != nil {
				continue
			}
			for _, n := range s.Names {
				if n.IsExported() {
					out = append(out, fmt.Sprintf("%s: exported %s has no comment", t.at(n.Pos()), n.Name))
				}
			}
		}
	}

	return out
}

var (
	routeLine  = regexp.MustCompile(`^\s*\d+\.\s`)
	quotedName = regexp.MustCompile("`([A-Za-z_][A-Za-z0-9_.]*)(?:\\(\\))?`")
	dottedName = regexp.MustCompile(`\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\b`)
)

// checkPacketRoute reads the numbered list in rtpforward's package comment.
// Each stage must name a function that exists: the list is what a newcomer
// follows through the code.
func checkPacketRoute(t *tree) []string {
	doc, ok := packageComment(t, "rtpforward")
	if !ok {
		return nil // the package is not there; checkPackageDoc speaks of one without a comment
	}
	stages := routeStages(doc)
	if len(stages) == 0 {
		return []string{"rtpforward/doc.go: no numbered list of a packet's stages"}
	}
	known, _ := declaredFuncs(t)
	var out []string
	for _, s := range stages {
		if !slices.ContainsFunc(namesIn(s), func(n string) bool { return known[n] }) {
			out = append(out, fmt.Sprintf("rtpforward/doc.go: stage %q names no function that exists", firstLine(s)))
		}
	}

	return out
}

// checkNamesInComments holds package comments to the code: what one writes as
// Type.Method or Type.Field of a type of ours, or as a file's name, must exist.
func checkNamesInComments(t *tree) []string {
	known, types := declaredFuncs(t)
	var files []string
	for _, f := range t.files {
		files = append(files, f.path)
	}
	var out []string
	pkgs := t.packages()
	for _, dir := range sortedKeys(pkgs) {
		doc, _ := packageComment(t, dir)
		for _, n := range namesIn(doc) {
			owner, member, _ := strings.Cut(n, ".")
			missing := member != "" && types[owner] && !known[n]
			if member == "go" {
				missing = !slices.Contains(files, path.Join(dir, n))
			}
			if missing {
				out = append(out, fmt.Sprintf("%s: the package comment names %s, which does not exist", dir, n))
			}
		}
	}

	return out
}

func packageComment(t *tree, dir string) (string, bool) {
	files, ok := t.packages()[dir]
	for _, f := range files {
		if f.ast.Doc != nil {
			return f.ast.Doc.Text(), true
		}
	}

	return "", ok
}

// routeStages cuts the comment into its numbered items, each with its
// continuation lines.
func routeStages(doc string) []string {
	var out []string
	open := false
	for line := range strings.Lines(doc) {
		switch {
		case routeLine.MatchString(line):
			out, open = append(out, line), true
		case strings.TrimSpace(line) == "" || !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t"):
			open = false
		case open:
			out[len(out)-1] += line
		}
	}

	return out
}

// namesIn gives what stands in backquotes, and what has a dot between two names.
func namesIn(text string) []string {
	var out []string
	for _, m := range quotedName.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(m[1], ".") {
			out = append(out, m[1])
		}
	}

	return append(out, dottedName.FindAllString(text, -1)...)
}

// declaredFuncs collects our functions as Name, Type.Method, pkg.Name and
// pkg.Type.Method, struct fields as Type.Field (a stage may name a queue), and
// the names of our types.
func declaredFuncs(t *tree) (known, types map[string]bool) {
	known, types = make(map[string]bool), make(map[string]bool)
	for _, f := range t.sources() {
		if f.test {
			continue
		}
		pkg := f.ast.Name.Name
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if r := receiverName(d); r != "" {
					name = r + "." + name
				}
				known[name], known[pkg+"."+name] = true, true
			case *ast.GenDecl:
				if d.Tok == token.TYPE {
					addTypes(d, pkg, known, types)
				}
			}
		}
	}

	return known, types
}

func addTypes(d *ast.GenDecl, pkg string, known, types map[string]bool) {
	for _, s := range d.Specs {
		ts := s.(*ast.TypeSpec)
		types[ts.Name.Name] = true
		var members *ast.FieldList
		switch x := ts.Type.(type) {
		case *ast.StructType:
			members = x.Fields
		case *ast.InterfaceType:
			members = x.Methods
		default:
			continue
		}
		for _, m := range members.List {
			for _, n := range m.Names {
				known[ts.Name.Name+"."+n.Name] = true
				known[pkg+"."+ts.Name.Name+"."+n.Name] = true
			}
		}
	}
}
