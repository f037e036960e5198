// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Writes the bundle and the types: node scripts/build.js [directory], default dist.
//
// The bundle is the modules of src as they are written, without types and comments, one after the other: whoever debugs it finds the lines
// of the sources.

import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rollup } from '@rollup/wasm-node'
import { transform } from 'sucrase'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))
const out = process.argv[2] ?? `${root}dist`

execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', root, '--outDir', out], { stdio: 'inherit' })
// What the public names need; the other modules are the bundle's own business.
const open = ['index.d.ts', 'api.d.ts', 'errors.d.ts', 'engine.d.ts']
for (const name of readdirSync(out)) if (name.endsWith('.d.ts') && !open.includes(name)) rmSync(`${out}/${name}`)

const uncommented = (blank) => blank.replace(/\/\*[^]*?\*\/|\/\/.*/g, '')

/**
 * The tokens of a text as they are, without the semicolons that rollup has put at the ends of lines (the sources have none), and what is
 * between them without comments, empty lines and stray blanks, indented by tabs.
 */
function tidied(text) {
  const file = ts.createSourceFile('bundle.js', text, ts.ScriptTarget.Latest, true)
  const visit = (node) => {
    if (ts.isJSDoc(node)) return ''
    const children = node.getChildren(file)
    if (children.length) return children.map(visit).join('')
    // One stays where the next line would go on with the statement.
    if (node.kind === ts.SyntaxKind.SemicolonToken && /^(\}|\s*\n\s*[^\s([`/+*-])/.test(uncommented(text.slice(node.end)))) return between(node)
    return between(node) + node.getText(file)
  }
  const between = (token) => {
    const blank = uncommented(text.slice(token.pos, token.getStart(file)))
    const line = blank.lastIndexOf('\n') + 1
    if (line) return `\n${blank.slice(line).replaceAll('  ', '\t')}`
    // Types leave blanks where they were.
    return /[([]/.test(text[token.pos - 1]) || /^[),\]]/.test(token.getText(file)) ? '' : blank.replace(/ +/, ' ')
  }
  return visit(file).trim()
}

const notice = '// SPDX-FileCopyrightText: 2026 The Switchyard authors\n// SPDX-License-Identifier: Apache-2.0\n'
const plainJavaScript = {
  name: 'plain-javascript',
  resolveId: (source, importer) => importer && fileURLToPath(new URL(source.replace(/\.js$/, '.ts'), `file://${importer}`)),
  transform: (text) => ({ code: transform(text, { transforms: ['typescript'], disableESTransforms: true }).code, map: null }),
  renderChunk: (text) => ({ code: `${notice}${tidied(text)}\n`, map: null }),
}

const bundle = await rollup({ input: `${root}src/index.ts`, plugins: [plainJavaScript] })
await bundle.write({ file: `${out}/switchyard.js`, format: 'es' })
