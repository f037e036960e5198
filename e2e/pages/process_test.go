// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build browser

package pages_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/switchyard-media/sfu/internal/sfutest"
	"github.com/switchyard-media/sfu/internal/sfutest/chromium"
)

// process is the program running. It is killed with the test, if it is still there.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended
	at     map[string]any

	mu     sync.Mutex // guards the rest
	output []string   // lines of both outputs
}

// start runs the program until it logs that it listens.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(binary(t), args...), exited: make(chan struct{})}
	p.cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(), "SFU_LOG_FORMAT=json"}
	p.cmd.Dir = t.TempDir()
	stdout, err := p.cmd.StdoutPipe()
	must(t, err)
	stderr, err := p.cmd.StderrPipe()
	must(t, err)
	must(t, p.cmd.Start())
	listening := make(chan map[string]any, 1)
	var readers sync.WaitGroup
	for _, pipe := range []io.Reader{stdout, stderr} {
		readers.Go(func() { p.read(pipe, listening) })
	}
	go func() {
		readers.Wait()
		_ = p.cmd.Wait() // how it ended is looked at where it matters
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%q wrote:\n%s", args, p.text())
		}
	})
	select {
	case p.at = <-listening:
	case <-p.exited:
		t.Fatalf("%q ended:\n%s", args, p.text())
	case <-time.After(chromium.Patience):
		t.Fatalf("%q does not listen:\n%s", args, p.text())
	}
	return p
}

func (p *process) read(from io.Reader, listening chan<- map[string]any) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		p.output = append(p.output, lines.Text())
		p.mu.Unlock()
		var line map[string]any
		if json.Unmarshal(lines.Bytes(), &line) == nil && line["msg"] == "listening" {
			listening <- line
		}
	}
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.output, "\n")
}

// address is one of those that the program said it listens on.
func (p *process) address(name string) string {
	p.t.Helper()
	address, _ := p.at[name].(string)
	if address == "" {
		p.t.Fatalf("no address for %s in %v", name, p.at)
	}
	return address
}

// kill ends the program as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone
	<-p.exited
}

// stop ends the program as an operator would, and holds it to a clean end.
func (p *process) stop() {
	p.t.Helper()
	must(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.exited:
	case <-time.After(chromium.Patience):
		p.t.Fatal("the program did not end")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("exit code %d", code)
	}
	for _, bad := range []string{`"level":"ERROR"`, "panic", "DATA RACE"} {
		if strings.Contains(p.text(), bad) {
			p.t.Errorf("the log has %s", bad)
		}
	}
}

// balanced checks the accounting identity of a node whose sessions have ended, by its metrics.
func (p *process) balanced() {
	p.t.Helper()
	var unequal string
	ctx, cancel := context.WithTimeout(p.t.Context(), chromium.Patience)
	defer cancel()
	if !sfutest.Eventually(ctx, func() bool { unequal = p.unequal(); return unequal == "" }) {
		p.t.Errorf("accounts: %s", unequal)
	}
}

// unequal says what is wrong with the accounts now.
func (p *process) unequal() string {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://"+p.address("http")+"/metrics", http.NoBody)
	must(p.t, err)
	reply, err := http.DefaultClient.Do(request)
	must(p.t, err)
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	must(p.t, err)
	sums := make(map[string]float64)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, _, _ = strings.Cut(name, "{")
		number, err := strconv.ParseFloat(value, 64)
		if err == nil {
			sums[name] += number
		}
	}
	in, out, lost := "sfu_rtp_received_packets_total", "sfu_rtp_sent_packets_total", "sfu_rtp_dropped_packets_total"
	accepted, offered := "sfu_rtp_accepted_packets_total", "sfu_rtp_offered_packets_total"
	for _, name := range []string{in, out, accepted, offered} {
		if sums[name] == 0 {
			return name + " is 0"
		}
	}
	for _, name := range []string{"sfu_sessions", "sfu_rooms", "sfu_members", "sfu_streams", "sfu_subscriptions", "sfu_session_panics_total", "sfu_rpc_panics_total"} {
		if sums[name] != 0 {
			return fmt.Sprintf("%s is %v", name, sums[name])
		}
	}
	if sums[in]+sums[offered] != sums[accepted]+sums[out]+sums[lost] {
		return fmt.Sprintf("received %v and offered %v, accepted %v, sent %v and dropped %v", sums[in], sums[offered], sums[accepted], sums[out], sums[lost])
	}
	return ""
}

// anyPorts are the flags of a node that runs beside others.
var anyPorts = []string{
	"--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0", "--pprof-address=off",
	"--udp-address=127.0.0.1:0", "--tcp-address=off", "--loopback", "--drain-deadline=1s",
}

// dial answers the control API of a node.
func dial(t *testing.T, target string) *sfutest.API {
	t.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return sfutest.NewAPI(conn)
}
