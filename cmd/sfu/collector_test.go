// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var update = flag.Bool("update", false, "write the table of clients' metrics in docs/operations.md again")

// TestClientMetricsAreDocumented holds the second table of metrics in docs/operations.md to what the code says.
func TestClientMetricsAreDocumented(t *testing.T) {
	const name, begin, end = "../../docs/operations.md", "<!-- client-metrics:begin -->\n", "<!-- client-metrics:end -->"
	var b strings.Builder
	b.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, f := range slices.Concat(signalFamilies, whipFamilies) {
		kind := "counter"
		if f.kind == prometheus.GaugeValue {
			kind = "gauge"
		}
		if strings.HasSuffix(f.name, "_total") != (kind == "counter") {
			t.Errorf("%s is a %s", f.name, kind)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, kind, f.label, f.help)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(text), begin)
	table, tail, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for the table", name)
	}
	if *update {
		table = b.String()
		if err := os.WriteFile(name, []byte(head+begin+table+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if table != b.String() {
		t.Error("the table is not what the code says; run go test ./cmd/sfu -run Documented -update")
	}
}
