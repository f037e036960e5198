// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// What is committed is what the sources give.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (...path) => readFileSync(join(root, ...path), 'utf8')

function elsewhere(work) {
  const directory = mkdtempSync(join(tmpdir(), 'sdk-'))
  try {
    return work(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

test('the bundle and the types are built from these sources', () => elsewhere((directory) => {
  execFileSync(process.execPath, [join(root, 'scripts/build.js'), directory])
  assert.deepEqual(readdirSync(directory).sort(), readdirSync(join(root, 'dist')).sort())
  for (const name of readdirSync(directory)) {
    assert.ok(readFileSync(join(directory, name), 'utf8') === read('dist', name), `dist/${name} is not of these sources: npm run build`)
  }
}))

test('the bundle is small, and is not minified', () => {
  const text = read('dist/switchyard.js')
  const bytes = Buffer.byteLength(text)
  assert.ok(bytes <= 40_000, `${bytes} bytes`)
  const lines = text.split('\n')
  assert.ok(lines.length > 900)
  assert.ok(lines.filter((line) => line.startsWith('\t')).length > lines.length / 2, 'it is indented')
  assert.match(text, /\n\t\t\t\S/)
  assert.match(text, /function createEngine\(config\) \{\n/)
  assert.doesNotMatch(text, /^import /m)
})

test('the reference is made from these types', () => elsewhere((directory) => {
  const file = join(directory, 'reference.md')
  execFileSync(process.execPath, [join(root, 'scripts/docs.js'), file])
  assert.ok(readFileSync(file, 'utf8') === read('../../docs/sdk-reference.md'), 'docs/sdk-reference.md is not of these types: npm run docs')
}))

test('packages are named without the place they were got from', () => {
  for (const [name, { resolved = '', integrity }] of Object.entries(JSON.parse(read('package-lock.json')).packages)) {
    assert.ok(!resolved || resolved.startsWith('https://registry.npmjs.org/'), `${name}: ${resolved}`)
    assert.ok(!name || integrity, `${name} has no checksum`)
  }
})

test('nothing is needed at run time', () => {
  const { dependencies, peerDependencies } = JSON.parse(read('package.json'))
  assert.deepEqual([dependencies, peerDependencies], [undefined, undefined])
})
