// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type {
  CaptureOptions, Engine, EngineConfig, EngineEvents, LoginOptions, PlayerConfig, PlayerPreference, PublisherConfig, RoomMode,
  RoomState, StreamInfo, StreamRef, User,
} from './api.js'
import { capture, recapture, stop } from './capture.js'
import { Connection, asError, destroyed, short } from './connection.js'
import { ErrorCode, SwitchyardError } from './errors.js'
import { Listeners } from './events.js'
import { Messages } from './messages.js'
import { Order } from './order.js'
import type { Peer } from './peer.js'
import { Player, wire } from './player.js'
import { Publication, Source } from './publication.js'
import { Meter } from './quality.js'
import { Room } from './room.js'
import { lost } from './signal.js'
import type { Notice, Playing, Reply, Welcome, WireRoom, WireStream } from './wire.js'

/** The engine: rooms, publications and players of one user. */
export class Client implements Engine {
  readonly #listeners = new Listeners()
  readonly #emit = this.#listeners.emit
  readonly #order = new Order()
  readonly #rooms = new Map<string, Room>()
  readonly #publications = new Map<string, Publication>()
  readonly #sources = new Map<MediaStream, Source>()
  readonly #players = new Map<string, Player>()
  readonly #connection: Connection
  readonly #messages: Messages
  readonly #meter: Meter
  #gone: Promise<void> | undefined

  constructor(config: EngineConfig, url: string, private readonly mode: RoomMode, private readonly freed: () => void) {
    this.#connection = new Connection(config, url, mode, {
      emit: this.#emit,
      notice: (notice) => this.#notice(notice),
      inband: (message) => this.#messages.inband(message),
      restore: (welcome) => this.#restore(welcome),
      interrupted: () => {
        for (const room of this.#rooms.values()) {
          if (room.state === 'in' && !room.away) this.#tell(room, 'reconnecting')
          room.away = true
        }
      },
      ended: (error) => this.#ended(error),
    })
    this.#messages = new Messages(this.#rooms, this.#emit)
    this.#meter = new Meter(config.qualityInterval ?? 2000, this.#emit, () => this.#connection.peer?.pc, this.#publications, this.#players)
  }

  loginRoom(roomID: string, user: User, options: LoginOptions = {}): Promise<void> {
    return this.#do([[roomID, true]], async () => {
      const known = this.#rooms.get(roomID)
      const room = known ?? new Room(roomID, user, options.token, this.#emit)
      if (!known) {
        this.#rooms.set(roomID, room)
        this.#tell(room, 'logging-in')
      }
      this.#connection.connect()
      try {
        const state = await this.#connection.run(() => this.#enter(room, user))
        this.#entered(room, state, 'logged-in')
      } catch (e) {
        if (!known && this.#rooms.get(roomID) === room) {
          this.#rooms.delete(roomID)
          this.#tell(room, 'login-failed', e)
        }
        throw e
      }
    })
  }

  logoutRoom(roomID?: string): Promise<void> {
    const all = roomID === undefined
    const ids = all ? [...new Set([...this.#rooms.keys(), ...this.#asked()])] : [roomID]
    return this.#do(ids.map((id) => [id, true]), async () => {
      const rooms = ids.map((id) => this.#rooms.get(id)).filter((r) => r !== undefined)
      if (!rooms.length) return
      for (const room of rooms) room.state = 'leaving'
      try {
        await this.#stop({ logoutRoom: all ? {} : { roomId: roomID } }, /^(NOT_A_MEMBER|NOT_IN_ROOM|ROOM_NOT_FOUND)$/)
      } catch (e) {
        for (const room of rooms) room.state = 'in'
        throw e
      }
      for (const room of rooms) this.#leave(room, 'logged-out')
    })
  }

  switchRoom(fromRoomID: string, toRoomID: string, options: LoginOptions = {}): Promise<void> {
    return this.#do([[fromRoomID, true], [toRoomID, true]], async () => {
      const from = this.#room(fromRoomID)
      const room = new Room(toRoomID, from.user, options.token, this.#emit)
      if (this.#rooms.has(toRoomID)) throw new SwitchyardError(0, 'ALREADY_IN_ROOM', `already in ${toRoomID}`)
      this.#rooms.set(toRoomID, room)
      this.#tell(room, 'logging-in')
      from.state = 'leaving'
      let first: Peer | undefined
      try {
        const state = await this.#connection.run(async (peer) => {
          first ??= peer
          if (first !== peer) return this.#enter(room, room.user)
          const token = room.token ?? ''
          const done = (w: Welcome): Reply | undefined => inRoom(w, fromRoomID) ? undefined : answer('room', inRoom(w, toRoomID))
          const reply = await this.#connection.request({ switchRoom: { fromRoomId: fromRoomID, toRoomId: toRoomID, token } }, done)
          return reply.room as WireRoom
        })
        this.#leave(from, 'logged-out')
        this.#entered(room, state, 'logged-in')
      } catch (e) {
        from.state = 'in'
        this.#rooms.delete(toRoomID)
        this.#tell(room, 'login-failed', e)
        throw e
      }
    })
  }

  renewToken(token: string, roomID = ''): Promise<void> {
    return this.#do([], async () => {
      const room = this.#rooms.get(roomID)
      if (room) room.token = token
      await this.#connection.renew(token, roomID)
    })
  }

  get rooms(): readonly string[] {
    return [...this.#rooms.values()].filter((r) => r.state !== 'entering').map((r) => r.id)
  }

  streams(roomID: string): StreamInfo[] {
    return [...(this.#rooms.get(roomID)?.streams.values() ?? [])]
  }

  users(roomID: string): User[] {
    return [...(this.#rooms.get(roomID)?.users.values() ?? [])]
  }

  extraInfo(roomID: string): Record<string, string> {
    return Object.fromEntries(this.#rooms.get(roomID)?.info ?? [])
  }

  async createStream(options: CaptureOptions): Promise<MediaStream> {
    return capture(options).catch((e) => { throw asError(e) })
  }

  destroyStream(stream: MediaStream): void {
    stop(stream)
  }

  async startPublishingStream(streamID: string, config: PublisherConfig = {}): Promise<void> {
    const roomID = this.#roomID(config.roomID, ErrorCode.PublishRoomRequired, ErrorCode.PublishRoomEmpty)
    const publication = new Publication(roomID, streamID, config)
    const { key } = publication
    const before = this.#publications.get(key)
    if (before && !before.stopping) {
      throw new SwitchyardError(ErrorCode.AlreadyPublishing, 'ALREADY_PUBLISHING', `${streamID} is being published in ${roomID}`)
    }
    this.#publications.set(key, publication)
    await this.#do([[roomID, false], [`publish ${key}`, true]], async () => {
      try {
        this.#room(roomID)
        this.#tellPublisher(publication, 'requesting')
        publication.source = await this.#source(config)
        publication.source.publications.add(publication)
        await this.#connection.run((peer) => this.#publish(publication, peer))
        this.#tellPublisher(publication, 'publishing')
      } catch (e) {
        this.#unpublish(publication, asError(e).code)
        throw e
      }
    })
  }

  stopPublishingStream(streamID: string, ref?: StreamRef): Promise<void> {
    return this.#each(this.#publications, streamID, ref, (publication) => {
      publication.stopping = true
      return this.#do([[publication.roomID, false], [`publish ${publication.key}`, true]], async () => {
        if (publication.state === 'stopped') return
        const { roomID, streamID } = publication
        await this.#stop({ stopPublishing: { roomId: roomID, streamId: streamID } }, /^(STREAM_NOT_FOUND|NOT_A_MEMBER|NOT_IN_ROOM|ROOM_NOT_FOUND)$/)
        const room = this.#rooms.get(roomID)
        if (room && !room.ended.delete(streamID)) room.ending.add(streamID)
        this.#unpublish(publication, 0)
      })
    })
  }

  async replaceTrack(stream: MediaStream, track: MediaStreamTrack): Promise<void> {
    await this.#replace(stream, track)
  }

  async useDevice(stream: MediaStream, kind: 'audio' | 'video', deviceID: string): Promise<void> {
    const before = stream.getTracks().find((t) => t.kind === kind)
    const track = await recapture(before, kind, deviceID).catch((e) => { throw asError(e) })
    await this.#replace(stream, track)
    before?.stop()
  }

  mutePublishStream(streamID: string, mute: { audio?: boolean; video?: boolean }, ref?: StreamRef): Promise<void> {
    return this.#each(this.#publications, streamID, ref, async (publication) => {
      publication.muted = { ...publication.muted, ...mute }
      await this.#update(publication, { ...muting(mute) })
    }, true)
  }

  setStreamExtraInfo(streamID: string, extraInfo: string, ref?: StreamRef): Promise<void> {
    return this.#each(this.#publications, streamID, ref, (publication) => {
      publication.config.extraInfo = extraInfo
      return this.#update(publication, { metadata: extraInfo })
    }, true)
  }

  async startPlayingStream(streamID: string, config: PlayerConfig = {}): Promise<MediaStream> {
    const roomID = this.#roomID(config.roomID, ErrorCode.PlayRoomRequired, ErrorCode.PlayRoomEmpty)
    const player = new Player(roomID, streamID, { ...config })
    const { key } = player
    const before = this.#players.get(key)
    if (before?.started && !before.stopping) return before.started
    this.#players.set(key, player)
    player.started = this.#do([[roomID, false], [`play ${key}`, true]], async () => {
      try {
        this.#room(roomID)
        this.#tellPlayer(player)
        await this.#connection.run((peer) => this.#play(player, peer))
        return player.media
      } catch (e) {
        this.#unplay(player, asError(e).code)
        throw e
      }
    })
    return player.started
  }

  stopPlayingStream(streamID: string, ref?: StreamRef): Promise<void> {
    return this.#each(this.#players, streamID, ref, (player) => {
      player.stopping = true
      return this.#do([[player.roomID, false], [`play ${player.key}`, true]], async () => {
        if (player.over) return
        await this.#stop({ stopPlaying: { id: player.id } }, /^(SUBSCRIPTION_NOT_FOUND|NOT_A_MEMBER|NOT_IN_ROOM|ROOM_NOT_FOUND)$/)
        this.#unplay(player, 0)
      })
    })
  }

  async switchPlayingStream(from: { streamID: string; roomID?: string }, to: { streamID: string; roomID?: string }): Promise<MediaStream> {
    const fromID = this.#roomID(from.roomID, ErrorCode.PlayRoomRequired, ErrorCode.PlayRoomEmpty)
    const toID = this.#roomID(to.roomID, ErrorCode.PlayRoomRequired, ErrorCode.PlayRoomEmpty)
    const fromKey = `${fromID}\n${from.streamID}`
    const toKey = `${toID}\n${to.streamID}`
    return this.#do([[fromID, false], [toID, false], [`play ${fromKey}`, true], [`play ${toKey}`, true]], async () => {
      const player = this.#players.get(fromKey)
      if (!player || player.stopping) throw new SwitchyardError(0, 'NOT_PLAYING', `${from.streamID} is not played`)
      this.#room(toID)
      const reply = await this.#connection.run(() =>
        this.#connection.request({ switchPlaying: { id: player.id, roomId: toID, streamId: to.streamID } }))
      this.#playing(reply.playing as Playing)
      return player.media
    })
  }

  updatePlayingStream(streamID: string, preference: PlayerPreference, ref?: StreamRef): Promise<void> {
    return this.#each(this.#players, streamID, ref, (player) => {
      player.config.preference = preference
      return this.#do([[player.roomID, false], [`play ${player.key}`, true]], async () => {
        await this.#connection.run(() => this.#prefer(player))
      })
    }, true)
  }

  sendBroadcastMessage(roomID: string, text: string): Promise<string> {
    return this.#send(roomID, 'BROADCAST', text)
  }

  sendBarrageMessage(roomID: string, text: string): Promise<string> {
    return this.#send(roomID, 'BARRAGE', text)
  }

  sendCustomCommand(roomID: string, text: string, toUserIDs: string[] = []): Promise<string> {
    return this.#send(roomID, 'COMMAND', text, toUserIDs)
  }

  setRoomExtraInfo(roomID: string, key: string, value: string | undefined): Promise<void> {
    return this.#ask(roomID, { setRoomMetadata: { roomId: roomID, key, value } })
  }

  kickUser(roomID: string, userID: string, { reason = '', banSeconds = 0 } = {}): Promise<void> {
    return this.#ask(roomID, { kickUser: { roomId: roomID, userId: userID, reason, banSeconds } })
  }

  closeRoom(roomID: string, reason = ''): Promise<void> {
    return this.#ask(roomID, { closeRoom: { roomId: roomID, reason } })
  }

  muteStreamOf(roomID: string, streamID: string, mute: { audio?: boolean; video?: boolean }): Promise<void> {
    return this.#ask(roomID, { updatePublishing: { roomId: roomID, streamId: streamID, ...muting(mute) } })
  }

  on<E extends keyof EngineEvents>(event: E, listener: EngineEvents[E]): this {
    this.#listeners.on(event, listener)
    return this
  }

  off<E extends keyof EngineEvents>(event: E, listener: EngineEvents[E]): this {
    this.#listeners.off(event, listener)
    return this
  }

  get peerConnection(): RTCPeerConnection | undefined {
    return this.#connection.peer?.pc
  }

  get connections(): number {
    return this.#connection.connections
  }

  get negotiations(): number {
    return this.#connection.offers
  }

  destroy(): Promise<void> {
    return (this.#gone ??= (async () => {
      this.freed()
      this.#meter.stop()
      await this.#connection.destroy()
      for (const room of [...this.#rooms.values()]) this.#leave(room, 'logged-out')
    })())
  }

  // What calls are made of.

  /** Runs work in its turn. */
  #do<T>(needs: [string, boolean][], work: () => Promise<T>): Promise<T> {
    const result = this.#order.run(needs, async () => {
      if (this.#gone) throw destroyed()
      return work().catch((e) => { throw asError(e) })
    })
    result.catch(() => {}) // who calls may look away; what went wrong is told as a state too
    return result
  }

  /** Rooms that calls wait for. */
  #asked(): string[] {
    return this.#order.names().filter((name) => !/^(publish|play) /.test(name))
  }

  #roomID(roomID: string | undefined, required: number, empty: number): string {
    if (this.mode === 'single') return roomID || ([...this.#rooms.keys()][0] ?? this.#asked()[0] ?? '')
    if (roomID) return roomID
    throw new SwitchyardError(roomID === '' ? empty : required, 'ROOM_ID_REQUIRED', 'in room mode multi the room has to be named')
  }

  /** The room, which the user has to be in. */
  #room(roomID: string): Room {
    const room = this.#rooms.get(roomID)
    if (room?.state === 'in') return room
    throw new SwitchyardError(ErrorCode.NotLoggedIn, 'NOT_A_MEMBER', `not logged in to ${roomID || 'any room'}`)
  }

  /** Does something to each publication or player of the id. */
  async #each<T extends Publication | Player>(
    all: Map<string, T>, streamID: string, ref: StreamRef | undefined, work: (one: T) => Promise<void>, needed = false,
  ): Promise<void> {
    const found = [...all.values()].filter((one) => one.streamID === streamID && !one.stopping && (!ref?.roomID || one.roomID === ref.roomID))
    if (needed && !found.length) throw new SwitchyardError(0, 'STREAM_NOT_FOUND', `there is no ${streamID}`)
    await Promise.all(found.map(work))
  }

  /** Asks for the end of something; that it has ended by itself is as good. */
  async #stop(request: Record<string, object>, fine: RegExp): Promise<void> {
    let first: Peer | undefined
    try {
      await this.#connection.run(async (peer) => {
        first ??= peer
        if (first === peer) await this.#connection.request(request)
      })
    } catch (e) {
      if (!fine.test(asError(e).reason)) throw e
    }
  }

  /** A request of a member. */
  #ask(roomID: string, request: Record<string, object>): Promise<void> {
    return this.#do([[roomID, false]], async () => {
      this.#room(roomID)
      await this.#connection.run(() => this.#connection.request(request))
    })
  }

  #send(roomID: string, kind: string, text: string, toUsers: string[] = []): Promise<string> {
    const clientMessageId = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join('')
    return this.#do([[roomID, false]], async () => {
      this.#room(roomID)
      const sendMessage = { roomId: roomID, kind: `MESSAGE_KIND_${kind}`, toUsers, text, clientMessageId }
      const { sent } = await this.#connection.run(() => this.#connection.request({ sendMessage }))
      return sent?.messageId ?? ''
    })
  }

  // Rooms.

  async #enter(room: Room, user: User | undefined): Promise<WireRoom> {
    const id = user?.userID
    const request = async (): Promise<WireRoom> => {
      const loginRoom = { roomId: room.id, token: room.token ?? '', ...(user && { user: { id, name: user.userName || id } }) }
      const reply = await this.#connection.request({ loginRoom })
      return reply.room as WireRoom
    }
    try {
      return await request()
    } catch (e) {
      if ((e as SwitchyardError).code !== ErrorCode.BadToken) throw e
      const token = await this.#connection.token({ reason: 'refused', roomID: room.id }, room.id).catch(() => undefined)
      if (!token) throw e
      room.token = token
      return request()
    }
  }

  #entered(room: Room, state: WireRoom, how: RoomState): void {
    const fresh = room.state === 'entering'
    room.state = 'in'
    if (fresh || how !== 'logged-in') this.#tell(room, how)
    room.away = false
    room.update(state)
  }

  /** The user is not in the room any more: ends what it has there. */
  #leave(room: Room, state: RoomState, why?: unknown): void {
    const code = why ? asError(why).code : 0
    this.#rooms.delete(room.id)
    for (const publication of [...this.#publications.values()]) if (publication.roomID === room.id) this.#unpublish(publication, code)
    for (const player of [...this.#players.values()]) if (player.roomID === room.id) this.#unplay(player, code)
    this.#tell(room, state, why)
    if (state === 'kicked-out') this.#emit('kickedOut', room.id, code, asError(why).message)
  }

  #tell(room: Room, state: RoomState, why?: unknown): void {
    const { code, message } = why ? asError(why) : { code: 0, message: '' }
    this.#emit('roomStateChanged', room.id, state, code, message)
  }

  // Publications.

  async #source(config: PublisherConfig): Promise<Source> {
    const own = !config.stream
    const known = own ? [...this.#sources.values()].find((s) => s.own) : this.#sources.get(config.stream as MediaStream)
    if (known) return known
    const source = new Source(config.stream ?? await capture({ camera: true, microphone: true }), config, own)
    if (!source.stream.getTracks().length) throw new SwitchyardError(1000017, 'MEDIA_REQUIRED', 'the stream has no tracks')
    this.#sources.set(source.stream, source)
    return source
  }

  async #publish(publication: Publication, peer: Peer): Promise<void> {
    const { roomID, streamID, config, muted, source } = publication
    if (!source) return
    const mids = await source.attach(peer)
    const done = (w: Welcome): Reply | undefined => answer('stream', own(inRoom(w, roomID), streamID))
    await this.#connection.request({ startPublishing: { roomId: roomID, streamId: streamID, ...mids, metadata: config.extraInfo ?? '' } }, done)
    if (muted.audio || muted.video) {
      await this.#connection.request({ updatePublishing: { roomId: roomID, streamId: streamID, ...muting(muted) } })
    }
  }

  #unpublish(publication: Publication, code: number): void {
    const { key, source } = publication
    if (this.#publications.get(key) === publication) this.#publications.delete(key)
    if (source?.remove(publication)) this.#sources.delete(source.stream)
    this.#tellPublisher(publication, 'stopped', code)
  }

  #tellPublisher(publication: Publication, state: Publication['state'], code = 0): void {
    if (publication.state === 'stopped') return
    publication.state = state
    this.#emit('publisherStateUpdate', publication.streamID, publication.roomID, state, code)
  }

  #update(publication: Publication, what: object): Promise<void> {
    const { roomID, streamID, key } = publication
    return this.#do([[roomID, false], [`publish ${key}`, true]], async () => {
      await publication.source?.tell()
      await this.#connection.run(() => this.#connection.request({ updatePublishing: { roomId: roomID, streamId: streamID, ...what } }))
    })
  }

  async #replace(stream: MediaStream, track: MediaStreamTrack): Promise<void> {
    const source = this.#sources.get(stream) ?? new Source(stream, {}, false)
    if (!source.track(track.kind as 'audio') && source.publications.size) {
      throw new SwitchyardError(1000017, 'INVALID_ARGUMENT', `the stream is published without ${track.kind}`)
    }
    await source.replace(track).catch((e) => { throw asError(e) })
  }

  // Players.

  async #play(player: Player, peer: Peer): Promise<void> {
    await peer.connected
    const reply = await this.#connection.request(player.request())
    this.#playing(reply.playing as Playing, player)
    if (player.config.preference?.paused) await this.#prefer(player)
  }

  async #prefer(player: Player): Promise<void> {
    const { preference = {} } = player.config
    const reply = await this.#connection.request({ updatePlaying: { id: player.id, ...wire(preference), paused: !!preference.paused } })
    this.#playing(reply.playing as Playing, player)
  }

  /** The node says where a player stands. */
  #playing(playing: Playing, known?: Player): void {
    const all = [...this.#players.values()]
    const key = `${playing.roomId}\n${playing.streamId}`
    const player = known ?? all.find((p) => p.id === playing.id) ?? all.find((p) => !p.id && p.key === key)
    if (!player || player.over) return
    const { key: before, roomID, streamID, state } = player
    player.apply(playing, this.#connection.peer)
    if (key !== before) {
      if (this.#players.get(before) === player) this.#players.delete(before)
      this.#players.set(key, player)
      this.#emit('playerStateUpdate', streamID, roomID, 'stopped', 0)
    }
    if (player.over) this.#unplay(player, 0)
    else if (player.state !== state || key !== before) this.#tellPlayer(player)
    if (playing.state === 'SUBSCRIPTION_STATE_NEEDS_NEGOTIATION') this.#grow()
  }

  /** Has lines for the players that lack them. */
  #grow(audio = 0, video = 0): void {
    if (!audio && !video) {
      for (const { playing: p, roomID, streamID } of this.#players.values()) {
        if (p?.state !== 'SUBSCRIPTION_STATE_NEEDS_NEGOTIATION') continue
        const stream = this.#rooms.get(roomID)?.streams.get(streamID)
        if (p.audio && !p.audioMid && stream?.audio !== false) audio++
        if (p.video && !p.videoMid && stream?.video !== false) video++
      }
    }
    this.#connection.peer?.grow(audio, video)
  }

  #unplay(player: Player, code: number): void {
    const { key } = player
    if (this.#players.get(key) === player) this.#players.delete(key)
    player.feed([])
    player.state = 'stopped'
    this.#tellPlayer(player, code)
  }

  #tellPlayer(player: Player, code = 0): void {
    if (player.told) return
    player.told = player.state === 'stopped'
    this.#emit('playerStateUpdate', player.streamID, player.roomID, player.state, code)
  }

  // What the node says.

  #notice(notice: Notice): void {
    const { room: whole, roomEnded, users, streams, roomMetadata, speakers, tokenWillExpire: expiring } = notice
    const room = this.#rooms.get((whole ?? roomEnded ?? users ?? streams ?? roomMetadata ?? speakers ?? expiring)?.roomId ?? '')
    if (notice.playing) this.#playing(notice.playing)
    else if (notice.message) this.#messages.deliver(notice.message)
    else if (notice.sessionEnded) this.#connection.sessionEnded(notice.sessionEnded)
    else if (notice.negotiationNeeded) this.#grow(notice.negotiationNeeded.audio, notice.negotiationNeeded.video)
    else if (expiring) void this.#expiring(room, Number(expiring.expiresInMs ?? 0))
    else if (whole) this.#whole(room, whole)
    else if (room && users) room.changeUsers(users)
    else if (room && streams) {
      room.changeStreams(streams)
      for (const stream of streams.removed ?? []) if (stream.own) this.#ownEnded(room, stream)
    } else if (room && roomMetadata) room.changeInfo(roomMetadata.key, roomMetadata.value)
    else if (room && speakers) {
      this.#emit('activeSpeakers', room.id, (speakers.speakers ?? []).map((s) => ({ streamID: s.streamId, userID: s.userId, level: s.level ?? 0 })))
    } else if (room && roomEnded && room.state !== 'leaving') {
      const code = roomEnded.code || (roomEnded.reason === 'END_REASON_EXPIRED' ? ErrorCode.TokenExpired : ErrorCode.KickedOut)
      this.#leave(room, 'kicked-out', new SwitchyardError(code, short(roomEnded.reason), roomEnded.detail || short(roomEnded.reason)))
    }
  }

  /** A room anew: events were missed, or somebody took the user there. */
  #whole(room: Room | undefined, state: WireRoom): void {
    if (room?.state === 'in') room.update(state)
    else if (!room) {
      const fresh = new Room(state.roomId, [...this.#rooms.values()][0]?.user, undefined, this.#emit)
      this.#rooms.set(fresh.id, fresh)
      this.#entered(fresh, state, 'logged-in')
    }
  }

  /** An own stream has ended: as asked for, or by somebody else's hand. */
  #ownEnded(room: Room, { streamId, reason }: WireStream): void {
    const publication = this.#publications.get(`${room.id}\n${streamId}`)
    if (room.ending.delete(streamId) || room.state === 'leaving') return
    if (publication?.state === 'publishing' && !publication.stopping) {
      this.#unpublish(publication, /GRANTS/.test(reason ?? '') ? ErrorCode.PublishDenied : 1003020)
    } else room.ended.add(streamId)
  }

  async #expiring(room: Room | undefined, left: number): Promise<void> {
    const own = room?.token ? room.id : ''
    try {
      const token = await this.#connection.token({ reason: 'expiring', ...(room && { roomID: room.id }) }, own)
      if (token) {
        await this.renewToken(token, own)
        return
      }
    } catch (e) {
      this.#emit('error', asError(e))
    }
    if (!this.#gone) this.#emit('tokenWillExpire', room?.id ?? '', left)
  }

  /** The session is over, and nothing will bring it back. */
  #ended(error: SwitchyardError): void {
    for (const room of [...this.#rooms.values()]) {
      if (room.state === 'in') this.#leave(room, 'kicked-out', error)
      else if (room.state === 'leaving') this.#leave(room, 'logged-out')
    }
  }

  /** Makes the session what it was, or what it should be by now. */
  async #restore(welcome: Welcome): Promise<void> {
    const { peer } = this.#connection
    if (!peer) return
    this.#meter.start()
    for (const state of welcome.rooms ?? []) if (!this.#rooms.has(state.roomId)) this.#whole(undefined, state)
    if (!welcome.resumed) for (const player of this.#players.values()) player.id = ''
    for (const playing of welcome.playing ?? []) this.#playing(playing)
    const live = new Set((welcome.playing ?? []).map((p) => p.id))
    await Promise.all([...this.#rooms.values()].filter((r) => r.state === 'in').map(async (room) => {
      try {
        const state = inRoom(welcome, room.id) ?? await this.#enter(room, room.user)
        if (peer !== this.#connection.peer || room.state !== 'in') return
        if (room.away) this.#entered(room, state, 'reconnected')
        else room.update(state)
        await this.#bringBack(room, state, peer, live)
      } catch (e) {
        if (e !== lost && peer === this.#connection.peer && room.state === 'in') this.#leave(room, 'kicked-out', e)
      }
    }))
  }

  /** Publishes and plays again what a room lacks. */
  async #bringBack(room: Room, state: WireRoom, peer: Peer, live: Set<string>): Promise<void> {
    const work: Promise<void>[] = []
    const again = async (one: () => Promise<void>, failed: (code: number) => void): Promise<void> => {
      try {
        await one()
      } catch (e) {
        if (e === lost || peer !== this.#connection.peer) return
        failed(asError(e).code)
      }
    }
    for (const publication of this.#publications.values()) {
      if (publication.roomID !== room.id || publication.state !== 'publishing' || publication.stopping || own(state, publication.streamID)) continue
      this.#tellPublisher(publication, 'requesting')
      publication.state = 'publishing' // until it is known better
      work.push(again(async () => {
        await this.#publish(publication, peer)
        this.#tellPublisher(publication, 'publishing')
      }, (code) => this.#unpublish(publication, code)))
    }
    for (const player of this.#players.values()) {
      if (player.roomID !== room.id || !player.playing || player.stopping || live.has(player.id)) continue
      work.push(again(() => this.#play(player, peer), (code) => this.#unplay(player, code)))
    }
    await Promise.all(work)
  }
}

function muting({ audio, video }: { audio?: boolean; video?: boolean }): object {
  return { ...(audio !== undefined && { audioMuted: audio }), ...(video !== undefined && { videoMuted: video }) }
}

function inRoom(welcome: Welcome, roomID: string): WireRoom | undefined {
  return welcome.rooms?.find((r) => r.roomId === roomID)
}

function own(room: WireRoom | undefined, streamID: string): WireStream | undefined {
  return room?.streams?.find((s) => s.own && s.streamId === streamID)
}

/** The answer that Welcome implies. */
function answer<K extends 'room' | 'stream'>(kind: K, what: Reply[K]): Reply | undefined {
  return what && { id: 0, [kind]: what }
}


