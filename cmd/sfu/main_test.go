// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var buildFlags []string

// binary is the program, built once; tests run it as anybody would.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sfu-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "sfu")
	build := exec.Command("go", append([]string{"build", "-o", binary}, append(buildFlags, ".")...)...)
	build.Stderr = os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// patience is how long a test waits for something that is sure to come; nothing that works takes that long, on the slowest machine.
const patience = 2 * time.Minute

// anyPorts are the flags that let tests run beside each other and beside a node.
var anyPorts = []string{
	"--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0", "--pprof-address=127.0.0.1:0",
	"--udp-address=127.0.0.1:0", "--tcp-address=127.0.0.1:0", "--loopback",
}

// running is a node in a process of its own.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	at     map[string]string // addresses of the banner, by first word; several joined by spaces
	banner string
	exited chan struct{} // closed when the process has ended

	mu   sync.Mutex // guards log and more
	log  strings.Builder
	more chan struct{} // closed and replaced when log grows
}

// emptyEnvironment is one without configuration: a fresh home and nothing of ours.
func emptyEnvironment(t *testing.T) []string {
	return []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"}
}

// startSFU runs the binary until its banner is complete; it is killed with the test, if it is still there.
func startSFU(t *testing.T, env []string, args ...string) *running {
	t.Helper()
	r := &running{t: t, cmd: exec.Command(binary, args...), at: make(map[string]string), exited: make(chan struct{}), more: make(chan struct{})}
	r.cmd.Env = append(emptyEnvironment(t), env...)
	r.cmd.Dir = t.TempDir()
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.Stderr = writerFunc(r.logged)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		r.banner += lines.Text() + "\n"
		if name, rest, ok := strings.Cut(strings.TrimSpace(lines.Text()), " "); ok {
			address, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			r.at[name] = strings.TrimSpace(r.at[name] + " " + address)
		}
		if strings.HasPrefix(lines.Text(), "Ctrl-C") {
			break
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, out)
		_ = r.cmd.Wait() // the code is asked for in wait
		close(r.exited)
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill() // it may be gone
		<-r.exited
		if t.Failed() {
			t.Logf("standard output:\n%slog:\n%s", r.banner, r.text())
		}
	})
	return r
}

type writerFunc func(p []byte)

// Write implements io.Writer.
func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

func (r *running) logged(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log.Write(p)
	close(r.more)
	r.more = make(chan struct{})
}

func (r *running) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

// waitLog waits until a line has all the words, and gives it.
func (r *running) waitLog(words ...string) string {
	r.t.Helper()
	late := time.After(patience)
	for {
		r.mu.Lock()
		text, more := r.log.String(), r.more
		r.mu.Unlock()
		for line := range strings.Lines(text) {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				return line
			}
		}
		select {
		case <-more:
		case <-late:
			r.t.Fatalf("no log line with %q", words)
		}
	}
}

// signal sends a signal.
func (r *running) signal(s os.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// wait waits for the end and gives the exit code.
func (r *running) wait() int {
	r.t.Helper()
	select {
	case <-r.exited:
		return r.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		r.t.Fatal("the process did not end")
		return -1
	}
}

// stop ends the node as an operator would, and holds it to a clean end.
func (r *running) stop() {
	r.t.Helper()
	r.signal(syscall.SIGTERM)
	if code := r.wait(); code != 0 {
		r.t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
	for _, bad := range []string{`"level":"ERROR"`, "panic", "DATA RACE"} {
		if strings.Contains(r.text(), bad) {
			r.t.Errorf("the log has %s", bad)
		}
	}
}

// get fetches a page.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if cerr := resp.Body.Close(); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	return resp.StatusCode, string(body)
}

// output runs the binary to its end.
func output(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(emptyEnvironment(t), env...)
	cmd.Dir = t.TempDir()
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
