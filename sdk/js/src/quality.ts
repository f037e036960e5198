// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { Quality } from './api.js'
import type { Emit } from './events.js'
import type { Media } from './media.js'

/** A report of getStats, of whichever kind. What is not there is undefined, which no sum is made of: see num. */
type Report = Record<string, number | string | undefined>

/** Makes what tells qualities, all from one report. */
export function createMeter(emit: Emit): (pc: RTCPeerConnection, of: Media[]) => Promise<void> {
  let before = new Map<string, Report>()

  return async (pc, of) => {
    const lines = await Promise.all(of.map(async ({ source, playing }) => source ? source.mids() : [playing?.audioMid, playing?.videoMid]))
    const all = await pc.getStats() as unknown as Map<string, Report>
    const reports = [...all.values()]
    const get = (id: unknown): Report => all.get(String(id)) ?? {}
    const grown = (report: Report, counter: string): number => num(report[counter]) - num(before.get(String(report.id))?.[counter])
    const { selectedCandidatePairId } = reports.find((r) => r.type === 'transport') ?? {}
    const rtt = num(get(selectedCandidatePairId).currentRoundTripTime) * 1000

    of.forEach(({ play, roomId, streamId, playing }, i) => {
      const q: Quality = {
        roomID: roomId, streamID: streamId, rtt, videoBitrate: 0, audioBitrate: 0, videoFPS: 0, width: 0, height: 0,
        packetLoss: 0, jitter: 0, delay: 0, videoCodec: '', freezes: 0, audioLevel: 0,
      }
      let lost = 0
      let came = 0
      let layers = 0
      for (const r of reports) {
        if (r.type !== (play ? 'inbound-rtp' : 'outbound-rtp') || !r.mid || !lines[i]?.includes(String(r.mid))) continue
        const rate = before.has(String(r.id)) ? Math.round(grown(r, play ? 'bytesReceived' : 'bytesSent') * 8000 / (grown(r, 'timestamp') || 1)) : 0
        const emitted = grown(r, 'jitterBufferEmittedCount')
        lost += grown(r, 'packetsLost')
        came += grown(r, 'packetsReceived')
        q.packetLoss = play ? Math.max(0, lost) / (lost + came || 1) : Math.max(q.packetLoss, num(get(r.remoteId).fractionLost))
        // The video's, where there is one.
        if (r.kind === 'video' || !q.jitter) q.jitter = num(r.jitter) * 1000
        if (emitted > 0 && (r.kind === 'video' || !q.delay)) q.delay = grown(r, 'jitterBufferDelay') / emitted * 1000
        if (r.kind === 'audio') {
          q.audioBitrate += rate
          q.audioLevel = num(r.audioLevel)
          continue
        }
        q.videoBitrate += rate
        q.freezes += num(r.freezeCount)
        q.videoFPS = Math.max(q.videoFPS, num(r.framesPerSecond))
        q.videoCodec = String(get(r.codecId).mimeType ?? q.videoCodec)
        if (rate > 0) layers++
        if (num(r.frameWidth) > q.width) {
          q.width = num(r.frameWidth)
          q.height = num(r.frameHeight)
        }
      }
      if (play) emit('playerQualityUpdate', Object.assign(q, { spatialLayer: playing?.spatialLayer, temporalLayer: playing?.temporalLayer }) as Quality)
      else emit('publisherQualityUpdate', { ...q, layers })
    })
    before = new Map(reports.map((report) => [String(report.id), { ...report }]))
  }
}

function num(value: number | string | undefined): number {
  return Number(value ?? 0)
}
