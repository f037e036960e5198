// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type {Reply, Request} from './wire.js'

export const kinds = ['audio', 'video'] as const

export type Kind = typeof kinds[number]

type Timer = ReturnType<typeof setTimeout> | undefined

export interface PeerOwner {
  request(request: Request): Promise<Reply>
  /** An offer was made. */
  offered(): void
  state(state: RTCPeerConnectionState): void
  /** A text of the data channel. */
  inband(text: string): void
  failed(error: unknown): void
  /** Encryption failed: only another session helps. */
  broken(): void
}

/** A line that sends, and what it was last asked to send. One that was given back is inactive. */
export interface Line {
  tx: RTCRtpTransceiver
  encodings: RTCRtpEncodingParameters[]
  /** rids of layers that nobody takes. */
  unwanted: (string | undefined)[]
}

export type Peer = ReturnType<typeof createPeer>

/** The PeerConnection: its lines, offers, candidates and data channel. */
export function createPeer(configuration: RTCConfiguration, slots: Record<Kind, number>, offerID: number, owner: PeerOwner) {
  const pc = new RTCPeerConnection({bundlePolicy: 'max-bundle', ...configuration})
  const lines = new Set<Line>()
  const found: (RTCIceCandidate | null)[] = [] // candidates, the last one null
  let round: Promise<void> | undefined
  let answered = false, closed = false
  let timer: Timer
  let tuning = Promise.resolve()

  /** Lines to receive on that are being negotiated. */
  const open = (): RTCRtpTransceiver[] => pc.getTransceivers().filter(t => t.direction === 'recvonly' && !t.currentDirection)

  /** Has as many more lines to receive on as are missing; those that are being negotiated are counted. */
  function receive(missing: Partial<Record<Kind, number>>): void {
    for (const kind of kinds) {
      for (let count = open().filter(t => t.receiver.track.kind === kind).length; count < (missing[kind] ?? 0); count++) {
        describe(pc.addTransceiver(kind, {direction: 'recvonly'}))
      }
    }
  }

  async function offer(): Promise<void> {
    await new Promise(resolve => setTimeout(resolve, 0))
    if (closed) return
    await pc.setLocalDescription()
    owner.offered()
    try {
      const {answer} = await owner.request({negotiate: {offerSdp: pc.localDescription?.sdp, offerId: String(++offerID)}})
      await pc.setRemoteDescription({type: 'answer', sdp: answer?.answerSdp ?? ''})
      answered = true
    } catch (e) {
      if (closed) return
      if (pc.signalingState !== 'stable') await pc.setLocalDescription({type: 'rollback'})
      throw e
    }
  }

  /** Offers, once for all who ask at about the same time. */
  const once = (): Promise<void> => round ??= offer().finally(() => {round = undefined})

  /** Offers until what is wanted is so; a few times at most. */
  async function negotiate(done: () => boolean): Promise<void> {
    for (let tries = 0; tries < 4 && !done() && !closed; tries++) await once()
  }

  const later = (done: () => boolean): Promise<void> => negotiate(done).catch(owner.failed)

  const connected = (): boolean => /^(connected|completed)$/.test(pc.iceConnectionState)

  function restartIn(milliseconds: number): void {
    timer = setTimeout(() => {
      timer = undefined
      if (!connected()) restart()
    }, milliseconds)
  }

  /** Looks for another path to the node, and goes on until there is one. */
  function restart(): void {
    clearTimeout(timer)
    if (closed || !answered) return
    if (!round) {
      pc.restartIce()
      once().catch(owner.failed)
    }
    restartIn(2500)
  }

  let heard = 0, silent = 0
  const listener = setInterval(async () => {
    const before = heard
    heard = 0
    for (const r of (await pc.getStats() as unknown as Map<string, Record<string, number>>).values()) if (r.responsesReceived) heard += r.responsesReceived + (r.packetsReceived ?? 0)
    silent = heard && heard === before && connected() ? silent + 1 : 0
    // On a path that is fine something comes more often: the node answers checks, which browsers send every 2.5 s. They
    // themselves say that a path is gone after 5 to 8 s only.
    if (silent < 4) return
    silent = 0
    restart()
  }, 1000)

  function changed(): void {
    const {iceConnectionState: ice, connectionState} = pc
    if (connectionState === 'failed' && connected()) owner.broken()
    else if (!timer && ice === 'failed') restart()
    else if (!timer && ice === 'disconnected') restartIn(1000) // it may have been a hiccup
  }

  /**
   * Has the sender use its encodings, without the layers that nobody takes. The smallest one is sent always, so that whoever
   * comes next has a picture at once. One call at a time, since parameters that were read before another call set them are refused.
   */
  function tune(line: Line): Promise<void> {
    return tuning = tuning.then(() => {
      const {sender} = line.tx
      const parameters = sender.getParameters()
      parameters.encodings?.forEach((encoding, i) => {
        const {rid, active = true, ...rest} = line.encodings[i] ?? {}
        if (!rest.maxBitrate) delete encoding.maxBitrate // of what the line sent before
        Object.assign(encoding, rest, {active: active && !(i && line.unwanted.includes(rid))})
      })
      return sender.setParameters(parameters)
    }).catch(() => {})
  }

  // Candidates are sent together, and after the offer that they belong to has been answered.
  pc.onicecandidate = async ({candidate}) => {
    found.push(candidate)
    await round?.catch(() => {})
    const batch = found.splice(0)
    // Without them the node finds the way, too.
    if (batch.length && !closed) owner.request({addCandidates: {candidates: batch.filter(c => c?.candidate), end: batch.includes(null)}}).catch(() => {})
  }
  pc.oniceconnectionstatechange = changed
  pc.onconnectionstatechange = () => {
    owner.state(pc.connectionState)
    changed()
  }
  pc.createDataChannel('sfu', {protocol: 'sfu.v1'}).onmessage = e => owner.inband(e.data)
  receive(slots)
  const begun = negotiate(() => answered)
  begun.catch(owner.failed)

  return {
    pc,
    negotiate,
    restart,
    /** Resolves when the first offer has been answered. */
    begun,
    /** Adds lines to receive on. */
    grow(missing: Partial<Record<Kind, number>>): void {
      receive(missing)
      later(() => !open().length)
    },
    /** A line that sends this; one that was given back is used again. */
    async take(track: MediaStreamTrack, encodings: RTCRtpEncodingParameters[], codec: string | undefined): Promise<Line> {
      const kind = track.kind as Kind
      const free = [...lines].find(l => l.tx.direction === 'inactive' && l.tx.receiver.track.kind === kind && rids(l.encodings) === rids(encodings))
      const tx = free?.tx ?? pc.addTransceiver(track, {direction: 'sendonly', sendEncodings: encodings})
      const line = Object.assign(free ?? {tx}, {encodings, unwanted: []})
      if (!free) describe(tx, encodings.length > 1)
      lines.add(line)
      tx.direction = 'sendonly'
      prefer(tx, kind, codec)
      await tx.sender.replaceTrack(track)
      await tune(line)
      return line
    },
    /** Takes a line back. */
    release({tx}: Line): void {
      if (closed) return
      tx.direction = 'inactive'
      tx.sender.replaceTrack(null).catch(() => {})
      later(() => tx.direction === tx.currentDirection)
    },
    /** Does what the node says about the layers of a line. */
    layers({mid, layers}: {mid: string; layers: {rid?: string; wanted?: boolean}[]}): void {
      for (const line of lines) if (line.tx.mid === mid) {
        line.unwanted = layers.filter(l => !l.wanted).map(l => l.rid)
        tune(line)
      }
    },
    /** What comes on a line. */
    track: (mid: string): MediaStreamTrack | undefined => pc.getTransceivers().find(t => t.mid === mid)?.receiver.track,
    close(): void {
      closed = true
      clearTimeout(timer)
      clearInterval(listener)
      pc.close()
      owner.state('closed')
    },
  }
}

const rids = (encodings: RTCRtpEncodingParameters[]): string => encodings.length > 1 ? encodings.map(e => e.rid).join() : ''

interface Extension {uri: string; direction: string}
type Extensible = RTCRtpTransceiver & {
  getHeaderExtensionsToNegotiate?(): Extension[]
  setHeaderExtensionsToNegotiate?(extensions: Extension[]): void
}

/**
 * Has a line for video offer dependency descriptors, by which the node tells layers that are inside of one stream. The list that is set
 * stands for the browser's own, which would have had the names of layers where they are needed.
 */
function describe(line: Extensible, layers = false): void {
  const all = line.receiver.track.kind === 'video' && line.getHeaderExtensionsToNegotiate?.()
  if (!all) return
  for (const one of all) if ((layers ? /dependency-descriptor|rtp-stream-id/ : /dependency-descriptor/).test(one.uri)) one.direction = 'sendrecv'
  line.setHeaderExtensionsToNegotiate?.(all)
}

/** Puts a codec before the others. One that the browser does not have changes nothing. */
function prefer(line: RTCRtpTransceiver, kind: Kind, codec = ''): void {
  const all = RTCRtpSender.getCapabilities?.(kind)?.codecs ?? []
  const first = all.filter(c => c.mimeType.toLowerCase() === codec.toLowerCase())
  line.setCodecPreferences?.(first.length ? [...new Set([...first, ...all])] : [])
}
