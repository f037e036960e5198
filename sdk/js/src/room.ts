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
    const left = gone.filter(one => all.delete(one[id]))
    const fresh: T[] = [], changed: T[] = []
    for (const one of now) {
      const before = all.get(one[id])
      if (JSON.stringify(before) !== JSON.stringify(one)) (before ? changed : fresh).push(one)
      all.set(one[id], one)
    }
    if (left.length) emit(event, roomID, 'DELETE', left as never)
    if (fresh.length) emit(event, roomID, 'ADD', fresh as never)
    if (changed.length && id === 'streamID') emit('roomStreamChanged', roomID, changed as never)
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
      changeStreams([...others(streams?.added), ...others(streams?.updated)], others(streams?.removed))
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
  return streams.filter(s => !s.own).map(({
    roomId: roomID, streamId: streamID, user = {id: ''}, live = false, audio = false, video = false, audioMuted = false, videoMuted = false,
    metadata: extraInfo = '', reason,
  }) => ({
    roomID, streamID, user: toUser(user), live, audio, video, audioMuted, videoMuted, extraInfo, ...(reason && {reason: short(reason)}),
  }))
}
