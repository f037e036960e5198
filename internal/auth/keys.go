// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package auth

// Keys are the keys that tokens are signed with, by app and key id.
type Keys struct{}

// LoadKeys reads a file with one key a line: app, key id and secret, with white space between them. The app * stands for every
// app. Empty lines and those that begin with # mean nothing. Secrets have at least 32 bytes.
func LoadKeys(path string) (*Keys, error) { return nil, ErrToken }

// NewKeys makes a key of its own for every app, which nobody else knows.
func NewKeys() (*Keys, error) { return nil, ErrToken }

// Reload reads the file of LoadKeys again; after an error the keys are as before. Of NewKeys it does nothing.
func (k *Keys) Reload() error { return ErrToken }

// Check verifies a token: its signature by a key of its app, its times with 5 s of leeway, the ids in it. The error says
// to the holder of the token what is wrong, and nothing of keys.
func (k *Keys) Check(token string) (*Claims, error) { return nil, ErrToken }

// Sign makes a token with the first key of its app.
func (k *Keys) Sign(c *Claims) (string, error) { return "", ErrToken }

func (r *Room) covers(room string) bool { return false }

func (g Grants) or(o Grants) Grants {
	return Grants{g.Publish || o.Publish, g.Subscribe || o.Subscribe, g.Message || o.Message, g.Manage || o.Manage}
}
