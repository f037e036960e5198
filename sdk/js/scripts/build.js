// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Writes the bundle and the types. node scripts/build.js [directory], default dist.

import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))
const out = process.argv[2] ?? `${root}dist`

execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', root, '--outDir', out], { stdio: 'inherit' })
// What the public names need; the other modules are the bundle's own business.
const open = ['index.d.ts', 'api.d.ts', 'errors.d.ts', 'engine.d.ts']
for (const name of readdirSync(out)) if (name.endsWith('.d.ts') && !open.includes(name)) rmSync(`${out}/${name}`)

// Whoever debugs the bundle reads names and lines as they are in the sources; comments and wide indentation stay there.
const uncommented = {
  name: 'uncommented',
  setup(run) {
    run.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const { outputText } = ts.transpileModule(readFileSync(path, 'utf8'), {
        compilerOptions: { target: 'es2022', module: 'esnext', removeComments: true, verbatimModuleSyntax: true },
      })
      return { contents: outputText, loader: 'js' }
    })
  },
}
const { outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: ['src/index.ts'],
  bundle: true,
  format: 'esm',
  target: 'es2022',
  charset: 'utf8',
  plugins: [uncommented],
  write: false,
})
const notice = '// SPDX-FileCopyrightText: 2026 The Switchyard authors\n// SPDX-License-Identifier: Apache-2.0\n'
const code = outputFiles[0].text.replaceAll('/* @__PURE__ */ ', '').replace(/^(?: {2})+/gm, (indent) => '\t'.repeat(indent.length / 2))
writeFileSync(`${out}/switchyard.js`, notice + code)
