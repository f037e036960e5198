// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/sha256"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// FuzzCheck gives Check any text, and any claims under a good signature: what it takes obeys the rules, and what it refuses
// is refused in a way that callers know.
func FuzzCheck(f *testing.F) {
	for _, payload := range []string{
		`{"app":"one","sub":"ada","iat":946684800,"exp":946684900}`,
		`{"app":"one","sub":"ada","name":"Ada","group":"g","jti":"1","iat":946684800.5,"nbf":946684800,"exp":9.467e8,
		"rooms":[{"room":"a","grants":["publish","subscribe"]},{"prefix":"b-","grants":["message"]},{"any":true,"grants":["manage"]}]}`,
		`{"app":"one","admin":true,"iat":946684800,"exp":946684900,"x":[{"y":null}]}`,
		`{"app":"one","sub":"a","sub":"b","iat":-1,"exp":1e400}`,
		`{"app":"one","sub":"a","rooms":[{"any":1},null],"iat":"1","exp":null}`,
		`null`, `[`, ``,
	} {
		f.Add(plainHeader, payload, true)
	}
	f.Add(`{"alg":"HS256","kid":"k2","crit":["x"]}`, `{"app":"one"}`, true)
	f.Add(`{"alg":"none"}`, `{"app":"one"}`, false)
	f.Add("eyJhbGciOiJub25lIn0", "eyJhcHAiOiJvbmUifQ.", false)
	k := twoApps(f)
	f.Fuzz(func(t *testing.T, header, payload string, sign bool) {
		synctest.Test(t, func(t *testing.T) { fuzzCheck(t, k, header, payload, sign) }) // in the year 2000, where seeds live
	})
}

func fuzzCheck(t *testing.T, k *Keys, header, payload string, sign bool) {
	token := header + "." + payload
	if sign {
		token = jwtOf(header, payload, secretA, sha256.New)
	}
	c, err := k.Check(token)
	if err != nil {
		if !errors.Is(err, ErrToken) || c != nil {
			t.Fatalf("refused with %v, %v", c, err)
		}
		return
	}
	if !sign {
		t.Fatalf("taken without a signature: %q", token)
	}
	if err := c.check(); err != nil {
		t.Fatalf("taken, though %v", err)
	}
	if c.Expires.Before(time.Now().Add(-Leeway - time.Second)) {
		t.Fatalf("taken though expired at %v", c.Expires)
	}
	if _, ok := c.In(""); ok {
		for _, r := range c.Rooms {
			if r.Any {
				return
			}
		}
		t.Fatalf("a room without a name is allowed: %+v", c.Rooms)
	}
}

// FuzzKeyFile gives the reader of key files any text.
func FuzzKeyFile(f *testing.F) {
	f.Add("# keys\none k1 " + secretA + "\n* k2 " + secretB)
	f.Fuzz(func(t *testing.T, text string) {
		set, err := parseKeys(text)
		if err != nil {
			return
		}
		for app, keys := range set {
			for _, k := range keys {
				if app == "" || k.id == "" || len(k.secret) < minSecret {
					t.Fatalf("taken: %q %q with %d bytes", app, k.id, len(k.secret))
				}
			}
		}
	})
}
