// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { EngineConfig, RoomMode, TokenReason } from './api.js'
import { SwitchyardError } from './errors.js'
import type { Emit } from './events.js'
import { Peer } from './peer.js'
import { Signal, lost } from './signal.js'
import type { Notice, Reply, Request, Welcome } from './wire.js'

export interface ConnectionOwner {
  emit: Emit
  notice(notice: Notice): void
  inband(message: Record<string, unknown>): void
  /** A session began or goes on: brings back what it lacks. */
  restore(welcome: Welcome): Promise<void>
  /** Signaling, or all of the session, is gone for now. */
  interrupted(): void
  /** It is over and will not be tried again. */
  ended(error: SwitchyardError): void
}

/** A session at a time: its signaling and its PeerConnection. */
export class Connection {
  peer: Peer | undefined
  /** PeerConnections made. */
  connections = 0
  #offers = 0
  #token = ''
  readonly #asked = new Map<string, Promise<string>>()
  #closed = false
  #usable: Promise<void> = Promise.resolve()
  /** Ends the wait for a session, while there is none. */
  #begin: { resolve: () => void; reject: (error: SwitchyardError) => void } | undefined
  #network = connectionType()
  readonly #signal: Signal

  constructor(
    private readonly config: EngineConfig,
    url: string,
    readonly mode: RoomMode,
    private readonly owner: ConnectionOwner,
  ) {
    this.#signal = new Signal(url, mode === 'multi' ? 'ROOM_MODE_MULTI' : 'ROOM_MODE_SINGLE', config.reconnectFor ?? 1_200_000, {
      token: (refused) => this.#hello(refused),
      welcome: (welcome) => this.#welcome(welcome),
      lost: () => {
        this.#dropPeer()
        this.#wait()
      },
      notice: (notice) => owner.notice(notice),
      state: (state) => {
        if (state === 'disconnected') owner.interrupted()
        owner.emit('signalingStateChanged', state)
      },
      ended: (error) => this.#end(error),
    })
    this.#listen(true)
  }

  get offers(): number {
    return this.#offers + (this.peer?.offers ?? 0)
  }

  /** There is a session, or one is being made. */
  get open(): boolean {
    return this.#begin !== undefined || this.peer !== undefined
  }

  connect(): void {
    if (this.open) return
    this.#wait()
    this.#signal.connect()
  }

  /** Does what needs a session, and again in the next one when the session is lost meanwhile. */
  async run<T>(work: (peer: Peer) => Promise<T>): Promise<T> {
    for (;;) {
      const usable = this.#usable
      await usable
      if (usable !== this.#usable) continue // lost again while it was brought back
      const { peer } = this
      if (!peer) throw this.#closed ? destroyed() : new SwitchyardError(1002002, 'NOT_A_MEMBER', 'not logged in to any room')
      try {
        return await work(peer)
      } catch (e) {
        // Work that a PeerConnection failed is done again too, when that one is no more.
        if (e !== lost && (e instanceof SwitchyardError || this.peer === peer)) throw asError(e)
      }
    }
  }

  request(request: Request, settled?: (welcome: Welcome) => Reply | undefined): Promise<Reply> {
    return this.#signal.request(request, settled)
  }

  /** The session is over by the node's word. */
  sessionEnded({ reason, detail, code }: NonNullable<Notice['sessionEnded']>): void {
    if (code || /DUPLICATE_USER|SESSION_CLOSED|KICKED/.test(reason ?? '')) {
      this.#end(new SwitchyardError(code || (reason?.includes('DUPLICATE') ? 1002050 : 1002055), short(reason), detail ?? 'the session was ended'))
    } else this.#signal.renew()
  }

  /** Asks the function for tokens, if there is one; once for all who want the one with this key at the same time. */
  async token(why: TokenReason, key = ''): Promise<string | undefined> {
    const { token } = this.config
    if (typeof token !== 'function') return undefined
    const asked = this.#asked.get(key) ?? (async () => token(why))().finally(() => this.#asked.delete(key))
    this.#asked.set(key, asked)
    return asked
  }

  /** Shows a newer token. */
  async renew(token: string, roomID: string): Promise<void> {
    if (!roomID) this.#token = token
    if (this.open) await this.run(() => this.#signal.request({ renewToken: { roomId: roomID, token } }))
  }

  /** Ends the session and everything. */
  async destroy(): Promise<void> {
    this.#closed = true
    this.#listen(false)
    if (this.peer) {
      let timer: ReturnType<typeof setTimeout> | undefined
      const enough = new Promise((resolve) => { timer = setTimeout(resolve, 1000) })
      await Promise.race([this.#signal.request({ goodbye: {} }).catch(() => {}), enough])
      clearTimeout(timer)
    }
    this.#close(destroyed())
  }

  async #hello(refused: boolean): Promise<string> {
    const { token } = this.config
    if (typeof token === 'string') return (this.#token ||= token)
    if (refused || !this.#token) {
      try {
        this.#token = (await this.token({ reason: refused ? 'refused' : 'first' })) ?? ''
      } catch (e) {
        throw new SwitchyardError(1002033, 'NO_TOKEN', `the function for tokens failed: ${String(e)}`)
      }
    }
    return this.#token
  }

  #welcome(welcome: Welcome): void {
    const { session } = welcome
    if (!welcome.resumed || !this.peer) {
      this.#dropPeer()
      const { audio = 4, video = 4 } = this.config.spareSlots ?? {}
      const iceServers = (session.iceServers ?? []).map(({ urls = [], ...rest }) => ({ urls, ...rest }))
      this.connections++
      const peer = new Peer({ iceServers, ...this.config.peer }, { audio, video }, Number(session.offerId ?? 0), {
        send: (request) => this.#signal.request(request),
        state: (state) => {
          if (state === 'connected') this.#signal.well()
          this.owner.emit('mediaStateChanged', state)
        },
        inband: (text) => this.#inband(peer, text),
        failed: (e) => { if (e !== lost && this.peer === peer) this.owner.emit('error', asError(e)) },
        broken: () => this.#signal.renew(),
      })
      this.peer = peer
    } else if (this.peer.pc.connectionState === 'connected') this.#signal.well()
    const begin = this.#begin
    this.#begin = undefined
    this.#usable = this.owner.restore(welcome)
    this.#usable.then(begin?.resolve, begin?.reject)
  }

  #inband(peer: Peer, text: string): void {
    let message: Record<string, unknown>
    try {
      message = JSON.parse(text)
    } catch {
      return
    }
    if (message.type === 'layers') peer.layers(message.mid as string, message.layers as [])
    else this.owner.inband(message)
  }

  /** Has whoever needs a session wait for the next one. */
  #wait(): void {
    if (this.#begin) return
    this.#usable = new Promise((resolve, reject) => { this.#begin = { resolve, reject } })
    this.#usable.catch(() => {})
  }

  #dropPeer(): void {
    const { peer } = this
    this.peer = undefined
    this.#offers += peer?.offers ?? 0
    peer?.close()
  }

  #end(error: SwitchyardError): void {
    this.#close(error)
    this.owner.ended(error)
  }

  #close(error: SwitchyardError): void {
    this.#begin?.reject(error)
    this.#begin = undefined
    this.#usable = Promise.resolve()
    this.#dropPeer()
    this.#signal.close(error)
    this.owner.emit('signalingStateChanged', 'disconnected')
  }

  readonly #online = (): void => {
    this.#signal.nudge()
    this.peer?.restart()
  }

  readonly #moved = (): void => {
    const type = connectionType()
    // Estimates of speed change all the time; only another kind of network is another way.
    if (type !== this.#network) this.#online()
    this.#network = type
  }

  readonly #hidden = (e: Event): void => {
    if (!(e as PageTransitionEvent).persisted) this.#signal.say({ goodbye: {} })
  }

  #listen(on: boolean): void {
    const change = on ? 'addEventListener' : 'removeEventListener'
    globalThis[change]?.('online', this.#online)
    globalThis[change]?.('pagehide', this.#hidden)
    network()?.[change]('change', this.#moved)
  }
}

function network(): (EventTarget & { type?: string }) | undefined {
  return (globalThis.navigator as { connection?: EventTarget } | undefined)?.connection
}

function connectionType(): string | undefined {
  return network()?.type
}

export function destroyed(): SwitchyardError {
  return new SwitchyardError(1000001, 'DESTROYED', 'the engine was destroyed')
}

/** An enum value without the name of its enum. */
export function short(reason: string | undefined): string {
  return (reason ?? '').replace(/^END_REASON_/, '')
}

/** What promises are rejected with. */
export function asError(e: unknown): SwitchyardError {
  if (e instanceof SwitchyardError) return e
  const { name = 'Error', message = String(e) } = e as Error
  return new SwitchyardError(0, name.replace(/Error$/, '').replace(/(?<=.)(?=[A-Z])/g, '_').toUpperCase() || 'INTERNAL', message)
}
