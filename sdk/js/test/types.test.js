// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// The types as a strict TypeScript project sees them that has the package installed, and the code of the guide.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const config = {
  compilerOptions: {
    strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true, target: 'es2022', lib: ['es2022', 'dom'], types: [],
    module: 'nodenext', moduleResolution: 'nodenext',
  },
  include: ['*.ts'],
}
let project

before(() => {
  project = mkdtempSync(join(tmpdir(), 'sdk-types-'))
  mkdirSync(join(project, 'node_modules/@switchyard-media'), { recursive: true })
  symlinkSync(root, join(project, 'node_modules/@switchyard-media/sdk'))
  writeFileSync(join(project, 'package.json'), '{"type":"module"}')
})
after(() => rmSync(project, { recursive: true }))

/** Compiles files and answers what is wrong with them. */
function compile(files) {
  const names = Object.keys(files)
  for (const name of names) writeFileSync(join(project, name), files[name])
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ ...config, include: names }))
  const { status, stdout } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project], { encoding: 'utf8' })
  return { status, errors: stdout.split('\n').filter((line) => line.includes('error')) }
}

const imports = "import { ErrorCode, SwitchyardError, createEngine, setRoomMode } from '@switchyard-media/sdk'\n"
const typed = "import type { Engine, EngineConfig, PlayerState, Quality, RoomMessage, StreamInfo, User } from '@switchyard-media/sdk'\n"

/** What a user of the package may write. */
const right = `${imports}${typed}
const config: EngineConfig = { url: '/signal', token: async ({ reason, roomID }) => \`\${reason} \${roomID ?? ''}\` }
const engine: Engine = createEngine(config)
setRoomMode('multi')
const user: User = { userID: 'ada' }
await engine.loginRoom('r', user)
const media: MediaStream = await engine.startPlayingStream('s', { roomID: 'r', preference: { paused: true } })
await engine.startPublishingStream('s', { roomID: 'r', stream: media, simulcast: [{ rid: 'a' }] })
engine
  .on('roomStreamUpdate', (roomID, type, streams: StreamInfo[]) => { const t: 'ADD' | 'DELETE' = type; console.log(roomID, t, streams[0]?.user.userName) })
  .on('playerStateUpdate', (_s, _r, state: PlayerState, code) => { console.log(state, code.toFixed()) })
  .on('playerQualityUpdate', ({ rtt, spatialLayer }: Quality) => { console.log(rtt, spatialLayer?.toFixed()) })
  .on('customCommand', ({ data }: RoomMessage) => { console.log(data?.byteLength) })
try { await engine.logoutRoom() } catch (e) { if (e instanceof SwitchyardError && e.code === ErrorCode.RoomFull) console.log(e.retryAfter) }
`

/** What it may not: each line by itself is an error. */
const wrong = [
  "setRoomMode('several')",
  "createEngine({ url: 'x' })",
  "createEngine({ url: 'x', token: () => 7 })",
  "createEngine({ url: 'x', token: 'x', qualityInterval: undefined })",
  "await engine.loginRoom('r')",
  "await engine.loginRoom('r', 'ada')",
  "await engine.startPublishingStream('s', { roomID: 7 })",
  "await engine.startPublishingStream('s', { contentHint: 'speed' })",
  "await engine.startPlayingStream('s', { preference: { size: 7 } })",
  "const s: string = await engine.startPlayingStream('s', {})",
  "engine.on('roomStateChange', () => {})",
  "engine.on('kickedOut', (roomID: number) => { console.log(roomID) })",
  "engine.rooms.push('r')",
  "engine.connections = 2",
  "engine.users('r')[0].userID",
  "ErrorCode.RoomFull = 1",
]

/** The code of the guide, with what it takes for granted. */
function snippets() {
  const guide = readFileSync(join(root, '../../docs/sdk.md'), 'utf8')
  const blocks = [...guide.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code)
  const granted = `${imports}${typed}declare const engine: Engine\ndeclare const stream: MediaStream\ndeclare const user: User\n`
  return blocks.map((code) => (code.startsWith('import') ? code : granted + code))
}

test('right uses and the code of the guide compile', () => {
  const code = snippets()
  assert.ok(code.length >= 10)
  const files = Object.fromEntries([['right.ts', right], ...code.map((text, i) => [`guide${i}.ts`, `${text}\nexport {}\n`])])
  assert.deepEqual(compile(files), { status: 0, errors: [] })
})

test('wrong uses do not', () => {
  const head = `${imports}declare const engine: ReturnType<typeof createEngine>\nvoid [engine, ErrorCode, SwitchyardError, createEngine, setRoomMode]\nexport {}\n`
  const { errors } = compile(Object.fromEntries(wrong.map((line, i) => [`wrong${i}.ts`, `${head}${line}\n`])))
  const found = new Set(errors.map((line) => line.replace(/.*wrong(\d+)\.ts.*/, '$1')))
  for (const [i, line] of wrong.entries()) assert.ok(found.has(String(i)), `it compiles: ${line}`)
})
