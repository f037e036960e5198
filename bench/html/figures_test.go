// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiffers(t *testing.T) {
	for _, c := range []struct {
		a, b float64
		way  direction
		want string
	}{
		{10, 10, lower, ""},
		{10, 11, lower, "+10 %"}, // a tenth is noise yet
		{10, 9, lower, "−10 %"},
		{10, 11.1, lower, "+11 % worse"},
		{10, 8.8, lower, "−12 % better"},
		{10, 11.1, higher, "+11 % better"},
		{10, 8.8, higher, "−12 % worse"},
		{10, 20, neither, "+100 % differs"},
		{1, 1.002, lower, "±0 %"},
		{1, 20, lower, "20.0 × worse"},
		{0, 0, lower, ""},
		{0, 3, lower, "from 0 worse"},
		{0, 3, higher, "from 0 better"},
		{3, 0, lower, "−100 % better"},
		{360, -12, lower, "from 360 differs"},
		{-12, 360, lower, "from −12.0 differs"},
	} {
		d := differs(c.a, c.b, c.way)
		got := strings.ReplaceAll(strings.TrimSpace(d.Text+" "+d.Word), "\u00A0", " ")
		if got != c.want {
			t.Errorf("from %g to %g: %q, want %q", c.a, c.b, got, c.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.0001: "0.000", 0.1234: "0.123", 0.9996: "1.00", 1.234: "1.23", 9.996: "10.0", 12.34: "12.3", 99.96: "100", 123.4: "123", 1234: "1 234",
		1234567: "1 234 567", -12.34: "−12.3", 1e18: "1e+18",
	} {
		if got := strings.ReplaceAll(number(v), "\u202F", " "); got != want {
			t.Errorf("%g is %q, want %q", v, got, want)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		s    scale
		want string
	}{
		{linear(43, 0, 100), "0=0 20=10 40=20 60=30 80=40 100=50"},
		{linear(1, 0, 100), "0=0 20=0.2 40=0.4 60=0.6 80=0.8 100=1"},
		{linear(0, 0, 100), "0=0 20=0.2 40=0.4 60=0.6 80=0.8 100=1"},
		{linear(20000, 200, 0), "200=0 150=5 000 100=10 k 50=15 k 0=20 k"},
		{logarithmic(0.3, 40, 0, 100), "0=0.2 16.6=0.5 29.15=1 41.7=2 58.3=5 70.85=10 83.4=20 100=50"},
		{logarithmic(0.01, 1000, 0, 100), "0=0.01 20=0.1 40=1 60=10 80=100 100=1 000"},
		{logarithmic(5, 5, 0, 100), "0=5 30.1=10 60.21=20 100=50"},
	} {
		var got []string
		for _, x := range c.s.ticks() {
			got = append(got, fmt.Sprintf("%v=%s", x.At, strings.ReplaceAll(x.Label, "\u202F", " ")))
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.s, diff)
		}
	}
}

// TestMiddle: of repeated runs the one in the middle counts.
func TestMiddle(t *testing.T) {
	p := newPage(read(t, "a.json", `
		{"scenario":"webinar","subscribers":5,"cpu_us_per_packet":9,"packets_per_second":1}
		{"scenario":"webinar","subscribers":5,"cpu_us_per_packet":3,"packets_per_second":2}
		{"scenario":"webinar","subscribers":5,"cpu_us_per_packet":4,"packets_per_second":3}
		{"scenario":"webinar","subscribers":6,"cpu_us_per_packet":1}`))
	if n := len(p.Rows); n != 2 {
		t.Fatalf("%d rows, want 2", n)
	}
	line := p.Rows[0].Results[0]
	if got := line.Cells[0].Text + "; " + line.Cells[2].Text + "; " + line.Repeats; got != "4.00; 3.00; middle of 3, 3.00 to 9.00 µs" {
		t.Error(got)
	}
}

// TestCuts: a curve holds all sizes but one.
func TestCuts(t *testing.T) {
	var text strings.Builder
	for _, users := range []int{10, 20} {
		for _, rooms := range []int{2, 4, 8} {
			fmt.Fprintf(&text, `{"scenario":"multiroom","users":%d,"rooms":%d,"cpu_us_per_packet":%d}`, users, rooms, users+rooms)
		}
	}
	text.WriteString(`{"scenario":"class","groups":1,"members":4,"cpu_us_per_packet":5}{"scenario":"class","groups":2,"members":8,"cpu_us_per_packet":6}`)
	var got []string
	for _, c := range newPage(read(t, "a.json", text.String())).Growth {
		got = append(got, c.Title+" by "+c.AcrossUnit+": "+c.Desc)
	}
	want := []string{
		"multiroom, 2 rooms: CPU per packet by users: Run A: 10 users: 12.0 µs; 20 users: 22.0 µs.",
		"multiroom, 4 rooms: CPU per packet by users: Run A: 10 users: 14.0 µs; 20 users: 24.0 µs.",
		"multiroom, 8 rooms: CPU per packet by users: Run A: 10 users: 18.0 µs; 20 users: 28.0 µs.",
		"multiroom, 10 users: CPU per packet by rooms: Run A: 2 rooms: 12.0 µs; 4 rooms: 14.0 µs; 8 rooms: 18.0 µs.",
		"multiroom, 20 users: CPU per packet by rooms: Run A: 2 rooms: 22.0 µs; 4 rooms: 24.0 µs; 8 rooms: 28.0 µs.",
		"class: CPU per packet by members: Run A: 4 members: 5.00 µs; 8 members: 6.00 µs.",
		"class: CPU per packet by groups: Run A: 1 group: 5.00 µs; 2 groups: 6.00 µs.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRampTriedAgain: the last try at a size is on the curve, and the knee is the step that is printed as such.
func TestRampTriedAgain(t *testing.T) {
	step := func(n, p99 int) string {
		return fmt.Sprintf(`{"scenario":"audio","size":{"axis":"members","value":%d},"packets_per_second":%d,"latency_ms":{"p99":%d}}`, n, n*100, p99)
	}
	ramps := newPage(read(t, "a.json", `{"scenario":"audio","axis":"members","steps":[`+
		strings.Join([]string{step(10, 2), step(14, 70), step(14, 3), step(20, 90), step(20, 91), step(17, 60)}, ",")+
		`],"knee":`+step(14, 3)+`,"beyond":`+step(21, 99)+`,"throughput_kept":0.9,"ended":"enough"}`)).Ramps
	if len(ramps) != 1 || len(ramps[0].Charts) != 2 || len(ramps[0].Tables) != 1 {
		t.Fatalf("%+v", ramps)
	}
	c := ramps[0].Charts[1]
	want := "Run A: 10 members: 2.00 ms; 14 members: 70.0 ms, tried again; 14 members: 3.00 ms; 17 members: 60.0 ms; 20 members: 90.0 ms, tried again; " +
		"20 members: 91.0 ms; 21 members: 99.0 ms, past the knee. The knee of run A is at 14 members."
	if diff := cmp.Diff(want, c.Desc); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(c.Curves[0].Segments); n != 3 {
		t.Errorf("%d lines between points, want 3", n)
	}
	var notes []string
	for _, r := range ramps[0].Tables[0].Rows {
		notes = append(notes, r.Size+" "+r.Note)
	}
	wantNotes := []string{"10 ", "14 did not hold", "14 knee", "20 did not hold", "20 did not hold", "17 did not hold", "21 past the knee"}
	if diff := cmp.Diff(wantNotes, notes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s := strings.ReplaceAll(ramps[0].Tables[0].Summary, "\u00A0", " "); s != "knee at 14 members, 1\u202F400 packets/s; past it 90.0 % of that throughput; enough" {
		t.Error(s)
	}
}

// TestNotComparable: what makes runs hard to compare is said.
func TestNotComparable(t *testing.T) {
	p := newPage(append(append(append(
		read(t, "a.json", `{"scenario":"webinar","machine":{"cpus":2,"model":"x","kernel":"1"},"clients_offer_transport_cc":true}`),
		read(t, "b.json", `{"scenario":"webinar","machine":{"cpus":4,"model":"x","kernel":"1"},"clients_offer_transport_cc":true}`)...),
		read(t, "c.json", `{"scenario":"webinar","machine":{"cpus":2,"model":"x","kernel":"2"},"clients_offer_transport_cc":false,"clients_rest_ms":1}`)...),
		read(t, "d.json", `{"scenario":"audio","machine":{"cpus":2,"model":"x","kernel":"1"},"clients_offer_transport_cc":true}`)...))
	var notes []int
	for _, c := range p.Runs {
		notes = append(notes, len(c.Notes))
	}
	if diff := cmp.Diff([]int{0, 1, 3, 0}, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(p.Runs[1].Notes[0], "Another machine") {
		t.Error(p.Runs[1].Notes)
	}
	if c := p.Changes[2]; c.Equal != 0 {
		t.Errorf("%d equal loads of different scenarios", c.Equal)
	}
}
