// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/switchyard-media/sfu/internal/auth"
	"github.com/switchyard-media/sfu/internal/config"
)

// tokenCommands are the commands below sfu token.
type tokenCommands struct {
	Make makeTokenCommand `cmd:"" default:"withargs" help:"Print a token for a user. This is what sfu token does when no command is named."`
	Key  tokenKeyCommand  `cmd:"" help:"Print a fresh line for the key file (tokens.key_file)."`
}

type makeTokenCommand struct {
	sources
	KeyFile string        `placeholder:"FILE" help:"Key file to sign with, instead of tokens.key_file of the configuration."`
	App     string        `required:"" placeholder:"APP" help:"App (tenant) that the token is for."`
	User    string        `placeholder:"ID" help:"User id."`
	Name    string        `placeholder:"NAME" help:"User's name. Empty: the id."`
	Group   string        `placeholder:"GROUP" help:"With several nodes: everything of one app and group is on one node."`
	Room    []string      `sep:"none" placeholder:"ROOM" help:"Room that it is good for. May be repeated."`
	Prefix  []string      `sep:"none" placeholder:"PREFIX" help:"Beginning of the names of rooms that it is good for. May be repeated."`
	AnyRoom bool          `help:"Good for every room of the app."`
	Grant   []string      `default:"publish,subscribe,message" placeholder:"GRANT" help:"What the user may do there: publish, subscribe, message, manage; separated by commas."`
	Manage  bool          `help:"The grant manage, too: kick, mute, close the room."`
	TTL     time.Duration `default:"1h" placeholder:"DURATION" help:"How long it is good for, at most a week."`
	Admin   bool          `help:"Good for the admin page and its API, of all apps. It needs a key for every app (*), and no user."`
}

// Run implements the command.
func (c *makeTokenCommand) Run(p *process) error {
	claims, err := c.claims()
	if err != nil {
		return err
	}
	keys, err := c.keys(p)
	if err != nil {
		return err
	}
	token, err := keys.Sign(claims)
	if err != nil {
		return fmt.Errorf("cannot make the token: %w", err)
	}
	say(p.stdout, "%s\n", token)
	return nil
}

func (c *makeTokenCommand) claims() (*auth.Claims, error) {
	grants, err := auth.ParseGrants(c.Grant)
	if err != nil {
		return nil, fmt.Errorf("--grant: %w", err)
	}
	grants.Manage = grants.Manage || c.Manage
	claims := &auth.Claims{
		App: c.App, UserID: c.User, UserName: c.Name, Group: c.Group, Admin: c.Admin, Expires: time.Now().Add(c.TTL),
	}
	for _, room := range c.Room {
		claims.Rooms = append(claims.Rooms, auth.Room{Room: room, Grants: grants})
	}
	for _, prefix := range c.Prefix {
		claims.Rooms = append(claims.Rooms, auth.Room{Prefix: prefix, Grants: grants})
	}
	if c.AnyRoom {
		claims.Rooms = append(claims.Rooms, auth.Room{Any: true, Grants: grants})
	}
	if len(claims.Rooms) == 0 && !c.Admin {
		return nil, errors.New("which rooms is it for? Want --room, --prefix or --any-room")
	}
	return claims, nil
}

// keys reads the key file that was named, or the one of the configuration.
func (c *makeTokenCommand) keys(p *process) (*auth.Keys, error) {
	if c.KeyFile != "" {
		return auth.LoadKeys(c.KeyFile)
	}
	l, err := c.load(p, nil)
	if err != nil {
		return nil, err
	}
	if l.Config.Tokens.KeyFile == "" {
		return nil, fmt.Errorf("no key to sign with: name a file by --key-file, or by tokens.key_file (%s) in the configuration that the node has, too; sfu token key makes a line for it",
			config.EnvName("tokens.key_file"))
	}
	return loadKeys(l.Config)
}

type tokenKeyCommand struct {
	App string `required:"" placeholder:"APP" help:"App that the key is for; * for every app."`
	ID  string `name:"id" placeholder:"ID" help:"The key's id, by which tokens name it. Empty: one is made up."`
}

// Run implements the command.
func (c *tokenKeyCommand) Run(p *process) error {
	line, err := auth.NewLine(c.App, c.ID)
	if err != nil {
		return err
	}
	say(p.stdout, "%s\n", line)
	return nil
}
