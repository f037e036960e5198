// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package whip

import (
	"fmt"
	"net/netip"
	"strings"
)

// The media types of bodies.
const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"
)

// maxFragmentCandidates bounds what one fragment may bring; an honest client has far fewer addresses.
const maxFragmentCandidates = 64

// fragment is what a client says of ICE later than its offer (RFC 8840, section 9).
type fragment struct {
	ice        credentials // both, or neither
	candidates []candidate // those that the node could use
	end        bool        // no more will come
}

type candidate struct {
	mid  string
	text string // the value of the attribute
}

// readFragment reads the body of a PATCH. known says which mids there are.
func readFragment(text string, known func(mid string) bool) (*fragment, error) {
	f, r := &fragment{}, fragmentReader{known: known}
	lines := linesOf(text)
	if len(lines) == 0 {
		return nil, errFragment.saying("the body is empty")
	}
	for i, line := range lines {
		if fault := r.line(f, line); fault != "" {
			return nil, errFragment.saying(fmt.Sprintf("line %d: %s", i+1, fault))
		}
	}
	if fault := r.section(); fault != "" {
		return nil, errFragment.saying(fault)
	}
	if (f.ice.ufrag == "") != (f.ice.pwd == "") {
		return nil, errFragment.saying("of a=ice-ufrag and a=ice-pwd there is only one")
	}
	return f, nil
}

// fragmentReader is where in a fragment its reader is.
type fragmentReader struct {
	known func(mid string) bool

	inside bool   // of an m-section
	mid    string // of it; empty: not said yet
	all    int    // candidates so far, those that nobody can use too
}

// line reads one line and says what is wrong with it.
func (r *fragmentReader) line(f *fragment, line string) string {
	switch {
	case strings.HasPrefix(line, "m="):
		if fault := r.section(); fault != "" {
			return fault
		}
		if len(strings.Fields(line[2:])) < 4 {
			return "an m-line has a media type, a port, a protocol and formats"
		}
		r.inside, r.mid = true, ""
		return ""
	case strings.HasPrefix(line, "c=") && r.inside, line == "a=": // no parts of a fragment; the second is how some write a browser's last candidate, which is empty
		return ""
	case !strings.HasPrefix(line, "a="):
		return "want attributes and m-lines, nothing else"
	}
	for i := range len(line) {
		if line[i] < ' ' && line[i] != '\t' || line[i] == 0x7f {
			return "there is a control character"
		}
	}
	name, value, _ := strings.Cut(line[2:], ":")
	return r.attribute(f, name, value)
}

// section looks at an m-section that has been read.
func (r *fragmentReader) section() string {
	if r.inside && r.mid == "" {
		return "an m-section has no a=mid"
	}
	return ""
}

func (r *fragmentReader) attribute(f *fragment, name, value string) string {
	switch name {
	case "mid":
		switch {
		case !r.inside:
			return "a=mid stands outside of an m-section"
		case r.mid != "":
			return "a=mid is given twice"
		case !r.known(value):
			return "the session has no m-line with this mid"
		}
		r.mid = value
	case "ice-ufrag": // RFC 8839, section 5.4
		return credential(&f.ice.ufrag, value, 4)
	case "ice-pwd":
		return credential(&f.ice.pwd, value, 22)
	case "end-of-candidates":
		f.end = true
	case "candidate":
		return r.candidate(f, value)
	}
	return "" // what is not known is for others (RFC 8840, section 9.2)
}

func credential(field *string, value string, shortest int) string {
	if len(value) < shortest || len(value) > 256 {
		return fmt.Sprintf("ICE credentials have at least 4 or 22 and at most 256 characters, not %d", len(value))
	}
	for i := range len(value) {
		c := value[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '+' && c != '/' {
			return "ICE credentials are letters, digits, + and /"
		}
	}
	if *field != "" && *field != value {
		return "the m-sections differ in their ICE credentials"
	}
	*field = value
	return ""
}

// candidate keeps a candidate. One whose transport or address means nothing here is passed over, as RFC 9725 has it (section
// 4.3.2): names of mDNS are such.
func (r *fragmentReader) candidate(f *fragment, value string) string {
	fields := strings.Fields(value) // foundation component transport priority address port typ type …
	switch {
	case r.mid == "":
		return "a candidate stands before the a=mid of its m-section"
	case len(value) > 512 || len(fields) < 8 || fields[6] != "typ" || !decimal(fields[1]) || !decimal(fields[3]) || !decimal(fields[5]):
		return "not a candidate (RFC 8839, section 5.1)"
	}
	if r.all++; r.all > maxFragmentCandidates {
		return fmt.Sprintf("more than %d candidates", maxFragmentCandidates)
	}
	if transport := strings.ToLower(fields[2]); transport != "udp" && transport != "tcp" {
		return ""
	}
	if _, err := netip.ParseAddr(fields[4]); err == nil {
		f.candidates = append(f.candidates, candidate{mid: r.mid, text: value})
	}
	return ""
}

// decimal says whether s is a number of at most 32 bits.
func decimal(s string) bool {
	var n uint64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || len(s) > 10 {
			return false
		}
		n = 10*n + uint64(s[i]-'0')
	}
	return s != "" && n < 1<<32
}
