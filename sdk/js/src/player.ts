// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { PlayerConfig, PlayerPreference, PlayerState } from './api.js'
import type { Playing } from './wire.js'

export const playerStates: Record<string, PlayerState> = {
  ACTIVE: 'playing',
  PENDING: 'pending',
  PAUSED_BY_BANDWIDTH: 'paused',
  ENDED: 'stopped',
}

/** A stream that is played. */
export interface Player {
  roomId: string
  streamId: string
  config: PlayerConfig
  /** The same for ever, whatever it is fed from. */
  media: MediaStream
  /** Resolves when the node has taken it on. */
  started?: Promise<MediaStream>
  stopping: boolean
  state: PlayerState
  /** What the node said last of the subscription; its id is empty when it is to be made anew. */
  playing?: Playing
}

/** Has exactly these tracks in a stream. */
export function feed(stream: MediaStream, tracks: (MediaStreamTrack | undefined)[]): void {
  for (const track of stream.getTracks()) if (!tracks.includes(track)) stream.removeTrack(track)
  for (const track of tracks) if (track) stream.addTrack(track)
}

/** A preference and its priority, as requests have them. */
export function wanted({ priority = 0, paused: _, ...preference }: PlayerPreference = {}): { preference: object; priority: number } {
  return { preference, priority }
}
