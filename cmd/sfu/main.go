// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	os.Exit(run(&process{
		args: os.Args[1:], environ: os.Environ(), stdout: os.Stdout, stderr: os.Stderr, signals: catchSignals,
	}))
}

// catchSignals takes over what ends or reloads a process. Only serve asks for it: the other commands end as any does.
func catchSignals() <-chan os.Signal {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	return signals
}

// process is what the outside gives a run; tests give their own.
type process struct {
	args, environ  []string
	stdout, stderr io.Writer
	signals        func() <-chan os.Signal
}

// commands is the command line; kong reads it.
type commands struct {
	Serve   serveCommand   `cmd:"" default:"withargs" help:"Run the node. This is what sfu does when no command is named."`
	Signal  signalCommand  `cmd:"" help:"Run the signaling tier alone, in front of one or several nodes."`
	Token   tokenCommands  `cmd:"" help:"Make a client's token (sfu token make --help lists the flags), or a key to sign tokens with."`
	Config  configCommands `cmd:"" help:"Check, print or describe the configuration."`
	Doctor  doctorCommand  `cmd:"" help:"Look at this machine: ports, the addresses clients are offered and why, limits."`
	Version versionCommand `cmd:"" help:"Print the version, and those of Go and pion."`
}

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// say writes for people. When they have closed their end there is nobody to tell.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// errReported ends a command that has already said what is wrong.
var errReported = errors.New("already reported")

// exited stops kong after --help.
type exited int

func run(p *process) (code int) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(exited)
			if !ok {
				panic(r)
			}
			code = int(e)
		}
	}()
	parser, err := kong.New(&commands{},
		kong.Name("sfu"),
		kong.Description("Switchyard, a WebRTC media node. Without a command and without configuration it serves."),
		kong.Writers(p.stdout, p.stderr),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: false}),
		kong.Bind(p),
	)
	if err != nil {
		say(p.stderr, "sfu: %v\n", err)
		return exitFailed
	}
	ctx, err := parser.Parse(p.args)
	if err != nil {
		say(p.stderr, "sfu: %v\nsfu --help says more\n", err)
		return exitUsage
	}
	switch err := ctx.Run(); {
	case errors.Is(err, errReported):
		return exitFailed
	case err != nil:
		say(p.stderr, "sfu: %v\n", err)
		return exitFailed
	}
	return exitOK
}
