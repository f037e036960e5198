// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"
)

// Reference is docs/configuration.md: every key in a table, section by section.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, k := range Keys() {
		switch {
		case k.Section:
			level := strings.Repeat("#", 2+min(2, strings.Count(strings.Replace(k.Path, ".<id>", "", 1), ".")))
			fmt.Fprintf(&b, "\n%s `%s`\n\n%s\n\n%s", level, sectionPath(k.Path), k.Doc, tableHead)
		case !strings.Contains(k.Path, "."):
			fmt.Fprintf(&b, "\n## `%s`\n\n%s", k.Path, tableHead)
			b.WriteString(row(k, k.Path))
		default:
			b.WriteString(row(k, k.Path[strings.LastIndex(k.Path, ".")+1:]))
		}
	}
	return b.String()
}

const tableHead = "| key | default | values | reload | environment | meaning |\n|---|---|---|---|---|---|\n"

func sectionPath(path string) string {
	if path == "apps" {
		return "apps.<id>"
	}
	return path
}

func row(k Key, name string) string {
	values := k.Type
	if k.Range != "" {
		values += ", " + k.Range
	}
	reload := ""
	if k.Reload {
		reload = "yes"
	}
	return fmt.Sprintf("| `%s` | `%s` | %s | %s | `%s` | %s |\n", name, k.Default, values, reload, k.Env, k.Doc)
}

const referenceHead = `# Configuration

<!-- Made from internal/config by its tests (go test ./internal/config -update). Do not edit. -->

The node runs without any configuration. What there is comes from four layers, each over the one before:

1. the defaults below;
2. one YAML file: the one named by ` + "`--config`" + `, else by ` + "`SFU_CONFIG`" + `, else ` + "`./sfu.yaml`" + `, else ` + "`/etc/sfu/sfu.yaml`" + `;
3. environment variables, one for every key, as listed (an empty variable counts as not set);
4. flags: ` + "`--set key=value`" + ` for any key, and a few of their own (` + "`sfu serve --help`" + `).

` + "`sfu config print`" + ` shows what is in force and where each value comes from; ` + "`sfu config check`" + ` reports every problem with file, line
and column; ` + "`sfu config schema`" + ` prints a JSON Schema for editors (a copy is ` + "`configs/sfu.schema.json`" + `). [` + "`configs/sfu.yaml`" + `](../configs/sfu.yaml)
has every key with its default.

A key that is not known, a value of the wrong type or out of range, a port that is used twice or a file that cannot be read
stops the node from starting. Durations carry their unit (` + "`500ms`, `30s`, `1m30s`" + `); sizes have theirs in the name of the key.
Lists and maps replace those of the layer before; in a variable or flag a list is written with commas
(` + "`SFU_MEDIA_EXTERNAL_ADDRESSES=203.0.113.7,2001:db8::7`" + `), anything more as YAML
(` + "`--set 'media.external_addresses=[{address: 203.0.113.7, port: 50000}]'`" + `). An app's variable sets the one called ` + "`default`" + `; other
apps are set in the file or by ` + "`--set apps.school.limits.rooms_per_user=10`" + `.

On SIGHUP the node reads everything again. Keys marked *reload* take effect; if any other differs, the change is refused as a
whole, the log names the keys, and the node goes on with what it had. The files named by ` + "`grpc.*_file`, `http.*_file`" + `
and ` + "`tokens.key_file`" + ` are read again too.
`
