// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Writes the bundle and the types: node scripts/build.js [directory], default dist.
//
// The bundle is the modules of src one after the other, as they are written, without types, comments and indentation. That takes names at top
// level that no two modules share, and tools that do not write code anew: whoever debugs the bundle finds the lines of the sources.

import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { transform } from 'sucrase'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))
const out = process.argv[2] ?? `${root}dist`

execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', root, '--outDir', out], { stdio: 'inherit' })
// What the public names need; the other modules are the bundle's own business.
const open = ['index.d.ts', 'api.d.ts', 'errors.d.ts', 'engine.d.ts']
for (const name of readdirSync(out)) if (name.endsWith('.d.ts') && !open.includes(name)) rmSync(`${out}/${name}`)

/** The text without its comments. */
function uncommented(text) {
  const file = ts.createSourceFile('module.ts', text, ts.ScriptTarget.Latest, true)
  const ranges = new Map()
  const visit = (node) => {
    for (const range of [...ts.getLeadingCommentRanges(text, node.pos) ?? [], ...ts.getTrailingCommentRanges(text, node.end) ?? []]) {
      ranges.set(range.pos, range.end)
    }
    node.getChildren(file).forEach(visit)
  }
  visit(file)
  for (const [pos, end] of [...ranges].sort(([a], [b]) => b - a)) text = text.slice(0, pos) + text.slice(end)
  return text
}

const modules = new Map()
const exported = []

/** Adds a module after those that it imports. */
function add(name) {
  if (modules.has(name)) return
  modules.set(name, '')
  const text = uncommented(readFileSync(`${root}src/${name}.ts`, 'utf8'))
  const { code } = transform(text, { transforms: ['typescript'], disableESTransforms: true })
  for (const [, from] of code.matchAll(/^(?:import|export) .* from '\.\/(\w+)\.js'$/gm)) add(from)
  if (name === 'index') {
    for (const [, names, from] of code.matchAll(/^export (?:\{ ?(.*?) ?\}|\*) from '\.\/(\w+)\.js'$/gm)) {
      const all = [...modules.get(from).matchAll(/^(?:class|const|function) (\w+)/gm)].map(([, one]) => one)
      exported.push(...(names?.split(', ') ?? all))
    }
    modules.delete(name)
    return
  }
  modules.delete(name) // to its place, after what it imports
  modules.set(name, code
    .replace(/^import .*$/gm, '').replace(/^export /gm, '')
    .replace(/(?<=\S) +(?=[ ),\]]|$)/gm, '').replace(/\n{2,}/g, '\n').trim()
    .replace(/^ +/gm, ''))
}
add('index')

const notice = '// SPDX-FileCopyrightText: 2026 The Switchyard authors\n// SPDX-License-Identifier: Apache-2.0\n'
writeFileSync(`${out}/switchyard.js`, `${notice}${[...modules.values()].filter(Boolean).join('\n')}\nexport { ${exported.sort().join(', ')} }\n`)
