// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// decoder applies layers to a Config and notes where every value came from.
type decoder struct {
	cfg      *Config
	origins  map[string]Origin // by path, of what was set
	problems []Problem
	// later holds what is set in apps other than the default one: an app starts as a copy of that one, so it has to wait
	// until all layers are read.
	later []func()

	source string   // of the file being walked, or of the value
	lines  []string // of that file
}

// finish applies what had to wait.
func (d *decoder) finish() {
	for _, f := range d.later {
		f()
	}
	d.later = nil
}

func (d *decoder) fail(path string, at Origin, format string, args ...any) {
	p := Problem{Path: path, Message: fmt.Sprintf(format, args...), Origin: at}
	if at.Source == d.source && at.Line > 0 && at.Line <= len(d.lines) {
		p.Excerpt = strings.TrimRight(d.lines[at.Line-1], "\r\n")
	}
	d.problems = append(d.problems, p)
}

// at is the place of a token of the file being walked.
func (d *decoder) at(tk *token.Token) Origin {
	if tk == nil || tk.Position == nil || len(d.lines) == 0 {
		return Origin{Source: d.source}
	}
	return Origin{Source: d.source, Line: tk.Position.Line, Column: tk.Position.Column}
}

// maxFileBytes bounds what is parsed; the sample with every comment has 20 kB.
const maxFileBytes = 1 << 20

// file applies a YAML file.
func (d *decoder) file(name string, src []byte) {
	d.source, d.lines = name, strings.Split(string(src), "\n")
	body, tk, err := parseYAML(src)
	if err != nil {
		d.fail("", d.at(tk), "%s", err)
		return
	}
	if body == nil {
		return
	}
	d.section("", reflect.ValueOf(d.cfg).Elem(), body)
}

// parseYAML parses one document; a nil node is an empty one. On an error the token says where, when that is known.
func parseYAML(src []byte) (body ast.Node, at *token.Token, err error) { //nolint:ireturn // the parser's own node type
	if len(src) > maxFileBytes {
		return nil, nil, fmt.Errorf("file of %d bytes: more than %d", len(src), maxFileBytes)
	}
	tokens := lexer.Tokenize(string(src))
	if tk := tooDeep(tokens); tk != nil {
		return nil, tk, fmt.Errorf("nested more than %d levels deep", maxDepth)
	}
	f, err := parser.Parse(tokens, 0)
	if err != nil {
		if ye, ok := errors.AsType[yaml.Error](err); ok {
			return nil, ye.GetToken(), errors.New(ye.GetMessage())
		}
		return nil, nil, err
	}
	var bodies []ast.Node
	for _, doc := range f.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.NullType && doc.Body.Type() != ast.CommentType {
			bodies = append(bodies, doc.Body)
		}
	}
	switch len(bodies) {
	case 0:
		return nil, nil, nil
	case 1:
		return bodies[0], nil, nil
	}
	return nil, bodies[1].GetToken(), errors.New("a second document: want one")
}

// maxDepth bounds nesting; the parser's memory grows with its square. The deepest key of ours is at level 4.
const maxDepth = 32

// tooDeep gives the first token that is nested too deep: by brackets, by indentation, or by indicators on one line.
func tooDeep(tokens token.Tokens) *token.Token {
	brackets, indicators, line := 0, 0, 0
	var columns []int // of the lines that the current one is below
	for _, tk := range tokens {
		if tk.Position.Line != line {
			line, indicators = tk.Position.Line, 0
			for len(columns) > 0 && columns[len(columns)-1] >= tk.Position.Column {
				columns = columns[:len(columns)-1]
			}
			columns = append(columns, tk.Position.Column)
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType, token.AliasType:
			indicators++
		default: // does not nest
		}
		if brackets > maxDepth || indicators > maxDepth || len(columns) > maxDepth {
			return tk
		}
	}
	return nil
}

// entries gives the pairs of a mapping in order.
func (d *decoder) entries(path string, n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	case *ast.NullNode:
		return nil // "apps:" with everything below it commented out
	}
	d.fail(path, d.at(n.GetToken()), "want keys and values here, not %s", describe(n))
	return nil
}

// key is the name of a pair's key, once.
func (d *decoder) key(path string, e *ast.MappingValueNode, seen map[string]Origin) (string, Origin, bool) {
	at := d.at(e.Key.GetToken())
	s, ok := e.Key.(*ast.StringNode)
	if !ok {
		d.fail(path, at, "want a key here, not %s", describe(e.Key))
		return "", at, false
	}
	if first, dup := seen[s.Value]; dup {
		d.fail(join(path, s.Value), at, "set before, in line %d", first.Line)
		return "", at, false
	}
	seen[s.Value] = at
	return s.Value, at, true
}

// section applies a mapping to a struct.
func (d *decoder) section(path string, v reflect.Value, n ast.Node) {
	fields := fieldsOf(v.Type())
	seen := make(map[string]Origin)
	for _, e := range d.entries(path, n) {
		name, at, ok := d.key(path, e, seen)
		if !ok {
			continue
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == name })
		if i < 0 {
			d.fail(join(path, name), at, "unknown key%s", suggest(name, fields))
			continue
		}
		d.value(join(path, name), v.Field(fields[i].index), fields[i], e.Value)
	}
}

// value applies a node to whatever type v has.
func (d *decoder) value(path string, v reflect.Value, f field, n ast.Node) {
	at := d.at(n.GetToken())
	switch {
	case v.Kind() == reflect.Struct:
		d.origins[path] = at
		d.section(path, v, n)
	case v.Type() == reflect.TypeFor[map[string]App]():
		d.apps(path, n)
	case v.Kind() == reflect.Map:
		d.scopes(path, v, f, n)
	case v.Kind() == reflect.Slice:
		d.list(path, v, f, n)
	default:
		text, err := scalarText(v, n)
		if err == nil {
			err = setScalar(v, f, text)
		}
		if err != nil {
			d.fail(path, at, "%s", err)
			return
		}
		d.origins[path] = at
	}
}

// apps applies the mapping of apps: the default one now, the others when it is complete.
func (d *decoder) apps(path string, n ast.Node) {
	seen := make(map[string]Origin)
	for _, e := range d.entries(path, n) {
		id, at, ok := d.key(path, e, seen)
		if !ok {
			continue
		}
		d.app(id, at, func(p string, v reflect.Value) { d.section(p, v, e.Value) })
	}
}

// app calls set with the app's value when it can be set; it is a copy of the default app at first.
func (d *decoder) app(id string, at Origin, set func(path string, v reflect.Value)) {
	path := join("apps", id)
	if err := checkAppID(id); err != nil {
		d.fail(path, at, "%s", err)
		return
	}
	source, lines := d.source, d.lines
	apply := func() {
		d.source, d.lines = source, lines
		app, ok := d.cfg.Apps[id]
		if !ok {
			app = d.cfg.Apps[DefaultAppID]
		}
		set(path, reflect.ValueOf(&app).Elem())
		d.cfg.Apps[id] = app
		d.origins[path] = at
	}
	if id == DefaultAppID {
		apply()
		return
	}
	d.later = append(d.later, apply)
}

// scopes applies a mapping of names to words.
func (d *decoder) scopes(path string, v reflect.Value, f field, n ast.Node) {
	out := make(map[string]string)
	seen := make(map[string]Origin)
	for _, e := range d.entries(path, n) {
		name, _, ok := d.key(path, e, seen)
		if !ok {
			continue
		}
		var word string
		p := join(path, name)
		d.value(p, reflect.ValueOf(&word).Elem(), f, e.Value)
		out[name] = word
	}
	d.origins[path] = d.at(n.GetToken())
	if len(out) == 0 {
		out = nil
	}
	v.Set(reflect.ValueOf(out))
}

// list applies a sequence; it replaces the whole list of the layer before.
func (d *decoder) list(path string, v reflect.Value, f field, n ast.Node) {
	at := d.at(n.GetToken())
	if _, ok := n.(*ast.NullNode); ok {
		v.SetZero()
		return
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fail(path, at, "want a list, not %s", describe(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		d.value(fmt.Sprintf("%s[%d]", path, i), out.Index(i), field{enum: f.enum}, item)
	}
	if len(seq.Values) == 0 {
		out = reflect.Zero(v.Type())
	}
	d.origins[path] = at
	v.Set(out)
}

// scalarText is the text of a scalar node whose YAML type fits v: 7 is not a text, and "7" is not a number.
func scalarText(v reflect.Value, n ast.Node) (string, error) {
	var want string
	switch n := n.(type) {
	case *ast.StringNode:
		if v.Kind() == reflect.String || v.Type() == durationType {
			return n.Value, nil
		}
	case *ast.IntegerNode:
		text := n.GetToken().Value
		if v.Type() == durationType && text == "0" {
			return "0s", nil
		}
		if v.Type() != durationType && (v.Kind() == reflect.Int || v.Kind() == reflect.Float64) {
			return text, nil
		}
	case *ast.FloatNode:
		if v.Kind() == reflect.Float64 {
			return n.GetToken().Value, nil
		}
	case *ast.BoolNode:
		if v.Kind() == reflect.Bool {
			return n.GetToken().Value, nil
		}
	}
	switch {
	case v.Type() == durationType:
		want = "a duration with its unit, like 500ms, 30s or 5m"
	case v.Kind() == reflect.String:
		want = "text (in quotes when it looks like something else)"
	case v.Kind() == reflect.Bool:
		want = "true or false"
	case v.Kind() == reflect.Float64:
		want = "a number"
	default:
		want = "a whole number"
	}
	return "", fmt.Errorf("want %s, not %s", want, describe(n))
}

// describe names what stands there, for people.
func describe(n ast.Node) string {
	switch n := n.(type) {
	case *ast.NullNode:
		return "nothing (leave the key out to get its default)"
	case *ast.StringNode:
		return "the text " + quote(n.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "the number " + n.GetToken().Value
	case *ast.BoolNode:
		return n.GetToken().Value
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "an anchor or alias (not taken in this file)"
	case *ast.TagNode:
		return "a tag (not taken in this file)"
	case *ast.LiteralNode:
		return "a text block"
	}
	return "this"
}

// suggest names the known key that is most like a wrong one, if any is.
func suggest(name string, fields []field) string {
	best, score := "", 3
	known := make(map[string]bool)
	for _, f := range fields {
		known[f.key] = true
		if n := distance(name, f.key); n < score {
			best, score = f.key, n
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return "; known here: " + strings.Join(slices.Sorted(maps.Keys(known)), ", ")
}

// distance counts the letters to add, drop or change (Levenshtein).
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
