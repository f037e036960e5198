// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { StreamInfo, User } from './api.js'
import { short } from './connection.js'
import type { Emit } from './events.js'
import type { Notice, WireRoom, WireStream, WireUser } from './wire.js'

/** A room as the user sees it. */
export class Room {
  state: 'entering' | 'in' | 'leaving' = 'entering'
  /** Its signaling is gone for now, which has been told. */
  away = false
  readonly users = new Map<string, User>()
  /** Of others. */
  readonly streams = new Map<string, StreamInfo>()
  readonly info = new Map<string, string>()
  /** Own streams whose end is still to be told, and those whose end was told before the call that asked for it returned. */
  readonly ending = new Set<string>()
  readonly ended = new Set<string>()

  constructor(readonly id: string, readonly user: User | undefined, public token: string | undefined, private readonly emit: Emit) {}

  /** Takes over the whole room and tells what is different. */
  update(room: WireRoom): void {
    const users = room.users ?? []
    const streams = (room.streams ?? []).filter((s) => !s.own)
    const goneStreams = [...this.streams.values()].filter((s) => !streams.some((t) => t.streamId === s.streamID && t.user?.id === s.user.userID))
    const goneUsers = [...this.users.values()].filter((u) => !users.some((v) => v.id === u.userID))
    this.changeStreams({ removed: goneStreams.map((s) => ({ roomId: this.id, streamId: s.streamID })) })
    this.changeUsers({ added: users, removed: goneUsers.map((u) => ({ id: u.userID })) })
    this.changeStreams({ added: streams })
    const metadata = room.metadata ?? {}
    for (const key of this.info.keys()) if (!(key in metadata)) this.changeInfo(key, undefined)
    for (const [key, value] of Object.entries(metadata)) this.changeInfo(key, value)
  }

  changeUsers({ added = [], removed = [] }: Omit<NonNullable<Notice['users']>, 'roomId'>): void {
    const gone = removed.map(({ id }) => this.users.get(id)).filter((u) => u !== undefined)
    for (const user of gone) this.users.delete(user.userID)
    const fresh = added.filter(({ id }) => !this.users.has(id)).map(toUser)
    for (const user of fresh) this.users.set(user.userID, user)
    if (gone.length) this.emit('roomUserUpdate', this.id, 'DELETE', gone)
    if (fresh.length) this.emit('roomUserUpdate', this.id, 'ADD', fresh)
  }

  changeStreams({ added = [], removed = [], updated = [] }: Omit<NonNullable<Notice['streams']>, 'roomId'>): void {
    const gone: StreamInfo[] = []
    for (const { streamId, reason } of removed) {
      const stream = this.streams.get(streamId)
      if (this.streams.delete(streamId) && stream) gone.push(reason ? { ...stream, reason: short(reason) } : stream)
    }
    const fresh: StreamInfo[] = []
    const changed: StreamInfo[] = []
    for (const wire of [...added, ...updated]) {
      if (wire.own) continue
      const stream = toStream(this.id, wire)
      const before = this.streams.get(stream.streamID)
      this.streams.set(stream.streamID, stream)
      if (!before) fresh.push(stream)
      else if (JSON.stringify(before) !== JSON.stringify(stream)) changed.push(stream)
    }
    if (gone.length) this.emit('roomStreamUpdate', this.id, 'DELETE', gone)
    if (fresh.length) this.emit('roomStreamUpdate', this.id, 'ADD', fresh)
    if (changed.length) this.emit('roomStreamChanged', this.id, changed)
  }

  changeInfo(key: string, value: string | undefined): void {
    if (this.info.get(key) === value) return
    if (value === undefined) this.info.delete(key)
    else this.info.set(key, value)
    this.emit('roomExtraInfoUpdate', this.id, key, value)
  }
}

export function toUser({ id, name = id }: WireUser): User {
  return { userID: id, userName: name }
}

function toStream(roomID: string, s: WireStream): StreamInfo {
  return {
    roomID,
    streamID: s.streamId,
    user: toUser(s.user ?? { id: '' }),
    live: !!s.live,
    audio: !!s.audio,
    video: !!s.video,
    audioMuted: !!s.audioMuted,
    videoMuted: !!s.videoMuted,
    extraInfo: s.metadata ?? '',
  }
}
