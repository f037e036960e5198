// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/switchyard-media/sfu/internal/config"
)

// configCommands are the commands below sfu config.
type configCommands struct {
	Check  checkCommand  `cmd:"" help:"Say whether the configuration is valid; if not, every problem with its place. Exit code 1 then."`
	Print  printCommand  `cmd:"" help:"Print the configuration in force, with where each value comes from. Secrets are in files, of which only the names are shown."`
	Schema schemaCommand `cmd:"" help:"Print a JSON Schema of the file, for editors."`
}

type checkCommand struct {
	layers
}

// Run implements the command.
func (c *checkCommand) Run(p *process) error {
	l, err := c.load(p)
	if err != nil {
		return err
	}
	say(p.stdout, "valid: %s\n", where(l))
	for _, w := range warnings(l) {
		say(p.stdout, "warning: %s\n", w)
	}
	return nil
}

type printCommand struct {
	layers
	Sample bool `help:"Print the defaults with a comment at every key instead: a file to start from."`
}

// Run implements the command.
func (c *printCommand) Run(p *process) error {
	if c.Sample {
		_, err := io.WriteString(p.stdout, config.Sample(config.Default()))
		return err
	}
	l, err := c.load(p)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "# %s\n%s", where(l), config.Print(l.Config, l.Origins))
	return err
}

type schemaCommand struct{}

// Run implements the command.
func (c *schemaCommand) Run(p *process) error {
	_, err := io.WriteString(p.stdout, config.Schema())
	return err
}

// where says which file was read.
func where(l *config.Loaded) string {
	if l.File != "" {
		return l.File
	}
	return "no file (looked for " + strings.Join(l.Searched, ", ") + "), the defaults"
}

// warnings are what is not wrong but should be known.
func warnings(l *config.Loaded) []string {
	out := l.Config.Warnings()
	for _, name := range l.UnknownEnv {
		out = append(out, "environment variable "+name+" is no key of the configuration and changes nothing")
	}
	return out
}
