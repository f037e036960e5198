// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package proto

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGeneratedCodeIsFresh generates again, from the .proto files as they are, and compares with what is committed: a
// missing, differing or left-over file fails. Plugins and inputs are local, so it needs the module cache but no network.
func TestGeneratedCodeIsFresh(t *testing.T) {
	out := t.TempDir()
	cmd := exec.Command("go", "tool", "-modfile=../tools/go.mod", "buf", "generate", "--output", out)
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, msg)
	}
	want := generatedFiles(t, out)
	if len(want) == 0 {
		t.Fatalf("%v made no files", cmd)
	}
	if diff := cmp.Diff(want, generatedFiles(t, ".")); diff != "" {
		t.Errorf("generated code is stale, run `go generate ./proto` (-fresh +committed):\n%.4000s", diff)
	}
}

// generatedFiles returns the contents of all .pb.go files under root, by slash-separated path relative to it.
func generatedFiles(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".pb.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		files[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
