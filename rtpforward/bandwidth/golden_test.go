// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/switchyard-media/sfu/bench/links"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden keeps one run as a table, so that a change of behavior is seen as a
// difference: seconds, then kbit/s, then ms. Written with go test -update.
func TestGolden(t *testing.T) {
	var got bytes.Buffer
	got.WriteString("second,capacity,target,sent,received,queue\n")
	sc := named(t, "2M-300k-2M")
	o := runOurs(t, sc)
	for at := links.Second; at <= sc.Length; at += links.Second {
		longest := int64(0)
		for _, p := range o.Points {
			if p.At > at-links.Second && p.At <= at {
				longest = max(longest, p.Queue)
			}
		}
		mean := func(field func(links.Point) int64) int64 { return o.Mean(at-links.Second, at, field) / 1000 }
		fmt.Fprintf(&got, "%d,%d,%d,%d,%d,%d\n", at/links.Second, sc.Link.Capacity(at-1)/1000,
			mean(links.Target), mean(links.Sent), mean(links.Received), longest/links.Millisecond)
	}
	name := filepath.Join("testdata", "drop.csv")
	if *update {
		if err := os.WriteFile(name, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	// Where the compiler fuses multiplications the last digits differ, and in
	// time the figures.
	if runtime.GOARCH == "amd64" && !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s is not what the scenario gives now; look at the difference, then go test -update", name)
	}
}
