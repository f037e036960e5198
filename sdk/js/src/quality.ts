// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type {Quality} from './api.js'
import type {Emit} from './events.js'
import type {Media} from './media.js'

/** A report of getStats, of whichever kind. What is not there is undefined. */
type Report = Record<string, number | string | undefined>

/** Makes what tells qualities, all from one report. */
export function createMeter(emit: Emit): (pc: RTCPeerConnection, media: Media[]) => Promise<void> {
  let before: Map<unknown, Report> = new Map()

  return async (pc, media) => {
    const all = await pc.getStats() as unknown as Map<unknown, Report>
    const reports = [...all.values()]
    const get = (id: unknown): Report => all.get(id) ?? {}
    const now = (r: Report, key: string): number => +(r[key] ?? 0)
    const grown = (r: Report, key: string): number => now(r, key) - now(before.get(r.id) ?? {}, key)
    const most = (list: Report[], key: string): number => Math.max(0, ...list.map(r => now(r, key)))
    const total = (list: Report[], key: string): number => list.reduce((sum, r) => sum + grown(r, key), 0)
    // What is new has grown since 1970, which is next to nothing.
    const rate = (list: Report[]): number =>
      Math.round((total(list, 'bytesSent') + total(list, 'bytesReceived')) * 8000 / (grown(list[0] ?? {}, 'timestamp') || 1))
    const pair = get(reports.find(r => r.type === 'transport')?.selectedCandidatePairId)

    for (const {play, roomId, streamId, playing, mids} of media) {
      const own = reports.filter(r => r.mid && mids.includes(r.mid as string) && r.type === (play ? 'inbound-rtp' : 'outbound-rtp'))
      const video = own.filter(r => r.kind === 'video')
      const audio = own.filter(r => r.kind === 'audio')
      const [main = {}] = [...video, ...audio]
      const lost = Math.max(0, total(own, 'packetsLost'))
      emit(play ? 'playerQualityUpdate' : 'publisherQualityUpdate', {
        roomID: roomId, streamID: streamId,
        videoBitrate: rate(video),
        audioBitrate: rate(audio),
        videoFPS: most(video, 'framesPerSecond'),
        width: most(video, 'frameWidth'),
        height: most(video, 'frameHeight'),
        packetLoss: play ? lost / (lost + total(own, 'packetsReceived') || 1) : most(own.map(r => get(r.remoteId)), 'fractionLost'),
        rtt: now(pair, 'currentRoundTripTime') * 1000,
        jitter: now(main, 'jitter') * 1000,
        delay: grown(main, 'jitterBufferDelay') * 1000 / (grown(main, 'jitterBufferEmittedCount') || 1),
        videoCodec: get(video[0]?.codecId).mimeType ?? '',
        freezes: most(video, 'freezeCount'),
        audioLevel: most(audio, 'audioLevel'),
        spatialLayer: playing?.spatialLayer,
        temporalLayer: playing?.temporalLayer,
        layers: play ? undefined : video.filter(r => rate([r]) > 0).length,
      } as Quality)
    }
    before = all
  }
}
