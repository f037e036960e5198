// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { Quality } from './api.js'
import type { Emit } from './events.js'
import type { Media } from './media.js'

/** A report of getStats, of whichever kind. What is not there is undefined. */
type Report = Record<string, number | string | undefined>

/** Makes what tells qualities, all from one report. */
export function createMeter(emit: Emit): (pc: RTCPeerConnection, of: Media[]) => Promise<void> {
  let before = new Map<unknown, Report>()

  return async (pc, of) => {
    const lines = await Promise.all(of.map(async ({ source, playing }) => source ? source.mids() : [playing?.audioMid, playing?.videoMid]))
    const all = await pc.getStats() as unknown as Map<string, Report>
    const reports = [...all.values()]
    const get = (id: unknown): Report => all.get(String(id)) ?? {}
    const { selectedCandidatePairId } = reports.find((r) => r.type === 'transport') ?? {}
    const rtt = Number(get(selectedCandidatePairId).currentRoundTripTime ?? 0) * 1000

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
        const old = before.get(r.id)
        const now = (counter: string): number => Number(r[counter] ?? 0)
        const grown = (counter: string): number => now(counter) - Number(old?.[counter] ?? 0)
        const rate = old ? Math.round(grown(play ? 'bytesReceived' : 'bytesSent') * 8000 / grown('timestamp')) || 0 : 0
        const picture = r.kind === 'video'
        lost += grown('packetsLost')
        came += grown('packetsReceived')
        q.packetLoss = play ? Math.max(0, lost) / (lost + came || 1) : Math.max(q.packetLoss, Number(get(r.remoteId).fractionLost ?? 0))
        // The video's, where there is one.
        if (picture || !q.jitter) q.jitter = now('jitter') * 1000
        if (picture || !q.delay) q.delay = grown('jitterBufferDelay') * 1000 / (grown('jitterBufferEmittedCount') || 1)
        if (!picture) {
          q.audioBitrate += rate
          q.audioLevel = now('audioLevel')
          continue
        }
        q.videoBitrate += rate
        q.freezes += now('freezeCount')
        q.videoFPS = Math.max(q.videoFPS, now('framesPerSecond'))
        q.videoCodec = String(get(r.codecId).mimeType ?? q.videoCodec)
        if (rate > 0) layers++
        if (now('frameWidth') > q.width) Object.assign(q, { width: now('frameWidth'), height: now('frameHeight') })
      }
      if (play) emit('playerQualityUpdate', Object.assign(q, { spatialLayer: playing?.spatialLayer, temporalLayer: playing?.temporalLayer }) as Quality)
      else emit('publisherQualityUpdate', { ...q, layers })
    })
    before = new Map(reports.map((report) => [report.id, { ...report }]))
  }
}
