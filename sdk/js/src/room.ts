// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type {StreamInfo, User} from './api.js'
import type {Emit} from './events.js'
import {short} from './failure.js'
import type {Notice, WireRoom, WireStream, WireUser} from './wire.js'

/** A room as the user sees it. */
export type Room = ReturnType<typeof createRoom>

export function createRoom(roomID: string, user: User | undefined, token: string | undefined, emit: Emit) {
  const users = new Map<string, User>()
  const streams = new Map<string, StreamInfo>() // of others
  const info = new Map<string, string>()

  /** Takes over what came or changed, and what went, and tells it. */
  function change<T>(event: 'roomUserUpdate' | 'roomStreamUpdate', all: Map<unknown, T>, id: keyof T, now: T[], gone: T[]): void {
    const tell = emit as (event: string, roomID: string, ...more: unknown[]) => void
    const left = gone.filter(one => all.delete(one[id]))
    const fresh: T[] = []
    const changed: T[] = []
    for (const one of now) {
      const before = all.get(one[id])
      if (JSON.stringify(before) !== JSON.stringify(one)) (before ? changed : fresh).push(one)
      all.set(one[id], one)
    }
    if (left.length) tell(event, roomID, 'DELETE', left)
    if (fresh.length) tell(event, roomID, 'ADD', fresh)
    if (changed.length && all !== users as unknown) tell('roomStreamChanged', roomID, changed)
  }

  const changeUsers = (now: User[], gone: User[]): void => change('roomUserUpdate', users, 'userID', now, gone)
  const changeStreams = (now: StreamInfo[], gone: StreamInfo[]): void => change('roomStreamUpdate', streams, 'streamID', now, gone)

  function changeInfo(key: string, value: string | undefined): void {
    if (info.get(key) === value) return
    if (value === undefined) info.delete(key)
    else info.set(key, value)
    emit('roomExtraInfoUpdate', roomID, key, value)
  }

  return {
    id: roomID, user, token, users, streams, info,
    state: 'entering' as 'entering' | 'in' | 'leaving',
    /** Its signaling is gone for now, which has been told. */
    away: false,
    /** Own streams whose end was asked for and is still to be told. */
    ending: new Set<string>(),
    notice({users: {added = [], removed = []} = {}, streams, roomMetadata}: Notice): void {
      changeUsers(added.map(toUser), removed.map(toUser))
      changeStreams(others([...streams?.added ?? [], ...streams?.updated ?? []]), others(streams?.removed))
      if (roomMetadata) changeInfo(roomMetadata.key, roomMetadata.value)
    },
    /** Takes over the whole room and tells what is different. */
    update({users: there = [], streams: playing, metadata = {}}: WireRoom): void {
      const now = others(playing)
      changeStreams([], [...streams.values()].filter(s => !now.some(t => t.streamID === s.streamID && t.user.userID === s.user.userID)))
      changeUsers(there.map(toUser), [...users.values()].filter(u => !there.some(({id}) => id === u.userID)))
      changeStreams(now, [])
      for (const key of [...info.keys(), ...Object.keys(metadata)]) changeInfo(key, metadata[key])
    },
  }
}

export const toUser = ({id, name = id}: WireUser): User => ({userID: id, userName: name})

function others(streams: WireStream[] = []): StreamInfo[] {
  return streams.filter(s => !s.own).map(({roomId, streamId, user = {id: ''}, live, audio, video, audioMuted, videoMuted, metadata, reason}) => ({
    roomID: roomId, streamID: streamId, user: toUser(user), live: !!live, audio: !!audio, video: !!video, audioMuted: !!audioMuted,
    videoMuted: !!videoMuted, extraInfo: metadata ?? '', ...(reason && {reason: short(reason)}),
  }))
}
