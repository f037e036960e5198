// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { Quality } from './api.js'

/** A report of getStats, of whichever kind: what is not there is undefined. */
type Report = Record<string, number | string | undefined>

/** A direction of a stream: the lines that it is on. */
export interface Measured {
  roomId: string
  streamId: string
  mids: (string | undefined)[]
  sent: boolean
}

/** Makes what works out qualities from one report for all. */
export function createMeter(): (pc: RTCPeerConnection, of: Measured[]) => Promise<Quality[]> {
  let before = new Map<string, Report>()

  return async (pc, of) => {
    const all = await pc.getStats() as unknown as Map<string, Report>
    const reports = [...all.values()]
    const get = (id: unknown): Report => all.get(String(id)) ?? {}
    const transport = reports.find((r) => r.type === 'transport')
    const rtt = num(get(transport?.selectedCandidatePairId).currentRoundTripTime) * 1000
    const grown = (report: Report, counter: string): number =>
      Math.max(0, num(report[counter]) - num(before.get(String(report.id))?.[counter]))
    const rate = (report: Report): number => {
      const passed = num(report.timestamp) - num(before.get(String(report.id))?.timestamp ?? report.timestamp)
      return passed > 0 ? Math.round((grown(report, 'bytesSent') + grown(report, 'bytesReceived')) * 8000 / passed) : 0
    }

    const qualities = of.map(({ roomId, streamId, mids, sent }) => {
      const q: Quality = {
        roomID: roomId, streamID: streamId, rtt, videoBitrate: 0, audioBitrate: 0, videoFPS: 0, width: 0, height: 0,
        packetLoss: 0, jitter: 0, delay: 0, videoCodec: '', freezes: 0, audioLevel: 0,
      }
      let lost = 0
      let came = 0
      const type = sent ? 'outbound-rtp' : 'inbound-rtp'
      for (const r of reports) {
        if (r.type !== type || !mids.includes(String(r.mid))) continue
        const bits = rate(r)
        const emitted = grown(r, 'jitterBufferEmittedCount')
        lost += grown(r, 'packetsLost')
        came += grown(r, 'packetsReceived')
        q.packetLoss = sent ? Math.max(q.packetLoss, num(get(r.remoteId).fractionLost)) : lost / (lost + came || 1)
        if (r.kind === 'audio') {
          q.audioBitrate += bits
          q.audioLevel = num(r.audioLevel)
        } else {
          q.videoBitrate += bits
          q.freezes += num(r.freezeCount)
          q.videoFPS = Math.max(q.videoFPS, num(r.framesPerSecond))
          q.videoCodec = String(get(r.codecId).mimeType ?? q.videoCodec)
          if (sent) q.layers = (q.layers ?? 0) + (bits > 0 ? 1 : 0)
          if (num(r.frameWidth) > q.width) Object.assign(q, { width: num(r.frameWidth), height: num(r.frameHeight) })
        }
        // The video's, where there is one.
        if (r.kind === 'video' || !q.jitter) q.jitter = num(r.jitter) * 1000
        if (emitted && (r.kind === 'video' || !q.delay)) q.delay = grown(r, 'jitterBufferDelay') / emitted * 1000
      }
      return q
    })
    before = new Map([...all].map(([id, report]) => [id, { ...report }]))
    return qualities
  }
}

function num(value: number | string | undefined): number {
  return typeof value === 'number' ? value : 0
}
