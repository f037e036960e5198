// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func churner(i int) string { return fmt.Sprintf("churner%d", i) }

// capture writes the node's CPU and allocation profiles of the window to files; what cannot be had is left out.
func (r *run) capture(ctx context.Context) {
	if r.node.pprof == "" {
		return
	}
	if os.MkdirAll(r.o.profiles, 0o755) != nil {
		return
	}
	seconds := max(int(r.o.duration/time.Second)-1, 1)
	name := strings.NewReplacer("/", "-", " ", "-").Replace(r.plan.name)
	_ = eachOf(2, 2, func(i int) error {
		kind, file := "profile", "cpu"
		if i == 1 {
			kind, file = "allocs", "allocs"
		}
		url := fmt.Sprintf("%s%s?seconds=%d", r.node.pprof, kind, seconds)

		return fetch(ctx, url, filepath.Join(r.o.profiles, name+"."+file+".pprof"))
	}) // a missing profile is seen by who looks for it
}

func fetch(ctx context.Context, url, file string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	b, err := io.ReadAll(reply.Body)
	if err != nil {
		return err
	}

	return os.WriteFile(file, b, 0o600)
}
