// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
)

// version is set by releases: -ldflags "-X main.version=v1.2.3".
var version = ""

type versionCommand struct{}

// Run implements the command.
func (c *versionCommand) Run(p *process) error {
	var b strings.Builder
	fmt.Fprintf(&b, "sfu   %s\ngo    %s %s/%s\n", versionString(), strings.TrimPrefix(runtime.Version(), "go"), runtime.GOOS, runtime.GOARCH)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if name, ours := strings.CutPrefix(d.Path, "github.com/pion/"); ours {
				fmt.Fprintf(&b, "pion  %s %s\n", name, strings.TrimPrefix(d.Version, "v"))
			}
		}
	}
	_, err := io.WriteString(p.stdout, b.String())
	return err
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
