// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// maxNumericDate is the end of the year 9999; up to there a float64 is exact enough, and times behave.
const maxNumericDate = 253402300799

var errNotObject = errors.New("want a JSON object")

// object takes a JSON object apart. Unlike encoding/json it takes names as they are written, upper and lower case apart, and
// refuses to have one twice: which of two would hold depends on who reads them (RFC 8725 section 2.4).
func object(raw []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotObject
	}
	out := make(map[string]json.RawMessage)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, errNotObject
		}
		name, _ := t.(string)
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("%.40q is there twice", name)
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil, errNotObject
		}
		out[name] = value
	}
	return out, nil
}

// payload are the claims of a token as they are on the wire.
type payload struct {
	claims    Claims
	notBefore time.Time
}

// decode reads them. Claims that we do not know mean nothing to us (RFC 7519 section 4).
func (p *payload) decode(raw []byte) error {
	if !utf8.Valid(raw) {
		return refuse("its claims are not UTF-8")
	}
	fields, err := object(raw)
	if err != nil {
		return refuse("its claims: %v", err)
	}
	c := &p.claims
	for _, f := range []struct {
		name string
		read func(raw json.RawMessage) error
	}{
		{"app", text(&c.App)},
		{"sub", text(&c.UserID)},
		{"name", text(&c.UserName)},
		{"group", text(&c.Group)},
		{"jti", text(&c.ID)},
		{"admin", boolean(&c.Admin)},
		{"iat", date(&c.Issued)},
		{"exp", date(&c.Expires)},
		{"nbf", date(&p.notBefore)},
		{"rooms", func(raw json.RawMessage) error { return readRooms(raw, &c.Rooms) }},
	} {
		if raw, ok := fields[f.name]; ok {
			if err := f.read(raw); err != nil {
				return refuse("claim %s: %v", f.name, err)
			}
		}
	}
	return nil
}

func text(to *string) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, to) != nil {
			return errors.New("want a text")
		}
		return nil
	}
}

func boolean(to *bool) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		switch string(raw) {
		case "true":
			*to = true
		case "false":
			*to = false
		default:
			return errors.New("want true or false")
		}
		return nil
	}
}

// date reads a NumericDate: seconds since 1970, perhaps with a fraction (RFC 7519 section 2).
func date(to *time.Time) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		seconds, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || !(seconds > 0) || seconds > maxNumericDate {
			return errors.New("want seconds since 1970, as a number")
		}
		*to = time.UnixMilli(int64(seconds * 1000))
		return nil
	}
}

func readRooms(raw json.RawMessage, to *[]Room) error {
	var list []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &list) != nil {
		return errors.New("want a list")
	}
	if len(list) > maxRooms {
		return fmt.Errorf("%d entries, more than %d", len(list), maxRooms)
	}
	for i, entry := range list {
		r, err := readRoom(entry)
		if err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		*to = append(*to, r)
	}
	return nil
}

// readRoom reads an entry of rooms. Nobody else has a say in what is in there, so a name that we do not know is a mistake, and
// one that would take rights away or give them.
func readRoom(raw json.RawMessage) (r Room, err error) {
	fields, err := object(raw)
	if err != nil {
		return r, err
	}
	granted := false
	for _, name := range slices.Sorted(maps.Keys(fields)) { // sorted, so that the same mistake is told in the same words
		value := fields[name]
		switch name {
		case "room":
			err = text(&r.Room)(value)
		case "prefix":
			err = text(&r.Prefix)(value)
		case "any":
			err = boolean(&r.Any)(value)
		case "grants":
			granted, err = true, readGrants(value, &r.Grants)
		default:
			return r, fmt.Errorf("unknown field %.40q; known are room, prefix, any and grants", name)
		}
		if err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
	}
	if !granted {
		return r, errors.New("grants is missing; [] allows to be there and nothing else")
	}
	return r, nil
}

func readGrants(raw json.RawMessage, to *Grants) error {
	var names []string
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &names) != nil {
		return errors.New("want a list of texts")
	}
	if len(names) > len(grantNames) {
		return fmt.Errorf("%d of them, more than there are", len(names))
	}
	var err error
	*to, err = ParseGrants(names)
	return err
}
