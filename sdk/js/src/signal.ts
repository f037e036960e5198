// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import { SwitchyardError } from './errors.js'
import type { Failure, Notice, Reply, Request, ServerMessage, Welcome } from './wire.js'

/** What requests of a session that is no more are rejected with. Never leaves the SDK. */
export const lost = new SwitchyardError(0, 'SESSION_NOT_FOUND', 'the session is over')

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
  /** Finds the answer in Welcome when the one that was sent got lost. */
  settled: ((welcome: Welcome) => Reply | undefined) | undefined
  resolve: (reply: Reply) => void
  reject: (error: SwitchyardError) => void
  tries: number
}

/** The WebSocket, made again whenever it is lost, and the requests over it. */
export class Signal {
  #socket: WebSocket | undefined
  #ready = false
  #on = false
  /** Counts attempts, so that what an earlier one still does can be told. */
  #turn = 0
  #attempt = 0
  #since = 0
  #last = 0
  #silent = 0
  #pause: number | undefined
  #refused = false
  #welcomed = false
  #resume: { sessionId: string; sessionEpoch: string } | undefined
  #readyAt = 0
  #pinger: ReturnType<typeof setInterval> | undefined
  /** Of this attempt; none outlives it. */
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()
  readonly #pending = new Set<Pending>()
  readonly #sent = new Map<number, Pending>()

  constructor(
    private readonly url: string,
    private readonly mode: string,
    private readonly reconnectFor: number,
    private readonly owner: SignalOwner,
  ) {}

  /** Connects, unless that is being done. */
  connect(): void {
    if (this.#on) return
    this.#on = true
    this.#since = Date.now()
    void this.#open()
  }

  /** Sends a request, again after each loss of the connection, until it is answered or its session is over. */
  request(body: Request, settled?: Pending['settled']): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const pending = { body, settled, resolve, reject, tries: 0 }
      this.#pending.add(pending)
      if (this.#ready) this.#send(pending)
    })
  }

  /** All is well: what goes wrong from now on is counted anew. */
  well(): void {
    if (this.#ready) this.#since = 0
  }

  /** The network may have changed: finds out now what would be noticed in a while. */
  nudge(): void {
    if (!this.#on) return
    if (!this.#ready) {
      this.#drop(0)
      return
    }
    this.#silent = 1
    this.#ping()
    this.#after(2500, () => { if (this.#silent > 0) this.#drop(0) })
  }

  /** Begins another session in place of one that is of no more use. */
  renew(): void {
    this.#lose()
    this.#drop()
  }

  /** Says something on the way out, to whom it may concern. */
  say(body: Request): void {
    if (this.#ready) this.#socket?.send(JSON.stringify({ id: ++this.#last, ...body }))
  }

  /** Ends everything; requests that wait are rejected. */
  close(error: SwitchyardError): void {
    this.#on = this.#welcomed = false
    this.#resume = undefined
    this.#hangUp()
    this.#rejectAll(error)
  }

  async #open(): Promise<void> {
    const turn = ++this.#turn
    this.owner.state('connecting')
    let token: string
    try {
      token = await this.owner.token(this.#refused)
    } catch (e) {
      if (turn !== this.#turn) return
      if (this.#welcomed) this.#drop(undefined, e as SwitchyardError)
      else this.#end(e as SwitchyardError)
      return
    }
    if (turn !== this.#turn) return
    let socket: WebSocket
    try {
      socket = new WebSocket(this.url)
    } catch (e) {
      this.#end(new SwitchyardError(1000017, 'INVALID_ARGUMENT', String(e)))
      return
    }
    this.#socket = socket
    this.#after(patience, () => { if (!this.#ready) this.#drop() })
    socket.onopen = () => this.#hello(token)
    socket.onmessage = (e) => { if (turn === this.#turn) this.#frame(e.data) }
    socket.onclose = socket.onerror = () => { if (turn === this.#turn) this.#drop() }
  }

  #hello(token: string): void {
    const hello: Record<string, unknown> = { token, roomMode: this.mode, client: 'switchyard-js' }
    if (this.#resume) hello.resume = this.#resume
    const pending: Pending = {
      body: { hello }, settled: undefined, tries: 0,
      resolve: ({ welcome }) => this.#welcome(welcome as Welcome),
      reject: () => {},
    }
    this.#send(pending)
    this.#greeting = { pending, token }
  }

  #greeting: { pending: Pending; token: string } | undefined

  #welcome(welcome: Welcome): void {
    const { id, epoch } = welcome.session
    if (this.#resume && !welcome.resumed) this.#lose()
    this.#resume = { sessionId: id, sessionEpoch: epoch }
    this.#greeting = undefined
    this.#refused = false
    this.#ready = this.#welcomed = true
    this.#readyAt = Date.now()
    this.#pinger = setInterval(() => this.#ping(), welcome.pingIntervalMs || 5000)
    this.owner.state('connected')
    const waiting = [...this.#pending]
    this.owner.welcome(welcome)
    for (const pending of waiting) {
      const reply = pending.settled?.(welcome)
      if (reply) {
        this.#pending.delete(pending)
        pending.resolve(reply)
      } else if (this.#pending.has(pending)) this.#send(pending)
    }
  }

  /** The request that says hello has failed. */
  #unwelcome(failure: Failure, error: SwitchyardError): void {
    const token = this.#greeting?.token ?? ''
    if (this.#resume && (failure.reason === 'SESSION_NOT_FOUND' || failure.reason === 'STALE_EPOCH')) {
      this.#lose()
      this.#hello(token)
    } else if (failure.status === 'UNAUTHENTICATED' && !this.#refused) {
      this.#refused = true
      this.#drop(0)
    } else if (/^(UNAUTH|PERM|INVALID_ARG|FAILED_PRE|NOT_F|UNIMPL)/.test(failure.status ?? '')) {
      this.#end(error)
    } else {
      if (failure.retryAfterMs) this.#pause = failure.retryAfterMs
      this.#drop(undefined, error)
    }
  }

  #frame(data: unknown): void {
    this.#silent = 0
    let message: ServerMessage
    try {
      message = JSON.parse(String(data))
    } catch {
      this.#drop()
      return
    }
    if (message.reply) this.#reply(message.reply)
    else if (message.notice?.goingAway) this.#pause = (message.notice.goingAway.retryAfterMs ?? 0) + Math.random() * 500
    else if (message.notice && this.#ready) this.owner.notice(message.notice)
  }

  #reply(reply: Reply): void {
    const pending = this.#sent.get(reply.id)
    this.#sent.delete(reply.id)
    if (!pending) return
    const { failure } = reply
    if (!failure) {
      this.#pending.delete(pending)
      pending.resolve(reply)
      return
    }
    const error = new SwitchyardError(failure.code ?? 0, failure.reason ?? failure.status ?? '', failure.message ?? '', failure.retryAfterMs)
    if (pending === this.#greeting?.pending) {
      this.#unwelcome(failure, error)
    } else if (error.reason === 'SESSION_NOT_FOUND' || error.reason === 'STALE_EPOCH') {
      this.renew()
    } else if (pending.tries < 4 && passing(failure)) {
      this.#after(error.retryAfter || 250 * 2 ** pending.tries++, () => { if (this.#pending.has(pending)) this.#send(pending) })
    } else {
      this.#pending.delete(pending)
      pending.reject(error)
    }
  }

  #send(pending: Pending): void {
    this.#sent.set(++this.#last, pending)
    this.#socket?.send(JSON.stringify({ id: this.#last, ...pending.body }))
  }

  #ping(): void {
    if (this.#silent++ >= 2) this.#drop(0)
    else this.say({ ping: {} })
  }

  /** Forgets the session. */
  #lose(): void {
    this.#resume = undefined
    this.owner.lost()
    this.#rejectAll(lost)
  }

  #rejectAll(error: SwitchyardError): void {
    const all = [...this.#pending]
    this.#pending.clear()
    this.#sent.clear()
    for (const pending of all) pending.reject(error)
  }

  #hangUp(): void {
    const socket = this.#socket
    this.#turn++
    clearInterval(this.#pinger)
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#ready = false
    this.#socket = this.#greeting = undefined
    this.#last = this.#silent = 0
    this.#sent.clear()
    socket?.close()
  }

  /** Gives the connection up and makes another one in a while: exponential backoff with full jitter. */
  #drop(pause?: number, error?: SwitchyardError): void {
    if (!this.#on) return
    const now = Date.now()
    // The pauses are short again when the connection has held for a while.
    if (this.#ready && now - this.#readyAt > longestPause) this.#attempt = 0
    this.#hangUp()
    this.owner.state('disconnected')
    this.#since ||= now
    if (now - this.#since >= (this.#welcomed ? this.reconnectFor : Math.min(this.reconnectFor, firstFor))) {
      this.#end(error ?? new SwitchyardError(this.#welcomed ? 1002053 : 1002030, 'UNAVAILABLE', `no connection to ${this.url}`))
      return
    }
    const backoff = Math.random() * Math.min(longestPause, 250 * 2 ** this.#attempt++)
    this.#after(pause ?? this.#pause ?? backoff, () => void this.#open())
    this.#pause = undefined
  }

  #after(milliseconds: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      work()
    }, milliseconds)
    this.#timers.add(timer)
  }

  #end(error: SwitchyardError): void {
    this.#refused = false
    this.#attempt = 0
    this.close(error)
    this.owner.ended(error)
  }
}

/** Failures that go away by themselves. */
function passing({ status, reason }: Failure): boolean {
  if (/^(SESSION_BUSY|CALL_RATE|RATE|BUSY)$/.test(reason ?? '')) return true
  return reason !== 'DRAINING' && (status === 'UNAVAILABLE' || status === 'DEADLINE_EXCEEDED')
}
