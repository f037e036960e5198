// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type {Emit} from './events.js'
import {short} from './failure.js'
import {toUser} from './room.js'
import type {WireMessage} from './wire.js'

const events = {BROADCAST: 'broadcastMessage', BARRAGE: 'barrageMessage', COMMAND: 'customCommand'} as const

/** Makes what delivers messages once, whichever way they come first: by the signaling tier or by the data channel. */
export function createMessages(emit: Emit): (message: WireMessage) => void {
  const seen = new Set<string>()
  return ({roomId, messageId, kind, from = {id: ''}, text = '', data, sentMs = 0}) => {
    const event = events[short(kind).toUpperCase() as 'COMMAND']
    if (!event || seen.has(messageId)) return
    seen.add(messageId)
    if (seen.size > 2048) seen.delete(seen.values().next().value as string) // enough for two ways that differ by seconds
    emit(event, {roomID: roomId, messageID: messageId, from: toUser(from), text, sentAt: +sentMs, ...(data && {data: Uint8Array.from(atob(data), c => c.charCodeAt(0))})})
  }
}
