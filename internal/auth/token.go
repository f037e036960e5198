// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// parser checks form and signature. Times and claims are ours to check: the library's rules are other ones, and its errors
// are not written for who holds a token.
var parser = jwt.NewParser(
	jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation(),
)

// wire is what the library reads and writes: JSON as it stands there. It is a jwt.Claims.
type wire struct {
	jwt.Claims // nil: the library asks for nothing of it, as it does not validate

	raw json.RawMessage
}

// UnmarshalJSON implements json.Unmarshaler.
func (w *wire) UnmarshalJSON(raw []byte) error { return w.raw.UnmarshalJSON(raw) }

// MarshalJSON implements json.Marshaler.
func (w *wire) MarshalJSON() ([]byte, error) { return w.raw, nil }

// Check verifies a token: its signature by a key of its app, its times with 5 s of leeway, the ids in it. The error says
// to the holder of the token what is wrong, and nothing of keys.
func (k *Keys) Check(token string) (*Claims, error) {
	if token == "" {
		return nil, refuse("it is empty")
	}
	if len(token) > MaxToken {
		return nil, refuse("it has %d bytes, more than %d", len(token), MaxToken)
	}
	var w wire
	if _, err := parser.ParseWithClaims(token, &w, func(t *jwt.Token) (any, error) { return k.lookup(t, w.raw) }); err != nil {
		return nil, explain(err)
	}
	var p payload
	if err := p.decode(w.raw); err != nil {
		return nil, err
	}
	if err := p.claims.check(); err != nil {
		return nil, err
	}
	if err := p.claims.checkNow(time.Now(), p.notBefore); err != nil {
		return nil, err
	}
	p.claims.UserName = cmp.Or(p.claims.UserName, p.claims.UserID)
	return &p.claims, nil
}

// errHeader is a header that has to be understood and is not.
var errHeader = errors.New("header crit names extensions, and none is known here")

// lookup gives the keys for a token that nothing is known of yet: only whose it is is looked at.
func (k *Keys) lookup(t *jwt.Token, raw []byte) (any, error) {
	if _, ok := t.Header["crit"]; ok {
		return nil, errHeader // RFC 7515 section 4.1.11
	}
	id, named := t.Header["kid"]
	name, ok := id.(string)
	if named && !ok {
		return nil, errors.New("header kid: want a text")
	}
	var app string
	var admin bool
	fields, err := object(raw)
	if err != nil {
		return nil, fmt.Errorf("its claims: %w", err)
	}
	if err := text(&app)(fields["app"]); err != nil {
		return nil, fmt.Errorf("claim app: %w", err)
	}
	if claim, ok := fields["admin"]; ok {
		if err := boolean(&admin)(claim); err != nil {
			return nil, fmt.Errorf("claim admin: %w", err)
		}
	}
	var set jwt.VerificationKeySet
	for _, secret := range k.set.Load().candidates(app, admin, name, named) {
		set.Keys = append(set.Keys, secret)
	}
	return set, nil
}

// explain turns the library's errors into ours.
func explain(err error) error {
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return refuse("it is not a JWT: want three parts of base64url with dots between them, the first two JSON objects")
	case errors.Is(err, jwt.ErrSignatureInvalid):
		return refuse("the signature does not fit a key of the app (of every app, for the admin claim)")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return refuse("header alg: want HS256")
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, inner := range joined.Unwrap() {
			if !errors.Is(inner, jwt.ErrTokenUnverifiable) {
				return refuse("%v", inner)
			}
		}
	}
	return refuse("header alg: want HS256")
}

// wireClaims are claims as Sign writes them.
type wireClaims struct {
	App     string     `json:"app"`
	User    string     `json:"sub,omitempty"`
	Name    string     `json:"name,omitempty"`
	Group   string     `json:"group,omitempty"`
	Rooms   []wireRoom `json:"rooms,omitempty"`
	Admin   bool       `json:"admin,omitempty"`
	ID      string     `json:"jti,omitempty"`
	Issued  int64      `json:"iat"`
	Expires int64      `json:"exp"`
}

type wireRoom struct {
	Room   string   `json:"room,omitempty"`
	Prefix string   `json:"prefix,omitempty"`
	Any    bool     `json:"any,omitempty"`
	Grants []string `json:"grants"`
}

// Sign makes a token with the first key of its app. Times are cut to seconds; a zero Issued is now. What Check would refuse
// is not signed.
func (k *Keys) Sign(c *Claims) (string, error) {
	claims := *c
	if claims.Issued.IsZero() {
		claims.Issued = time.Now()
	}
	claims.Issued, claims.Expires = claims.Issued.Truncate(time.Second), claims.Expires.Truncate(time.Second)
	if err := claims.check(); err != nil {
		return "", err
	}
	keys := k.set.Load().of(claims.App, claims.Admin)
	if len(keys) == 0 && claims.Admin {
		return "", fmt.Errorf("%w %s with the admin claim: they need a key of %s", ErrNoKey, claims.App, everyApp)
	}
	if len(keys) == 0 {
		return "", fmt.Errorf("%w %s", ErrNoKey, claims.App)
	}
	out := wireClaims{
		App: claims.App, User: claims.UserID, Name: claims.UserName, Group: claims.Group, Admin: claims.Admin, ID: claims.ID,
		Issued: claims.Issued.Unix(), Expires: claims.Expires.Unix(),
	}
	for _, r := range claims.Rooms {
		out.Rooms = append(out.Rooms, wireRoom{Room: r.Room, Prefix: r.Prefix, Any: r.Any, Grants: r.Grants.Names()})
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return "", fmt.Errorf("writing claims: %w", err)
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, &wire{raw: raw})
	t.Header["kid"] = keys[0].id
	signed, err := t.SignedString(keys[0].secret)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	if len(signed) > MaxToken {
		return "", refuse("it has %d bytes, more than %d", len(signed), MaxToken)
	}
	return signed, nil
}
