// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
)

// everyApp stands for all apps in a key file.
const everyApp = "*"

// Keys are the keys that tokens are signed with, by app and key id. Safe for concurrent use.
type Keys struct {
	path string                 // immutable; empty: of NewKeys
	set  atomic.Pointer[keySet] // written by Reload, read by Check and Sign
}

// keySet is immutable.
type keySet map[string][]key // by app, in the order of the file

type key struct {
	id     string
	secret []byte
}

// ErrNoKey is Sign for an app that has no key.
var ErrNoKey = errors.New("no key for the app")

// LoadKeys reads a file with one key a line: app, key id and secret, with white space between them. The app * stands for every
// app. Empty lines and those that begin with # mean nothing. Secrets have at least 32 bytes, and are taken as they stand there.
func LoadKeys(path string) (*Keys, error) {
	k := &Keys{path: path}
	if err := k.Reload(); err != nil {
		return nil, err
	}
	return k, nil
}

// NewKeys makes a key of its own for every app, which nobody else knows.
func NewKeys() (*Keys, error) {
	secret := make([]byte, minSecret)
	if _, err := rand.Read(secret); err != nil {
		return nil, fmt.Errorf("making a key for tokens: %w", err)
	}
	k := &Keys{}
	k.set.Store(&keySet{everyApp: {{id: "own", secret: secret}}})
	return k, nil
}

// Reload reads the file of LoadKeys again; after an error the keys are as before. Of NewKeys it does nothing.
func (k *Keys) Reload() error {
	if k.path == "" {
		return nil
	}
	set, err := readKeys(k.path)
	if err != nil {
		return err
	}
	k.set.Store(&set)
	return nil
}

// of gives the keys that an app's tokens may be signed with: its own, then those for every app. Admin tokens are good for all
// apps, and so is only a key that is for all of them: who holds one app's key shall not administer the others.
func (s keySet) of(app string, admin bool) []key {
	own, shared := s[app], s[everyApp]
	if app == everyApp {
		return nil
	}
	if admin {
		return shared
	}
	out := make([]key, 0, len(own)+len(shared))
	return append(append(out, own...), shared...)
}

// candidates gives the secrets to try for a token. It is never empty: an unknown app or key id is refused by a signature
// that does not fit, in about the time that a known one takes.
func (s keySet) candidates(app string, admin bool, id string, named bool) [][]byte {
	var out [][]byte
	for _, k := range s.of(app, admin) {
		if !named || k.id == id {
			out = append(out, k.secret)
		}
	}
	if len(out) == 0 {
		out = append(out, []byte(rand.Text()+rand.Text()))
	}
	return out
}
