// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"math"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setScalar parses text into v, a settable scalar, and checks what the tags ask for. The message of the error is for the
// person who wrote the text; v is unchanged then.
func setScalar(v reflect.Value, f field, text string) error {
	switch {
	case v.Type() == durationType:
		return setDuration(v, f, text)
	case v.Kind() == reflect.String:
		return setString(v, f, text)
	case v.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("want true or false, not %s", quote(text))
		}
		v.SetBool(text == "true")
	case v.Kind() == reflect.Float64:
		return setFloat(v, f, text)
	default:
		return setInt(v, f, text)
	}
	return nil
}

func setInt(v reflect.Value, f field, text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v.OverflowInt(n) {
		return fmt.Errorf("want a whole number, not %s", quote(text))
	}
	if outside(n, f.min, f.max, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }) {
		return fmt.Errorf("%d is out of range: want %s", n, f.rangeWords())
	}
	v.SetInt(n)
	return nil
}

func setFloat(v reflect.Value, f field, text string) error {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) || strings.ContainsAny(text, "xX_") {
		return fmt.Errorf("want a number, not %s", quote(text))
	}
	if outside(x, f.min, f.max, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }) {
		return fmt.Errorf("%s is out of range: want %s", text, f.rangeWords())
	}
	v.SetFloat(x)
	return nil
}

func setDuration(v reflect.Value, f field, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("want a duration with its unit, like 500ms, 30s or 5m, not %s", quote(text))
	}
	if outside(d, f.min, f.max, time.ParseDuration) {
		return fmt.Errorf("%s is out of range: want %s", text, f.rangeWords())
	}
	v.SetInt(int64(d))
	return nil
}

func setString(v reflect.Value, f field, text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
		return fmt.Errorf("%s has control or broken characters in it", quote(text))
	}
	if len(f.enum) > 0 && !slices.Contains(f.enum, text) {
		return fmt.Errorf("want one of %s, not %s", strings.Join(f.enum, ", "), quote(text))
	}
	if f.kind == "address" {
		if err := checkAddress(f, text); err != nil {
			return err
		}
	}
	v.SetString(text)
	return nil
}

// checkAddress looks at the form of host:port; whether it can be bound is for the start, or sfu doctor, to find out.
func checkAddress(f field, text string) error {
	if f.off && text == Off {
		return nil
	}
	want := "host:port, [ipv6]:port or :port"
	if f.off {
		want += ", or off"
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || strings.ContainsAny(host, " /\t") {
		return fmt.Errorf("want %s, not %s", want, quote(text))
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("want a port from 0 to 65535 after the last colon, not %s", quote(text))
	}
	return nil
}

// Off is the value that turns an optional listener off.
const Off = "off"

// outside compares with bounds written in the tags; an empty bound bounds nothing.
func outside[T int64 | float64 | time.Duration](x T, low, high string, parse func(string) (T, error)) bool {
	if l, err := parse(low); err == nil && x < l {
		return true
	}
	h, err := parse(high)
	return err == nil && x > h
}

// quote shortens what is shown: a value may be a secret put in the wrong place, or a whole file.
func quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return strconv.Quote(s)
}
