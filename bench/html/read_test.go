// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const small = `{"scenario":"webinar","subscribers":5,"cpu_us_per_packet":3}`

func TestReadErrors(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want error
		says string
	}{
		"empty":         {"", ErrNoReport, "run.json: offset 0: no report of bench in it"},
		"blank":         {" \n\t\n", ErrNoReport, "run.json: offset 4: no report of bench in it"},
		"other JSON":    {`{"a":1} [2]`, ErrNoReport, "run.json: offset 11: no report of bench in it"},
		"empty list":    {`[]`, ErrNoReport, "run.json: offset 2: "},
		"text":          {"bench: not every subscription delivers\n", ErrSyntax, "run.json: offset 0, line 1: not JSON: invalid character 'b'"},
		"cut off":       {small[:30], ErrSyntax, "run.json: offset 30, line 1: not JSON: ends in the middle of a value"},
		"second cut":    {small + "\n" + small[:10], ErrSyntax, "run.json: offset 71, line 2: not JSON: ends in the middle of a value"},
		"garbled":       {"{\n\"scenario\": \"webinar\",\n\"lost\": 1x2}", ErrSyntax, "run.json: offset 34, line 3: not JSON: invalid character 'x'"},
		"garbled later": {small + "\n" + small + "\n}", ErrSyntax, "run.json: offset 122, line 3: not JSON: invalid character '}'"},
		"in a list":     {"[" + small + ",\n" + small + " " + small + "]", ErrSyntax, "run.json: offset 124, line 2: not JSON: invalid character '{'"},
		"beyond float":  {`[{"scenario":"webinar","lost":1e999}]`, ErrSyntax, "run.json: offset 36, line 1: not JSON: "},
		"binary":        {"\x1f\x8b\x08\x00", ErrSyntax, "run.json: offset 0, line 1: not JSON: "},
		"progress":      {"webinar joining 3 of 51\r" + small, ErrSyntax, "run.json: offset 0, line 1: not JSON: "},
		"too deep":      {`{"scenario":` + strings.Repeat("[", 10001) + strings.Repeat("]", 10001) + "}", ErrSyntax, "run.json: offset "},
		"too many":      {strings.Repeat(`{"scenario":""}`, mostReports+1), ErrTooMuch, "run.json: offset 75000: too much for one page: more than 5000 reports"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read("run.json", strings.NewReader(c.text))
			if !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), c.says) {
				t.Errorf("%v\nwant %v: %s…", err, c.want, c.says)
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestReadFails(t *testing.T) {
	if _, err := Read("run.json", failing{}); !errors.Is(err, io.ErrClosedPipe) || !strings.HasPrefix(err.Error(), "run.json: ") {
		t.Error(err)
	}
}

// TestReadShapes: reports are found wherever they are.
func TestReadShapes(t *testing.T) {
	for name, c := range map[string]struct {
		text           string
		reports, ramps int
	}{
		"one":                 {small, 1, 0},
		"several":             {small + small + "\n\n" + small, 3, 0},
		"a list":              {"[" + small + "," + small + "]", 2, 0},
		"lists in an object":  {`{"growth":{"subscribers":[` + small + "," + small + `],"note":"x","n":3},"idle":` + small + "}", 3, 0},
		"a ramp":              {`{"steps":[` + small + "," + small + `],"knee":` + small + "}", 0, 1},
		"a ramp in a list":    {"[" + small + `,{"steps":[` + small + `],"knee":null,"throughput_kept":"?"}]`, 1, 1},
		"a ramp and a report": {small + `{"steps":[` + small + `,7]}`, 1, 1},
		"wrong types":         {`{"scenario":7,"latency_ms":3,"machine":[],"cpu_us_per_packet":"x","node_settings":{"a":1},"lost":{}}`, 1, 0},
		"a growth curve":      {`{"curves":[{"scenario":"webinar","axis":"rooms","points":[{"size":1},{"size":2}]},7,{"scenario":"x"}]}`, 0, 0},
		"what waits":          {`{"report":` + small + `,"mutex":[{"package":"x"}]}`, 1, 0},
		"a ramp of today":     {`{"scenario":"audio","axis":"members","steps":[` + small + `],"knee":` + small + `}`, 0, 1},
		"steps of nothing":    {small + `{"steps":[]} {"steps":7}`, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			runs := read(t, "run.json", c.text)
			reports, ramps := 0, 0
			for _, r := range runs {
				reports, ramps = reports+len(r.reports), ramps+len(r.ramps)
			}
			if reports != c.reports || ramps != c.ramps {
				t.Errorf("%d reports and %d ramps, want %d and %d", reports, ramps, c.reports, c.ramps)
			}
			outline(t, written(t, runs...))
		})
	}
}

// TestRunsOfOneFile: other conditions are another run.
func TestRunsOfOneFile(t *testing.T) {
	runs := read(t, "dir/night.json", `
		{"curves":[{"scenario":"idle","axis":"sessions","points":[{"size":50,"sessions":50,"rss_mb":40}]}],"node_version":"1"}
		{"scenario":"webinar","node_version":"1","started":"2026-11-23T02:00:00Z","clients_offer_transport_cc":true}
		{"scenario":"audio","node_version":"1","started":"2026-11-23T01:00:00Z","clients_offer_transport_cc":true}
		{"scenario":"webinar","node_version":"2","started":"yesterday","clients_offer_transport_cc":true}
		{"scenario":"webinar","node_version":"3","node_settings":["a=b"],"clients_offer_transport_cc":true}
		{"scenario":"webinar","node_version":"3","node_args":"-x","node_binary":"/bin/sfu","clients_offer_transport_cc":true}
		{"scenario":"idle","node_version":"2","sessions":10}`)
	var got []string
	for _, r := range newPage(runs).Runs {
		got = append(got, strings.Join([]string{r.Letter, r.Name, r.Commit, r.Started, r.Loads, strings.Join(r.Settings, ","), r.Node}, "|"))
	}
	want := []string{
		"A|night (1)|1|2026-11-23 01:00 UTC|2 reports, 1 growth curve||", "B|night (2)|2|unknown|2 reports||",
		"C|night: a=b|3|unknown|1 report|a=b|", "D|night: sfu -x|3|unknown|1 report||/bin/sfu -x",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzRead: whatever a file holds, there is an error or a page that is well-formed.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"", small, "[" + small + "," + small + "]", `{"steps":[` + small + `],"knee":` + small + `,"beyond":` + small + "}",
		`{"node_version":"1","curves":[{"scenario":"webinar","axis":"rooms","points":[{"size":1,"cpu_us_per_packet":2},{"size":2,"rss_mb":3}]}]}`,
		`{"scenario":"<b>\u0000\ud800","latency_ms":{"p50":-1,"p99":1e308},"packets_expected":1,"lost":-3,"sessions":1e-300,"floor":{"cpu_us_per_packet":1e300}}`,
		small + `{"scenario":"webinar","subscribers":1e308,"cpu_us_per_packet":-0.0001,"memory":{"rss_mb":1e-320}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		runs, err := Read("run.json", bytes.NewReader(data))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "run.json: offset ") {
				t.Errorf("no place in %v", err)
			}

			return
		}
		var b bytes.Buffer
		if err := Write(&b, append(runs, runs...)...); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b.Bytes(), []byte("NaN")) && !bytes.Contains(data, []byte("NaN")) {
			t.Error("NaN in the page")
		}
		for dec := xml.NewDecoder(&b); ; {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	})
}
