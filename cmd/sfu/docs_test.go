// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// example is a shell block of a document that asks to be run: <!-- test --> stands on the line above it.
type example struct {
	at   string // file:line
	text string
}

func examples(t *testing.T, name string) []example {
	t.Helper()
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out []example
	lines := strings.Split(string(src), "\n")
	for i := 0; i < len(lines); i++ {
		if strings.TrimSpace(lines[i]) != "<!-- test -->" {
			continue
		}
		if i+1 >= len(lines) || lines[i+1] != "```sh" {
			t.Errorf("%s:%d: the mark stands above no ```sh block", name, i+1)
			continue
		}
		e := example{at: filepath.Base(name) + ":" + strconv.Itoa(i+2)}
		for i += 2; i < len(lines) && lines[i] != "```"; i++ {
			e.text += lines[i] + "\n"
		}
		out = append(out, e)
	}
	return out
}

// TestExamplesInDocuments runs what the documents tell readers to type, in the root of the tree, with the binary on the
// path. A node runs meanwhile; its addresses take the place of the default ones, and nodes that an example starts get
// ports of the system's choice.
func TestExamplesInDocuments(t *testing.T) {
	names, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []example
	for _, name := range append(names, "../../README.md") {
		if _, err := os.Stat(name); err == nil {
			all = append(all, examples(t, name)...)
		}
	}
	if len(all) < 5 {
		t.Errorf("%d examples found, want those of docs/operations.md at least", len(all))
	}
	r := startSFU(t, nil, anyPorts...)
	stand := strings.NewReplacer("127.0.0.1:7780", hostOf(t, r.at["http"]), "127.0.0.1:7781", r.at["grpc"], "127.0.0.1:7784", hostOf(t, r.at["pprof"]))
	for _, e := range all {
		t.Run(e.at, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // some build a program first
			defer cancel()
			cmd := exec.CommandContext(ctx, "bash", "-eu", "-o", "pipefail", "-c", stand.Replace(e.text))
			cmd.Dir = "../.."
			cmd.WaitDelay = patience // a node that an example has ended may be busy ending
			cmd.Env = append(os.Environ(),
				"PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"), "TMPDIR="+t.TempDir(), "HOME="+t.TempDir(),
				"GOCACHE="+goEnv(t, "GOCACHE"), "GOMODCACHE="+goEnv(t, "GOMODCACHE"),
				"SFU_HTTP_ADDRESS=127.0.0.1:0", "SFU_GRPC_ADDRESS=127.0.0.1:0", "SFU_PPROF_ADDRESS=127.0.0.1:0",
				"SFU_MEDIA_UDP_ADDRESS=127.0.0.1:0", "SFU_MEDIA_TCP_ADDRESS=127.0.0.1:0")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s\n%s", err, e.text, out)
			}
		})
	}
	r.stop()
}

func hostOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// goEnv keeps the caches when HOME is another one.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
