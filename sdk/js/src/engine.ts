// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type {Engine, EngineConfig, RoomMode} from './api.js'
import {createClient} from './client.js'
import {fail, invalid} from './failure.js'

let mode: RoomMode = 'single'
let engines = 0

/** Chooses the mode of engines created from now on; default `single`. Throws 1001020 once an engine was created and not destroyed. */
export function setRoomMode(next: RoomMode): void {
  if (engines > 0) throw fail(1001020, 'ROOM_MODE_FIXED', 'setRoomMode comes before createEngine')
  if (next !== 'single' && next !== 'multi') throw invalid(`there is no room mode ${next as string}`)
  mode = next
}

/** Creates an engine. It connects with the first loginRoom. Throws {@link SwitchyardError} 1000017 for a configuration that cannot work. */
export function createEngine(config: EngineConfig): Engine {
  const {url, token, qualityInterval = 0, reconnectFor = 0, spareSlots = {}} = config
  if (!token) throw invalid('a token is needed')
  for (const number of [qualityInterval, reconnectFor, ...Object.values(spareSlots)]) if (!(number >= 0)) throw invalid(`${number} is less than 0`)
  const client = createClient(config, socketURL(url), mode, () => {engines--})
  engines++
  return client
}

function socketURL(text: string): string {
  try {
    const url = new URL(text, globalThis.location?.href)
    url.protocol = url.protocol.replace(/^http/, 'ws')
    if (/^wss?:$/.test(url.protocol)) return url.href
  } catch {
    // As for any other.
  }
  throw invalid(`${text} is no address of a WebSocket`)
}
