// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { afterEach, beforeEach } from 'node:test'
import { SwitchyardError, createEngine, setRoomMode } from '../dist/switchyard.js'
import { FakePeerConnection, install, pass } from './fakes.js'

export const user = { userID: 'ada', userName: 'Ada' }

/** The browser of the test: { tier, page, mediaDevices }. */
export const browser = {}

const events = [
  'roomStateChanged', 'roomUserUpdate', 'roomStreamUpdate', 'roomStreamChanged', 'roomExtraInfoUpdate', 'broadcastMessage', 'barrageMessage',
  'customCommand', 'activeSpeakers', 'kickedOut', 'tokenWillExpire', 'publisherStateUpdate', 'playerStateUpdate', 'signalingStateChanged', 'error',
]
let engines = []
let told = []

beforeEach(() => {
  Object.assign(browser, install())
  engines = []
  told = []
})

afterEach(async () => {
  for (const engine of engines) await soon(engine.destroy(), 1100)
  assert.equal(browser.tier.sockets.size, 0, 'sockets are closed')
  for (const pc of FakePeerConnection.all) assert.equal(pc.connectionState, 'closed')
})

/** An engine whose events are noted. */
export function make(mode = 'multi', config = {}) {
  setRoomMode(mode)
  const engine = createEngine({ url: 'https://example.org/signal', token: 'token', qualityInterval: 0, ...config })
  for (const event of events) engine.on(event, (...args) => told.push([event, ...args]))
  engines.push(engine)
  return engine
}

/** What was told under a name since the last time. */
export function heard(name) {
  const found = told.filter(([event]) => event === name).map(([, ...args]) => args)
  told = told.filter(([event]) => event !== name)
  return found
}

export function forget() {
  told = []
}

/** Waits for a promise while time passes. */
export async function soon(promise, milliseconds = 300) {
  const settled = Promise.allSettled([promise])
  await pass(milliseconds)
  const result = await Promise.race([settled, new Promise((resolve) => setImmediate(resolve, [{ status: 'pending' }]))])
  const [{ status, value, reason }] = result
  if (status === 'pending') throw new Error('it does not settle')
  if (status === 'rejected') throw reason
  return value
}

export async function inRooms(engine, ...rooms) {
  for (const room of rooms) await soon(engine.loginRoom(room, user))
  forget()
}

/** For assert.rejects and assert.throws. */
export function code(n, reason) {
  return (e) => {
    assert.ok(e instanceof SwitchyardError, String(e))
    assert.equal(e.code, n, e.message)
    if (reason) assert.equal(e.reason, reason)
    return true
  }
}
