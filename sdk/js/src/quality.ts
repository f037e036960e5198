// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { Quality } from './api.js'
import type { Emit } from './events.js'
import type { Player } from './player.js'
import type { Publication } from './publication.js'

/** A report of getStats, of whichever kind: what is not there is undefined. */
type Report = Record<string, number | string | undefined>

/** Tells qualities, all from one report an interval. */
export class Meter {
  #timer: ReturnType<typeof setInterval> | undefined
  #before = new Map<string, Report>()
  #busy = false

  constructor(
    private readonly interval: number,
    private readonly emit: Emit,
    private readonly peer: () => RTCPeerConnection | undefined,
    private readonly publications: Map<string, Publication>,
    private readonly players: Map<string, Player>,
  ) {}

  start(): void {
    if (this.interval > 0) this.#timer ??= setInterval(() => void this.#measure(), this.interval)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  async #measure(): Promise<void> {
    const pc = this.peer()
    if (!pc || this.#busy || !(this.publications.size || this.players.size)) return
    this.#busy = true
    try {
      const all = await pc.getStats() as unknown as Map<string, Report>
      const lines = new Map<string, Report[]>()
      let pair: Report | undefined
      for (const report of all.values()) {
        if (report.type === 'transport') pair = all.get(String(report.selectedCandidatePairId))
        if (report.type !== 'inbound-rtp' && report.type !== 'outbound-rtp') continue
        const mid = String(report.mid)
        lines.set(mid, [...(lines.get(mid) ?? []), report])
      }
      const rtt = num(pair?.currentRoundTripTime) * 1000
      for (const { roomID, streamID, source, state } of this.publications.values()) {
        if (state !== 'publishing' || !source) continue
        const reports = (await source.mids()).flatMap((mid) => lines.get(mid) ?? [])
        this.emit('publisherQualityUpdate', this.#sent(roomID, streamID, reports, all, rtt))
      }
      for (const { roomID, streamID, playing } of this.players.values()) {
        if (!playing) continue
        const reports = [playing.audioMid, playing.videoMid].flatMap((mid) => (mid && lines.get(mid)) || [])
        const quality = this.#received(roomID, streamID, reports, all, rtt)
        if (playing.spatialLayer !== undefined) quality.spatialLayer = playing.spatialLayer
        if (playing.temporalLayer !== undefined) quality.temporalLayer = playing.temporalLayer
        this.emit('playerQualityUpdate', quality)
      }
      this.#before = new Map([...all].map(([id, report]) => [id, { ...report }]))
    } catch {
      // The connection was closed meanwhile.
    } finally {
      this.#busy = false
    }
  }

  /** What a counter grew by since the report before. */
  #grown(report: Report, counter: string): number {
    const before = num(this.#before.get(String(report.id))?.[counter])
    return Math.max(0, num(report[counter]) - before)
  }

  #rate(report: Report, counter: string): number {
    const before = this.#before.get(String(report.id))
    const passed = num(report.timestamp) - num(before?.timestamp)
    return before && passed > 0 ? Math.round(this.#grown(report, counter) * 8000 / passed) : 0
  }

  #sent(roomID: string, streamID: string, reports: Report[], all: Map<string, Report>, rtt: number): Quality {
    const quality = nothing(roomID, streamID, rtt)
    quality.layers = 0
    for (const report of reports) {
      const remote = all.get(String(report.remoteId))
      quality.packetLoss = Math.max(quality.packetLoss, num(remote?.fractionLost))
      const rate = this.#rate(report, 'bytesSent')
      if (report.kind === 'audio') quality.audioBitrate += rate
      else {
        quality.videoBitrate += rate
        if (rate > 0) quality.layers++
        picture(quality, report, all)
      }
    }
    return quality
  }

  #received(roomID: string, streamID: string, reports: Report[], all: Map<string, Report>, rtt: number): Quality {
    const quality = nothing(roomID, streamID, rtt)
    let lost = 0
    let came = 0
    for (const report of reports) {
      lost += this.#grown(report, 'packetsLost')
      came += this.#grown(report, 'packetsReceived')
      const rate = this.#rate(report, 'bytesReceived')
      const emitted = this.#grown(report, 'jitterBufferEmittedCount')
      if (report.kind === 'audio') {
        quality.audioBitrate += rate
        quality.audioLevel = num(report.audioLevel)
      } else {
        quality.videoBitrate += rate
        quality.freezes += num(report.freezeCount)
        picture(quality, report, all)
      }
      // The video's, where there is one: its report comes last.
      quality.jitter = num(report.jitter) * 1000
      if (emitted) quality.delay = this.#grown(report, 'jitterBufferDelay') / emitted * 1000
    }
    quality.packetLoss = lost + came > 0 ? lost / (lost + came) : 0
    return quality
  }
}

/** Takes over the picture of a report if it is the largest so far. */
function picture(quality: Quality, report: Report, all: Map<string, Report>): void {
  const codec = all.get(String(report.codecId))?.mimeType
  if (codec) quality.videoCodec = String(codec)
  quality.videoFPS = Math.max(quality.videoFPS, num(report.framesPerSecond))
  if (num(report.frameWidth) < quality.width) return
  quality.width = num(report.frameWidth)
  quality.height = num(report.frameHeight)
}

function nothing(roomID: string, streamID: string, rtt: number): Quality {
  return {
    roomID, streamID, rtt,
    videoBitrate: 0, audioBitrate: 0, videoFPS: 0, width: 0, height: 0, packetLoss: 0, jitter: 0, delay: 0, videoCodec: '', freezes: 0, audioLevel: 0,
  }
}

function num(value: number | string | undefined): number {
  return typeof value === 'number' ? value : 0
}
