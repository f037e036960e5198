// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import type {Engine, EngineConfig, PlayerPreference, RoomMode, RoomState, StreamRef, User} from './api.js'
import {capture, recapture, stopTracks, trackOf} from './capture.js'
import {createConnection, lost} from './connection.js'
import type {SwitchyardError} from './errors.js'
import {createListeners} from './events.js'
import {asError, fail, invalid, rethrow, short} from './failure.js'
import {type Media, createSource, type Source} from './media.js'
import {createMessages} from './messages.js'
import {type Need, createOrder} from './order.js'
import type {Peer} from './peer.js'
import {createMeter} from './quality.js'
import {type Room, createRoom} from './room.js'
import type {Notice, Playing, Reply, Request, Welcome, WireMessage, WireRoom} from './wire.js'

/** What a request to end something may fail with when it has ended already. */
const over = /^(NOT_A_MEMBER|NOT_IN_ROOM|(ROOM|STREAM|SUBSCRIPTION)_NOT_FOUND)$/

const destroyed = fail(1000001, 'DESTROYED', 'the engine was destroyed')

const playerStates: Record<string, Media['state']> = {ACTIVE: 'playing', PENDING: 'pending', PAUSED_BY_BANDWIDTH: 'paused', ENDED: 'stopped'}

/** The engine: rooms, publications and players of one user. freed is called when it is destroyed. */
export function createClient(config: EngineConfig, url: string, mode: RoomMode, freed: () => void): Engine {
  const {emit, ...listeners} = createListeners()
  const inTurn = createOrder()
  const deliver = createMessages(emit)
  const measure = createMeter(emit)
  const rooms = new Map<string, Room>()
  const entering = new Set<string>() // rooms whose login waits or runs
  const media = new Map<string, Media>()
  const sources = new Map<MediaStream | undefined, Promise<Source>>()
  const {run, request, peer, ...link} = createConnection(config, url, mode, {emit, notice, inband, restore, away, over: ended})
  const {qualityInterval = 2000} = config
  const meter = qualityInterval > 0 && setInterval(() => {
    const of = all(media).filter(one => one.live)
    const pc = peer()?.pc
    if (pc && of.length) measure(pc, of).catch(() => {}) // it was closed meanwhile
  }, qualityInterval)
  let gone = false

  // What calls are made of.

  /** Does work in its turn. */
  function turn<T>(needs: Need[], work: () => Promise<T>): Promise<T> {
    return inTurn(needs, async () => {
      if (gone) throw destroyed
      return work()
    })
  }

  function named(roomID: string | undefined, required: number): string {
    if (mode === 'single') return roomID || [...rooms.keys(), ...entering][0] || ''
    // The code of an empty name is the next one.
    return roomID || rethrow(fail(required + +(roomID === ''), 'ROOM_ID_REQUIRED', 'mode multi needs the room'))
  }

  /** The room, which the user has to be in. */
  function member(roomId: string): Room {
    const room = rooms.get(roomId)
    if (room?.state !== 'in') throw fail(1002002, 'NOT_A_MEMBER', `not logged in to ${roomId}`)
    return room
  }

  /** A request of a member. Answers the id of a message. */
  function ask(roomId: string, body: Request): Promise<never> {
    return turn([[roomId]], async () => {
      member(roomId)
      const {sent} = await run(() => request(body))
      return sent?.messageId as never
    })
  }

  function say(roomId: string, kind: string, text: string, toUsers?: string[]): Promise<string> {
    const clientMessageId = crypto.getRandomValues(new Uint32Array(4)).join('-')
    return ask(roomId, {sendMessage: {roomId, kind: `MESSAGE_KIND_${kind}`, toUsers, text, clientMessageId}})
  }

  /** Asks for the end of something. That it has ended by itself, or with its session, is as good, and has no answer. */
  function end(body: Request): Promise<Reply | false | void> {
    let first: Peer | undefined
    return run(async mine => (first ??= mine) === mine && request(body)).catch(e => {
      if (!over.test(e.reason)) throw e
    })
  }

  // Rooms.

  function tellRoom({id}: Room, state: RoomState, why?: unknown): void {
    const {code, message} = asError(why)
    emit('roomStateChanged', id, state, code, message)
    if (state === 'kicked-out') emit('kickedOut', id, code, message)
  }

  async function login(room: Room, user = room.user): Promise<WireRoom> {
    const who = user && {id: user.userID, name: user.userName || user.userID}
    const enter = async () => (await request({loginRoom: {roomId: room.id, user: who, token: room.token}})).room as WireRoom
    return enter().catch(async e => {
      if (e.code !== 1002033) throw e
      room.token = await link.ask({reason: 'refused', roomID: room.id}, room.id) ?? rethrow(e)
      return enter()
    })
  }

  function entered(room: Room, state: WireRoom): void {
    if (room.away || room.state !== 'in') tellRoom(room, room.away ? 'reconnected' : 'logged-in')
    room.away = false
    room.state = 'in'
    room.update(state)
  }

  const roomOf = (id: string, user?: User, token?: string): Room => rooms.get(id) ?? createRoom(id, user, token, emit)

  /** Begins to be in a room; undone when work fails. */
  async function enterBy(room: Room, work: (room: Room) => Promise<WireRoom>): Promise<void> {
    const fresh = room.state === 'entering'
    rooms.set(room.id, room)
    if (fresh) tellRoom(room, 'logging-in')
    entered(room, await work(room).catch(e => {
      if (fresh && rooms.delete(room.id)) tellRoom(room, 'login-failed', e)
      throw e
    }))
  }

  /** The user is not in the room any more: ends what it has there. */
  function leave(room: Room, state: RoomState, why?: unknown): void {
    rooms.delete(room.id)
    for (const one of all(media)) if (one.roomId === room.id) finish(one, why)
    tellRoom(room, state, why)
  }

  /** Leaves rooms by work, unless it fails. */
  async function leaveBy(left: Room[], work: () => Promise<unknown>): Promise<void> {
    for (const room of left) room.state = 'leaving'
    await work().catch(e => {
      for (const room of left) room.state = 'in'
      throw e
    })
    for (const room of left) leave(room, 'logged-out')
  }

  // Publications and players.

  const keyOf = (play: boolean, roomId: string, streamId: string): string => `${play ? 'play' : 'publish'} ${roomId}\n${streamId}`

  function tell(one: Media, state: Media['state'], code = 0): void {
    if (one.state === state || one.state === 'stopped') return
    one.state = state
    emit(one.play ? 'playerStateUpdate' : 'publisherStateUpdate', one.streamId, one.roomId, state as 'stopped', code)
  }

  async function start(play: boolean, streamId: string, of: Media['config'] = {}): Promise<unknown> {
    const roomId = named(of.roomID, play ? 1004070 : 1003070)
    const key = keyOf(play, roomId, streamId)
    const before = media.get(key)
    if (before && !before.stopping) return play ? before.started : rethrow(fail(1003023, 'ALREADY_PUBLISHING', `${streamId} is being published`))
    const one: Media = {play, key, roomId, streamId, config: {...of}, told: {metadata: of.extraInfo}, mids: [], stream: play && new MediaStream()}
    media.set(key, one)
    return one.started = turn([[roomId], [key, true]], async () => {
      member(roomId)
      await run(mine => begin(one, mine))
      one.live = true
      return one.stream
    }).catch(e => {
      finish(one, e)
      throw e
    })
  }

  /** Has the node take it on. */
  async function begin(one: Media, mine: Peer): Promise<unknown> {
    const {roomId, streamId, told, config: {audio = true, video = true, preference}} = one
    tell(one, 'requesting')
    if (one.play) {
      await mine.begun
      await place(one, {startPlaying: {roomId, streamId, audio, video, ...wanted(preference)}})
      return preference?.paused && prefer(one)
    }
    const source = (one.source ??= await sourceOf(one))
    source.uses.add(one)
    const [audioMid, videoMid] = one.mids = await source.attach(mine)
    await request({startPublishing: {roomId, streamId, audioMid, videoMid, metadata: told.metadata}})
    if (told.audioMuted || told.videoMuted) await request({updatePublishing: {roomId, streamId, ...told}})
    return tell(one, 'publishing')
  }

  /** What is sent of a MediaStream; of the one that the engine captures, when none is given. */
  function sourceOf({config: of}: Media): Promise<Source> {
    const source = sources.get(of.stream) ?? (async () => {
      const stream = of.stream ?? await capture({camera: true, microphone: true})
      if (!stream.getTracks().length) throw invalid('the stream has no tracks')
      return createSource(stream, of)
    })()
    sources.set(of.stream, source)
    source.catch(() => sources.delete(of.stream))
    return source
  }

  /** It is over, as far as the engine is concerned. */
  function finish(one: Media, why?: unknown): void {
    const {source, stream, config} = one
    if (media.get(one.key) === one) media.delete(one.key)
    if (stream) feed(stream, [])
    if (source) {
      source.remove(one).catch(() => {})
      if (!source.uses.size) sources.delete(config.stream)
    }
    tell(one, 'stopped', asError(why).code)
  }

  /** Does something with each publication or player of the id, in its turn. */
  async function each(play: boolean, streamID: string, ref: StreamRef | undefined, work: (one: Media) => Promise<unknown>, stop = false): Promise<void> {
    const found = all(media).filter(one => one.play === play && one.streamId === streamID && !one.stopping && one.roomId === (ref?.roomID || one.roomId))
    if (!stop && !found.length) throw fail(0, 'STREAM_NOT_FOUND', `no ${streamID}`)
    await Promise.all(found.map(one => {
      one.stopping = stop
      return turn([[one.roomId], [one.key, true]], async () => one.state !== 'stopped' && work(one))
    }))
  }

  const stop = (play: boolean, streamID: string, ref?: StreamRef): Promise<void> => each(play, streamID, ref, async one => {
    const {roomId, streamId, playing} = one
    if (!play) rooms.get(roomId)?.ending.add(streamId)
    await end(play ? {stopPlaying: {id: playing?.id}} : {stopPublishing: {roomId, streamId}})
    finish(one)
  }, true)

  const update = (streamID: string, ref: StreamRef | undefined, what: Media['told']): Promise<void> => each(false, streamID, ref, async one => {
    const {roomId, streamId, source, told} = one
    Object.assign(told, what)
    await source?.tell()
    await run(() => request({updatePublishing: {roomId, streamId, ...what}}))
  })

  async function replace(stream: MediaStream, track: MediaStreamTrack): Promise<void> {
    const source = await sources.get(stream) ?? createSource(stream, {})
    if (source.uses.size && !trackOf(stream, track.kind)) throw invalid(`published without ${track.kind}`)
    await source.replace(track)
  }

  /** A request that is answered with where a player stands. */
  async function place(one: Media, body: Request): Promise<void> {
    const {playing} = await request(body)
    played(playing as Playing, one)
  }

  function prefer(one: Media): Promise<void> {
    const {playing, config: {preference}} = one
    return place(one, {updatePlaying: {id: playing?.id, ...wanted(preference), paused: !!preference?.paused}})
  }

  /** The node says where a player stands. */
  function played(playing: Playing, known?: Media): void {
    const {id, roomId, streamId, audioMid, videoMid} = playing
    const key = keyOf(true, roomId, streamId)
    const one = known ?? all(media).find(m => m.playing?.id === id) ?? media.get(key)
    if (!one?.stream || one.state === 'stopped') return
    one.playing = playing
    one.mids = [audioMid, videoMid]
    if (one.key !== key) {
      emit('playerStateUpdate', one.streamId, one.roomId, 'stopped', 0)
      media.delete(one.key)
      media.set(key, Object.assign(one, {key, roomId, streamId, state: undefined}))
    }
    const state = playerStates[short(playing.state)] ?? 'requesting'
    if (state === 'stopped') return finish(one)
    feed(one.stream, one.mids.map(mid => mid && peer()?.track(mid)))
    tell(one, state)
  }

  // What the node says.

  function notice(notice: Notice): void {
    const [[kind, body]] = Object.entries(notice) as [[keyof Notice, Record<string, any>]]
    const room = rooms.get(body.roomId)
    if (kind === 'playing') played(body as Playing)
    if (kind === 'negotiationNeeded') peer()?.grow(body)
    if (kind === 'room') wholeRoom(body as WireRoom)
    if (kind === 'tokenWillExpire') expire(room, +(body.expiresInMs ?? 0))
    if (room?.state !== 'in') return
    room.notice(notice)
    if (kind === 'message') deliver(body as WireMessage)
    if (kind === 'streams') for (const {own, streamId, reason = ''} of body.removed ?? []) {
      const one = media.get(keyOf(false, room.id, streamId))
      // Not as asked for: by somebody else's hand.
      if (own && !room.ending.delete(streamId) && one?.live) finish(one, fail(/GRANTS/.test(reason) ? 1003025 : 1003020, reason, ''))
    }
    if (kind === 'speakers') emit('activeSpeakers', room.id, (body.speakers ?? []).map(({streamId: streamID, userId: userID, level = 0}: Record<string, any>) => ({streamID, userID, level})))
    if (kind === 'roomEnded') {
      const {reason = '', code, detail} = body
      leave(room, 'kicked-out', fail(code || (/EXPIRED/.test(reason) ? 1002056 : 1002055), short(reason), detail || short(reason)))
    }
  }

  function inband({room, id, from, from_name: name, sent_ms: sentMs, ...rest}: Record<string, unknown>): void {
    if (rooms.get(room as string)?.state === 'in') deliver({...rest, roomId: room, messageId: id, from: {id: from, name}, sentMs} as WireMessage)
  }

  /** A room anew: events were missed, or somebody took the user there. */
  function wholeRoom(state: WireRoom): void {
    const room = roomOf(state.roomId, all(rooms)[0]?.user)
    if (room.state !== 'in' && rooms.has(room.id)) return
    rooms.set(room.id, room)
    entered(room, state)
  }

  async function expire(room: Room | undefined, left: number): Promise<void> {
    const roomID = room?.id ?? ''
    const own = room?.token ? roomID : ''
    const token = await link.ask({reason: 'expiring', roomID}, own).catch(tellError)
    if (token) engine.renewToken(token, own).catch(tellError)
    else emit('tokenWillExpire', roomID, left)
  }

  const tellError = (e: unknown): void => emit('error', asError(e))

  function away(): void {
    for (const room of rooms.values()) if (room.state === 'in' && !room.away) {
      room.away = true
      tellRoom(room, 'reconnecting')
    }
  }

  /** The session is over, and nothing will bring it back. */
  function ended(error: SwitchyardError): void {
    for (const room of all(rooms)) if (room.state !== 'entering') leave(room, 'kicked-out', error)
  }

  /** Makes the session what it was, or what it should be by now. */
  async function restore({resumed, rooms: states = [], playing = []}: Welcome, mine: Peer): Promise<void> {
    const attempt = (work: () => Promise<unknown>, failed: (e: unknown) => unknown): Promise<unknown> => work().catch(e => {if (e !== lost && peer() === mine) failed(e)})
    if (!resumed) for (const one of media.values()) Object.assign(one, {playing: undefined, mids: []})
    for (const state of states) if (!rooms.has(state.roomId)) wholeRoom(state)
    playing.forEach(one => played(one))
    const missing = playing.filter(p => /NEEDS/.test(p.state ?? '')).length
    mine.grow({audio: missing, video: missing})
    const streams = states.flatMap(state => state.streams ?? []).filter(s => s.own)
    const there = [...playing, ...streams].map(s => keyOf(!('own' in s), s.roomId, s.streamId))
    await Promise.all(all(rooms).map(room => room.state === 'in' && attempt(async () => {
      const state = states.find(({roomId}) => roomId === room.id) ?? await login(room)
      if (room.state !== 'in') return
      entered(room, state)
      const lacking = all(media).filter(one => one.roomId === room.id && one.live && !one.stopping && !there.includes(one.key))
      await Promise.all(lacking.map(one => attempt(() => begin(one, mine), e => finish(one, e))))
    }, e => room.state === 'in' && leave(room, 'kicked-out', e))))
  }

  const engine: Engine = {
    async loginRoom(roomID, user, {token} = {}) {
      entering.add(roomID)
      await turn([[roomID, true]], async () => {
        link.connect()
        await enterBy(roomOf(roomID, user, token), room => run(() => login(room, user)))
      }).finally(() => entering.delete(roomID))
    },
    logoutRoom(roomId) {
      const ids = roomId === undefined ? [...new Set([...rooms.keys(), ...entering])] : [roomId]
      return turn(ids.map(id => [id, true]), async () => {
        const left = ids.flatMap(id => rooms.get(id) ?? [])
        if (left.length) await leaveBy(left, () => end({logoutRoom: {roomId}}))
      })
    },
    switchRoom(fromRoomId, toRoomId, {token} = {}) {
      return turn([[fromRoomId, true], [toRoomId, true]], async () => {
        const from = member(fromRoomId)
        // In another session there is nothing to switch from. Nor is there when it was done and the answer got lost.
        await leaveBy([from], () => enterBy(roomOf(toRoomId, from.user, token), async room => {
          const switched = await end({switchRoom: {fromRoomId, toRoomId, token}})
          return switched ? switched.room as WireRoom : run(() => login(room))
        }))
      })
    },
    renewToken(token, roomID = '') {
      return turn([], async () => {
        const room = rooms.get(roomID)
        if (room) room.token = token
        await link.renewToken(token, roomID)
      })
    },
    get rooms() {return all(rooms).filter(room => room.state !== 'entering').map(room => room.id)},
    streams: roomID => [...rooms.get(roomID)?.streams.values() ?? []],
    users: roomID => [...rooms.get(roomID)?.users.values() ?? []],
    extraInfo: roomID => Object.fromEntries(rooms.get(roomID)?.info ?? []),

    createStream: capture,
    destroyStream: stopTracks,
    startPublishingStream: (streamID, of) => start(false, streamID, of) as Promise<void>,
    stopPublishingStream: (streamID, ref) => stop(false, streamID, ref),
    replaceTrack: replace,
    async useDevice(stream, kind, deviceID) {
      const before = trackOf(stream, kind)
      await replace(stream, await recapture(before, kind, deviceID))
      before?.stop()
    },
    mutePublishStream: (streamID, mute, ref) => update(streamID, ref, muting(mute)),
    setStreamExtraInfo: (streamID, metadata, ref) => update(streamID, ref, {metadata}),
    startPlayingStream: (streamID, of) => start(true, streamID, of) as Promise<MediaStream>,
    stopPlayingStream: (streamID, ref) => stop(true, streamID, ref),
    async switchPlayingStream(from, {roomID, streamID: streamId}) {
      const [fromRoom, roomId] = [from.roomID, roomID].map(id => named(id, 1004070)) as [string, string]
      const key = keyOf(true, fromRoom, from.streamID)
      return turn([[fromRoom], [roomId], [key, true], [keyOf(true, roomId, streamId), true]], async () => {
        const one = media.get(key)
        if (!one?.live || one.stopping) throw fail(0, 'STREAM_NOT_FOUND', `${from.streamID} is not played`)
        member(roomId)
        await run(() => place(one, {switchPlaying: {id: one.playing?.id, roomId, streamId}}))
        return one.stream as MediaStream
      })
    },
    updatePlayingStream: (streamID, preference, ref) => each(true, streamID, ref, one => {
      one.config.preference = preference
      return run(() => prefer(one))
    }),

    sendBroadcastMessage: (roomID, text) => say(roomID, 'BROADCAST', text),
    sendBarrageMessage: (roomID, text) => say(roomID, 'BARRAGE', text),
    sendCustomCommand: (roomID, text, toUserIDs) => say(roomID, 'COMMAND', text, toUserIDs),
    setRoomExtraInfo: (roomId, key, value) => ask(roomId, {setRoomMetadata: {roomId, key, value}}),
    kickUser: (roomId, userId, options) => ask(roomId, {kickUser: {roomId, userId, ...options}}),
    closeRoom: (roomId, reason) => ask(roomId, {closeRoom: {roomId, reason}}),
    muteStreamOf: (roomId, streamId, mute) => ask(roomId, {updatePublishing: {roomId, streamId, ...muting(mute)}}),

    ...listeners,
    get peerConnection() {return peer()?.pc},
    get connections() {return link.counts.connections},
    get negotiations() {return link.counts.offers},
    async destroy() {
      if (gone) return
      gone = true
      freed()
      clearInterval(meter as number)
      for (const room of all(rooms)) leave(room, 'logged-out')
      link.destroy(destroyed)
    },
  }
  // Who calls may look away: what goes wrong is told as a state, too.
  for (const [name, method] of Object.entries(engine)) {
    if (typeof method === 'function') (engine as never as Record<string, unknown>)[name] = (...args: never[]) => {
      const result = method.apply(engine, args)
      if (!result?.catch) return result
      const told = result.catch(rethrow)
      told.catch(() => {})
      return told
    }
  }
  return engine
}

/** What is to be muted or not, as requests have it. */
const muting = (mute: object): object => Object.fromEntries(Object.entries(mute).map(([kind, on]) => [`${kind}Muted`, on]))

/** A preference and its priority, as requests have them. */
const wanted = ({priority = 0, paused: _, ...preference}: PlayerPreference = {}): object => ({preference, priority})

/** Has exactly these tracks in a stream. */
function feed(stream: MediaStream, tracks: (MediaStreamTrack | '' | null | undefined)[]): void {
  for (const track of stream.getTracks()) if (!tracks.includes(track)) stream.removeTrack(track)
  for (const track of tracks) if (track) stream.addTrack(track)
}

const all = <T>(of: Map<string, T>): T[] => [...of.values()]
