// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"

	"github.com/switchyard-media/sfu/bench/html"
)

// page is what -html asks for: of files, or else of all that this command measures.
type page struct {
	out     string // empty: none
	inputs  []string
	reports bytes.Buffer
}

func (p *page) flags(f *flag.FlagSet) {
	f.StringVar(&p.out, "html", "", "write a page with plots to this file: of the JSON files that follow all flags, compared with the first, and nothing is measured; or of this run")
}

// take is what the command line has after its flags.
func (p *page) take(args []string) error {
	if p.inputs = args; p.out != "" {
		return html.Check(p.out)
	}
	if len(args) > 0 {
		return fmt.Errorf("%w: %s", errUsage, args[0])
	}

	return nil
}

// add keeps what has been measured.
func (p *page) add(r result) error {
	if p.out == "" {
		return nil
	}

	return json.NewEncoder(&p.reports).Encode(r)
}

// write makes the page at the end, of what there is if err ended the command early.
func (p *page) write(err error) error {
	if p.reports.Len() == 0 {
		return err
	}

	return errors.Join(err, html.Live(p.out, &p.reports))
}
