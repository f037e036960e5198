// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

const (
	nodePackage  = "github.com/switchyard-media/sfu/cmd/sfu"
	startTimeout = 20 * time.Second
	stopTimeout  = 10 * time.Second
)

var errNodeStart = errors.New("the node has not started")

// node is the one under load.
type node struct {
	conn     *grpc.ClientConn
	sessions sfuv1.SessionServiceClient
	api      sfuv1.NodeServiceClient
	rooms    sfuv1.RoomServiceClient
	wishes   sfuv1.SubscriptionServiceClient
	events   sfuv1.EventServiceClient
	pprof    string       // URL of its profiler; empty: not known
	process  *nodeProcess // nil: not ours
}

// buildNode compiles the node of the module that the working directory is in.
func buildNode(ctx context.Context) (path string, clean func(), err error) {
	dir, err := os.MkdirTemp("", "sfu-bench-")
	if err != nil {
		return "", nil, err
	}
	clean = func() { _ = os.RemoveAll(dir) } // a temporary directory
	path = filepath.Join(dir, "sfu")
	if out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=auto", "-o", path, nodePackage).CombinedOutput(); err != nil {
		clean()

		return "", nil, fmt.Errorf("building the node: %w\n%s", err, out)
	}

	return path, clean, nil
}

// openNode starts a node, or connects to the one that o names.
func openNode(ctx context.Context, o *options) (*node, error) {
	n := &node{}
	address := o.node
	if address == "" {
		p, at, err := startNode(ctx, o)
		if err != nil {
			return nil, err
		}
		n.process, address, n.pprof = p, at["grpc"], at["pprof"]
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		n.close()

		return nil, err
	}
	n.conn, n.sessions, n.api = conn, sfuv1.NewSessionServiceClient(conn), sfuv1.NewNodeServiceClient(conn)
	n.rooms, n.wishes, n.events = sfuv1.NewRoomServiceClient(conn), sfuv1.NewSubscriptionServiceClient(conn), sfuv1.NewEventServiceClient(conn)
	if _, err := n.load(ctx); err != nil {
		n.close()

		return nil, fmt.Errorf("asking the node at %s: %w", address, err)
	}

	return n, nil
}

func (n *node) close() {
	if n.conn != nil {
		_ = n.conn.Close()
	}
	if n.process != nil {
		n.process.stop()
	}
}

func (n *node) load(ctx context.Context) (*sfuv1.Load, error) {
	reply, err := n.api.GetLoad(ctx, &sfuv1.GetLoadRequest{})

	return reply.GetLoad(), err
}

func (n *node) version(ctx context.Context) string {
	reply, err := n.api.GetNode(ctx, &sfuv1.GetNodeRequest{})
	if err != nil {
		return ""
	}

	return strings.TrimSpace(reply.GetNode().GetVersion() + " " + reply.GetNode().GetBuildRevision())
}

// nodeProcess is a node that we have started.
type nodeProcess struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when its output has ended
	out  io.Reader
}

// startNode runs the node on loopback with ports that the system chooses, and reads where they are from its banner.
func startNode(ctx context.Context, o *options) (*nodeProcess, map[string]string, error) {
	args := []string{"serve"}
	for _, s := range append([]string{
		"media.udp_address=127.0.0.1:0", "media.tcp_address=off", "grpc.address=127.0.0.1:0", "http.address=127.0.0.1:0",
		"pprof.address=127.0.0.1:0", "log.level=warn", "drain_deadline=0s", "grpc.requests_per_second=0",
		"apps.default.limits.rooms_per_user=1000", "apps.default.limits.members_per_room=100000",
	}, o.settings...) {
		args = append(args, "--set", s)
	}
	binary, err := filepath.Abs(o.binary)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(binary, append(args, strings.Fields(o.nodeArgs)...)...)
	cmd.Dir = filepath.Dir(binary) // no sfu.yaml of the working directory
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errNodeStart, err)
	}
	p := &nodeProcess{cmd: cmd, done: make(chan struct{}), out: out}
	found := make(chan map[string]string, 1)
	go p.drain(found)
	select {
	case at := <-found:
		if at["grpc"] != "" {
			return p, at, nil
		}
	case <-time.After(startTimeout):
	case <-ctx.Done():
	}
	p.stop()

	return nil, nil, errNodeStart
}

// drain sends the banner's addresses by their names, and reads on so that the node never waits for us.
func (p *nodeProcess) drain(found chan<- map[string]string) {
	defer close(p.done)
	at, sent := make(map[string]string), false
	for lines := bufio.NewScanner(p.out); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) >= 2 && !sent {
			if at[f[0]] == "" {
				at[f[0]] = f[1]
			}
			if f[0] == "config" { // the last of them
				found <- at
				sent = true
			}
		}
	}
	if !sent {
		found <- nil
	}
}

// stop ends the process: politely, then for sure.
func (p *nodeProcess) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	_ = p.cmd.Wait() // how it ended is no result
}
