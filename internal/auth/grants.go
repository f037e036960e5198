// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"fmt"
	"slices"
	"strings"
)

// grantNames are the grants in the order in which they are written.
var grantNames = [...]string{"publish", "subscribe", "message", "manage"}

func (g *Grants) named(name string) *bool {
	switch name {
	case "publish":
		return &g.Publish
	case "subscribe":
		return &g.Subscribe
	case "message":
		return &g.Message
	case "manage":
		return &g.Manage
	}
	return nil
}

// ParseGrants reads the names that tokens have for grants.
func ParseGrants(names []string) (Grants, error) {
	var g Grants
	for _, name := range names {
		to := g.named(name)
		if to == nil {
			return Grants{}, fmt.Errorf("unknown grant %.40q; known are %s", name, strings.Join(grantNames[:], ", "))
		}
		*to = true
	}
	return g, nil
}

// Names are the grants as tokens name them, never nil.
func (g Grants) Names() []string {
	return slices.DeleteFunc(slices.Clone(grantNames[:]), func(name string) bool { return !*g.named(name) })
}
