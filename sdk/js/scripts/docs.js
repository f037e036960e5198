// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Writes the reference from the types: node scripts/docs.js [file], default docs/sdk-reference.md of the tree.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const file = process.argv[2] ?? join(root, '../../docs/sdk-reference.md')
const out = mkdtempSync(join(tmpdir(), 'sdk-reference-'))
const title = '# Reference of the browser SDK\n\nMade from the types by `npm run docs` in `sdk/js`; the [guide](sdk.md) says how it goes together.'
try {
  execFileSync(process.execPath, [
    join(root, 'node_modules/typedoc/bin/typedoc'), '--plugin', 'typedoc-plugin-markdown', '--out', out, '--router', 'module', '--entryFileName', 'reference',
    '--modulesFileName', 'reference', '--readme', 'none', '--disableSources', '--hideBreadcrumbs', '--hidePageHeader', '--sort', 'source-order', '--logLevel', 'Warn',
    '--parametersFormat', 'table', '--interfacePropertiesFormat', 'table', '--typeAliasPropertiesFormat', 'table', '--propertyMembersFormat', 'table',
    '--name', 'sdk', join(root, 'src/index.ts'), '--tsconfig', join(root, 'tsconfig.json'),
  ], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  const text = readFileSync(join(out, 'reference.md'), 'utf8')
  writeFileSync(file, `${text.replace(/^# .*$/m, title).trim()}\n`)
} finally {
  rmSync(out, { recursive: true })
}
