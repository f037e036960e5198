// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { Reply, Request } from './wire.js'

export type Kind = 'audio' | 'video'

/** How long a path may be gone before another one is looked for, and between two attempts, in milliseconds. */
const restartAfter = 1000
const restartEvery = 2500

export interface PeerOwner {
  send(request: Request): Promise<Reply>
  state(state: RTCPeerConnectionState): void
  /** A text of the data channel. */
  inband(text: string): void
  failed(error: unknown): void
  /** Encryption failed: only another session helps. */
  broken(): void
}

/** What is wanted of a line that sends. */
export interface Sending {
  track: MediaStreamTrack
  encodings: RTCRtpEncodingParameters[]
  codec: string | undefined
}

/** A line that sends, and what it was last asked to send. */
export class Line {
  wanted = new Map<string, boolean>()
  #tuning: Promise<void> = Promise.resolve()

  constructor(readonly transceiver: RTCRtpTransceiver, public encodings: RTCRtpEncodingParameters[]) {}

  get mid(): string {
    return this.transceiver.mid ?? ''
  }

  /** What the line was made for and stays good for. */
  fits(kind: Kind, encodings: RTCRtpEncodingParameters[]): boolean {
    return this.transceiver.receiver.track.kind === kind && rids(encodings) === rids(this.encodings)
  }

  /**
   * Has the sender use the encodings, without the layers that nobody takes. The smallest one is sent always, so that whoever
   * comes next has a picture at once. One call at a time, since parameters that were read before another call set them are refused.
   */
  tune(): Promise<void> {
    const { sender } = this.transceiver
    return (this.#tuning = this.#tuning.then(async () => {
      const parameters = sender.getParameters()
      const before = JSON.stringify(parameters.encodings)
      parameters.encodings?.forEach((encoding, i) => {
        const { rid, active = true, ...rest } = this.encodings[i] ?? {}
        if (rest.maxBitrate === undefined) delete encoding.maxBitrate // of what the line sent before
        Object.assign(encoding, rest, { active: active && (i === 0 || this.wanted.get(rid ?? '') !== false) })
      })
      if (JSON.stringify(parameters.encodings) !== before) await sender.setParameters(parameters)
    }).catch(() => {}))
  }
}

function rids(encodings: RTCRtpEncodingParameters[]): string {
  return encodings.length > 1 ? encodings.map((e) => e.rid).join() : ''
}

/** The PeerConnection: its lines, offers, candidates and data channel. */
export class Peer {
  readonly pc: RTCPeerConnection
  /** Resolves when the first offer has been answered. */
  readonly connected: Promise<void>
  /** Offers made. */
  offers = 0
  readonly #lines = new Set<Line>()
  readonly #idle = new Set<Line>()
  readonly #candidates: RTCIceCandidate[] = []
  #offerID: number
  #round: Promise<void> | undefined
  #restart = false
  #answered = false
  #held = true
  #last = false
  #closed = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #flush: ReturnType<typeof setTimeout> | undefined

  constructor(configuration: RTCConfiguration, slots: Record<Kind, number>, offerID: number, private readonly owner: PeerOwner) {
    this.#offerID = offerID
    this.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle', ...configuration })
    this.pc.onicecandidate = (e) => this.#candidate(e.candidate)
    this.pc.onconnectionstatechange = () => this.#changed()
    this.pc.oniceconnectionstatechange = () => this.#changed()
    this.pc.createDataChannel('sfu', { protocol: 'sfu.v1' }).onmessage = (e) => owner.inband(String(e.data))
    this.#receive('audio', slots.audio)
    this.#receive('video', slots.video)
    this.connected = this.negotiate(() => this.#answered)
    this.connected.catch((e) => owner.failed(e))
  }

  /** Has as many more lines to receive on as are missing; those that are being negotiated are counted. */
  grow(audio: number, video: number): void {
    const fresh = this.pc.getTransceivers().filter((t) => t.direction === 'recvonly' && t.currentDirection === null)
    const count = (kind: Kind): number => fresh.filter((t) => t.receiver.track.kind === kind).length
    const before = fresh.length
    this.#receive('audio', audio - count('audio'))
    this.#receive('video', video - count('video'))
    const lines = this.pc.getTransceivers().filter((t) => t.direction === 'recvonly')
    if (before || lines.some((t) => t.currentDirection === null)) {
      this.negotiate(() => lines.every((t) => t.currentDirection !== null)).catch((e) => this.owner.failed(e))
    }
  }

  /** A line that sends this; one that was given back is used again. */
  async take({ track, encodings, codec }: Sending): Promise<Line> {
    const kind = track.kind as Kind
    let line = [...this.#idle].find((l) => l.fits(kind, encodings))
    if (line) {
      this.#idle.delete(line)
      line.encodings = encodings
      line.wanted.clear()
      line.transceiver.direction = 'sendonly'
    } else {
      const init: RTCRtpTransceiverInit = { direction: 'sendonly' }
      if (encodings.length) init.sendEncodings = encodings
      line = new Line(this.pc.addTransceiver(track, init), encodings)
      if (kind === 'video') describe(line.transceiver, encodings.length > 1)
      this.#lines.add(line)
    }
    prefer(line.transceiver, kind, codec)
    await line.transceiver.sender.replaceTrack(track)
    await line.tune()
    return line
  }

  /** Takes a line back. */
  release(line: Line): void {
    if (this.#closed || this.#idle.has(line)) return
    this.#idle.add(line)
    line.transceiver.direction = 'inactive'
    line.transceiver.sender.replaceTrack(null).catch(() => {})
    this.negotiate(() => line.transceiver.direction === line.transceiver.currentDirection).catch((e) => this.owner.failed(e))
  }

  /** Does what the node says about the layers of a line. */
  layers(mid: string, layers: { rid?: string; wanted?: boolean }[]): void {
    for (const line of this.#lines) {
      if (line.mid !== mid || this.#idle.has(line)) continue
      line.wanted = new Map(layers.map((l) => [l.rid ?? '', !!l.wanted]))
      void line.tune()
    }
  }

  /** The transceiver of a line. */
  line(mid: string): RTCRtpTransceiver | undefined {
    return this.pc.getTransceivers().find((t) => t.mid === mid)
  }

  /** Offers, once for all who ask at about the same time, until what is wanted is so; a few times at most. */
  async negotiate(done: () => boolean): Promise<void> {
    for (let tries = 0; tries < 4 && !done() && !this.#closed; tries++) {
      this.#round ??= this.#offer().finally(() => { this.#round = undefined })
      await this.#round
    }
  }

  /** Looks for another path to the node, and goes on until there is one. */
  restart(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#closed) return
    if (!this.#round) {
      this.#restart = true
      this.negotiate(() => !this.#restart).catch((e) => this.owner.failed(e))
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (!this.#fine()) this.restart()
    }, restartEvery)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#flush)
    this.pc.onconnectionstatechange = this.pc.oniceconnectionstatechange = this.pc.onicecandidate = null
    this.pc.close()
    this.owner.state('closed')
  }

  #receive(kind: Kind, count: number): void {
    for (let i = 0; i < count; i++) {
      const line = this.pc.addTransceiver(kind, { direction: 'recvonly' })
      if (kind === 'video') describe(line)
    }
  }

  async #offer(): Promise<void> {
    await nextTask()
    if (this.#closed) return
    const { pc } = this
    if (this.#restart) pc.restartIce()
    this.#restart = false
    this.#held = true
    await pc.setLocalDescription()
    this.offers++
    try {
      const offerSdp = pc.localDescription?.sdp ?? ''
      const { answer } = await this.owner.send({ negotiate: { offerSdp, offerId: String(++this.#offerID) } })
      await pc.setRemoteDescription({ type: 'answer', sdp: answer?.answerSdp ?? '' })
      this.#answered = true
    } catch (e) {
      if (this.#closed) return
      if (pc.signalingState === 'have-local-offer') await pc.setLocalDescription({ type: 'rollback' })
      throw e
    } finally {
      this.#held = false
      this.#trickle()
    }
  }

  /** Candidates are sent together, and after the offer that they belong to. */
  #candidate(candidate: RTCIceCandidate | null): void {
    if (candidate?.candidate) this.#candidates.push(candidate)
    else if (!candidate) this.#last = true
    this.#trickle()
  }

  #trickle(): void {
    if (this.#held || this.#closed || this.#flush || !(this.#last || this.#candidates.length)) return
    this.#flush = setTimeout(() => {
      this.#flush = undefined
      if (this.#held || this.#closed) return
      const candidates = this.#candidates.splice(0).map((c) => ({
        candidate: c.candidate,
        sdpMid: c.sdpMid ?? '',
        sdpMlineIndex: c.sdpMLineIndex ?? 0,
        usernameFragment: c.usernameFragment ?? '',
      }))
      const end = this.#last
      this.#last = false
      this.owner.send({ addCandidates: { candidates, end } }).catch(() => {}) // the node finds the way without them
    }, 50)
  }

  #fine(): boolean {
    return /^(connected|completed)$/.test(this.pc.iceConnectionState)
  }

  #changed(): void {
    const { iceConnectionState: ice, connectionState: state } = this.pc
    this.owner.state(state)
    if (this.#closed) return
    if (state === 'failed' && this.#fine()) this.owner.broken()
    else if (ice === 'failed') { if (!this.#timer) this.restart() }
    else if (ice === 'disconnected') {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined
        if (!this.#fine()) this.restart()
      }, restartAfter)
    }
  }
}

/** The next task, also in a page that nobody looks at, where timers are slow. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(0)
  })
}

interface Extension { uri: string; direction: string }
type Extensible = RTCRtpTransceiver & {
  getHeaderExtensionsToNegotiate?(): Extension[]
  setHeaderExtensionsToNegotiate?(extensions: Extension[]): void
}

/**
 * Has a line offer dependency descriptors, by which the node tells layers that are inside of one stream. The list that is set
 * stands for the browser's own, which would have had the names of layers where they are needed.
 */
function describe(line: Extensible, layers = false): void {
  const extensions = line.getHeaderExtensionsToNegotiate?.()
  const wanted = layers ? /dependency-descriptor|rtp-stream-id/ : /dependency-descriptor/
  for (const extension of extensions ?? []) if (wanted.test(extension.uri)) extension.direction = 'sendrecv'
  if (extensions) line.setHeaderExtensionsToNegotiate?.(extensions)
}

/** Puts a codec before the others. One that the browser does not have changes nothing. */
function prefer(line: RTCRtpTransceiver, kind: Kind, codec: string | undefined): void {
  const codecs = RTCRtpSender.getCapabilities?.(kind)?.codecs
  if (!codecs || !line.setCodecPreferences) return
  const wanted = codecs.filter((c) => c.mimeType.toLowerCase() === codec?.toLowerCase())
  line.setCodecPreferences(wanted.length ? [...wanted, ...codecs.filter((c) => !wanted.includes(c))] : [])
}
