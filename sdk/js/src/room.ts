// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { StreamInfo, User } from './api.js'
import type { Emit } from './events.js'
import { short } from './failure.js'
import type { Notice, WireRoom, WireStream, WireUser } from './wire.js'

/** A room as the user sees it. */
export type Room = ReturnType<typeof createRoom>

export function createRoom(roomID: string, user: User | undefined, token: string | undefined, emit: Emit) {
  const users = new Map<string, User>()
  const streams = new Map<string, StreamInfo>() // of others
  const info = new Map<string, string>()

  function changeUsers({ added = [], removed = [] }: Partial<NonNullable<Notice['users']>>): void {
    const gone = removed.map(({ id }) => users.get(id)).filter((u) => u !== undefined)
    for (const { userID } of gone) users.delete(userID)
    const fresh = added.filter(({ id }) => !users.has(id)).map(toUser)
    for (const one of fresh) users.set(one.userID, one)
    if (gone.length) emit('roomUserUpdate', roomID, 'DELETE', gone)
    if (fresh.length) emit('roomUserUpdate', roomID, 'ADD', fresh)
  }

  function changeStreams({ added = [], removed = [], updated = [] }: Partial<NonNullable<Notice['streams']>>): void {
    const gone: StreamInfo[] = []
    const fresh: StreamInfo[] = []
    const changed: StreamInfo[] = []
    for (const { streamId, reason } of removed) {
      const stream = streams.get(streamId)
      streams.delete(streamId)
      if (stream) gone.push({ ...stream, reason: short(reason) })
    }
    for (const wire of [...added, ...updated]) {
      if (wire.own) continue
      const before = streams.get(wire.streamId)
      const stream = toStream(roomID, wire)
      streams.set(wire.streamId, stream)
      if (!before) fresh.push(stream)
      else if (JSON.stringify(before) !== JSON.stringify(stream)) changed.push(stream)
    }
    if (gone.length) emit('roomStreamUpdate', roomID, 'DELETE', gone)
    if (fresh.length) emit('roomStreamUpdate', roomID, 'ADD', fresh)
    if (changed.length) emit('roomStreamChanged', roomID, changed)
  }

  function changeInfo(key: string, value: string | undefined): void {
    if (info.get(key) === value) return
    if (value === undefined) info.delete(key)
    else info.set(key, value)
    emit('roomExtraInfoUpdate', roomID, key, value)
  }

  return {
    id: roomID, user, token, users, streams, info, changeUsers, changeStreams, changeInfo,
    state: 'entering' as 'entering' | 'in' | 'leaving',
    /** Its signaling is gone for now, which has been told. */
    away: false,
    /** Own streams whose end was asked for and is still to be told. */
    ending: new Set<string>(),
    /** Takes over the whole room and tells what is different. */
    update({ users: there = [], streams: playing = [], metadata = {} }: WireRoom): void {
      const others = playing.filter((s) => !s.own)
      const gone = [...streams.values()].filter((s) => !others.some((t) => t.streamId === s.streamID && t.user?.id === s.user.userID))
      changeStreams({ removed: gone.map((s) => ({ roomId: roomID, streamId: s.streamID })) })
      changeUsers({ added: there, removed: [...users.keys()].filter((id) => !there.some((u) => u.id === id)).map((id) => ({ id })) })
      changeStreams({ added: others })
      for (const key of new Set([...info.keys(), ...Object.keys(metadata)])) changeInfo(key, metadata[key])
    },
  }
}

export function toUser({ id, name = id }: WireUser): User {
  return { userID: id, userName: name }
}

function toStream(roomID: string, s: WireStream): StreamInfo {
  const { live = false, audio = false, video = false, audioMuted = false, videoMuted = false, metadata: extraInfo = '' } = s
  return { roomID, streamID: s.streamId, user: toUser(s.user ?? { id: '' }), live, audio, video, audioMuted, videoMuted, extraInfo }
}
