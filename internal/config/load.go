// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// SearchPath lists the files that are looked for when none is named; the first that exists is used.
var SearchPath = []string{"sfu.yaml", "/etc/sfu/sfu.yaml"}

// FileEnv names the environment variable that names the file.
const FileEnv = "SFU_CONFIG"

// Sources says where to read from.
type Sources struct {
	File     string    // named by a flag; empty: FileEnv, then Search
	Search   []string  // files to look for; nil: SearchPath
	Environ  []string  // as os.Environ gives it
	Settings []Setting // flags, in order
}

// Loaded is a configuration with its history.
type Loaded struct {
	Config     Config
	File       string            // that was read; empty: none
	Searched   []string          // when File is empty: where none was found
	Origins    map[string]Origin // of the keys that were set
	UnknownEnv []string          // SFU_ variables that are no key; not an error, since Kubernetes makes some up for a service called sfu
}

// Load reads all layers and validates the outcome. The error is an *Error with every problem, or that of reading the file.
func Load(src Sources) (*Loaded, error) {
	cfg := Default()
	out := &Loaded{Origins: make(map[string]Origin)}
	d := &decoder{cfg: &cfg, origins: out.Origins}
	env, unknown := settingsFromEnv(src.Environ)
	out.UnknownEnv = unknown

	text, err := out.read(src)
	if err != nil {
		return nil, err
	}
	if out.File != "" {
		d.file(out.File, text)
	}
	for _, s := range env {
		d.set(s)
	}
	for _, s := range src.Settings {
		d.set(s)
	}
	d.finish()
	out.Config = cfg
	problems := merge(d.problems, cfg.problems(out.Origins, excerpts(out.File, text)))
	if err := asError(problems); err != nil {
		return nil, err
	}
	return out, nil
}

// Parse is Load of one file's text and nothing else; name is for messages.
func Parse(name string, text []byte) (Config, error) {
	cfg := Default()
	d := &decoder{cfg: &cfg, origins: make(map[string]Origin)}
	d.file(name, text)
	d.finish()
	problems := merge(d.problems, cfg.problems(d.origins, excerpts(name, text)))
	if err := asError(problems); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// merge adds what validation found to what reading found, leaving out keys that could not be read: their value is not what
// was written, so there is nothing to say about it.
func merge(read, found []Problem) []Problem {
	bad := make(map[string]bool)
	for _, p := range read {
		bad[p.Path] = true
	}
	for _, p := range found {
		if !bad[p.Path] {
			read = append(read, p)
		}
	}
	return read
}

// excerpts gives the line of a place in one file.
func excerpts(name string, text []byte) func(Origin) string {
	lines := strings.Split(string(text), "\n")
	return func(at Origin) string {
		if at.Source != name || at.Line < 1 || at.Line > len(lines) {
			return ""
		}
		return strings.TrimRight(lines[at.Line-1], "\r")
	}
}

// read finds the file and reads it. One that was named must exist; one that is only looked for need not.
func (l *Loaded) read(src Sources) ([]byte, error) {
	name, by := src.File, "--config"
	if name == "" {
		name, by = lookup(src.Environ, FileEnv), FileEnv
	}
	if name != "" {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("%w: cannot read the file named by %s: %w", ErrInvalid, by, err)
		}
		l.File = name
		return text, nil
	}
	search := src.Search
	if search == nil {
		search = SearchPath
	}
	for _, name := range search {
		text, err := os.ReadFile(name)
		switch {
		case err == nil:
			l.File = name
			return text, nil
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%w: cannot read a file that is there: %w", ErrInvalid, err)
		}
	}
	l.Searched = search
	return nil, nil
}

func lookup(environ []string, name string) string {
	for _, e := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// settingsFromEnv turns SFU_ variables into settings, in the order of the keys. An empty variable counts as not set: that
// is what compose files and unit files leave behind when there is nothing to say.
func settingsFromEnv(environ []string) (out []Setting, unknown []string) {
	byName := make(map[string]string)
	for _, k := range Keys() {
		if k.Env != "" {
			byName[k.Env] = strings.Replace(k.Path, "<id>", DefaultAppID, 1)
		}
	}
	values := make(map[string]string)
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "SFU_") || name == FileEnv || value == "" {
			continue
		}
		if byName[name] == "" {
			unknown = append(unknown, name)
			continue
		}
		values[name] = value
	}
	for _, k := range Keys() {
		if value, ok := values[k.Env]; ok {
			out = append(out, Setting{Path: byName[k.Env], Value: value, Source: "environment " + k.Env})
		}
	}
	slices.Sort(unknown)
	return out, slices.Compact(unknown)
}
