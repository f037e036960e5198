// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type {PlayerConfig, PlayerState, PublisherConfig, PublisherState} from './api.js'
import {stopTracks, trackOf} from './capture.js'
import {kinds, type Kind, type Line, type Peer} from './peer.js'
import type {Playing} from './wire.js'

/** What the user publishes or plays in a room. */
export interface Media {
  play: boolean
  /** Names it among all. */
  key: string
  roomId: string
  streamId: string
  config: PublisherConfig & PlayerConfig
  state?: PublisherState | PlayerState | undefined
  /** The node has taken it on once: it is brought back when it gets lost. */
  live?: boolean
  stopping?: boolean
  started?: Promise<unknown>
  /** Of a publication. */
  source?: Source | undefined
  /** What updatePublishing was to tell. */
  told: {audioMuted?: boolean; videoMuted?: boolean; metadata?: string | undefined}
  /** The lines that it is on. */
  mids: (string | null | undefined)[]
  /** Of a player: its MediaStream, the same for ever, and what the node said last. */
  stream: MediaStream | false
  playing?: Playing | undefined
}

/** What is sent of a MediaStream: once, for all its uses. */
export type Source = ReturnType<typeof createSource>

export function createSource(stream: MediaStream, config: PublisherConfig) {
  const uses = new Set<Media>()
  const muted: Partial<Record<Kind, boolean>> = {}
  let lines: Partial<Record<Kind, Promise<Line>>> = {}
  let peer: Peer | undefined

  /** Sends what is to be sent: a kind that all uses mute is not, and its track is told so. */
  async function tell(): Promise<void> {
    for (const kind of kinds) {
      const mute = uses.size > 0 && [...uses].every(one => one.told[`${kind}Muted`])
      const track = trackOf(stream, kind)
      if (track && (mute || muted[kind])) track.enabled = !mute
      muted[kind] = mute
      await (await lines[kind])?.tx.sender.replaceTrack(!mute && track || null)
    }
  }

  return {
    uses, tell,
    /** Has its lines in a peer, negotiated. Answers their mids, audio first. */
    async attach(to: Peer): Promise<Media['mids']> {
      if (peer !== to) lines = {}
      peer = to
      for (const track of stream.getTracks()) lines[track.kind as Kind] ??= to.take(track, encodings(track, config), config.videoCodec)
      await tell()
      const all = await Promise.all(kinds.map(async kind => (await lines[kind])?.tx))
      await to.negotiate(() => all.every(tx => tx?.direction === tx?.currentDirection))
      return all.map(tx => tx?.mid)
    },
    /** Puts a track in the place of the one of its kind. */
    async replace(track: MediaStreamTrack): Promise<void> {
      const before = trackOf(stream, track.kind)
      if (before) stream.removeTrack(before)
      stream.addTrack(track)
      hint(track, config)
      await tell()
    },
    /** Takes a publication away; after the last one the lines are given back. */
    async remove(publication: Media): Promise<void> {
      uses.delete(publication)
      const old = lines
      if (!uses.size) lines = {}
      await tell()
      if (uses.size) return
      if (!config.stream) stopTracks(stream) // the engine has captured it
      for (const line of Object.values(old)) peer?.release(await line)
    },
  }
}

function hint(track: MediaStreamTrack, {contentHint}: PublisherConfig): void {
  if (track.kind !== 'video' || (track.contentHint && !contentHint)) return
  track.contentHint = contentHint ?? ('displaySurface' in track.getSettings() ? 'detail' : 'motion')
}

/** Encodings, smallest first. */
function encodings(track: MediaStreamTrack, config: PublisherConfig): RTCRtpEncodingParameters[] {
  const {simulcast, maxBitrate} = config
  if (track.kind !== 'video') return [{}]
  hint(track, config)
  if (Array.isArray(simulcast)) return simulcast
  if (!simulcast) return [{maxBitrate} as RTCRtpEncodingParameters]
  const {width = 960, height = 540} = track.getSettings()
  const pixels = width * height
  // A picture of four times the size takes about three times the bits.
  const most = maxBitrate ?? 75 * pixels ** 0.75
  // Browsers do not send the largest layers of a small picture that has too many of them.
  const layers = pixels < 480 * 270 ? 'f' : pixels < 960 * 540 ? 'hf' : 'qhf'
  return [...layers].map(rid => {
    const scale = {q: 4, h: 2, f: 1}[rid] as number
    return {rid, scaleResolutionDownBy: scale, maxBitrate: Math.round(most / scale ** 1.5)}
  })
}
