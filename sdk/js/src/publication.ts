// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { PublisherConfig, PublisherState } from './api.js'
import type { Kind, Line, Peer } from './peer.js'

const kinds: Kind[] = ['audio', 'video']

/** A stream of the user in one room. */
export class Publication {
  state: PublisherState = 'requesting'
  stopping = false
  source: Source | undefined
  muted: Partial<Record<Kind, boolean>> = {}

  constructor(readonly roomID: string, readonly streamID: string, readonly config: PublisherConfig) {}

  get key(): string {
    return `${this.roomID}\n${this.streamID}`
  }
}

/** What is sent of a MediaStream: once, for all its publications. */
export class Source {
  readonly publications = new Set<Publication>()
  readonly #muted: Partial<Record<Kind, boolean>> = {}
  #lines: Partial<Record<Kind, Promise<Line>>> = {}
  #peer: Peer | undefined

  /** own: the engine captured it, and stops it when it is not published any more. */
  constructor(readonly stream: MediaStream, private readonly config: PublisherConfig, readonly own: boolean) {}

  /** Has its lines in a peer, negotiated, and answers their mids. */
  async attach(peer: Peer): Promise<{ audioMid: string; videoMid: string }> {
    if (this.#peer !== peer) {
      this.#peer = peer
      this.#lines = {}
    }
    const lines: Line[] = []
    for (const kind of kinds) {
      const track = this.track(kind)
      if (track) this.#lines[kind] ??= peer.take({ track, encodings: encodings(track, this.config), codec: codec(kind, this.config) })
    }
    const [audio, video] = await Promise.all([this.#lines.audio, this.#lines.video])
    if (audio) lines.push(audio)
    if (video) lines.push(video)
    await this.tell()
    await peer.negotiate(() => lines.every(({ transceiver: t }) => t.direction === t.currentDirection))
    return { audioMid: audio?.mid ?? '', videoMid: video?.mid ?? '' }
  }

  track(kind: Kind): MediaStreamTrack | undefined {
    return this.stream.getTracks().find((t) => t.kind === kind)
  }

  /** Sends what is to be sent: a kind that all publications mute is not, and its track is told so. */
  async tell(): Promise<void> {
    for (const kind of kinds) {
      const muted = this.publications.size > 0 && [...this.publications].every((p) => p.muted[kind])
      const track = this.track(kind)
      if (track && muted !== !!this.#muted[kind]) track.enabled = !muted
      this.#muted[kind] = muted
      const line = await this.#lines[kind]
      const wanted = muted ? null : track ?? null
      if (line && line.transceiver.sender.track !== wanted) await line.transceiver.sender.replaceTrack(wanted)
    }
  }

  /** Puts a track in the place of the one of its kind, which is answered. */
  async replace(track: MediaStreamTrack): Promise<MediaStreamTrack | undefined> {
    const kind = track.kind as Kind
    const before = this.track(kind)
    if (before === track) return undefined
    if (before) this.stream.removeTrack(before)
    this.stream.addTrack(track)
    hint(track, this.config)
    if (this.#muted[kind]) track.enabled = false
    await this.tell()
    return before
  }

  /** Takes a publication away; after the last one the lines are given back. */
  remove(publication: Publication): boolean {
    this.publications.delete(publication)
    if (this.publications.size) {
      this.tell().catch(() => {})
      return false
    }
    for (const kind of kinds) {
      const peer = this.#peer
      this.#lines[kind]?.then((line) => peer?.release(line)).catch(() => {})
      const track = this.track(kind)
      if (track && this.#muted[kind]) track.enabled = true
      if (this.own) track?.stop()
    }
    this.#lines = {}
    return true
  }

  /** The kind of what comes on a line, if it is one of its own. */
  async mids(): Promise<string[]> {
    const lines = await Promise.all([this.#lines.audio, this.#lines.video])
    return lines.map((line) => line?.mid ?? '')
  }
}

function hint(track: MediaStreamTrack, config: PublisherConfig): void {
  if (track.kind !== 'video' || (track.contentHint && !config.contentHint)) return
  track.contentHint = config.contentHint ?? ('displaySurface' in (track.getSettings?.() ?? {}) ? 'detail' : 'motion')
}

function codec(kind: Kind, config: PublisherConfig): string | undefined {
  return kind === 'video' ? config.videoCodec : undefined
}

/** Encodings, smallest first. */
function encodings(track: MediaStreamTrack, config: PublisherConfig): RTCRtpEncodingParameters[] {
  if (track.kind !== 'video') return []
  hint(track, config)
  const { simulcast, maxBitrate } = config
  if (Array.isArray(simulcast)) return simulcast.map((e, i) => (simulcast.length > 1 ? { rid: `r${i}`, ...e } : e))
  if (!simulcast) return maxBitrate ? [{ maxBitrate }] : []
  const { width = 640, height = 360 } = track.getSettings?.() ?? {}
  // A picture of four times the size takes about three times the bits.
  const most = maxBitrate ?? Math.round(75 * (width * height) ** 0.75)
  return [4, 2, 1].map((scale, i) => ({ rid: 'qhf'.charAt(i), scaleResolutionDownBy: scale, maxBitrate: Math.round(most / scale ** 1.5) }))
}
