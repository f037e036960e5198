// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package router

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Longest ids in bytes, inclusive.
const (
	maxRoomID      = 127
	maxUserID      = 63
	maxUserName    = 255
	maxStreamID    = 255
	maxAppID       = 63
	maxSessionID   = 127
	maxMetadataKey = 127
	maxMid         = 16 // RFC 9143 gives no bound; what goes into a header extension element is at most 16 bytes
	maxWhy         = 255
	maxMessageID   = 127
)

// charset is a set of ASCII characters.
type charset [128]bool

func newCharset(punctuation string) *charset {
	var set charset
	for c := '0'; c <= '9'; c++ {
		set[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		set[c], set[c-'a'+'A'] = true, true
	}
	for i := range len(punctuation) {
		set[punctuation[i]] = true
	}

	return &set
}

var (
	roomChars   = newCharset("~!@#$%^&*()_+=-`;',.<>\\")
	streamChars = newCharset("-_")
	nameChars   = newCharset(".-_")
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

// The numeric codes of the three things that can be wrong with an id. The sentinels carry those of bad characters.
const (
	codeStreamIDLong  = 1000014
	codeStreamIDEmpty = 1000015
	codeUserIDEmpty   = 1002005
	codeUserIDLong    = 1002007
	codeUserNameEmpty = 1002008
	codeUserNameLong  = 1002010
	codeRoomIDEmpty   = 1002011
	codeRoomIDLong    = 1002013
)

// fault is nil for a good id, or bad with the code of what is wrong.
func fault(good bool, id string, longest int, bad *Error, empty, long int) error {
	switch {
	case id == "":
		return bad.coded(empty)
	case len(id) > longest:
		return bad.coded(long)
	case !good:
		return bad
	default:
		return nil
	}
}

func checkRoomID(id string) error {
	return fault(roomChars.valid(id, maxRoomID), id, maxRoomID, ErrRoomIDInvalid, codeRoomIDEmpty, codeRoomIDLong)
}

func checkStreamID(id string) error {
	return fault(streamChars.valid(id, maxStreamID), id, maxStreamID, ErrStreamIDInvalid, codeStreamIDEmpty, codeStreamIDLong)
}

func checkAppID(id string) error {
	if !nameChars.valid(id, maxAppID) {
		return ErrAppIDInvalid
	}

	return nil
}

func checkUserID(id string) error {
	return fault(roomChars.valid(id, maxUserID), id, maxUserID, ErrUserIDInvalid, codeUserIDEmpty, codeUserIDLong)
}

func checkUser(u User) error {
	if err := checkUserID(u.ID); err != nil {
		return err
	}

	return fault(plainText(u.Name), u.Name, maxUserName, ErrUserNameInvalid, codeUserNameEmpty, codeUserNameLong)
}

// plainText reports whether s is UTF-8 without control characters: names end up in logs and on pages.
func plainText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if unicode.IsControl(c) {
			return false
		}
	}

	return true
}

// checkText bounds free text such as the why of a kick.
func checkText(s string, longest int, field string) error {
	if len(s) > longest || !utf8.ValidString(s) {
		return ErrArgument.In(field)
	}

	return nil
}

// name makes an id that no other process of this node has made, as long as their epochs differ.
func (r *Router) name(prefix string, n uint64) string {
	b := make([]byte, 0, 32)
	b = append(b, prefix...)
	b = strconv.AppendUint(b, r.cfg.Epoch, 36)
	b = append(b, '-')
	b = strconv.AppendUint(b, n, 10)

	return string(b)
}
