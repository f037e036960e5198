// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Bounds on a key file. keysPerApp bounds what a token without a key id makes us try.
const (
	minSecret    = 32 // RFC 7518 section 3.2: as long as the hash at least
	maxSecret    = 1024
	maxKeyFile   = 4 << 20
	keysPerApp   = 16
	freshSecret  = 36 // bytes of chance in a line of NewLine: 48 characters
	keyFileShape = "want app, key id and secret, with white space between them"
)

// What can be wrong with a key file. Errors of LoadKeys name the file and the line, and never a secret.
var (
	ErrKeyFile = errors.New("the key file cannot be used")
	errNoKeys  = errors.New("there is no key in it")
)

func readKeys(path string) (keySet, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKeyFile, path, err)
	}
	set, err := parseKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKeyFile, path, err)
	}
	return set, nil
}

func parseKeys(text string) (keySet, error) {
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("it has more than %d bytes", maxKeyFile)
	}
	set, number := keySet{}, 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) { // some editors begin a file with a byte order mark
		number++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := set.add(strings.Fields(line)); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if len(set) == 0 {
		return nil, errNoKeys
	}
	return set, nil
}

// add takes one line's fields.
func (s keySet) add(fields []string) error {
	if len(fields) != 3 {
		return errors.New(keyFileShape)
	}
	app, id, secret := fields[0], fields[1], fields[2]
	switch {
	case app != everyApp && !nameChars.valid(app, maxApp):
		return fmt.Errorf("the app is %s, or * for every app", nameRule)
	case !nameChars.valid(id, maxKeyID):
		return fmt.Errorf("the key id is %s", nameRule)
	case len(secret) < minSecret || len(secret) > maxSecret:
		return fmt.Errorf("the secret has %d bytes, want %d to %d", len(secret), minSecret, maxSecret)
	case len(s[app]) == keysPerApp:
		return fmt.Errorf("app %s has more than %d keys", app, keysPerApp)
	}
	for _, k := range s[app] {
		if k.id == id {
			return fmt.Errorf("app %s has a key %s already", app, id)
		}
	}
	s[app] = append(s[app], key{id: id, secret: []byte(secret)})
	return nil
}

// NewLine makes a line for a key file, with a secret that nobody has seen. The app may be *, for every app; an empty id
// gets one made up.
func NewLine(app, id string) (string, error) {
	secret := make([]byte, freshSecret)
	if _, err := rand.Read(secret); err != nil {
		return "", fmt.Errorf("making a key for tokens: %w", err)
	}
	if id == "" {
		id = "k" + strings.ToLower(rand.Text()[:7])
	}
	fields := []string{app, id, base64.RawURLEncoding.EncodeToString(secret)}
	if err := (keySet{}).add(fields); err != nil {
		return "", err
	}
	return strings.Join(fields, " "), nil
}
