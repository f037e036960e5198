// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { EngineConfig, RoomMode, TokenReason } from './api.js'
import { SwitchyardError } from './errors.js'
import type { Emit } from './events.js'
import { asError, fail, short } from './failure.js'
import { type Peer, createPeer } from './peer.js'
import { createSignal, lost } from './signal.js'
import type { Notice, Reply, Request, Welcome } from './wire.js'

export interface ConnectionOwner {
  emit: Emit
  notice(notice: Notice): void
  inband(message: Record<string, unknown>): void
  /** A session began or goes on: brings back what it lacks. Never fails. */
  restore(welcome: Welcome, peer: Peer): Promise<void>
  /** Signaling, or all of the session, is gone for now. */
  away(): void
  /** It is over and will not be tried again. */
  over(error: SwitchyardError): void
}

export type Connection = ReturnType<typeof createConnection>

/** A session at a time: its signaling and its PeerConnection. */
export function createConnection(config: EngineConfig, url: string, mode: RoomMode, owner: ConnectionOwner) {
  const { emit } = owner
  const asked = new Map<string, Promise<string>>()
  let token = ''
  let peer: Peer | undefined
  let connections = 0
  let offers = 0 // of earlier PeerConnections
  let running = false
  let up = false // restored, so that calls can go on
  let why = fail(1002002, 'NOT_A_MEMBER', 'not logged in to any room') // there is no session
  let waiting: (() => void)[] = []
  let state = 'disconnected'

  const signal = createSignal(url, mode === 'multi' ? 'ROOM_MODE_MULTI' : 'ROOM_MODE_SINGLE', config.reconnectFor ?? 1_200_000, {
    token: hello,
    welcome,
    lost: dropPeer,
    notice: ({ sessionEnded, ...notice }) => {
      if (sessionEnded) ended(sessionEnded)
      else owner.notice(notice)
    },
    state: tell,
    ended: end,
  })

  function tell(now: 'connecting' | 'connected' | 'disconnected'): void {
    if (state === now) return
    state = now
    emit('signalingStateChanged', now)
    if (now === 'disconnected') owner.away()
  }

  function wake(): void {
    const all = waiting
    waiting = []
    for (const go of all) go()
  }

  function dropPeer(): void {
    up = false
    offers += peer?.offers() ?? 0
    peer?.close()
    peer = undefined
  }

  function close(error: SwitchyardError): void {
    running = false
    why = error
    dropPeer()
    signal.close(error)
    tell('disconnected')
    wake()
  }

  function end(error: SwitchyardError): void {
    close(error)
    owner.over(error)
  }

  function ended({ reason, detail = 'the session was ended', code = 0 }: NonNullable<Notice['sessionEnded']>): void {
    const cause = short(reason)
    if (code || cause === 'DUPLICATE_USER' || cause === 'SESSION_CLOSED') {
      end(fail(code || (cause === 'DUPLICATE_USER' ? 1002050 : 1002055), cause, detail))
    } else signal.renew()
  }

  /** Asks the function for tokens, if there is one; once for all who want the one with this key at the same time. */
  async function ask(reason: TokenReason, key = ''): Promise<string | undefined> {
    const get = config.token
    if (typeof get !== 'function') return undefined
    const answer = asked.get(key) ?? (async () => get(reason))().finally(() => asked.delete(key))
    asked.set(key, answer)
    return answer
  }

  async function hello(refused: boolean): Promise<string> {
    if (typeof config.token === 'string') token ||= config.token
    else if (refused || !token) {
      try {
        token = await ask({ reason: refused ? 'refused' : 'first' }) ?? ''
      } catch (e) {
        throw fail(1002033, 'NO_TOKEN', `the function for tokens failed: ${String(e)}`)
      }
    }
    return token
  }

  function welcome(message: Welcome): void {
    const { session, resumed } = message
    if (!resumed || !peer) {
      dropPeer()
      connections++
      peer = connect(session)
    } else if (peer.pc.connectionState === 'connected') signal.well()
    const mine = peer
    up = false
    void owner.restore(message, mine).then(() => {
      if (peer !== mine) return
      up = true
      wake()
    })
  }

  function connect({ iceServers = [], offerId = '0' }: Welcome['session']): Peer {
    const { audio = 4, video = 4 } = config.spareSlots ?? {}
    const servers = iceServers.map(({ urls = [], ...rest }) => ({ urls, ...rest }))
    const made: Peer = createPeer({ iceServers: servers, ...config.peer }, { audio, video }, Number(offerId), {
      request: signal.request,
      state: (now) => {
        if (now === 'connected') signal.well()
        emit('mediaStateChanged', now)
      },
      inband: (text) => {
        const message = JSON.parse(text)
        if (message.type === 'layers') made.layers(message.mid, message.layers)
        else owner.inband(message)
      },
      failed: (e) => { if (e !== lost && made === peer) emit('error', asError(e)) },
      broken: signal.renew,
    })
    return made
  }

  const network = (globalThis.navigator as { connection?: EventTarget & { type?: string } } | undefined)?.connection
  let type = network?.type

  function online(): void {
    if (!running) return
    signal.nudge()
    peer?.restart()
  }

  function moved(): void {
    // Estimates of speed change all the time; only another kind of network is another way.
    if (type !== network?.type) online()
    type = network?.type
  }

  function hide(e: Event): void {
    if (!(e as PageTransitionEvent).persisted) signal.leave()
  }

  function listen(change: 'addEventListener' | 'removeEventListener'): void {
    globalThis[change]?.('online', online)
    globalThis[change]?.('pagehide', hide)
    network?.[change]('change', moved)
  }
  listen('addEventListener')

  /** Does what needs a session, and again in the next one when the session is lost meanwhile. */
  async function run<T>(work: (peer: Peer) => Promise<T>): Promise<T> {
    for (;;) {
      while (running && !up) await new Promise<void>((go) => waiting.push(go))
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

  return {
    ask,
    run,
    request: signal.request,
    peer: () => peer,
    connections: () => connections,
    offers: () => offers + (peer?.offers() ?? 0),
    connect(): void {
      running = true
      signal.connect()
    },
    /** Sends a request of a session, and again in the next one. */
    send: (body: Request): Promise<Reply> => run(() => signal.request(body)),
    /** Shows a newer token. */
    async renew(newer: string, roomId: string): Promise<void> {
      if (!roomId) token = newer
      if (running) await run(() => signal.request({ renewToken: { roomId, token: newer } }))
    },
    /** Ends the session and everything. */
    async destroy(error: SwitchyardError): Promise<void> {
      listen('removeEventListener')
      if (up) {
        let timer: ReturnType<typeof setTimeout> | undefined
        const enough = new Promise<void>((resolve) => { timer = setTimeout(resolve, 1000) })
        await Promise.race([signal.request({ goodbye: {} }).catch(() => {}), enough])
        clearTimeout(timer)
      }
      close(error)
    },
  }
}
