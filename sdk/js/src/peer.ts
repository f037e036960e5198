// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type {Reply, Request} from './wire.js'

export type Kind = 'audio' | 'video'

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

/** A line that sends, and what it was last asked to send. */
export interface Line {
  tx: RTCRtpTransceiver
  encodings: RTCRtpEncodingParameters[]
  /** rids of layers that nobody takes. */
  unwanted: (string | undefined)[]
  idle: boolean
}

export type Peer = ReturnType<typeof createPeer>

/** The PeerConnection: its lines, offers, candidates and data channel. */
export function createPeer(configuration: RTCConfiguration, slots: Record<Kind, number>, offerID: number, owner: PeerOwner) {
  const pc = new RTCPeerConnection({bundlePolicy: 'max-bundle', ...configuration})
  const lines = new Set<Line>()
  const found: (RTCIceCandidate | null)[] = [] // candidates, the last one null
  let round: Promise<void> | undefined
  let answered = false, restarting = false, closed = false
  let timer: Timer, flush: Timer
  let tuning = Promise.resolve()

  function receive(kind: Kind, count: number): void {
    for (let i = 0; i < count; i++) {
      const line = pc.addTransceiver(kind, {direction: 'recvonly'})
      if (kind === 'video') describe(line)
    }
  }

  async function offer(): Promise<void> {
    await new Promise(resolve => setTimeout(resolve, 0))
    if (closed) return
    if (restarting) pc.restartIce()
    restarting = false
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

  /** Offers, once for all who ask at about the same time, until what is wanted is so; a few times at most. */
  async function negotiate(done: () => boolean): Promise<void> {
    for (let tries = 0; tries < 4 && !done() && !closed; tries++) {
      await (round ??= offer().finally(() => {round = undefined}))
    }
  }

  function later(done: () => boolean): void {
    negotiate(done).catch(owner.failed)
  }

  /** Candidates are sent together, and after the offer that they belong to has been answered. */
  async function trickle(): Promise<void> {
    await round?.catch(() => {})
    const batch = found.splice(0)
    const candidates = batch.filter(c => c?.candidate)
    // Without them the node finds the way, too.
    if (!closed) owner.request({addCandidates: {candidates, end: batch.includes(null)}}).catch(() => {})
  }

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
      restarting = true
      later(() => !restarting)
    }
    restartIn(2500)
  }

  let heard = 0, silent = 0
  const listener = setInterval(async () => {
    const before = heard
    heard = 0
    for (const r of (await pc.getStats() as unknown as Map<string, Record<string, number>>).values()) {
      if (r.responsesReceived) heard += r.responsesReceived + (r.packetsReceived ?? 0)
    }
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
  function tune({tx: {sender}, ...line}: Line): Promise<void> {
    return tuning = tuning.then(() => {
      const parameters = sender.getParameters()
      parameters.encodings?.forEach((encoding, i) => {
        const {rid, active = true, ...rest} = line.encodings[i] ?? {}
        if (!rest.maxBitrate) delete encoding.maxBitrate // of what the line sent before
        Object.assign(encoding, rest, {active: active && !(i && line.unwanted.includes(rid))})
      })
      return sender.setParameters(parameters)
    }).catch(() => {})
  }

  pc.onicecandidate = ({candidate}) => {
    found.push(candidate)
    clearTimeout(flush)
    flush = setTimeout(trickle, 50)
  }
  pc.oniceconnectionstatechange = changed
  pc.onconnectionstatechange = () => {
    owner.state(pc.connectionState)
    changed()
  }
  pc.createDataChannel('sfu', {protocol: 'sfu.v1'}).onmessage = e => owner.inband(e.data)
  receive('audio', slots.audio)
  receive('video', slots.video)
  const begun = negotiate(() => answered)
  begun.catch(owner.failed)

  return {
    pc,
    negotiate,
    restart,
    /** Resolves when the first offer has been answered. */
    begun,
    /** Has as many more lines to receive on as are missing; those that are being negotiated are counted. */
    grow(missing: Partial<Record<Kind, number>>): void {
      const open = (): RTCRtpTransceiver[] => pc.getTransceivers().filter(t => t.direction === 'recvonly' && !t.currentDirection)
      for (const kind of ['audio', 'video'] as const) {
        receive(kind, (missing[kind] ?? 0) - open().filter(t => t.receiver.track.kind === kind).length)
      }
      later(() => !open().length)
    },
    /** A line that sends this; one that was given back is used again. */
    async take(track: MediaStreamTrack, encodings: RTCRtpEncodingParameters[], codec: string | undefined): Promise<Line> {
      const kind = track.kind as Kind
      let line = [...lines].find(l => l.idle && l.tx.receiver.track.kind === kind && rids(l.encodings) === rids(encodings))
      const tx = line?.tx ?? pc.addTransceiver(track, {direction: 'sendonly', sendEncodings: encodings})
      if (!line && kind === 'video') describe(tx, encodings.length > 1)
      if (line) lines.delete(line)
      lines.add(line = {tx, encodings, unwanted: [], idle: false})
      tx.direction = 'sendonly'
      prefer(tx, kind, codec)
      await tx.sender.replaceTrack(track)
      await tune(line)
      return line
    },
    /** Takes a line back. */
    release(line: Line): void {
      const {tx} = line
      if (closed) return
      line.idle = true
      tx.direction = 'inactive'
      tx.sender.replaceTrack(null).catch(() => {})
      later(() => tx.direction === tx.currentDirection)
    },
    /** Does what the node says about the layers of a line. */
    layers(mid: unknown, layers: {rid?: string; wanted?: boolean}[]): void {
      for (const line of lines) {
        if (line.tx.mid !== mid) continue
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
      clearTimeout(flush)
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
 * Has a line offer dependency descriptors, by which the node tells layers that are inside of one stream. The list that is set
 * stands for the browser's own, which would have had the names of layers where they are needed.
 */
function describe(line: Extensible, layers = false): void {
  const all = line.getHeaderExtensionsToNegotiate?.()
  for (const one of all ?? []) if (/dependency-descriptor/.test(one.uri) || (layers && /rtp-stream-id/.test(one.uri))) one.direction = 'sendrecv'
  if (all) line.setHeaderExtensionsToNegotiate?.(all)
}

/** Puts a codec before the others. One that the browser does not have changes nothing. */
function prefer(line: RTCRtpTransceiver, kind: Kind, codec = ''): void {
  const all = RTCRtpSender.getCapabilities?.(kind)?.codecs ?? []
  const first = all.filter(c => c.mimeType.toLowerCase() === codec.toLowerCase())
  line.setCodecPreferences?.(first.length ? [...new Set([...first, ...all])] : [])
}
