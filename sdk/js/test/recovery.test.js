// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { ErrorCode } from '../dist/switchyard.js'
import { captured, pass } from './fakes.js'
import { browser, code, forget, heard, inRooms, make, soon, user } from './harness.js'

let tier
let page
beforeEach(() => { ({ tier, page } = browser) })

const states = () => heard('roomStateChanged').map(([room, state, n]) => `${room} ${state} ${n}`)

/** An engine that publishes and plays in a room, and the MediaStream that it plays. */
async function busy(config) {
  const engine = make('multi', config)
  await inRooms(engine, 'r1', 'r2')
  const stream = captured()
  const [media] = await soon(Promise.all([
    engine.startPlayingStream('bobs', { roomID: 'r1' }), engine.startPublishingStream('me', { roomID: 'r1', stream }),
  ]))
  forget()
  tier.requests = []
  return { engine, media, stream }
}

test('signaling that is lost is found again, and media goes on', async () => {
  const { engine, media } = await busy()
  const pc = engine.peerConnection
  const tracks = media.getTracks()
  const [session] = tier.sessions.values()
  Object.assign(session.rooms.get('r1'), { users: [{ id: 'bob', name: 'Bob' }], metadata: { k: 'v' } })
  tier.notice({ users: { roomId: 'r1', added: [{ id: 'eve', name: 'Eve' }] } })
  forget()
  tier.cut()
  assert.deepEqual(states(), ['r1 reconnecting 0', 'r2 reconnecting 0'])
  await pass(600)
  assert.deepEqual(states(), ['r1 reconnected 0', 'r2 reconnected 0'])
  assert.deepEqual(heard('roomUserUpdate').map((e) => [e[1], e[2][0].userID]), [['DELETE', 'eve'], ['ADD', 'bob']])
  assert.deepEqual(heard('roomExtraInfoUpdate'), [['r1', 'k', 'v']])
  assert.deepEqual(heard('publisherStateUpdate').concat(heard('playerStateUpdate')), [])
  assert.deepEqual(tier.of('hello').map((h) => h.resume), [{ sessionId: session.id, sessionEpoch: '1' }])
  assert.deepEqual(tier.requests.map(([n]) => n).filter((n) => n !== 'ping'), ['hello'])
  assert.ok(engine.peerConnection === pc && pc.connectionState === 'connected')
  assert.deepEqual(media.getTracks(), tracks)
  assert.deepEqual([engine.connections, engine.negotiations], [1, 2])
  assert.deepEqual(heard('signalingStateChanged').map(([s]) => s), ['disconnected', 'connecting', 'connected'])
})

test('what the server lost meanwhile is made again', async () => {
  const { engine, media } = await busy()
  const [session] = tier.sessions.values()
  session.rooms.get('r1').streams = []
  session.playing.clear()
  session.rooms.delete('r2')
  tier.cut()
  await pass(600)
  assert.deepEqual(tier.of('startPublishing').map((p) => [p.roomId, p.streamId, p.audioMid]), [['r1', 'me', '8']])
  assert.deepEqual(tier.of('startPlaying').map((p) => [p.roomId, p.streamId]), [['r1', 'bobs']])
  assert.deepEqual(tier.of('loginRoom').map((r) => [r.roomId, r.user.id]), [['r2', 'ada']])
  assert.equal(media.getTracks().length, 2)
  assert.deepEqual(engine.rooms, ['r1', 'r2'])
  await soon(engine.stopPlayingStream('bobs'))
  assert.equal(tier.of('stopPlaying')[0].id, 'p2')
})

test('a room that one may not enter again is lost', async () => {
  const { engine } = await busy()
  tier.sessions.values().next().value.rooms.delete('r1')
  tier.answers.loginRoom = () => tier.fail(1002055, 'KICKED', 'PERMISSION_DENIED')
  tier.cut()
  await pass(600)
  assert.deepEqual(heard('kickedOut').map((e) => e.slice(0, 2)), [['r1', 1002055]])
  assert.deepEqual(engine.rooms, ['r2'])
  assert.deepEqual(heard('playerStateUpdate').map((e) => e[2]), ['stopped'])
})

test('a request whose answer was lost is sent again', async () => {
  const { engine } = await busy()
  tier.silent.add('sendMessage').add('stopPlaying')
  const message = engine.sendBroadcastMessage('r1', 'x')
  const stopped = engine.stopPlayingStream('bobs')
  await pass(20)
  tier.silent.clear()
  tier.cut()
  const id = await soon(message, 600)
  await stopped // it had been carried out, which is as good
  assert.deepEqual(tier.of('sendMessage').map((m) => `m-${m.clientMessageId}`), [id, id])
})

test('calls wait for the connection', async () => {
  const { engine } = await busy()
  tier.refusing = true
  tier.cut()
  const calls = [engine.loginRoom('r3', user), engine.startPlayingStream('x', { roomID: 'r2' }), engine.logoutRoom('r1')]
  await pass(3000)
  tier.refusing = false
  await soon(Promise.all(calls), 6000)
  assert.deepEqual(engine.rooms, ['r2', 'r3'])
})

test('attempts come apart, and at once when the network is back', async () => {
  const { engine } = await busy()
  tier.refusing = true
  tier.cut()
  const at = []
  engine.on('signalingStateChanged', (s) => { if (s === 'connecting') at.push(Date.now()) })
  await pass(20_000)
  const gaps = at.slice(1).map((t, i) => t - at[i])
  assert.ok(gaps[0] <= 300 && gaps.every((g, i) => i === 0 || g >= gaps[i - 1] - 20 && g <= 2600), String(gaps))
  tier.refusing = false
  page.dispatchEvent(new Event('online'))
  await pass(20)
  assert.equal(states().at(-1), 'r2 reconnected 0')
})

test('silence is a loss', async () => {
  await busy()
  tier.deaf = true
  await pass(1900)
  assert.deepEqual(heard('signalingStateChanged'), [])
  tier.deaf = false
  tier.silent.add('ping')
  await pass(3200)
  assert.equal(heard('signalingStateChanged')[0][0], 'disconnected')
  tier.silent.clear()
})

test('a tier that goes away says when to come back', async () => {
  const { engine } = await busy()
  tier.notice({ goingAway: { retryAfterMs: 2000 } })
  tier.cut()
  const opened = tier.opened
  await pass(1900)
  assert.equal(tier.opened, opened)
  await pass(500)
  assert.equal(tier.opened, opened + 1)
  assert.equal(engine.connections, 1)
})

test('a session that is lost is made anew, with all that was in it', async () => {
  const { engine, media, stream } = await busy()
  const before = engine.peerConnection
  tier.sessions.clear()
  tier.cut()
  await pass(1500)
  const pc = engine.peerConnection
  assert.ok(pc !== before && before.connectionState === 'closed')
  assert.equal(engine.connections, 2)
  assert.equal(tier.of('hello').length, 2)
  assert.equal(tier.of('hello')[1].resume, undefined)
  assert.deepEqual(tier.of('loginRoom').map((r) => r.roomId), ['r1', 'r2'])
  assert.deepEqual(tier.of('startPublishing').map((p) => p.videoMid), ['9'])
  assert.equal(pc.getTransceivers()[9].sender.track, stream.getVideoTracks()[0])
  assert.deepEqual(media.getTracks(), [pc.getTransceivers()[0], pc.getTransceivers()[4]].map((l) => l.receiver.track))
  assert.deepEqual(states(), ['r1 reconnecting 0', 'r2 reconnecting 0', 'r1 reconnected 0', 'r2 reconnected 0'])
  assert.deepEqual(heard('publisherStateUpdate').map((e) => e[2]), ['requesting', 'publishing'])
})

test('a call in flight when the session is lost is done in the next one', async () => {
  const { engine } = await busy()
  for (const name of ['startPlaying', 'startPublishing', 'loginRoom', 'stopPublishing', 'switchRoom']) tier.silent.add(name)
  const calls = [
    engine.startPlayingStream('late', { roomID: 'r1' }), engine.startPublishingStream('late', { roomID: 'r1', stream: captured() }),
    engine.loginRoom('r3', user), engine.stopPublishingStream('me'),
  ]
  await pass(100)
  const switched = engine.switchRoom('r2', 'r4')
  await pass(100)
  tier.silent.clear()
  tier.sessions.clear()
  tier.requests = []
  tier.notice({ sessionEnded: { reason: 'END_REASON_CONNECTION_LOST', code: 1002052 } })
  await soon(Promise.all([...calls, switched]), 2000)
  assert.deepEqual([...engine.rooms].sort(), ['r1', 'r3', 'r4'])
  assert.deepEqual(tier.of('loginRoom').map((r) => r.roomId).sort(), ['r1', 'r3', 'r4'])
  assert.deepEqual(tier.of('startPublishing').map((p) => p.streamId), ['late'])
  assert.deepEqual(tier.of('startPlaying').map((p) => p.streamId).sort(), ['bobs', 'late'])
})

test('any request may find that the session is gone', async () => {
  const { engine } = await busy()
  tier.sessions.clear()
  tier.answers.sendMessage = () => {
    delete tier.answers.sendMessage
    return tier.fail(0, 'SESSION_NOT_FOUND', 'NOT_FOUND')
  }
  await soon(engine.sendBroadcastMessage('r1', 'x'), 1500)
  assert.equal(engine.connections, 2)
})

test('a session that is lost while it is brought back is brought back', async () => {
  const { engine, media } = await busy()
  tier.silent.add('loginRoom')
  tier.sessions.clear()
  tier.cut()
  await pass(600)
  tier.silent.clear()
  tier.sessions.clear()
  tier.cut()
  await pass(1500)
  assert.equal(engine.connections, 3)
  assert.deepEqual(engine.rooms, ['r1', 'r2'])
  assert.equal(media.getTracks().length, 2)
  assert.equal(tier.sessions.values().next().value.rooms.get('r1').streams.length, 1)
})

test('the same user elsewhere ends everything', async () => {
  const { engine, media } = await busy()
  tier.notice({ sessionEnded: { reason: 'END_REASON_DUPLICATE_USER', detail: 'logged in elsewhere', code: 1002050 } })
  assert.deepEqual(states(), ['r1 kicked-out 1002050', 'r2 kicked-out 1002050'])
  assert.deepEqual(media.getTracks(), [])
  const { opened } = tier
  await pass(10_000)
  assert.equal(tier.opened, opened, 'no reconnect')
  assert.deepEqual(engine.rooms, [])
  await assert.rejects(soon(engine.startPlayingStream('x', { roomID: 'r1' })), code(ErrorCode.NotLoggedIn))
  await soon(engine.loginRoom('r1', user), 600) // until the page says otherwise
  assert.deepEqual(engine.rooms, ['r1'])
})

test('it is given up in the end', async () => {
  const { engine } = await busy({ reconnectFor: 30_000 })
  tier.refusing = true
  tier.cut()
  const call = engine.loginRoom('r3', user)
  await pass(29_000)
  assert.deepEqual(states(), ['r1 reconnecting 0', 'r2 reconnecting 0', 'r3 logging-in 0'])
  await assert.rejects(soon(call, 4000), code(1002053))
  assert.deepEqual(states(), ['r1 kicked-out 1002053', 'r2 kicked-out 1002053', 'r3 login-failed 1002053'])
  const { opened } = tier
  tier.refusing = false
  await pass(5000)
  assert.equal(tier.opened, opened)
})

test('sessions that never connect are given up, too', async () => {
  const { engine } = await busy({ reconnectFor: 20_000 })
  engine.peerConnection.become('failed')
  for (let i = 0; i < 10; i++) {
    tier.sessions.clear()
    tier.answers.negotiate = () => tier.fail(0, 'INTERNAL', 'INTERNAL')
    tier.notice({ sessionEnded: { reason: 'END_REASON_NEVER_CONNECTED' } })
    await pass(5000)
  }
  assert.deepEqual(states().filter((s) => s.includes('kicked')), ['r1 kicked-out 1002053', 'r2 kicked-out 1002053'])
  assert.ok(heard('error').length > 0)
})

test('an address that does not answer fails the first login', async () => {
  tier.refusing = true
  const engine = make()
  await assert.rejects(soon(engine.loginRoom('r1', user), 25_000), code(1002030))
  assert.deepEqual(states(), ['r1 logging-in 0', 'r1 login-failed 1002030'])
  tier.refusing = false
  await soon(engine.loginRoom('r1', user))
})

test('a path that is gone for a second is looked for again and again', async () => {
  const { engine } = await busy()
  const pc = engine.peerConnection
  pc.become('disconnected')
  await pass(500)
  pc.become('connected')
  await pass(3000)
  assert.equal(pc.restarts, 0, 'a hiccup')
  pc.become('disconnected')
  await pass(900)
  assert.equal(pc.restarts, 0)
  await pass(7000)
  assert.ok(pc.restarts >= 3, String(pc.restarts))
  pc.become('connected')
  const { restarts } = pc
  await pass(6000)
  assert.equal(pc.restarts, restarts)
  pc.become('failed')
  await pass(50)
  assert.equal(pc.restarts, restarts + 1)
  assert.deepEqual(tier.of('negotiate').map((n) => +n.offerId), tier.of('negotiate').map((_, i) => i + 3))
  assert.equal(engine.connections, 1)
})

test('a path that nothing comes on is left before the browser says so', async () => {
  const { engine } = await busy()
  const pc = engine.peerConnection
  const pair = { type: 'candidate-pair', responsesReceived: 3, packetsReceived: 10 }
  pc.stats = new Map([['pair', pair]])
  for (let i = 0; i < 4; i++) {
    await pass(2000)
    pair.packetsReceived++
  }
  assert.equal(pc.restarts, 0)
  await pass(5500)
  assert.equal(pc.restarts, 1)
  pair.responsesReceived++
  await pass(3500)
  assert.equal(pc.restarts, 1)
})

test('another network is another path', async () => {
  const { engine } = await busy()
  page.dispatchEvent(new Event('online'))
  await pass(50)
  assert.equal(engine.peerConnection.restarts, 1)
  tier.silent.add('ping')
  page.dispatchEvent(new Event('online'))
  await pass(2600)
  assert.equal(heard('signalingStateChanged')[0][0], 'disconnected', 'a dead socket is found out')
  tier.silent.clear()
})

test('encryption that failed takes another session', async () => {
  const { engine } = await busy()
  engine.peerConnection.become('failed', 'connected')
  await pass(1500)
  assert.equal(engine.connections, 2)
  assert.equal(engine.peerConnection.connectionState, 'connected')
})

test('an offer that is refused is taken back', async () => {
  const { engine } = await busy()
  tier.answers.negotiate = () => tier.fail(0, 'SDP_INVALID', 'INVALID_ARGUMENT')
  await assert.rejects(soon(engine.startPublishingStream('x', { roomID: 'r1', stream: captured() })), code(0, 'SDP_INVALID'))
  assert.equal(engine.peerConnection.signalingState, 'stable')
  delete tier.answers.negotiate
  await soon(engine.startPublishingStream('y', { roomID: 'r1', stream: captured() }))
})

test('failures that pass are tried again', async () => {
  const { engine } = await busy()
  let failures = 2
  tier.answers.startPlaying = () => failures-- > 0 ? tier.fail(0, 'NODE_UNAVAILABLE', 'UNAVAILABLE', { retryAfterMs: 100 }) : undefined
  await soon(engine.startPlayingStream('x', { roomID: 'r1' }), 1500)
  assert.equal(tier.of('startPlaying').length, 3)
  tier.answers.loginRoom = () => tier.fail(0, 'DRAINING', 'UNAVAILABLE')
  await assert.rejects(soon(engine.loginRoom('r9', user)), code(0, 'DRAINING'))
})

test('tokens are asked for when they are needed', async () => {
  const asked = []
  const token = async (why) => {
    asked.push(why)
    return `token${asked.length}`
  }
  const { engine } = await busy({ token })
  assert.deepEqual(asked, [{ reason: 'first' }])
  tier.answers.hello = ({ token: shown }) => shown === 'token1' ? tier.fail(1002033, 'TOKEN_EXPIRED', 'UNAUTHENTICATED') : undefined
  tier.cut()
  await pass(600)
  assert.deepEqual(asked.slice(1), [{ reason: 'refused' }])
  assert.deepEqual(engine.rooms, ['r1', 'r2'])
  tier.notice({ tokenWillExpire: { roomId: 'r1', expiresInMs: '30000' } })
  tier.notice({ tokenWillExpire: { roomId: 'r2', expiresInMs: '30000' } })
  await pass()
  assert.deepEqual(asked.slice(2), [{ reason: 'expiring', roomID: 'r1' }], 'once for both, which have the same')
  assert.deepEqual(tier.of('renewToken')[0], { roomId: '', token: 'token3' })
  tier.answers.loginRoom = ({ token: shown }) => shown ? undefined : tier.fail(1002033, 'ROOM_NOT_GRANTED', 'PERMISSION_DENIED')
  await soon(engine.loginRoom('r3', user))
  assert.deepEqual(asked.slice(3), [{ reason: 'refused', roomID: 'r3' }])
  tier.notice({ tokenWillExpire: { roomId: 'r3', expiresInMs: '30000' } })
  await pass()
  assert.deepEqual(tier.of('renewToken').at(-1), { roomId: 'r3', token: 'token5' })
  assert.deepEqual(heard('tokenWillExpire'), [])
})

test('without a function for tokens the page is told', async () => {
  await busy()
  tier.notice({ tokenWillExpire: { roomId: 'r1', expiresInMs: '30000' } })
  await pass()
  assert.deepEqual(heard('tokenWillExpire'), [['r1', 30_000]])
})

test('a token that is refused twice ends it', async () => {
  tier.answers.hello = () => tier.fail(1002033, 'BAD_TOKEN', 'UNAUTHENTICATED')
  const engine = make()
  await assert.rejects(soon(engine.loginRoom('r1', user), 1000), code(ErrorCode.BadToken))
  assert.equal(tier.of('hello').length, 2)
})

test('a function for tokens that fails is told at once', async () => {
  const broken = make('multi', { token: () => { throw new Error('no') } })
  await assert.rejects(soon(broken.loginRoom('r1', user), 1000), code(ErrorCode.BadToken, 'NO_TOKEN'))
})

test('a room that the operator moves the user into is told', async () => {
  const { engine } = await busy()
  tier.notice({ room: { roomId: 'r7', users: [{ id: 'bob' }] } })
  assert.deepEqual(states(), ['r7 logged-in 0'])
  assert.deepEqual(engine.users('r7'), [{ userID: 'bob', userName: 'bob' }])
  tier.notice({ room: { roomId: 'r7' } }) // events were missed
  assert.deepEqual(heard('roomUserUpdate').map((e) => e[1]), ['ADD', 'DELETE'])
})
