// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Writes the bundle and the types. node scripts/build.js [directory], default dist.

import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const out = process.argv[2] ?? `${root}dist`

execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', root, '--outDir', out], { stdio: 'inherit' })
// What the public names need; the other modules are the bundle's own business.
const open = ['index.d.ts', 'api.d.ts', 'errors.d.ts', 'engine.d.ts']
for (const name of readdirSync(out)) if (name.endsWith('.d.ts') && !open.includes(name)) rmSync(`${out}/${name}`)
await build({
  absWorkingDir: root,
  entryPoints: ['src/index.ts'],
  bundle: true,
  format: 'esm',
  target: 'es2022',
  charset: 'utf8',
  outfile: `${out}/switchyard.js`,
})
