// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package switchyard_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rule is one row of the import table. It speaks of the imports of a
// package's non-test files; the row of "internal/x" covers the directories
// below it too unless they have a row of their own.
type rule struct {
	pkg string
	// ours lists the packages of this module it may import, each with all that
	// lies below it; "*" is any of them.
	ours []string
	// only, when not nil, lists every import path outside the standard library
	// it may use, each with all that lies below it.
	only []string
	// never lists import paths it may not use, direct or through somebody else
	// (through pion is meant too, so list only what can be held).
	never []string
	// why is what breaks when the rule is broken; it is part of the failure.
	why string
}

const (
	grpcPath  = "google.golang.org/grpc"
	promPath  = "github.com/prometheus"
	pcPath    = "github.com/pion/webrtc"
	protoPath = module + "/proto"
)

// importTable is the direction of the tree: arrows point down only. A package
// without a row is a failure, so that a new one is placed on purpose.
var importTable = []rule{
	{
		pkg: "router", ours: nil, only: []string{},
		never: []string{grpcPath, promPath, pcPath},
		why:   "rooms are pure functions: they must stay runnable in a script, with no I/O under them",
	},
	{
		pkg: "rtpforward", ours: []string{"rtpforward/layers", "rtpforward/bandwidth", "rtpforward/allocate"},
		only:  []string{"github.com/pion/rtp", "github.com/pion/rtcp"},
		never: []string{pcPath, grpcPath, promPath, "net/http"},
		why:   "the packet path must not grow: RTP in, RTP out, no rooms, no connections, no metrics library",
	},
	{
		pkg: "rtpforward/bandwidth", ours: nil, only: []string{},
		never: []string{pcPath, grpcPath, promPath, "net", "os", "time"},
		why:   "the estimator is arithmetic over times it is handed: what simulates it in a second must be all of it",
	},
	{
		pkg: "rtpforward/allocate", ours: nil, only: []string{},
		never: []string{pcPath, grpcPath, promPath, "net", "os", "time"},
		why:   "the allocation is a function of its arguments: it must be possible to try every input",
	},
	{
		pkg: "rtpforward/layers", ours: nil, only: []string{},
		never: []string{pcPath, grpcPath, promPath},
		why:   "layers are arithmetic on what a packet says: no sockets, no packets' owners, runnable in a script",
	},
	{
		pkg: "internal/udpmux", ours: nil, only: []string{"golang.org/x/sys"},
		never: []string{pcPath, grpcPath, promPath},
		why:   "the socket layer serves ICE and knows datagrams and ufrags only; beyond system calls it needs nobody",
	},
	{
		pkg: "internal/transport", ours: []string{"internal/udpmux"},
		only: []string{
			"github.com/pion/ice", "github.com/pion/dtls", "github.com/pion/srtp", "github.com/pion/sctp",
			"github.com/pion/datachannel", "github.com/pion/rtp", "github.com/pion/rtcp", "github.com/pion/logging",
			"github.com/pion/transport", "github.com/pion/stun",
		},
		never: []string{pcPath, grpcPath, promPath},
		why:   "one client's connection knows datagrams, keys and channels; what media is, and whose, is the engine's",
	},
	{
		pkg: "sfu", ours: []string{"router", "rtpforward", "internal/udpmux", "internal/transport"},
		never: []string{pcPath, grpcPath, promPath, protoPath, module + "/internal/config"},
		why:   "the engine serves every face alike, so it may know none of them; sessions are on transports of our own",
	},
	{
		pkg: "internal/control", ours: []string{"proto", "sfu", "router", "internal/auth"},
		never: nil,
		why:   "a face turns input into calls on sfu.Node; tracks and connections are the engine's",
	},
	{
		pkg: "internal/whip", ours: []string{"sfu", "router", "internal/auth"},
		why: "a face turns input into calls on sfu.Node; tracks and connections are the engine's",
	},
	{
		pkg: "internal/signaling", ours: []string{"proto", "internal/auth"},
		never: []string{pcPath, promPath, module + "/sfu", module + "/router", module + "/rtpforward"},
		why:   "the reference tier is a client of the control API, like anybody's own tier: it has nothing that they do not have",
	},
	{
		pkg: "internal/admin", ours: []string{"proto", "internal/auth"},
		never: []string{pcPath, promPath, module + "/sfu", module + "/router", module + "/rtpforward"},
		why:   "the admin page sees what the control API shows",
	},
	{
		pkg:  "internal/metrics",
		ours: []string{"sfu", "router", "rtpforward", "internal/udpmux", "internal/control"},
		why:  "metrics read other packages' snapshots and never count for them",
	},
	{
		pkg: "internal/httpd", ours: nil, only: []string{},
		why: "pages and health show what they are handed: they know nothing of rooms, media or metrics",
	},
	{
		pkg: "internal/config", ours: []string{"*"},
		why: "the aggregate holds each package's own Config type and nothing else",
	},
	{
		pkg: "internal/auth", ours: nil, only: []string{"github.com/golang-jwt/jwt"},
		why: "who a caller is does not depend on what it asks",
	},
	{
		pkg: "proto", ours: []string{"proto"},
		only: []string{grpcPath, "google.golang.org/protobuf", "google.golang.org/genproto"},
		why:  "the wire contract is what signaling authors import: it drags nothing of the node along",
	},
	{
		pkg: "internal/sfutest", ours: []string{"proto", "sfu", "router", "internal/control", "internal/sfutest"},
		why: "test clients see the node through its API and its packets; only starting one reaches inside",
	},
	{
		pkg: "internal/sfutest/media", ours: nil, only: []string{"github.com/pion/rtp"},
		why: "clips are data: any package's tests may use them",
	},
	{
		pkg: "bench", ours: []string{"proto", "internal/sfutest"},
		why: "the load generator measures the node from outside",
	},
	{pkg: "bench/path", ours: nil, only: []string{}, why: "a link is arithmetic: the simulation and real clients have to see the same one"},
	{
		pkg: "bench/links", ours: []string{"bench/path", "rtpforward/bandwidth", "rtpforward/allocate"},
		why: "what is simulated is the estimator alone, beside the yard-stick that must not reach the product",
	},
	{pkg: "bench/html", ours: nil, only: []string{}, why: "a page is made of files alone, of older and newer versions of bench too"},
	{
		pkg: "examples", ours: []string{"proto"},
		why: "an example is a program of somebody outside: it has the control API and nothing internal",
	},
	{pkg: "web", ours: nil, only: []string{}, why: "embedded pages: files and nothing else"},
	{pkg: "sdk/js", ours: nil, only: []string{}, why: "the embedded browser SDK: a file and nothing else"},
	{pkg: "e2e", ours: []string{"*"}, why: "end-to-end tests start the whole binary"},
	{pkg: "cmd/sfu", ours: []string{"*"}, why: "main wires everything"},
}

// facesNever is direct only: the engine below a face does use both.
var facesNever = []string{module + "/rtpforward", pcPath}

// rowFor finds the row with the longest matching path.
func rowFor(table []rule, dir string) (rule, bool) {
	best, found := rule{}, false
	for _, r := range table {
		if below(dir, r.pkg) && (!found || len(r.pkg) > len(best.pkg)) {
			best, found = r, true
		}
	}

	return best, found
}

// below reports whether import path or directory p is root or lies under it,
// with a major-version element (/v4) counted as below.
func below(p, root string) bool { return p == root || strings.HasPrefix(p, root+"/") }

func anyBelow(p string, roots []string) bool {
	return slices.ContainsFunc(roots, func(r string) bool { return below(p, r) })
}

// standardLibrary tells by the first element: a host name has a dot.
func standardLibrary(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")

	return !strings.Contains(first, ".")
}

// importFindings applies the table to direct imports.
func importFindings(tr *tree, table []rule) []string {
	var out []string
	unknown := make(map[string]bool)
	for _, f := range tr.files {
		if f.test || f.dir == "." {
			continue
		}
		row, ok := rowFor(table, f.dir)
		if !ok {
			if !unknown[f.dir] {
				unknown[f.dir] = true
				out = append(out, fmt.Sprintf("%s: package has no row in importTable (arch_test.go): say where it belongs and why", f.dir))
			}

			continue
		}
		for _, spec := range f.ast.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			if reason := row.refuses(f.dir, imp); reason != "" {
				out = append(out, fmt.Sprintf("%s imports %s: %s (%s)", tr.at(spec.Pos()), imp, reason, row.why))
			}
		}
	}

	return out
}

// refuses says why the row does not let dir import imp; empty means it does.
func (r rule) refuses(dir, imp string) string {
	if imp == "C" {
		return "cgo is not used in this module"
	}
	if imp == module+"/internal/config" && dir != "cmd/sfu" {
		return "only cmd/sfu sees the whole configuration"
	}
	if own, ok := strings.CutPrefix(imp, module+"/"); ok {
		if below(own, "internal/sfutest") && dir != "bench" && !below(dir, "bench") &&
			!below(dir, "internal/sfutest") && !below(dir, "e2e") {
			return "test support stays out of the product"
		}
		if below(own, r.pkg) || slices.Contains(r.ours, "*") || anyBelow(own, r.ours) {
			return ""
		}

		return "not in the row's list"
	}
	if anyBelow(imp, r.never) {
		return "forbidden"
	}
	if isFace(r.pkg) && anyBelow(imp, facesNever) {
		return "forbidden to a face"
	}
	if r.only != nil && !standardLibrary(imp) && !anyBelow(imp, r.only) {
		return "not in the row's list of outside packages"
	}

	return ""
}

func isFace(pkg string) bool {
	return pkg == "internal/control" || pkg == "internal/whip" || pkg == "internal/signaling"
}

func TestImportTable(t *testing.T) { report(t, importFindings(loadTree(), importTable)) }

// TestEngineServesNoHTTP holds the one standard-library rule that is direct
// only: pion itself reaches net/http for its proxies.
func TestEngineServesNoHTTP(t *testing.T) {
	tr := loadTree()
	for _, f := range tr.files {
		if f.test || !below(f.dir, "sfu") {
			continue
		}
		for _, spec := range f.ast.Imports {
			if spec.Path.Value == `"net/http"` {
				t.Errorf("%s imports net/http: the engine serves every face alike, HTTP is one of them", tr.at(spec.Pos()))
			}
		}
	}
}

// TestForbiddenDependencies follows the never lists through other people's
// packages, which the direct table cannot see.
func TestForbiddenDependencies(t *testing.T) {
	var patterns []string
	for _, r := range importTable {
		if len(r.never) != 0 && hasGo(r.pkg) {
			patterns = append(patterns, "./"+r.pkg+"/...")
		}
	}
	if len(patterns) == 0 {
		return
	}
	cmd := exec.Command("go", append([]string{"list", "-e", "-json=ImportPath,Deps"}, patterns...)...)
	cmd.Stderr = os.Stderr
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(raw))); dec.More(); {
		var p struct {
			ImportPath string
			Deps       []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatalf("go list output: %v", err)
		}
		dir := strings.TrimPrefix(p.ImportPath, module+"/")
		row, _ := rowFor(importTable, dir)
		for _, dep := range p.Deps {
			if anyBelow(dep, row.never) {
				t.Errorf("%s depends on %s, directly or not: forbidden (%s)", dir, dep, row.why)
			}
		}
	}
}

func hasGo(dir string) bool {
	return slices.ContainsFunc(loadTree().files, func(f *goFile) bool { return below(f.dir, dir) })
}

// TestGoMod keeps the module graph honest: what a clone builds is what was
// tested, and tools do not reach people who import the API.
func TestGoMod(t *testing.T) {
	cmd := exec.Command("go", "mod", "edit", "-json")
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod edit -json: %v", err)
	}
	var mod struct {
		Module  struct{ Path string }
		Replace []struct{ Old struct{ Path string } }
		Tool    []struct{ Path string }
		Require []struct{ Path string }
	}
	if err := json.Unmarshal(raw, &mod); err != nil {
		t.Fatal(err)
	}
	if mod.Module.Path != module {
		t.Errorf("go.mod names module %s, want %s", mod.Module.Path, module)
	}
	for _, r := range mod.Replace {
		t.Errorf("go.mod replaces %s: a replace is not seen by those who import the module", r.Old.Path)
	}
	for _, tool := range mod.Tool {
		t.Errorf("go.mod has tool %s: tools belong to tools/go.mod", tool.Path)
	}
	for _, r := range mod.Require {
		if toolModules[versionless(r.Path)] {
			t.Errorf("go.mod requires %s: tools belong to tools/go.mod", r.Path)
		}
	}
}

// toolModules are the modules of the development tools, without a major version.
var toolModules = map[string]bool{
	"github.com/bufbuild/buf":                       true,
	"github.com/golangci/golangci-lint":             true,
	"honnef.co/go/tools":                            true,
	"mvdan.cc/gofumpt":                              true,
	"golang.org/x/vuln":                             true,
	"google.golang.org/grpc/cmd/protoc-gen-go-grpc": true,
}

// versionless drops a trailing /vN of a module path.
func versionless(p string) string {
	base := path.Base(p)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		return path.Dir(p)
	}

	return p
}

func itoa(n int) string { return strconv.Itoa(n) }
