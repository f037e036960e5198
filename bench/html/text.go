// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package html

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

const (
	longestText  = 200 // runes of any string from a file
	longestLabel = 40  // of one in a plot, where a line cannot wrap
)

// clean makes a string from a file fit to stand in a line: no control characters, which XML forbids, and none that turn the
// direction of the text around them; bounded in length.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\r':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), unicode.Is(unicode.Noncharacter_Code_Point, r):
			return unicode.ReplacementChar
		default:
			return r
		}
	}, strings.ToValidUTF8(s, "\uFFFD"))

	return shorten(strings.TrimSpace(s), longestText)
}

func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}

	return s
}

// number writes v so that three digits tell: 12 345, 123, 12.3, 1.23, 0.123.
func number(v float64) string {
	digits := 0
	switch a := math.Abs(v); {
	case a >= 99.95, a == 0:
	case a >= 9.995:
		digits = 1
	case a >= 0.9995:
		digits = 2
	default:
		digits = 3
	}

	return grouped(v, digits)
}

// brief is for axes, where five digits are too wide.
func brief(v float64) string {
	switch {
	case v >= 1e6:
		return short(v/1e6) + "\u202FM"
	case v >= 1e4:
		return short(v/1e3) + "\u202Fk"
	default:
		return short(v)
	}
}

// short is number without zeros at the end.
func short(v float64) string {
	s := number(v)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}

	return s
}

// grouped sets a narrow space before every three digits.
func grouped(v float64, digits int) string {
	if math.Abs(v) >= 1e15 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', digits, 64)
	whole, rest := s, ""
	if i := strings.IndexByte(s, '.'); i >= 0 {
		whole, rest = s[:i], s[i:]
	}
	var b strings.Builder
	if v < 0 {
		b.WriteRune('−')
	}
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteRune('\u202F')
		}
		b.WriteRune(c)
	}

	return b.String() + rest
}

// plural is for the labels of loads: 1 room, 5 rooms. many is the name of the JSON field.
func plural(n float64, many string) string {
	word := strings.ReplaceAll(many, "_", " ")
	switch many {
	case "rooms_per_user":
		word = "each"
	case "rate", "joins_per_second":
		word = "joins/s"
	}
	if n == 1 {
		word = strings.TrimSuffix(word, "s")
	}

	return short(n) + " " + word
}
