// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// secretA and secretB are two apps' keys.
const (
	secretA = "0123456789abcdef0123456789abcdef"
	secretB = "fedcba9876543210fedcba9876543210"
)

func keysOf(t testing.TB, text string) *Keys {
	t.Helper()
	set, err := parseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	k := &Keys{}
	k.set.Store(&set)
	return k
}

func twoApps(t testing.TB) *Keys {
	t.Helper()
	return keysOf(t, "one k1 "+secretA+"\ntwo k1 "+secretB+"\none k2 "+strings.Repeat("k", 40)+"\n")
}

// jwtOf signs as a backend in any language would, without the code under test.
func jwtOf(header, payload, secret string, by func() hash.Hash) string {
	b64 := base64.RawURLEncoding
	signed := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	mac := hmac.New(by, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + b64.EncodeToString(mac.Sum(nil))
}

const plainHeader = `{"alg":"HS256","typ":"JWT"}`

func signed(payload string) string { return jwtOf(plainHeader, payload, secretA, sha256.New) }

// valid are claims that are fine, with more put in.
func valid(more string) string {
	now := time.Now().Unix()
	return fmt.Sprintf(`{"app":"one","sub":"ada","iat":%d,"exp":%d%s}`, now, now+60, more)
}

func TestSignedTokenIsGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, now := twoApps(t), time.Now().Truncate(time.Second)
		want := &Claims{
			ID: "t-1", App: "one", UserID: "ada", UserName: "Ada L.", Group: "g", Issued: now, Expires: now.Add(time.Hour),
			Rooms: []Room{
				{Room: "lobby", Grants: Grants{Publish: true, Subscribe: true}},
				{Prefix: "class-", Grants: Grants{Manage: true}},
				{Any: true, Grants: Grants{Message: true}},
				{Room: "silent"},
			},
		}
		token, err := k.Sign(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.Check(token)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("what was read differs from what was signed (-want +got):\n%s", d)
		}
	})
}

// TestAdminTokens: they are good for all apps, and only a key for all apps signs them.
func TestAdminTokens(t *testing.T) {
	const shared = "ssssssssssssssssssssssssssssssss"
	claims := strings.Replace(valid(`,"admin":true`), `"sub":"ada",`, "", 1)
	one, both := keysOf(t, "one k1 "+secretA+"\n"), keysOf(t, "one k1 "+secretA+"\n* all "+shared+"\n")
	for _, keys := range []*Keys{one, both} {
		for _, token := range []string{signed(claims), jwtOf(`{"alg":"HS256","kid":"k1"}`, claims, secretA, sha256.New)} {
			if c, err := keys.Check(token); !errors.Is(err, ErrToken) {
				t.Errorf("an app's own key makes an admin: %+v, %v", c, err)
			}
		}
	}
	if _, err := both.Check(signed(valid(`,"admin":false`))); err != nil {
		t.Errorf("a token that says it is none of an admin: %v", err)
	}
	if c, err := both.Check(jwtOf(plainHeader, claims, shared, sha256.New)); err != nil || !c.Admin {
		t.Errorf("the shared key makes none: %+v, %v", c, err)
	}
	own, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	want := &Claims{App: "one", Admin: true, Expires: time.Now().Add(time.Minute)}
	for _, keys := range []*Keys{both, own} {
		token, err := keys.Sign(want)
		if c, cerr := keys.Check(token); err != nil || cerr != nil || !c.Admin {
			t.Errorf("signed and read again: %+v, %v, %v", c, err, cerr)
		}
	}
	if _, err := one.Sign(want); !errors.Is(err, ErrNoKey) {
		t.Errorf("signing without such a key: %v", err)
	}
}

func TestForeignTokenIsGood(t *testing.T) {
	k := twoApps(t)
	for name, token := range map[string]string{
		"without a key id":            signed(valid(``)),
		"without a key id, other key": jwtOf(plainHeader, valid(``), strings.Repeat("k", 40), sha256.New),
		"with a key id":               jwtOf(`{"alg":"HS256","kid":"k1"}`, valid(``), secretA, sha256.New),
		"with claims of others":       signed(valid(`,"iss":"x","aud":["y"],"https://example.org/z":{"a":1}`)),
		"with fractions of seconds":   signed(fmt.Sprintf(`{"app":"one","sub":"a","iat":%d.25,"exp":%d.5e0}`, time.Now().Unix(), time.Now().Unix()+9)),
	} {
		c, err := k.Check(token)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if c.App != "one" {
			t.Errorf("%s: app %q", name, c.App)
		}
	}
	if c, err := k.Check(signed(valid(``))); err != nil || c.UserName != "ada" {
		t.Errorf("a user without a name is called %q, %v; want the id", c.UserName, err)
	}
}

// TestRefused lists what is wrong with a token, and a piece of what its holder is told.
func TestRefused(t *testing.T) {
	rooms := func(list string) string { return signed(valid(`,"rooms":` + list)) }
	now := time.Now().Unix()
	times := func(iat, exp int64) string {
		return signed(fmt.Sprintf(`{"app":"one","sub":"a","iat":%d,"exp":%d}`, iat, exp))
	}
	none := strings.TrimSuffix(jwtOf(`{"alg":"none"}`, valid(``), secretA, sha256.New), "=")
	for _, c := range []struct{ name, token, want string }{
		{"nothing", "", "empty"},
		{"noise", "hello", "not a JWT"},
		{"too many parts", signed(valid(``)) + ".x", "not a JWT"},
		{"too long", signed(valid(`,"x":"` + strings.Repeat("x", MaxToken) + `"`)), "more than 8192"},
		{"alg none", none, "want HS256"},
		{"alg none, no signature", none[:strings.LastIndexByte(none, '.')+1], "want HS256"},
		{"alg HS512", jwtOf(`{"alg":"HS512"}`, valid(``), secretA, sha512.New), "want HS256"},
		{"alg RS256", jwtOf(`{"alg":"RS256"}`, valid(``), secretA, sha256.New), "want HS256"},
		{"alg unknown", jwtOf(`{"alg":"XX"}`, valid(``), secretA, sha256.New), "want HS256"},
		{"alg in other letters", jwtOf(`{"alg":"hs256"}`, valid(``), secretA, sha256.New), "want HS256"},
		{"no alg", jwtOf(`{}`, valid(``), secretA, sha256.New), "want HS256"},
		{"extension", jwtOf(`{"alg":"HS256","crit":["b64"],"b64":false}`, valid(``), secretA, sha256.New), "crit"},
		{"kid of another kind", jwtOf(`{"alg":"HS256","kid":1}`, valid(``), secretA, sha256.New), "kid"},
		{"kid of another key", jwtOf(`{"alg":"HS256","kid":"k2"}`, valid(``), secretA, sha256.New), "signature"},
		{"kid unknown", jwtOf(`{"alg":"HS256","kid":"k9"}`, valid(``), secretA, sha256.New), "signature"},
		{"key of another app", jwtOf(plainHeader, valid(``), secretB, sha256.New), "signature"},
		{"app without keys", signed(strings.Replace(valid(``), "one", "three", 1)), "signature"},
		{"app *", signed(strings.Replace(valid(``), "one", "*", 1)), "signature"},
		{"signature cut", signed(valid(``))[:len(signed(valid(``)))-3], "signature"},
		{"claims null", signed(`null`), "JSON object"},
		{"claims a list", signed(`[]`), "JSON object"},
		{"claims not UTF-8", signed(valid(`,"name":"` + "\xff" + `"`)), "UTF-8"},
		{"claim twice", signed(valid(`,"sub":"bob"`)), `"sub" is there twice`},
		{"claim twice, escaped", signed(valid(`,"s\u0075b":"bob"`)), `"sub" is there twice`},
		{"no app", signed(strings.Replace(valid(``), `"app":"one",`, "", 1)), "claim app"},
		{"app in other letters", signed(strings.Replace(valid(``), `"app"`, `"App"`, 1)), "claim app"},
		{"app a number", signed(strings.Replace(valid(``), `"one"`, `1`, 1)), "claim app"},
		{"no user", signed(strings.Replace(valid(``), `"sub":"ada",`, "", 1)), "claim sub"},
		{"user null", signed(strings.Replace(valid(``), `"ada"`, `null`, 1)), "claim sub"},
		{"user with a space", signed(strings.Replace(valid(``), `"ada"`, `"a da"`, 1)), "claim sub"},
		{"user too long", signed(strings.Replace(valid(``), `ada`, strings.Repeat("a", 64), 1)), "claim sub"},
		{"name too long", signed(valid(`,"name":"` + strings.Repeat("n", 256) + `"`)), "claim name"},
		{"name with control characters", signed(valid(`,"name":"a\nb"`)), "claim name"},
		{"group", signed(valid(`,"group":"a b"`)), "claim group"},
		{"id too long", signed(valid(`,"jti":"` + strings.Repeat("n", 128) + `"`)), "claim jti"},
		{"admin a text", signed(valid(`,"admin":"true"`)), "claim admin"},
		{"no iat", signed(fmt.Sprintf(`{"app":"one","sub":"a","exp":%d}`, now+9)), "iat"},
		{"no exp", signed(fmt.Sprintf(`{"app":"one","sub":"a","iat":%d}`, now)), "exp"},
		{"exp a text", signed(fmt.Sprintf(`{"app":"one","sub":"a","iat":%d,"exp":"%d"}`, now, now+9)), "claim exp"},
		{"exp beyond numbers", signed(fmt.Sprintf(`{"app":"one","sub":"a","iat":%d,"exp":1e300}`, now)), "claim exp"},
		{"iat below zero", times(-5, now+9), "claim iat"},
		{"lives too long", times(now, now+8*24*3600), "more than 168h"},
		{"exp before iat", times(now, now-1), "not after iat"},
		{"expired", times(now-60, now-30), "expired"},
		{"from the future", times(now+60, now+90), "in the future"},
		{"not valid yet", signed(valid(fmt.Sprintf(`,"nbf":%d`, now+30))), "not valid yet"},
		{"rooms no list", rooms(`{}`), "claim rooms"},
		{"rooms null", rooms(`null`), "claim rooms"},
		{"room null", rooms(`[null]`), "claim rooms: entry 0"},
		{"room of nothing", rooms(`[{"grants":[]}]`), "one of room"},
		{"room and prefix", rooms(`[{"room":"a","prefix":"b","grants":[]}]`), "one of room"},
		{"prefix empty", rooms(`[{"prefix":"","grants":["publish"]}]`), "one of room"},
		{"any a text", rooms(`[{"any":"yes","grants":[]}]`), "any"},
		{"room with a space", rooms(`[{"room":"a b","grants":[]}]`), "room ids"},
		{"room too long", rooms(`[{"room":"` + strings.Repeat("r", 128) + `","grants":[]}]`), "room ids"},
		{"unknown field", rooms(`[{"room":"a","grants":[],"grant":["publish"]}]`), `unknown field "grant"`},
		{"no grants", rooms(`[{"room":"a"}]`), "grants is missing"},
		{"grants a text", rooms(`[{"room":"a","grants":"publish"}]`), "grants"},
		{"unknown grant", rooms(`[{"room":"a","grants":["publish","record"]}]`), `unknown grant "record"`},
		{"grant in other letters", rooms(`[{"room":"a","grants":["Publish"]}]`), "unknown grant"},
		{"grants again and again", rooms(`[{"room":"a","grants":["publish","publish","publish","publish","publish"]}]`), "grants"},
		{"field twice", rooms(`[{"room":"a","room":"b","grants":[]}]`), "twice"},
		{"too many rooms", rooms("[" + strings.Repeat(`{},`, 100) + "{}]"), "more than 100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims, err := twoApps(t).Check(c.token)
			if !errors.Is(err, ErrToken) || claims != nil {
				t.Fatalf("got %v, %v, want nothing and ErrToken", claims, err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("its holder is told %q, which does not say %q", err, c.want)
			}
			if strings.Contains(err.Error(), secretA) {
				t.Errorf("the secret is in %q", err)
			}
			if got := errors.Is(err, ErrExpired); got != (c.name == "expired") {
				t.Errorf("ErrExpired: %v", got)
			}
		})
	}
}

func TestLeeway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, now := twoApps(t), time.Now().Truncate(time.Second)
		token, err := k.Sign(&Claims{App: "one", UserID: "a", Issued: now.Add(6 * time.Second), Expires: now.Add(30 * time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			at   time.Duration
			want error
		}{{0, ErrToken}, {time.Second, nil}, {35*time.Second - 1, nil}, {35 * time.Second, ErrExpired}} {
			time.Sleep(time.Until(now.Add(step.at)))
			if _, err := k.Check(token); !errors.Is(err, step.want) {
				t.Errorf("after %v: %v, want %v", step.at, err, step.want)
			}
		}
	})
}

func TestSignRefusesWhatCheckWould(t *testing.T) {
	k, now := twoApps(t), time.Now()
	good := Claims{App: "one", UserID: "a", Expires: now.Add(time.Hour)}
	if _, err := k.Sign(&good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Claims){
		"no user":    func(c *Claims) { c.UserID = "" },
		"no exp":     func(c *Claims) { c.Expires = time.Time{} },
		"too long":   func(c *Claims) { c.Expires = now.Add(MaxLifetime + time.Hour) },
		"room":       func(c *Claims) { c.Rooms = []Room{{}} },
		"token size": func(c *Claims) { c.Rooms = manyRooms() },
	} {
		c := good
		change(&c)
		if token, err := k.Sign(&c); !errors.Is(err, ErrToken) || token != "" {
			t.Errorf("%s: %q, %v", name, token, err)
		}
	}
	good.App = "three"
	if _, err := k.Sign(&good); !errors.Is(err, ErrNoKey) {
		t.Errorf("an app without a key: %v", err)
	}
}

func manyRooms() []Room {
	rooms := make([]Room, maxRooms)
	for i := range rooms {
		rooms[i] = Room{Room: fmt.Sprint(i, strings.Repeat("r", 100))}
	}
	return rooms
}

func TestIn(t *testing.T) {
	c := Claims{Rooms: []Room{
		{Room: "lobby", Grants: Grants{Publish: true}},
		{Prefix: "lob", Grants: Grants{Subscribe: true}},
		{Room: "LOBBY", Grants: Grants{Manage: true}},
		{},
	}}
	for room, want := range map[string]Grants{
		"lobby": {Publish: true, Subscribe: true}, "lobster": {Subscribe: true}, "LOBBY": {Manage: true},
	} {
		if got, ok := c.In(room); !ok || got != want {
			t.Errorf("in %s: %+v %v, want %+v", room, got, ok, want)
		}
	}
	for _, room := range []string{"", "lo", "Lobster"} {
		if got, ok := c.In(room); ok || got != (Grants{}) {
			t.Errorf("in %q: %+v %v, want nothing", room, got, ok)
		}
	}
	c.Rooms = []Room{{Any: true, Grants: Grants{Message: true}}}
	if got, ok := c.In("whatever"); !ok || got != (Grants{Message: true}) {
		t.Errorf("any room: %+v %v", got, ok)
	}
}
