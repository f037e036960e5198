// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import { SwitchyardError } from './errors.js'
import { fail } from './failure.js'
import type { Failure, Notice, Reply, Request, ServerMessage, Welcome } from './wire.js'

/** What requests of a session that is no more are rejected with. Never leaves the SDK. */
export const lost = fail(0, 'SESSION_NOT_FOUND', 'the session is over')

/** The longest pause between two attempts, and the time that one may take, in milliseconds. */
const longestPause = 5000
const patience = 10_000
/** How long the first connection is tried for, in milliseconds: a wrong address should not look like a slow network. */
const firstFor = 15_000

export interface SignalOwner {
  /** The token for Hello. refused: the one given before was not taken. */
  token(refused: boolean): Promise<string>
  /** A session began or goes on; what is waiting is sent when this returns. */
  welcome(welcome: Welcome): void
  /** The session is over, another one will begin. */
  lost(): void
  notice(notice: Notice): void
  state(state: 'connecting' | 'connected' | 'disconnected'): void
  /** It was given up. connect begins anew. */
  ended(error: SwitchyardError): void
}

interface Pending {
  body: Request
  resolve: (reply: Reply) => void
  reject: (error: SwitchyardError) => void
  tries: number
}

export type Signal = ReturnType<typeof createSignal>

/** The WebSocket, made again whenever it is lost, and the requests over it. */
export function createSignal(url: string, roomMode: string, reconnectFor: number, owner: SignalOwner) {
  let on = false
  let ready = false
  let welcomed = false
  let socket: WebSocket | undefined
  let turn = 0 // counts attempts, so that what an earlier one still does can be told
  let attempt = 0
  let readyAt = 0
  let troubleSince = 0
  let lastID = 0
  let unanswered = 0
  let pause: number | undefined
  let refused = false
  let token = ''
  let hello: Pending | undefined
  let resume: { sessionId: string; sessionEpoch: string } | undefined
  let pinger: ReturnType<typeof setInterval> | undefined
  const timers = new Set<ReturnType<typeof setTimeout>>() // of this attempt
  const pending = new Set<Pending>()
  const sent = new Map<number, Pending>()

  function after(milliseconds: number, work: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer)
      work()
    }, milliseconds)
    timers.add(timer)
  }

  function say(body: Request): void {
    socket?.send(JSON.stringify({ id: ++lastID, ...body }))
  }

  function send(one: Pending): void {
    sent.set(lastID + 1, one)
    say(one.body)
  }

  function rejectAll(error: SwitchyardError): void {
    const all = [...pending]
    pending.clear()
    sent.clear()
    for (const { reject } of all) reject(error)
  }

  function hangUp(): void {
    const old = socket
    turn++
    clearInterval(pinger)
    timers.forEach(clearTimeout)
    timers.clear()
    sent.clear()
    ready = false
    socket = hello = undefined
    lastID = unanswered = 0
    old?.close()
  }

  function close(error: SwitchyardError): void {
    on = welcomed = refused = false
    resume = undefined
    attempt = 0
    hangUp()
    rejectAll(error)
  }

  function end(error: SwitchyardError): void {
    close(error)
    owner.ended(error)
  }

  /** Gives the connection up and makes another one in a while: exponential backoff with full jitter. */
  function drop(wait?: number, error?: SwitchyardError): void {
    if (!on) return
    const now = Date.now()
    // The pauses are short again when the connection has held for a while.
    if (ready && now - readyAt > longestPause) attempt = 0
    hangUp()
    owner.state('disconnected')
    troubleSince ||= now
    if (now - troubleSince >= (welcomed ? reconnectFor : Math.min(reconnectFor, firstFor))) {
      end(error ?? fail(welcomed ? 1002053 : 1002030, 'UNAVAILABLE', `no connection to ${url}`))
      return
    }
    after(wait ?? pause ?? Math.random() * Math.min(longestPause, 250 * 2 ** attempt++), open)
    pause = undefined
  }

  /** Forgets the session. */
  function lose(): void {
    resume = undefined
    owner.lost()
    rejectAll(lost)
  }

  /** Begins another session in place of one that is of no more use. */
  function renew(): void {
    lose()
    drop()
  }

  async function open(): Promise<void> {
    const mine = ++turn
    owner.state('connecting')
    try {
      token = await owner.token(refused)
      if (mine !== turn) return
      socket = new WebSocket(url)
    } catch (e) {
      if (mine !== turn) return
      if (welcomed) drop(undefined, e as SwitchyardError)
      else end(e as SwitchyardError)
      return
    }
    after(patience, () => { if (!ready) drop() })
    socket.onopen = greet
    socket.onmessage = (e) => { if (mine === turn) frame(e.data) }
    socket.onclose = socket.onerror = () => { if (mine === turn) drop() }
  }

  function greet(): void {
    hello = { body: { hello: { token, roomMode, client: 'switchyard-js', resume } }, resolve: welcome, reject: () => {}, tries: 0 }
    send(hello)
  }

  function welcome(reply: Reply): void {
    const { session, resumed, pingIntervalMs } = reply.welcome as Welcome
    if (resume && !resumed) lose()
    resume = { sessionId: session.id, sessionEpoch: session.epoch }
    hello = undefined
    refused = false
    ready = welcomed = true
    readyAt = Date.now()
    pinger = setInterval(ping, pingIntervalMs || 5000)
    const waiting = [...pending]
    owner.state('connected')
    owner.welcome(reply.welcome as Welcome)
    for (const one of waiting) if (pending.has(one)) send(one)
  }

  function unwelcome(failure: Failure, error: SwitchyardError): void {
    if (resume && gone(error)) {
      lose()
      greet()
    } else if (failure.status === 'UNAUTHENTICATED' && !refused) {
      refused = true
      drop(0)
    } else if (/^(UNAUTH|PERM|INVALID_ARG|FAILED_PRE|NOT_F|UNIMPL)/.test(failure.status ?? '')) {
      end(error)
    } else {
      pause = error.retryAfter || undefined
      drop(undefined, error)
    }
  }

  function frame(data: unknown): void {
    unanswered = 0
    let message: ServerMessage
    try {
      message = JSON.parse(String(data))
    } catch {
      drop()
      return
    }
    const { reply, notice } = message
    if (reply) answered(reply)
    else if (notice?.goingAway) pause = (notice.goingAway.retryAfterMs ?? 0) + Math.random() * 500
    else if (notice && ready) owner.notice(notice)
  }

  function answered(reply: Reply): void {
    const one = sent.get(reply.id)
    sent.delete(reply.id)
    if (!one) return
    const { failure } = reply
    if (!failure) {
      pending.delete(one)
      one.resolve(reply)
      return
    }
    const { code = 0, reason = failure.status ?? '', message = '', retryAfterMs } = failure
    const error = new SwitchyardError(code, reason, message, retryAfterMs)
    if (one === hello) unwelcome(failure, error)
    else if (gone(error)) renew()
    else if (one.tries < 4 && passing(failure)) {
      after(error.retryAfter || 250 * 2 ** one.tries, () => { if (pending.has(one)) send(one) })
      one.tries++
    } else {
      pending.delete(one)
      one.reject(error)
    }
  }

  function ping(): void {
    if (unanswered++ >= 2) drop(0)
    else say({ ping: {} })
  }

  return {
    renew,
    close,
    /** Connects, unless that is being done. */
    connect(): void {
      if (on) return
      on = true
      troubleSince = Date.now()
      void open()
    },
    /** Sends a request, again after each loss of the connection, until it is answered or its session is over. */
    request(body: Request): Promise<Reply> {
      return new Promise((resolve, reject) => {
        const one = { body, resolve, reject, tries: 0 }
        pending.add(one)
        if (ready) send(one)
      })
    },
    /** All is well: what goes wrong from now on is counted anew. */
    well(): void {
      if (ready) troubleSince = 0
    },
    /** The network may have changed: finds out now what would be noticed in a while. */
    nudge(): void {
      if (!ready) {
        drop(0)
        return
      }
      unanswered = 1
      ping()
      after(2500, () => { if (unanswered) drop(0) })
    },
    /** Says goodbye without waiting for an answer. */
    leave(): void {
      if (ready) say({ goodbye: {} })
    },
  }
}

function gone({ reason }: SwitchyardError): boolean {
  return reason === 'SESSION_NOT_FOUND' || reason === 'STALE_EPOCH'
}

/** Failures that go away by themselves. */
function passing({ status, reason = '' }: Failure): boolean {
  return /^(SESSION_BUSY|CALL_RATE|RATE|BUSY)$/.test(reason) || (reason !== 'DRAINING' && /^(UNAVAILABLE|DEADLINE_EXCEEDED)$/.test(status ?? ''))
}
