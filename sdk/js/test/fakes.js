// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// What a browser and a signaling tier are to the SDK, small enough to see through. Time is mocked: nothing here waits.

import { mock } from 'node:test'

/** Lets everything that is on its way arrive, then lets time pass in small steps. */
export async function pass(milliseconds = 0) {
  for (let left = milliseconds; ; left -= 10) {
    for (let i = 0; i < 8; i++) await new Promise((resolve) => setImmediate(resolve))
    if (left < 0) return
    mock.timers.tick(Math.min(10, Math.max(left, 1)))
  }
}

// The browser.

let ids = 0

export class FakeTrack {
  constructor(kind, settings = {}) {
    Object.assign(this, { kind, id: `track${++ids}`, enabled: true, contentHint: '', readyState: 'live', settings })
  }

  getSettings() { return this.settings }
  getConstraints() { return {} }
  stop() { this.readyState = 'ended' }
}

export class FakeStream {
  #tracks = new Set()
  constructor(tracks = []) { for (const track of tracks) this.#tracks.add(track) }
  getTracks() { return [...this.#tracks] }
  getAudioTracks() { return this.getTracks().filter((t) => t.kind === 'audio') }
  getVideoTracks() { return this.getTracks().filter((t) => t.kind === 'video') }
  addTrack(track) { this.#tracks.add(track) }
  removeTrack(track) { this.#tracks.delete(track) }
}

/** A camera and a microphone. */
export function captured(settings = { width: 1280, height: 720 }) {
  return new FakeStream([new FakeTrack('audio'), new FakeTrack('video', settings)])
}

class FakeSender {
  sets = 0
  constructor(track, encodings = [{}]) {
    this.track = track
    this.parameters = { encodings: encodings.map((e) => ({ active: true, ...e })), transactionId: '' }
  }

  async replaceTrack(track) { this.track = track }
  getParameters() { return structuredClone({ ...this.parameters, transactionId: String(++ids) }) }
  async setParameters(parameters) {
    if (this.busy) throw new DOMException('another call is under way', 'InvalidStateError')
    this.busy = true
    await null
    this.busy = false
    this.sets++
    this.parameters = parameters
  }
}

export class FakePeerConnection extends EventTarget {
  static all = []
  signalingState = 'stable'
  connectionState = 'new'
  iceConnectionState = 'new'
  localDescription = null
  restarts = 0
  stats = new Map()
  #lines = []

  constructor(configuration) {
    super()
    this.configuration = configuration
    FakePeerConnection.all.push(this)
  }

  addTransceiver(what, { direction, sendEncodings } = {}) {
    const kind = typeof what === 'string' ? what : what.kind
    const line = {
      mid: null, direction, currentDirection: null, codecs: [],
      sender: new FakeSender(typeof what === 'string' ? null : what, sendEncodings), receiver: { track: new FakeTrack(kind) },
      setCodecPreferences(codecs) { this.codecs = codecs },
      extensions: [{ uri: 'urn:dependency-descriptor', direction: 'stopped' }, { uri: 'urn:rtp-stream-id', direction: 'stopped' }],
      getHeaderExtensionsToNegotiate() { return structuredClone(this.extensions) },
      setHeaderExtensionsToNegotiate(extensions) { this.extensions = extensions },
    }
    this.#lines.push(line)
    return line
  }

  getTransceivers() { return [...this.#lines] }
  createDataChannel(label, options) { return (this.channel = { label, ...options }) }
  restartIce() { this.restarts++ }
  async getStats() { return this.stats }

  async setLocalDescription(description) {
    if (description?.type === 'rollback') {
      this.signalingState = 'stable'
      return
    }
    if (this.signalingState !== 'stable') throw new DOMException('an offer is under way', 'InvalidStateError')
    this.#lines.forEach((line, i) => { line.mid ??= String(i) })
    this.offered = this.#lines.map((line) => line.direction)
    this.signalingState = 'have-local-offer'
    this.localDescription = { type: 'offer', sdp: `offer of ${this.#lines.map((l) => `${l.mid}${l.receiver.track.kind[0]}:${l.direction}`)}` }
    this.onicecandidate?.({ candidate: { candidate: 'candidate:1', sdpMid: '0', sdpMLineIndex: 0, usernameFragment: 'u' } })
    this.onicecandidate?.({ candidate: null })
  }

  async setRemoteDescription() {
    this.signalingState = 'stable'
    this.#lines.forEach((line, i) => { if (this.offered[i]) line.currentDirection = this.offered[i] })
    if (this.connectionState === 'new') this.become('connected')
  }

  become(state, ice = state) {
    this.connectionState = state
    this.iceConnectionState = ice
    this.onconnectionstatechange?.()
  }

  close() { this.connectionState = this.iceConnectionState = this.signalingState = 'closed' }
}

class FakeWebSocket {
  constructor(url) {
    this.url = url
    const tier = FakeTier.now
    setImmediate(() => {
      if (this.closed) return
      if (tier.refusing) {
        this.closed = true
        this.onclose?.()
        return
      }
      tier.sockets.add(this)
      tier.opened++
      this.onopen?.()
    })
  }

  send(text) {
    if (this.closed || FakeTier.now.deaf) return
    const message = JSON.parse(text)
    setImmediate(() => FakeTier.now.take(this, message))
  }

  receive(message) {
    if (!this.closed) this.onmessage?.({ data: JSON.stringify(message) })
  }

  close() {
    this.closed = true
    FakeTier.now.sockets.delete(this)
  }
}

// The tier.

/** A signaling tier and its node, as far as the SDK sees them. */
export class FakeTier {
  static now
  sockets = new Set()
  sessions = new Map()
  opened = 0
  requests = [] // all that came, as [name, request]
  answers = {} // by name of a request: what answers it in place of the tier
  slots = true // there are enough of them
  silent = new Set() // names of requests that are carried out and not answered
  #sessions = 0
  #subscriptions = 0

  constructor() { FakeTier.now = this }

  of(name) { return this.requests.filter(([n]) => n === name).map(([, r]) => r) }

  take(socket, { id, ...request }) {
    const [name] = Object.keys(request)
    const body = request[name]
    this.requests.push([name, body])
    const own = this.answers[name]?.(body, socket)
    const answer = own ?? this[name]?.(body, socket) ?? { done: {} }
    if (!this.silent.has(name)) socket.receive({ reply: { id, ...answer } })
    if (name === 'hello' && answer.welcome) this.onwelcome?.(socket)
  }

  fail(code, reason, status = 'FAILED_PRECONDITION', more = {}) { return { failure: { status, reason, message: reason, code, ...more } } }

  hello({ resume }, socket) {
    let session
    if (resume) {
      session = this.sessions.get(resume.sessionId)
      if (!session) return this.fail(0, 'SESSION_NOT_FOUND', 'NOT_FOUND')
    } else {
      session = { id: `s${++this.#sessions}`, epoch: '1', offerId: '0', rooms: new Map(), playing: new Map() }
      this.sessions.set(session.id, session)
    }
    socket.session = session
    const { id, epoch, offerId, rooms, playing } = session
    return {
      welcome: {
        session: { id, epoch, offerId, iceServers: [{ urls: ['stun:127.0.0.1'] }] }, resumed: !!resume,
        rooms: [...rooms.values()], playing: [...playing.values()], pingIntervalMs: 1000,
      },
    }
  }

  negotiate({ offerSdp, offerId }, { session }) {
    session.offerId = offerId
    for (const p of session.playing.values()) if (p.state.includes('NEEDS')) this.bind(session, p)
    return { answer: { answerSdp: `answer to ${offerSdp}`, offerId } }
  }

  loginRoom({ roomId, user }, { session }) {
    session.user = user
    const room = session.rooms.get(roomId) ?? { roomId, users: [], streams: [], ...this.world?.[roomId] }
    session.rooms.set(roomId, room)
    return { room }
  }

  logoutRoom({ roomId }, { session }) {
    for (const id of roomId ? [roomId] : [...session.rooms.keys()]) {
      if (!session.rooms.delete(id)) return this.fail(1002002, 'NOT_A_MEMBER', 'NOT_FOUND')
    }
  }

  switchRoom({ fromRoomId, toRoomId }, socket) {
    socket.session.rooms.delete(fromRoomId)
    return this.loginRoom({ roomId: toRoomId }, socket)
  }

  startPublishing({ roomId, streamId, audioMid, videoMid, metadata }, { session }) {
    const stream = { roomId, streamId, own: true, audioMid, videoMid, metadata }
    session.rooms.get(roomId).streams.push(stream)
    return { stream }
  }

  stopPublishing({ roomId, streamId }, { session }) {
    const room = session.rooms.get(roomId)
    room.streams = room.streams.filter((s) => s.streamId !== streamId || !s.own)
  }

  updatePublishing({ roomId, streamId }) { return { stream: { roomId, streamId, own: true } } }

  startPlaying({ roomId, streamId, audio, video }, { session }) {
    const playing = { id: `p${++this.#subscriptions}`, roomId, streamId, audio, video, state: 'SUBSCRIPTION_STATE_ACTIVE' }
    session.playing.set(playing.id, playing)
    if (this.slots) this.bind(session, playing)
    else playing.state = 'SUBSCRIPTION_STATE_NEEDS_NEGOTIATION'
    return { playing: { ...playing } }
  }

  bind(session, playing) {
    const n = [...session.playing.keys()].indexOf(playing.id)
    playing.state = 'SUBSCRIPTION_STATE_ACTIVE'
    if (playing.audio) playing.audioMid = String(n)
    if (playing.video) playing.videoMid = String(4 + n)
  }

  stopPlaying({ id }, { session }) {
    if (!session.playing.delete(id)) return this.fail(0, 'SUBSCRIPTION_NOT_FOUND', 'NOT_FOUND')
  }

  switchPlaying({ id, roomId, streamId }, { session }) {
    const playing = Object.assign(session.playing.get(id), { roomId, streamId })
    return { playing: { ...playing } }
  }

  updatePlaying({ id }, { session }) { return { playing: { ...session.playing.get(id) } } }
  sendMessage({ clientMessageId }) { return { sent: { messageId: `m-${clientMessageId}` } } }

  goodbye(_, { session }) { this.sessions.delete(session.id) }

  notice(notice) { for (const socket of this.sockets) socket.receive({ notice }) }

  /** Cuts all connections off; sessions go on. */
  cut() {
    for (const socket of [...this.sockets]) {
      socket.close()
      socket.onclose?.()
    }
  }
}

/** Puts fakes in the place of what a browser has. Called before each test. */
export function install() {
  mock.timers.reset()
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] })
  mock.method(Math, 'random', () => 0.5)
  FakePeerConnection.all = []
  const page = new EventTarget()
  const codecs = ['video/VP8', 'video/rtx', 'video/VP9', 'video/H264'].map((mimeType) => ({ mimeType }))
  const mediaDevices = {
    getUserMedia: async ({ audio, video }) => new FakeStream([...(audio ? [new FakeTrack('audio')] : []), ...(video ? [new FakeTrack('video')] : [])]),
    getDisplayMedia: async ({ audio }) => new FakeStream([...(audio ? [new FakeTrack('audio')] : []), new FakeTrack('video', { displaySurface: 'monitor' })]),
  }
  const globals = {
    WebSocket: FakeWebSocket, RTCPeerConnection: FakePeerConnection, MediaStream: FakeStream,
    RTCRtpSender: { getCapabilities: (kind) => ({ codecs: kind === 'video' ? codecs : [{ mimeType: 'audio/opus' }] }) },
    navigator: { mediaDevices },
    addEventListener: page.addEventListener.bind(page), removeEventListener: page.removeEventListener.bind(page),
  }
  for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
  return { tier: new FakeTier(), page, mediaDevices }
}
