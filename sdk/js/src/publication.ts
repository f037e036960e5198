// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { PublisherConfig, PublisherState } from './api.js'
import type { Kind, Line, Peer } from './peer.js'

const kinds = ['audio', 'video'] as const

/** A stream of the user in one room. */
export interface Publication {
  roomId: string
  streamId: string
  config: PublisherConfig
  state: PublisherState
  stopping: boolean
  muted: Partial<Record<Kind, boolean>>
  source?: Source
}

/** What is sent of a MediaStream: once, for all its publications. */
export type Source = ReturnType<typeof createSource>

/** own: the engine captured the stream, and stops it when it is not published any more. */
export function createSource(stream: MediaStream, config: PublisherConfig, own: boolean) {
  const publications = new Set<Publication>()
  let muted: Partial<Record<Kind, boolean>> = {}
  let lines: Partial<Record<Kind, Promise<Line>>> = {}
  let peer: Peer | undefined

  const trackOf = (kind: string): MediaStreamTrack | undefined => stream.getTracks().find((t) => t.kind === kind)

  /** Sends what is to be sent: a kind that all publications mute is not, and its track is told so. */
  async function tell(): Promise<void> {
    for (const kind of kinds) {
      const mute = publications.size > 0 && [...publications].every((p) => p.muted[kind])
      const track = trackOf(kind)
      if (track && mute !== !!muted[kind]) track.enabled = !mute
      muted = { ...muted, [kind]: mute }
      const sender = (await lines[kind])?.transceiver.sender
      const wanted = (!mute && track) || null
      if (sender && sender.track !== wanted) await sender.replaceTrack(wanted)
    }
  }

  async function mids(): Promise<{ audioMid: string; videoMid: string }> {
    const [audioMid = '', videoMid = ''] = await Promise.all(kinds.map(async (kind) => (await lines[kind])?.transceiver.mid ?? ''))
    return { audioMid, videoMid }
  }

  return {
    stream, own, publications, tell, mids, trackOf,
    /** Has its lines in a peer, negotiated, and answers their mids. */
    async attach(to: Peer): Promise<{ audioMid: string; videoMid: string }> {
      if (peer !== to) lines = {}
      peer = to
      for (const track of stream.getTracks()) {
        const video = track.kind === 'video'
        if (video) hint(track, config)
        lines[track.kind as Kind] ??= to.take(track, video ? encodings(track, config) : [], video ? config.videoCodec : '')
      }
      await tell()
      const all = (await Promise.all(Object.values(lines))).map((line) => line.transceiver)
      await to.negotiate(() => all.every((t) => t.direction === t.currentDirection))
      return mids()
    },
    /** Puts a track in the place of the one of its kind. */
    async replace(track: MediaStreamTrack): Promise<void> {
      const before = trackOf(track.kind)
      if (before === track) return
      if (before) stream.removeTrack(before)
      stream.addTrack(track)
      if (track.kind === 'video') hint(track, config)
      if (muted[track.kind as Kind]) track.enabled = false
      await tell()
    },
    /** Takes a publication away; after the last one the lines are given back. */
    remove(publication: Publication): boolean {
      publications.delete(publication)
      if (publications.size) {
        tell().catch(() => {})
        return false
      }
      for (const kind of kinds) {
        const mine = peer
        lines[kind]?.then((line) => mine?.release(line)).catch(() => {})
        const track = trackOf(kind)
        if (track && muted[kind]) track.enabled = true
        if (own) track?.stop()
      }
      lines = {}
      return true
    },
  }
}

function hint(track: MediaStreamTrack, { contentHint }: PublisherConfig): void {
  if (track.contentHint && !contentHint) return
  track.contentHint = contentHint ?? ('displaySurface' in track.getSettings() ? 'detail' : 'motion')
}

/** Encodings, smallest first. */
function encodings(track: MediaStreamTrack, { simulcast, maxBitrate }: PublisherConfig): RTCRtpEncodingParameters[] {
  if (Array.isArray(simulcast)) return simulcast.map((e, i) => (simulcast.length > 1 ? { rid: `r${i}`, ...e } : e))
  if (!simulcast) return maxBitrate ? [{ maxBitrate }] : [{}]
  const { width = 640, height = 360 } = track.getSettings()
  // A picture of four times the size takes about three times the bits.
  const most = maxBitrate ?? 75 * (width * height) ** 0.75
  return [4, 2, 1].map((scale, i) => ({ rid: 'qhf'.charAt(i), scaleResolutionDownBy: scale, maxBitrate: Math.round(most / scale ** 1.5) }))
}
