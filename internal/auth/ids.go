// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"unicode"
	"unicode/utf8"
)

// Longest ids and texts in bytes: those of the control API (docs/control-api.md), and our own for what only tokens have.
const (
	maxApp      = 63
	maxUser     = 63
	maxUserName = 255
	maxRoom     = 127
	maxGroup    = 63
	maxKeyID    = 63
	maxTokenID  = 127
)

// charset is a set of ASCII characters.
type charset [utf8.RuneSelf]bool

func newCharset(punctuation string) *charset {
	var set charset
	for c := range set {
		set[c] = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	for i := range len(punctuation) {
		set[punctuation[i]] = true
	}
	return &set
}

var (
	roomChars = newCharset("~!@#$%^&*()_+=-`;',.<>\\") // of rooms and users
	nameChars = newCharset(".-_")                      // of apps, groups and keys
)

// valid reports whether id has 1 to longest bytes, all in the set.
func (s *charset) valid(id string, longest int) bool {
	if id == "" || len(id) > longest {
		return false
	}
	for i := range len(id) {
		if id[i] >= utf8.RuneSelf || !s[id[i]] {
			return false
		}
	}
	return true
}

// plain reports whether s has at most longest bytes, all of them UTF-8 without control characters: names end up in logs and
// on pages.
func plain(s string, longest int) bool {
	if len(s) > longest || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// nameRule says what names of apps, groups and keys are.
const nameRule = "1 to 63 letters, digits, dots, hyphens and underscores"
