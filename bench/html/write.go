// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"strings"
)

//go:embed *.tmpl
var templates embed.FS

var pageTemplate = template.Must(template.ParseFS(templates, "*.tmpl"))

// ErrOutput is a name that [File] does not write to.
var ErrOutput = errors.New("not a name for an HTML file")

// Write makes a page of runs; the first is the one that others are compared with. What it writes is UTF-8, and well-formed as XML, too.
func Write(to io.Writer, runs ...*Run) error {
	if len(runs) == 0 {
		return ErrNoReport
	}
	var b bytes.Buffer // a page that fails half way is not written
	if err := pageTemplate.ExecuteTemplate(&b, "page.tmpl", newPage(runs)); err != nil {
		return err
	}
	_, err := to.Write(b.Bytes())

	return err
}

// File reads inputs in turn and writes the page to out. Nothing is written if one of them cannot be read. A name that ends in
// .json is refused: it is an input whose place in the command line has been mistaken.
func File(out string, inputs ...string) error {
	var runs []*Run
	for _, name := range inputs {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		of, err := Read(name, f)
		f.Close()
		if err != nil {
			return err
		}
		runs = append(runs, of...)
	}

	return create(out, runs)
}

// Live writes the page of one run that has just ended: report is what bench prints of it.
func Live(out string, report io.Reader) error {
	runs, err := Read("this run", report)
	if err != nil {
		return err
	}

	return create(out, runs)
}

// Check says whether File and Live would write to out: better known before a long run than after.
func Check(out string) error {
	if out == "" || strings.EqualFold(filepath.Ext(out), ".json") {
		return fmt.Errorf("%q: %w", out, ErrOutput)
	}

	return nil
}

func create(out string, runs []*Run) error {
	if err := Check(out); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := Write(&b, runs...); err != nil {
		return err
	}

	return os.WriteFile(out, b.Bytes(), 0o644)
}
