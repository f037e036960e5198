// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrInvalid is what every configuration that cannot be used matches with errors.Is.
var ErrInvalid = errors.New("configuration is not valid")

// Origin says where a value came from.
type Origin struct {
	Source       string // file name, "environment SFU_…", "flag --…"; empty: the default
	Line, Column int    // in a file, from 1; 0 elsewhere
}

// String is file:line:column, or the source alone.
func (o Origin) String() string {
	switch {
	case o.Source == "":
		return "default"
	case o.Line == 0:
		return o.Source
	}
	return fmt.Sprintf("%s:%d:%d", o.Source, o.Line, o.Column)
}

// Problem is one thing that is wrong, and where.
type Problem struct {
	Path    string // of the key, for example "grpc.address"; empty: of the file as a whole
	Message string
	Origin  Origin
	Excerpt string // the line it is on; empty outside files
}

// String is one line, and below it the line of the file with a mark under the place.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", p.Origin)
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Excerpt != "" {
		gutter := fmt.Sprintf("%6d | ", p.Origin.Line)
		line, column := window([]rune(p.Excerpt), p.Origin.Column)
		fmt.Fprintf(&b, "\n%s%s\n%s^", gutter, string(line), mark(gutter, line, column))
	}
	return b.String()
}

// window is the part of a long line around a column, and the column in it.
func window(line []rune, column int) ([]rune, int) {
	const before, width = 60, 120
	if column > width-before {
		cut := min(column-before, len(line))
		line, column = line[cut:], column-cut
	}
	return line[:min(len(line), width)], column
}

// mark is the white space before the caret; tabs stay tabs, so that the caret stands below its column in any editor.
func mark(gutter string, line []rune, column int) string {
	pad := []rune(strings.Repeat(" ", len(gutter)-2) + "| ")
	for i, r := range line {
		if i >= column-1 {
			break
		}
		if r != '\t' {
			r = ' '
		}
		pad = append(pad, r)
	}
	return string(pad)
}

// Error holds every problem found, in the order of their places.
type Error struct {
	Problems []Problem
}

// Error lists the problems, one after the other.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(ErrInvalid.Error())
	for _, p := range e.Problems {
		b.WriteString("\n" + p.String())
	}
	return b.String()
}

// Is makes every Error an ErrInvalid.
func (e *Error) Is(target error) bool { return target == ErrInvalid }

// asError sorts problems by place; nil when there are none.
func asError(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Origin.Line, b.Origin.Line), cmp.Compare(a.Origin.Column, b.Origin.Column))
	})
	return &Error{Problems: problems}
}
