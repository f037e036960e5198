// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	code := 1
	if dir, err := os.MkdirTemp("", "sfu-pages-"); err == nil {
		program.path = filepath.Join(dir, "sfu")
		code = m.Run()
		_ = os.RemoveAll(dir)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

// program is the binary, built for the first test that asks for it.
var program struct {
	path string // immutable after TestMain
	once sync.Once
	err  error // written by once, read after it
}

// binary answers the program's path.
func binary(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		build := exec.Command("go", "build", "-o", program.path, "github.com/switchyard-media/sfu/cmd/sfu")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		program.err = build.Run()
	})
	if program.err != nil {
		t.Fatalf("building the program: %v", program.err)
	}
	return program.path
}
