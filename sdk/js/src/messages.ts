// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { RoomMessage } from './api.js'
import type { Emit } from './events.js'
import { type Room, toUser } from './room.js'
import type { WireMessage } from './wire.js'

/** Messages whose ids are remembered. */
const remembered = 2048

const events = { broadcast: 'broadcastMessage', barrage: 'barrageMessage', command: 'customCommand' } as const

/** Delivers messages once, whichever way they come first: by the signaling tier or by the data channel. */
export class Messages {
  readonly #seen = new Set<string>()

  constructor(private readonly rooms: Map<string, Room>, private readonly emit: Emit) {}

  deliver({ roomId, messageId, kind = '', from = { id: '' }, text = '', data, sentMs = 0 }: WireMessage): void {
    const event = events[kind.replace('MESSAGE_KIND_', '').toLowerCase() as keyof typeof events]
    const key = `${roomId}\n${messageId}`
    if (!event || this.rooms.get(roomId)?.state !== 'in' || this.#seen.has(key)) return
    this.#seen.add(key)
    if (this.#seen.size > remembered) this.#seen.delete(this.#seen.values().next().value as string)
    const message: RoomMessage = { roomID: roomId, messageID: messageId, from: toUser(from), text, sentAt: Number(sentMs) }
    if (data) message.data = Uint8Array.from(atob(data), (c) => c.charCodeAt(0))
    this.emit(event, message)
  }

  /** A message of the data channel. */
  inband(m: Record<string, unknown>): void {
    if (m.type !== 'message') return
    const from = { id: String(m.from), ...(m.from_name ? { name: String(m.from_name) } : {}) }
    const { id, room, kind, text, data, sent_ms: sentMs } = m as Record<string, string>
    this.deliver({ roomId: room, messageId: id, kind, from, text, data, sentMs } as WireMessage)
  }
}
