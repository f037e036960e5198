// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type {EngineConfig, RoomMode, TokenReason} from './api.js'
import {SwitchyardError} from './errors.js'
import type {Emit} from './events.js'
import {asError, fail, short} from './failure.js'
import {type Peer, createPeer} from './peer.js'
import type {Notice, Reply, Request, ServerMessage, Welcome} from './wire.js'

/** What requests of a session that is no more are rejected with. Never leaves the SDK. */
export const lost = fail(0, 'SESSION_NOT_FOUND', 'the session is over')

/** The longest pause between two attempts, in milliseconds. */
const longestPause = 5000

/** Status and reason of failures that go away by themselves. */
const passing = /^(UNAVAILABLE|DEADLINE_EXCEEDED) (?!DRAINING)| (SESSION_BUSY|BUSY|CALL_RATE|RATE)$/

export interface ConnectionOwner {
  emit: Emit
  notice(notice: Notice): void
  inband(message: Record<string, unknown>): void
  /** A session began or goes on: brings back what it lacks. Never fails. */
  restore(welcome: Welcome, peer: Peer): Promise<void>
  /** Signaling, or all of the session, is gone for now. */
  away(): void
  /** The session is over and will not be tried again. */
  over(error: SwitchyardError): void
}

interface Pending {
  body: Request
  resolve: (reply: Reply) => void
  reject: (error: SwitchyardError) => void
  tries: number
}

/** A session at a time: its WebSocket, made again whenever it is lost, the requests over it, and its PeerConnection. */
export function createConnection(config: EngineConfig, url: string, mode: RoomMode, {emit, ...owner}: ConnectionOwner) {
  const {reconnectFor = 1_200_000, spareSlots: {audio = 4, video = 4} = {}, peer: more} = config
  // running: connected, or trying to be. ready: the tier has said welcome; welcomed: it ever did. up: what was is brought back.
  let running = false, ready = false, welcomed = false, up = false, refused = false
  // turn counts attempts, so that what an earlier one still does can be told; since is when the trouble began, 0: all is well.
  let turn = 0, attempt = 0, since = 0, lastID = 0, silent = 0, pause = 0
  let state = '', token = ''
  let why: SwitchyardError | undefined // there is no session
  let waiting: (() => void)[] = []
  let socket: WebSocket | undefined, peer: Peer | undefined
  let resume: {sessionId: string; sessionEpoch: string} | undefined
  let pinger: ReturnType<typeof setInterval> | undefined
  const counts = {connections: 0, offers: 0}
  const asked = new Map<string, Promise<string>>()
  const pending = new Set<Pending>()
  const sent = new Map<number, Pending>()

  /** Does work later, unless the attempt is over by then. */
  function after(milliseconds: number, work: () => void): void {
    const mine = turn
    setTimeout(() => {if (mine === turn) work()}, milliseconds)
  }

  function tell(now: 'connecting' | 'connected' | 'disconnected'): void {
    if (state === now) return
    state = now
    emit('signalingStateChanged', now)
    if (now === 'disconnected' && running) owner.away()
  }

  // Requests.

  const say = (body: Request): void => socket?.send(JSON.stringify({id: ++lastID, ...body}))

  function send(one: Pending): void {
    say(one.body)
    sent.set(lastID, one)
  }

  /** Sends a request, again after each loss of the connection, until it is answered or its session is over. */
  function request(body: Request): Promise<Reply> {
    let one: Pending
    return new Promise<Reply>((resolve, reject) => {
      pending.add(one = {body, resolve, reject, tries: 0})
      if (ready) send(one)
    }).finally(() => pending.delete(one))
  }

  function frame(data: string): void {
    silent = 0
    const {reply, notice} = JSON.parse(data) as ServerMessage
    if (reply) answered(reply)
    if (!notice || !ready) return
    const {goingAway, sessionEnded} = notice
    if (goingAway) pause = (goingAway.retryAfterMs ?? 0) + Math.random() * 500
    else if (sessionEnded) {
      // What failed is made again, whatever its code; what somebody wanted is not.
      const {reason = '', code, detail = ''} = sessionEnded
      if (/DUPLICATE_USER|SESSION_CLOSED/.test(reason)) end(fail(code || 1002055, short(reason), detail))
      else renew()
    } else owner.notice(notice)
  }

  function answered(reply: Reply): void {
    const {id, failure} = reply
    const one = sent.get(id)
    if (!one || !sent.delete(id)) return
    if (!failure) return one.resolve(reply)
    const {code = 0, status = '', reason = status, message = ''} = failure
    const error = new SwitchyardError(code, reason, message, failure.retryAfterMs)
    const gone = /^(SESSION_NOT_FOUND|STALE_EPOCH)$/.test(reason)
    if (!one.body.hello) {
      if (gone) renew()
      else if (one.tries < 4 && passing.test(`${status} ${reason}`)) after(error.retryAfter || 250 * 2 ** one.tries++, () => {if (pending.has(one)) send(one)})
      else one.reject(error)
    } else if (resume && gone) {
      lose()
      greet()
    } else if (status === 'UNAUTHENTICATED' && !refused) {
      refused = true
      drop(0)
    } else if (/^(UNAUTH|PERM|INVALID_ARG|FAILED_PRE|NOT_F|UNIMPL)/.test(status)) end(error)
    else {
      pause = error.retryAfter
      drop(undefined, error)
    }
  }

  // The socket.

  async function open(): Promise<void> {
    const mine = ++turn
    tell('connecting')
    try {
      if (refused || !token) token = await ask({reason: refused ? 'refused' : 'first'}) ?? config.token as string
      if (mine !== turn) return
      socket = new WebSocket(url)
    } catch (e) {
      if (mine === turn) (welcomed ? drop.bind(0, undefined) : end)(fail(1002033, 'NO_TOKEN', `no token: ${String(e)}`))
      return
    }
    after(10_000, () => {if (!ready) drop()}) // an attempt takes that long at most
    socket.onopen = greet
    socket.onmessage = ({data}) => {if (mine === turn) frame(data)}
    socket.onclose = () => {if (mine === turn) drop()}
  }

  function greet(): void {
    send({body: {hello: {token, roomMode: `ROOM_MODE_${mode.toUpperCase()}`, client: 'switchyard-js', resume}}, resolve: welcome} as Partial<Pending> as Pending)
  }

  function hangUp(): void {
    turn++
    clearInterval(pinger)
    sent.clear()
    ready = false
    socket?.close()
    socket = undefined
    lastID = silent = 0
    tell('disconnected')
  }

  /** Gives the socket up and makes another one in a while: exponential backoff with full jitter. */
  function drop(wait?: number, error?: SwitchyardError): void {
    if (!running) return
    hangUp()
    since ||= Date.now()
    // The first connection is tried for less: a wrong address should not look like a slow network.
    if (Date.now() - since < (welcomed ? reconnectFor : 15_000)) {
      after(wait ?? (pause || Math.random() * Math.min(longestPause, 250 * 2 ** attempt++)), open)
      pause = 0
    } else end(error ?? fail(welcomed ? 1002053 : 1002030, 'UNAVAILABLE', `no connection to ${url}`))
  }

  // The session.

  function welcome(reply: Reply): void {
    const {session, resumed, pingIntervalMs} = reply.welcome as Welcome
    if (resume && !resumed) lose()
    resume = {sessionId: session.id, sessionEpoch: session.epoch}
    refused = false
    ready = welcomed = true
    pinger = setInterval(() => silent++ < 2 ? say({ping: {}}) : drop(0), pingIntervalMs || 5000)
    after(longestPause, () => {attempt = 0}) // it has held for a while
    pending.forEach(send)
    tell('connected')
    const mine = (peer ??= connect(session))
    well()
    up = false
    owner.restore(reply.welcome as Welcome, mine).then(() => {
      up ||= peer === mine
      for (const go of waiting.splice(0)) go()
    })
  }

  /** Trouble is counted anew when there is none. */
  function well(): void {
    if (ready && peer?.pc.connectionState === 'connected') since = 0
  }

  function connect({iceServers = [], offerId = '0'}: Welcome['session']): Peer {
    counts.connections++
    const made: Peer = createPeer({iceServers: iceServers as RTCIceServer[], ...more}, {audio, video}, +offerId, {
      request,
      offered: () => {counts.offers++},
      state: now => {
        well()
        emit('mediaStateChanged', now)
      },
      inband: text => {
        const message = JSON.parse(text)
        if (message.type === 'layers') made.layers(message)
        else owner.inband(message)
      },
      failed: e => {if (e !== lost && made === peer) emit('error', asError(e))},
      broken: renew,
    })
    return made
  }

  /** Forgets the session. */
  function lose(error = lost): void {
    resume = undefined
    up = false
    peer?.close()
    peer = undefined
    for (const {reject} of pending) reject(error)
    pending.clear()
  }

  /** Begins another session in place of one that is of no more use. */
  function renew(): void {
    lose()
    drop()
  }

  function end(error: SwitchyardError): void {
    running = welcomed = refused = false
    attempt = since = 0
    why = error
    hangUp()
    lose(error)
    for (const go of waiting.splice(0)) go()
    owner.over(error)
  }

  /** Asks the function for tokens, if there is one; once for all who want the one with this key at the same time. */
  async function ask(reason: TokenReason, key = ''): Promise<string | undefined> {
    const get = config.token
    if (typeof get !== 'function') return
    if (!asked.has(key)) asked.set(key, (async () => get(reason))().finally(() => asked.delete(key)))
    return asked.get(key)
  }

  /** Does what needs a session, and again in the next one when the session is lost meanwhile. */
  async function run<T>(work: (peer: Peer) => Promise<T>): Promise<T> {
    for (;;) {
      while (running && !up) await new Promise<void>(go => waiting.push(go))
      const mine = peer
      if (!mine) throw why
      try {
        return await work(mine)
      } catch (e) {
        // What failed with a PeerConnection that is no more is done again, too.
        if (e !== lost && (e instanceof SwitchyardError || mine === peer)) throw e
      }
    }
  }

  // The network.

  /** Does not wait until it is noticed that all ways are gone. */
  function online(): void {
    drop(0)
    peer?.restart()
  }

  function leave(e?: Event): void {
    if (ready && !(e as PageTransitionEvent)?.persisted) say({goodbye: {}})
  }

  const listening = new AbortController() // its signal is the option that ends listening
  globalThis.addEventListener?.('online', online, listening)
  globalThis.addEventListener?.('pagehide', leave, listening)

  return {
    ask,
    run,
    request,
    peer: () => peer,
    counts,
    connect(): void {
      if (running) return
      running = true
      open()
    },
    /** Shows a newer token. */
    async renewToken(newer: string, roomId: string): Promise<void> {
      if (!roomId) token = newer
      if (running) await run(() => request({renewToken: {roomId, token: newer}}))
    },
    /** Ends the session and everything. */
    destroy(error: SwitchyardError): void {
      listening.abort()
      leave()
      end(error)
    },
  }
}
