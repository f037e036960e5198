// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

//go:build npm

package greeter_test

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/switchyard-media/sfu/internal/sfutest"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestGreeter runs the example as its first lines say, beside a node that somebody joins.
func TestGreeter(t *testing.T) {
	node := sfutest.StartNode(t, nil)
	cmd := exec.CommandContext(t.Context(), "node", "greeter.js", node.Target)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatalf("node is missing, or its packages: %v", err)
	}
	lines := bufio.NewScanner(out)
	says := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), want) {
				return
			}
			t.Logf("greeter: %s", lines.Text())
		}
		t.Fatalf("it ended without %q (are its packages installed? npm ci); %s", want, &complaints)
	}
	says("watching")

	events, err := node.Event.WatchEvents(t.Context(), &sfuv1.WatchEventsRequest{
		WatcherId: "test", Filter: &sfuv1.EventFilter{Kinds: []sfuv1.EventKind{sfuv1.EventKind_EVENT_KIND_MESSAGE}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ann := node.Client(t, "ann")
	if _, err := ann.Join(t.Context(), "lobby"); err != nil {
		t.Fatal(err)
	}
	says("greeted ann in lobby")
	for {
		item, err := events.Recv()
		if err != nil {
			t.Fatal(err)
		}
		message := item.GetEvent().GetMessage()
		if message == nil {
			continue
		}
		got := []string{message.GetFrom().GetId(), strings.Join(message.GetToUsers(), ","), string(message.GetPayload())}
		if diff := cmp.Diff([]string{"greeter", "ann", "Welcome to lobby, ann!"}, got); diff != "" {
			t.Errorf("the message (-want +got):\n%s", diff)
		}
		break
	}
	ann.Close()
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait() // killed, as it runs for ever
}
