// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth_test

import (
	"testing"

	"github.com/switchyard-media/sfu/bench/links"
)

// named finds a scenario.
func named(t *testing.T, name string) links.Scenario {
	t.Helper()
	sc, err := links.Named(name)
	if err != nil {
		t.Fatal(err)
	}

	return sc
}

func play(t testing.TB, sc links.Scenario, s links.Sender) links.Outcome {
	t.Helper()
	o, err := links.Run(sc, s)
	if err != nil {
		t.Fatal(err)
	}

	return o
}

// runOurs and runPions play the same scenario.
func runOurs(t testing.TB, sc links.Scenario) links.Outcome {
	t.Helper()

	return play(t, sc, links.NewOurs(sc.Config))
}

func runPions(t *testing.T, sc links.Scenario) links.Outcome {
	t.Helper()
	o, err := links.RunPions(t, sc)
	if err != nil {
		t.Fatal(err)
	}

	return o
}
