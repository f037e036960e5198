# SPDX-FileCopyrightText: 2026 The Switchyard authors
# SPDX-License-Identifier: Apache-2.0
#
# `make test` is what CI runs, step by step, on a clean machine with Go, a C
# compiler (the race detector needs one), Node.js and Chromium (setup installs the
# last three where it can). Every step is a target of its own.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO      ?= go
# Development tools have their own module, so that none of their dependencies
# reaches the product's graph.
TOOLMOD := -modfile=tools/go.mod
TOOL    := $(GO) tool $(TOOLMOD)

PKGS      ?= ./...
FUZZTIME  ?= 20s
FUZZ      ?= .
SOAKTIME  ?= 10m
SOAKPKGS  ?= ./rtpforward/... ./sfu/... ./internal/... ./e2e/...
BENCH     ?= .
BENCHTIME ?= 1s
ARGS      ?=
AGAINST   ?= main

# Cheapest first: a typing slip should not wait for the race run. Building the
# linters from source costs about four minutes on two cores the first time.
TEST_STEPS := setup build fmt-check vet sdk unit lanes browser whip examples staticcheck golangci nolint-count buf-lint race

.PHONY: help test $(TEST_STEPS) lint buf-breaking fmt vet-386 \
	screenshots tidy-check vuln generate fuzz soak bench links cover clean run

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## everything CI runs; a failing step names itself
	@for step in $(TEST_STEPS); do \
		start=$$SECONDS; \
		printf '==> %s\n' "$$step"; \
		$(MAKE) --no-print-directory "$$step" || { \
			printf '==> FAILED: %s (again: make %s)\n' "$$step" "$$step" >&2; exit 1; }; \
		printf '==> %s ok, %d s\n' "$$step" $$((SECONDS - start)); \
	done; \
	printf '==> all steps passed in %d s\n' "$$SECONDS"

setup: ## look for the programs the other steps need, install what apt can
	@.ci/setup

build: ## compile everything; the binary goes to bin/sfu
	$(GO) build $(PKGS)
	@if [ -d cmd/sfu ]; then mkdir -p bin; $(GO) build -trimpath -o bin/sfu ./cmd/sfu; fi

vet: ## go vet
	$(GO) vet $(PKGS)

sdk: ## the browser SDK: types, tests, and what is committed is what the sources give
	cd sdk/js; [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund
	cd sdk/js; npm run --silent check; npm run --silent test

unit: ## tests without the race detector: allocation counts hold only here
	$(GO) test -timeout 10m $(PKGS)

# Those that look at what leaves the node need its one tapped socket.
TAPPED := ^(TestStopAndGoOn|TestFlappingNomination|TestReplayedCheck|TestScenarioCrossRoomCall|TestScenarioPublishOnce|TestLeftMeansStopped)$$

lanes: ## the end-to-end tests again: media through the ICE library, and over batched sockets
	SFU_TEST_LANE=plain $(GO) test -short -timeout 10m ./e2e
	SFU_TEST_LANE=sockets $(GO) test -short -timeout 10m -skip '$(TAPPED)' ./e2e

browser: ## node, tier, SDK and pages with a real browser: headless Chromium, fake camera and microphone
	$(GO) test -tags browser -timeout 8m ./e2e/browser
	$(GO) test -tags browser -timeout 10m ./e2e/pages
	$(GO) test -tags browser -timeout 5m ./internal/admin

whip: ## WHIP and WHEP with clients of others: a bare page in Chromium, GStreamer
	$(GO) test -tags browser -timeout 8m ./e2e/whip

screenshots: ## pictures of the pages anew, docs/img
	SCREENSHOTS=1 $(GO) test -tags browser -count=1 -timeout 5m -run '^TestScreenshots$$' ./e2e/pages

examples: ## those of other languages: packages from npm, then a node beside them
	cd examples/greeter && npm ci --no-audit --no-fund
	$(GO) test -count=1 -tags npm -timeout 5m ./examples/greeter

race: ## the same tests under the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 15m $(PKGS)

lint: vet staticcheck golangci fmt-check buf-lint nolint-count ## every linter

staticcheck: ## honnef.co/go/tools
	$(TOOL) staticcheck $(PKGS)

golangci: ## the list in .golangci.yml
	$(TOOL) golangci-lint run $(PKGS)

nolint-count: ## how often a finding is silenced; more than 10 is one too many
	@n=$$( { grep -rn --include='*.go' '//nolint' . || true; } | wc -l); \
	printf 'nolint directives: %d\n' "$$n"; [ "$$n" -le 10 ]

buf-lint: ## the .proto files
	$(TOOL) buf lint proto

buf-breaking: ## the .proto files against those of another commit, AGAINST=main
	$(TOOL) buf breaking proto --against '.git#ref=$(AGAINST),subdir=proto'

fmt: ## format in place: gofumpt, and imports in three groups
	$(TOOL) golangci-lint fmt

fmt-check: ## list files that `make fmt` would change, and fail if there are any
	@diff=$$($(TOOL) golangci-lint fmt --diff) && exit 0; \
	printf 'not formatted (make fmt):\n' >&2; \
	printf '%s\n' "$$diff" | sed -n 's/^--- \(.*\)\.orig$$/  \1/p' >&2; exit 1

vet-386: ## 32-bit: alignment of 64-bit atomics, int overflow
	GOARCH=386 CGO_ENABLED=0 $(GO) vet $(PKGS)

tidy-check: ## go.mod and go.sum say exactly what is used
	$(GO) mod tidy -diff

vuln: ## govulncheck; reads the vulnerability database over the network
	@printf 'needs https://vuln.go.dev, or GOVULNDB naming a copy of it; not part of make test\n'
	$(TOOL) govulncheck $(if $(GOVULNDB),-db $(GOVULNDB)) $(PKGS)

generate: ## write generated code again
	$(GO) generate $(PKGS)

fuzz: ## every Fuzz function for FUZZTIME (20s each); FUZZ=regexp picks some
	@found=0; failed=(); \
	while IFS=: read -r file func; do \
		name=$${func#func }; dir=$$(dirname "$$file"); \
		[[ "$$name" =~ $(FUZZ) ]] || continue; \
		found=1; printf '==> %s %s\n' "$$dir" "$$name"; \
		$(GO) test "$$dir" -run '^$$' -fuzz "^$$name\$$" \
			-fuzztime '$(FUZZTIME)' -fuzzminimizetime=1x || failed+=("$$dir $$name"); \
	done < <(grep -rHoE --include='*_test.go' --exclude-dir=node_modules '^func Fuzz[A-Za-z0-9_]*' . | sort); \
	[ "$$found" = 1 ] || { printf 'no Fuzz function matches %s\n' '$(FUZZ)' >&2; exit 1; }; \
	[ "$${#failed[@]}" = 0 ] || { printf '==> FAILED: %s\n' "$${failed[@]}" >&2; exit 1; }

soak: ## the concurrent packages' tests under race, over and over for SOAKTIME (10m)
	@end=$$(( SECONDS + $$(.ci/seconds '$(SOAKTIME)') )); n=0; \
	while [ "$$SECONDS" -lt "$$end" ]; do \
		n=$$((n + 1)); printf '==> soak run %d\n' "$$n"; \
		CGO_ENABLED=1 $(GO) test -race -count=1 -shuffle=on -timeout 15m $(SOAKPKGS); \
	done

bench: ## Go benchmarks with allocations; compare ratios, not figures
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime '$(BENCHTIME)' -benchmem $(PKGS)

links: ## simulated links, the estimator beside pion's gcc: table, and plots in bin/links.html
	@mkdir -p bin
	$(GO) run ./bench -links -html bin/links.html

cover: ## statement coverage of every package by every test, bin/cover.html
	@mkdir -p bin
	$(GO) test -timeout 15m -coverpkg=./... -coverprofile=bin/cover.out $(PKGS)
	$(GO) tool cover -html=bin/cover.out -o bin/cover.html
	$(GO) tool cover -func=bin/cover.out | tail -n 1

run: ## the node with its defaults; ARGS are handed on
	$(GO) run ./cmd/sfu $(ARGS)

clean: ## remove build output
	rm -rf bin dist
