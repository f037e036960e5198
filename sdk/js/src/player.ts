// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { PlayerConfig, PlayerPreference, PlayerState } from './api.js'
import type { Peer } from './peer.js'
import type { Playing } from './wire.js'

const states: Record<string, PlayerState> = {
  ACTIVE: 'playing',
  PENDING: 'pending',
  NEEDS_NEGOTIATION: 'requesting',
  PAUSED_BY_BANDWIDTH: 'paused',
  ENDED: 'stopped',
}

/** A stream that is played. Its MediaStream is the same for ever, whatever it is fed from. */
export class Player {
  readonly media = new MediaStream()
  /** Resolves when the node has taken it on. */
  started: Promise<MediaStream> | undefined
  /** The subscription; empty while there is none. */
  id = ''
  stopping = false
  state: PlayerState = 'requesting'
  playing: Playing | undefined
  /** Its end has been told. */
  told = false

  constructor(public roomID: string, public streamID: string, readonly config: PlayerConfig) {}

  get key(): string {
    return `${this.roomID}\n${this.streamID}`
  }

  get over(): boolean {
    return this.state === 'stopped'
  }

  /** What the node is asked for. */
  request(): { startPlaying: object } {
    const { audio = true, video = true, preference = {} } = this.config
    return { startPlaying: { roomId: this.roomID, streamId: this.streamID, audio, video, ...wire(preference) } }
  }

  /** Takes over where the node says that it stands. */
  apply(playing: Playing, peer: Peer | undefined): void {
    this.playing = playing
    this.id = playing.id
    this.roomID = playing.roomId
    this.streamID = playing.streamId
    this.state = states[(playing.state ?? '').replace('SUBSCRIPTION_STATE_', '')] ?? 'requesting'
    if (this.state === 'stopped') this.feed([])
    else this.feed([playing.audioMid, playing.videoMid].map((mid) => mid && peer?.line(mid)?.receiver.track))
  }

  /** Has exactly these tracks in the MediaStream. */
  feed(tracks: (MediaStreamTrack | string | undefined)[]): void {
    for (const track of this.media.getTracks()) if (!tracks.includes(track)) this.media.removeTrack(track)
    for (const track of tracks) if (typeof track === 'object' && !this.media.getTracks().includes(track)) this.media.addTrack(track)
  }
}

/** A preference and its priority, as requests have them. */
export function wire({ priority = 0, paused: _, ...preference }: PlayerPreference): { preference: object; priority: number } {
  return { preference, priority }
}
