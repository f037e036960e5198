// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type { Engine, EngineConfig, RoomMode, RoomState, StreamRef, User } from './api.js'
import { capture, recapture, stopTracks } from './capture.js'
import { createConnection } from './connection.js'
import { ErrorCode, SwitchyardError } from './errors.js'
import { createListeners } from './events.js'
import { asError, fail, short } from './failure.js'
import { createMessages } from './messages.js'
import { type Need, createOrder } from './order.js'
import type { Kind, Peer } from './peer.js'
import { type Player, feed, playerStates, wanted } from './player.js'
import { type Publication, createSource, type Source } from './publication.js'
import { type Measured, createMeter } from './quality.js'
import { type Room, createRoom } from './room.js'
import { lost } from './signal.js'
import type { Notice, Playing, Request, Welcome, WireMessage, WireRoom, WireStream } from './wire.js'

/** What a request to end something may fail with when it has ended already. */
const over = /^(NOT_A_MEMBER|NOT_IN_ROOM|(ROOM|STREAM|SUBSCRIPTION)_NOT_FOUND)$/

const needsLines = 'SUBSCRIPTION_STATE_NEEDS_NEGOTIATION'

/** The engine: rooms, publications and players of one user. freed is called when it is destroyed. */
export function createClient(config: EngineConfig, url: string, mode: RoomMode, freed: () => void): Engine {
  const { on, off, emit } = createListeners()
  const inTurn = createOrder()
  const deliver = createMessages(emit)
  const measure = createMeter()
  const rooms = new Map<string, Room>()
  const entering = new Set<string>() // rooms whose login waits or runs
  const publications = new Map<string, Publication>()
  const sources = new Map<MediaStream, Source>()
  const players = new Map<string, Player>()
  const meter = config.qualityInterval === 0 ? undefined : setInterval(() => void tellQuality(), config.qualityInterval ?? 2000)
  const { run, send, request, peer, ...connection } = createConnection(config, url, mode, { emit, notice, inband, restore, away, over: ended })
  let gone: Promise<void> | undefined

  // What calls are made of.

  /** Does work in its turn. */
  function turn<T>(needs: Need[], work: () => Promise<T>): Promise<T> {
    const result = inTurn(needs, async () => {
      if (gone) throw destroyed()
      try {
        return await work()
      } catch (e) {
        throw asError(e)
      }
    })
    result.catch(() => {}) // who calls may look away: what goes wrong is told as a state, too
    return result
  }

  function named(roomID: string | undefined, required: number): string {
    if (mode === 'single') return roomID || [...rooms.keys(), ...entering][0] || ''
    // The code of an empty name is the next one.
    if (!roomID) throw fail(required + (roomID === '' ? 1 : 0), 'ROOM_ID_REQUIRED', 'in room mode multi the room has to be named')
    return roomID
  }

  /** The room, which the user has to be in. */
  function member(roomId: string): Room {
    const room = rooms.get(roomId)
    if (room?.state === 'in') return room
    throw fail(ErrorCode.NotLoggedIn, 'NOT_A_MEMBER', `not logged in to ${roomId || 'any room'}`)
  }

  /** Does something with each publication or player of the id, in its turn. */
  async function each<T extends Publication | Player>(
    all: Map<string, T>, streamID: string, ref: StreamRef | undefined, work: (one: T) => Promise<void>, stop = false,
  ): Promise<void> {
    const found = [...all.values()].filter((one) => one.streamId === streamID && !one.stopping && (!ref?.roomID || one.roomId === ref.roomID))
    if (!stop && !found.length) throw fail(0, 'STREAM_NOT_FOUND', `there is no ${streamID}`)
    await Promise.all(found.map((one) => {
      one.stopping = stop
      return turn(needs(all, one), async () => { if (one.state !== 'stopped') await work(one) })
    }))
  }

  function needs(all: unknown, { roomId, streamId }: Publication | Player): Need[] {
    return [[roomId], [`${all === players ? 'play' : 'publish'} ${keyOf(roomId, streamId)}`, true]]
  }

  /** Asks for the end of something. That it has ended by itself, or with its session, is as good. */
  async function end(body: Request): Promise<void> {
    let first: Peer | undefined
    try {
      await run(async (mine) => { if ((first ??= mine) === mine) await request(body) })
    } catch (e) {
      if (!over.test(asError(e).reason)) throw e
    }
  }

  /** A request of a member. */
  function ask(roomId: string, body: Request): Promise<void> {
    return turn([[roomId]], async () => {
      member(roomId)
      await send(body)
    })
  }

  function say(roomId: string, kind: string, text: string, toUsers?: string[]): Promise<string> {
    const clientMessageId = crypto.getRandomValues(new Uint32Array(4)).join('-')
    return turn([[roomId]], async () => {
      member(roomId)
      const reply = await send({ sendMessage: { roomId, kind: `MESSAGE_KIND_${kind}`, toUsers, text, clientMessageId } })
      return reply.sent?.messageId ?? ''
    })
  }

  // Rooms.

  function tellRoom({ id }: Room, state: RoomState, why?: unknown): void {
    const { code, message } = why ? asError(why) : { code: 0, message: '' }
    emit('roomStateChanged', id, state, code, message)
    if (state === 'kicked-out') emit('kickedOut', id, code, message)
  }

  async function login(room: Room, user: User | undefined): Promise<WireRoom> {
    const enter = async (): Promise<WireRoom> => {
      const who = user && { id: user.userID, name: user.userName || user.userID }
      return (await request({ loginRoom: { roomId: room.id, user: who, token: room.token } })).room as WireRoom
    }
    try {
      return await enter()
    } catch (e) {
      if ((e as SwitchyardError).code !== ErrorCode.BadToken) throw e
      const token = await connection.ask({ reason: 'refused', roomID: room.id }, room.id).catch(() => '')
      if (!token) throw e
      room.token = token
      return enter()
    }
  }

  function entered(room: Room, state: WireRoom, how: RoomState): void {
    room.away = false
    if (room.state !== 'in' || how === 'reconnected') tellRoom(room, how)
    room.state = 'in'
    room.update(state)
  }

  /** Begins to be in a room; undone when work fails. */
  async function enterBy(room: Room, work: () => Promise<WireRoom>): Promise<void> {
    rooms.set(room.id, room)
    tellRoom(room, 'logging-in')
    try {
      entered(room, await work(), 'logged-in')
    } catch (e) {
      if (rooms.get(room.id) === room) rooms.delete(room.id)
      tellRoom(room, 'login-failed', e)
      throw e
    }
  }

  /** The user is not in the room any more: ends what it has there. */
  function leave(room: Room, state: RoomState, why?: unknown): void {
    const code = why ? asError(why).code : 0
    rooms.delete(room.id)
    for (const one of [...publications.values()]) if (one.roomId === room.id) unpublish(one, code)
    for (const one of [...players.values()]) if (one.roomId === room.id) unplay(one, code)
    tellRoom(room, state, why)
  }

  // Publications.

  function tellPublisher(one: Publication, state: Publication['state'], code = 0): void {
    if (one.state === 'stopped') return
    one.state = state
    emit('publisherStateUpdate', one.streamId, one.roomId, state, code)
  }

  async function sourceOf({ config: { stream }, config }: Publication): Promise<Source> {
    const known = stream ? sources.get(stream) : [...sources.values()].find((s) => s.own)
    if (known) return known
    const source = createSource(stream ?? await capture({ camera: true, microphone: true }), config, !stream)
    if (!source.stream.getTracks().length) throw fail(1000017, 'MEDIA_REQUIRED', 'the stream has no tracks')
    sources.set(source.stream, source)
    return source
  }

  async function publish({ roomId, streamId, config, muted, source }: Publication, mine: Peer): Promise<void> {
    const mids = await source?.attach(mine)
    await request({ startPublishing: { roomId, streamId, ...mids, metadata: config.extraInfo } })
    if (muted.audio || muted.video) await request({ updatePublishing: { roomId, streamId, ...muting(muted) } })
  }

  function unpublish(one: Publication, code: number): void {
    const key = keyOf(one.roomId, one.streamId)
    if (publications.get(key) === one) publications.delete(key)
    if (one.source?.remove(one)) sources.delete(one.source.stream)
    tellPublisher(one, 'stopped', code)
  }

  async function update(one: Publication, what: object): Promise<void> {
    await one.source?.tell()
    await send({ updatePublishing: { roomId: one.roomId, streamId: one.streamId, ...what } })
  }

  async function replace(stream: MediaStream, track: MediaStreamTrack): Promise<void> {
    const source = sources.get(stream)
    if (source && !source.trackOf(track.kind)) throw fail(1000017, 'INVALID_ARGUMENT', `the stream is published without ${track.kind}`)
    await (source ?? createSource(stream, {}, false)).replace(track)
  }

  // Players.

  function tellPlayer(one: Player, state: Player['state'], code = 0): void {
    one.state = state
    emit('playerStateUpdate', one.streamId, one.roomId, state, code)
  }

  async function play(one: Player, mine: Peer): Promise<void> {
    const { roomId, streamId, config: { audio = true, video = true, preference } } = one
    await mine.begun
    const reply = await request({ startPlaying: { roomId, streamId, audio, video, ...wanted(preference) } })
    played(reply.playing as Playing, one)
    if (preference?.paused) await prefer(one)
  }

  async function prefer(one: Player): Promise<void> {
    const { preference } = one.config
    const reply = await request({ updatePlaying: { id: one.playing?.id, ...wanted(preference), paused: !!preference?.paused } })
    played(reply.playing as Playing, one)
  }

  /** The node says where a player stands. */
  function played(playing: Playing, known?: Player): void {
    const { id, roomId, streamId, audioMid = '', videoMid = '' } = playing
    const key = keyOf(roomId, streamId)
    const one = known ?? [...players.values()].find((p) => p.playing?.id === id) ?? players.get(key)
    if (!one || one.state === 'stopped' || (!known && one.playing?.id && one.playing.id !== id)) return
    const before = keyOf(one.roomId, one.streamId)
    one.playing = playing
    if (before !== key) {
      emit('playerStateUpdate', one.streamId, one.roomId, 'stopped', 0)
      if (players.get(before) === one) players.delete(before)
      players.set(key, Object.assign(one, { roomId, streamId }))
    }
    const state = playerStates[short(playing.state)] ?? 'requesting'
    if (state === 'stopped') {
      unplay(one, 0)
      return
    }
    feed(one.media, [audioMid, videoMid].map((mid) => (mid ? peer()?.track(mid) : undefined)))
    if (one.state !== state || before !== key) tellPlayer(one, state)
    if (playing.state === needsLines) grow()
  }

  /** Has lines for the players that lack them, also when nobody says how many that are. */
  function grow(): void {
    const missing = { audio: 0, video: 0 }
    for (const { playing: p } of players.values()) {
      if (p?.state !== needsLines) continue
      const stream = rooms.get(p.roomId)?.streams.get(p.streamId)
      if (p.audio && !p.audioMid && stream?.audio !== false) missing.audio++
      if (p.video && !p.videoMid && stream?.video !== false) missing.video++
    }
    peer()?.grow(missing)
  }

  function unplay(one: Player, code: number): void {
    const key = keyOf(one.roomId, one.streamId)
    if (players.get(key) === one) players.delete(key)
    feed(one.media, [])
    if (one.state !== 'stopped') tellPlayer(one, 'stopped', code)
  }

  async function tellQuality(): Promise<void> {
    const pc = peer()?.pc
    if (!pc || !(publications.size || players.size)) return
    try {
      const of: Measured[] = []
      for (const { roomId, streamId, source } of publications.values()) {
        if (source) of.push({ roomId, streamId, mids: Object.values(await source.mids()), sent: true })
      }
      const heard = [...players.values()].flatMap(({ playing }) => playing ?? [])
      for (const { roomId, streamId, audioMid, videoMid } of heard) of.push({ roomId, streamId, mids: [audioMid, videoMid], sent: false })
      const qualities = await measure(pc, of)
      if (gone) return
      qualities.forEach((quality, i) => {
        const { spatialLayer, temporalLayer } = heard[i + heard.length - of.length] ?? {}
        if (spatialLayer !== undefined) quality.spatialLayer = spatialLayer
        if (temporalLayer !== undefined) quality.temporalLayer = temporalLayer
        emit(of[i]?.sent ? 'publisherQualityUpdate' : 'playerQualityUpdate', quality)
      })
    } catch {
      // The connection was closed meanwhile.
    }
  }

  // What the node says.

  function notice({ playing, message, negotiationNeeded, tokenWillExpire, room: whole, ...of }: Notice): void {
    if (playing) played(playing)
    if (negotiationNeeded) peer()?.grow(negotiationNeeded)
    if (whole) wholeRoom(whole)
    const { users, streams, roomMetadata, speakers, roomEnded } = of
    const subject = message ?? tokenWillExpire ?? users ?? streams ?? roomMetadata ?? speakers ?? roomEnded
    const room = rooms.get(subject?.roomId ?? '')
    if (tokenWillExpire) void expiring(room, Number(tokenWillExpire.expiresInMs ?? 0))
    if (room?.state !== 'in') return
    if (message) deliver(message)
    if (users) room.changeUsers(users)
    if (streams) {
      room.changeStreams(streams)
      for (const stream of streams.removed ?? []) if (stream.own) ownEnded(room, stream)
    }
    if (roomMetadata) room.changeInfo(roomMetadata.key, roomMetadata.value)
    if (speakers) {
      emit('activeSpeakers', room.id, (speakers.speakers ?? []).map(({ streamId, userId, level = 0 }) => ({ streamID: streamId, userID: userId, level })))
    }
    if (roomEnded) {
      const reason = short(roomEnded.reason)
      const code = roomEnded.code || (reason === 'EXPIRED' ? ErrorCode.TokenExpired : ErrorCode.KickedOut)
      leave(room, 'kicked-out', fail(code, reason, roomEnded.detail || reason))
    }
  }

  function inband({ type, room, id, from, from_name: name, sent_ms: sentMs, ...rest }: Record<string, unknown>): void {
    if (type !== 'message' || rooms.get(room as string)?.state !== 'in') return
    deliver({ ...rest, roomId: room, messageId: id, from: { id: from, name }, sentMs } as WireMessage)
  }

  /** A room anew: events were missed, or somebody took the user there. */
  function wholeRoom(state: WireRoom): void {
    const room = rooms.get(state.roomId)
    if (room?.state === 'in') room.update(state)
    if (room) return
    const fresh = createRoom(state.roomId, [...rooms.values()][0]?.user, undefined, emit)
    rooms.set(fresh.id, fresh)
    entered(fresh, state, 'logged-in')
  }

  /** An own stream has ended: as asked for, or by somebody else's hand. */
  function ownEnded(room: Room, { streamId, reason = '' }: WireStream): void {
    const one = publications.get(keyOf(room.id, streamId))
    if (!room.ending.delete(streamId) && one?.state === 'publishing') {
      unpublish(one, reason.includes('GRANTS') ? ErrorCode.PublishDenied : 1003020)
    }
  }

  async function expiring(room: Room | undefined, left: number): Promise<void> {
    const roomID = room?.id ?? ''
    const own = room?.token ? roomID : ''
    try {
      const token = await connection.ask({ reason: 'expiring', roomID }, own)
      if (token) {
        await engine.renewToken(token, own)
        return
      }
    } catch (e) {
      emit('error', asError(e))
    }
    if (!gone) emit('tokenWillExpire', roomID, left)
  }

  function away(): void {
    for (const room of rooms.values()) {
      if (room.state === 'in' && !room.away && !gone) tellRoom(room, 'reconnecting')
      room.away = true
    }
  }

  /** The session is over, and nothing will bring it back. */
  function ended(error: SwitchyardError): void {
    for (const room of [...rooms.values()]) {
      if (room.state === 'in') leave(room, 'kicked-out', error)
      if (room.state === 'leaving') leave(room, 'logged-out')
    }
  }

  /** Makes the session what it was, or what it should be by now. */
  async function restore({ resumed, rooms: states = [], playing = [] }: Welcome, mine: Peer): Promise<void> {
    if (!resumed) for (const one of players.values()) if (one.playing) one.playing.id = ''
    for (const state of states) if (!rooms.has(state.roomId)) wholeRoom(state)
    for (const one of playing) played(one)
    const live = new Set(playing.map(({ id }) => id))
    const attempt = async (work: () => Promise<void>, failed: (e: unknown) => void): Promise<void> => {
      try {
        await work()
      } catch (e) {
        if (e !== lost && peer() === mine) failed(e)
      }
    }
    await Promise.all([...rooms.values()].filter((room) => room.state === 'in').map((room) => attempt(async () => {
      const state = states.find(({ roomId }) => roomId === room.id) ?? await login(room, room.user)
      if (room.state !== 'in') return
      entered(room, state, room.away ? 'reconnected' : 'logged-in')
      await Promise.all([
        ...[...publications.values()].filter((one) => one.roomId === room.id && one.state === 'publishing' && !one.stopping
          && !state.streams?.some((s) => s.own && s.streamId === one.streamId)).map((one) => attempt(async () => {
          emit('publisherStateUpdate', one.streamId, one.roomId, 'requesting', 0)
          await publish(one, mine)
          tellPublisher(one, 'publishing')
        }, (e) => unpublish(one, asError(e).code))),
        ...[...players.values()].filter((one) => one.roomId === room.id && one.playing && !one.stopping && !live.has(one.playing.id))
          .map((one) => attempt(() => play(one, mine), (e) => unplay(one, asError(e).code))),
      ])
    }, (e) => { if (room.state === 'in') leave(room, 'kicked-out', e) })))
  }

  const engine: Engine = {
    async loginRoom(roomID, user, { token } = {}) {
      entering.add(roomID)
      try {
        await turn([[roomID, true]], async () => {
          const known = rooms.get(roomID)
          const room = known ?? createRoom(roomID, user, token, emit)
          connection.connect()
          const work = (): Promise<WireRoom> => run(() => login(room, user))
          if (known) entered(room, await work(), 'logged-in')
          else await enterBy(room, work)
        })
      } finally {
        entering.delete(roomID)
      }
    },
    logoutRoom(roomID) {
      const ids = roomID === undefined ? [...new Set([...rooms.keys(), ...entering])] : [roomID]
      return turn(ids.map((id) => [id, true]), async () => {
        const all = ids.flatMap((id) => rooms.get(id) ?? [])
        if (!all.length) return
        for (const room of all) room.state = 'leaving'
        try {
          await end({ logoutRoom: { roomId: roomID } })
        } catch (e) {
          for (const room of all) room.state = 'in'
          throw e
        }
        for (const room of all) leave(room, 'logged-out')
      })
    },
    switchRoom(fromRoomID, toRoomID, { token } = {}) {
      return turn([[fromRoomID, true], [toRoomID, true]], async () => {
        const from = member(fromRoomID)
        if (rooms.has(toRoomID)) throw fail(0, 'ALREADY_IN_ROOM', `already in ${toRoomID}`)
        const room = createRoom(toRoomID, from.user, token, emit)
        let first: Peer | undefined
        from.state = 'leaving'
        try {
          await enterBy(room, () => run(async (mine) => {
            // In another session there is nothing to switch from.
            if ((first ??= mine) !== mine) return login(room, room.user)
            const reply = await request({ switchRoom: { fromRoomId: fromRoomID, toRoomId: toRoomID, token } }).catch((e) => {
              // An answer that got lost on the way: it has left already.
              if (asError(e).reason !== 'NOT_A_MEMBER') throw e
            })
            const state = reply?.room ?? await login(room, room.user)
            leave(from, 'logged-out')
            return state
          }))
        } catch (e) {
          if (rooms.has(fromRoomID)) from.state = 'in'
          throw e
        }
        if (rooms.has(fromRoomID)) leave(from, 'logged-out')
      })
    },
    renewToken(token, roomID = '') {
      return turn([], async () => {
        const room = rooms.get(roomID)
        if (room) room.token = token
        await connection.renew(token, roomID)
      })
    },
    get rooms() {
      return [...rooms.values()].filter((room) => room.state !== 'entering').map((room) => room.id)
    },
    streams: (roomID) => [...(rooms.get(roomID)?.streams.values() ?? [])],
    users: (roomID) => [...(rooms.get(roomID)?.users.values() ?? [])],
    extraInfo: (roomID) => Object.fromEntries(rooms.get(roomID)?.info ?? []),

    createStream: (options) => capture(options).catch((e) => { throw asError(e) }),
    destroyStream: stopTracks,
    async startPublishingStream(streamId, of = {}) {
      const roomId = named(of.roomID, ErrorCode.PublishRoomRequired)
      const key = keyOf(roomId, streamId)
      const before = publications.get(key)
      if (before && !before.stopping) throw fail(ErrorCode.AlreadyPublishing, 'ALREADY_PUBLISHING', `${streamId} is being published in ${roomId}`)
      const one: Publication = { roomId, streamId, config: { ...of }, state: 'requesting', stopping: false, muted: {} }
      publications.set(key, one)
      await turn(needs(publications, one), async () => {
        try {
          member(roomId)
          tellPublisher(one, 'requesting')
          one.source = await sourceOf(one)
          one.source.publications.add(one)
          await run((mine) => publish(one, mine))
          tellPublisher(one, 'publishing')
        } catch (e) {
          unpublish(one, asError(e).code)
          throw e
        }
      })
    },
    stopPublishingStream: (streamID, ref) => each(publications, streamID, ref, async (one) => {
      const { roomId, streamId } = one
      rooms.get(roomId)?.ending.add(streamId)
      await end({ stopPublishing: { roomId, streamId } })
      unpublish(one, 0)
    }, true),
    replaceTrack: (stream, track) => replace(stream, track).catch((e) => { throw asError(e) }),
    async useDevice(stream, kind, deviceID) {
      try {
        const before = stream.getTracks().find((t) => t.kind === kind)
        await replace(stream, await recapture(before, kind, deviceID))
        before?.stop()
      } catch (e) {
        throw asError(e)
      }
    },
    mutePublishStream: (streamID, mute, ref) => each(publications, streamID, ref, (one) => {
      one.muted = { ...one.muted, ...mute }
      return update(one, muting(mute))
    }),
    setStreamExtraInfo: (streamID, extraInfo, ref) => each(publications, streamID, ref, (one) => {
      one.config.extraInfo = extraInfo
      return update(one, { metadata: extraInfo })
    }),

    async startPlayingStream(streamId, of = {}) {
      const roomId = named(of.roomID, ErrorCode.PlayRoomRequired)
      const key = keyOf(roomId, streamId)
      const before = players.get(key)
      if (before?.started && !before.stopping) return before.started
      const one: Player = { roomId, streamId, config: { ...of }, media: new MediaStream(), stopping: false, state: 'requesting' }
      players.set(key, one)
      one.started = turn(needs(players, one), async () => {
        try {
          member(roomId)
          tellPlayer(one, 'requesting')
          await run((mine) => play(one, mine))
          return one.media
        } catch (e) {
          unplay(one, asError(e).code)
          throw e
        }
      })
      return one.started
    },
    stopPlayingStream: (streamID, ref) => each(players, streamID, ref, async (one) => {
      await end({ stopPlaying: { id: one.playing?.id } })
      unplay(one, 0)
    }, true),
    async switchPlayingStream(from, to) {
      const roomId = named(to.roomID, ErrorCode.PlayRoomRequired)
      const [, source] = needs(players, { roomId: named(from.roomID, ErrorCode.PlayRoomRequired), streamId: from.streamID } as Player)
      const [, target] = needs(players, { roomId, streamId: to.streamID } as Player)
      const fromRoom = named(from.roomID, ErrorCode.PlayRoomRequired)
      return turn([[fromRoom], [roomId], source as Need, target as Need], async () => {
        const one = players.get(keyOf(fromRoom, from.streamID))
        if (!one || one.stopping) throw fail(0, 'NOT_PLAYING', `${from.streamID} is not played`)
        member(roomId)
        const reply = await run(() => request({ switchPlaying: { id: one.playing?.id, roomId, streamId: to.streamID } }))
        played(reply.playing as Playing, one)
        return one.media
      })
    },
    updatePlayingStream: (streamID, preference, ref) => each(players, streamID, ref, (one) => {
      one.config.preference = preference
      return run(() => prefer(one))
    }),

    sendBroadcastMessage: (roomID, text) => say(roomID, 'BROADCAST', text),
    sendBarrageMessage: (roomID, text) => say(roomID, 'BARRAGE', text),
    sendCustomCommand: (roomID, text, toUserIDs) => say(roomID, 'COMMAND', text, toUserIDs),
    setRoomExtraInfo: (roomId, key, value) => ask(roomId, { setRoomMetadata: { roomId, key, value } }),
    kickUser: (roomId, userId, { reason, banSeconds } = {}) => ask(roomId, { kickUser: { roomId, userId, reason, banSeconds } }),
    closeRoom: (roomId, reason) => ask(roomId, { closeRoom: { roomId, reason } }),
    muteStreamOf: (roomId, streamId, mute) => ask(roomId, { updatePublishing: { roomId, streamId, ...muting(mute) } }),

    on(event, listener) {
      on(event, listener)
      return this
    },
    off(event, listener) {
      off(event, listener)
      return this
    },
    get peerConnection() {
      return peer()?.pc
    },
    get connections() {
      return connection.connections()
    },
    get negotiations() {
      return connection.offers()
    },
    destroy: () => (gone ??= (async () => {
      freed()
      clearInterval(meter)
      await connection.destroy(destroyed())
      for (const room of [...rooms.values()]) leave(room, 'logged-out')
    })()),
  }
  return engine
}

function destroyed(): SwitchyardError {
  return fail(1000001, 'DESTROYED', 'the engine was destroyed')
}

function keyOf(roomId: string, streamId: string): string {
  return `${roomId}\n${streamId}`
}

function muting({ audio, video }: Partial<Record<Kind, boolean>>): object {
  return { audioMuted: audio, videoMuted: video }
}
