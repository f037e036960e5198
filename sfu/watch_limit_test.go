// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"errors"
	"testing"
)

func TestWatchersAreBounded(t *testing.T) {
	n, err := NewNode(Config{UDPAddress: "127.0.0.1:0", MaxWatchers: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	first, err := n.Watch(WatchRequest{ID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Watch(WatchRequest{ID: "2"}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Watch(WatchRequest{ID: "3"}); !errors.Is(err, ErrWatcherLimit) {
		t.Errorf("a third watcher: %v", err)
	}
	first.Close()
	if _, err := n.Watch(WatchRequest{ID: "3"}); err != nil {
		t.Errorf("after one has gone: %v", err)
	}
}
