// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// version is set by releases: -ldflags "-X main.version=v1.2.3".
var version = ""

type versionCommand struct{}

// Run implements the command.
func (c *versionCommand) Run(p *process) error {
	fmt.Fprintf(p.stdout, "sfu   %s\ngo    %s %s/%s\n", versionString(), strings.TrimPrefix(runtime.Version(), "go"), runtime.GOOS, runtime.GOARCH)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, d := range info.Deps {
		if name, ours := strings.CutPrefix(d.Path, "github.com/pion/"); ours {
			if d.Replace != nil {
				d = d.Replace
			}
			fmt.Fprintf(p.stdout, "pion  %s %s\n", name, strings.TrimPrefix(d.Version, "v"))
		}
	}
	return nil
}

// versionString is the release, else what the build knows: the module's version, or the commit, with a plus when files
// were changed.
func versionString() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	var revision, changed string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+"
		}
	}
	return cmp.Or(revision+changed, "devel")
}
