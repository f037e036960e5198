// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { ErrorCode, createEngine, setRoomMode } from '../dist/switchyard.js'
import { FakeStream, FakeTrack, captured, pass } from './fakes.js'
import { browser, code, forget, heard, inRooms, make, soon, user } from './harness.js'

let tier
let page
let mediaDevices
beforeEach(() => { ({ tier, page, mediaDevices } = browser) })

test('the room mode is fixed once there is an engine', async () => {
  const engine = make('multi')
  assert.throws(() => setRoomMode('single'), code(ErrorCode.RoomModeFixed))
  await soon(engine.destroy())
  setRoomMode('single')
  assert.throws(() => setRoomMode('several'), code(1000017))
})

test('a configuration that cannot work is refused', () => {
  for (const config of [{ url: 'ftp://example.org' }, { url: 'no address' }, { token: '' }, { spareSlots: { audio: -1 } }, { reconnectFor: NaN }]) {
    assert.throws(() => createEngine({ url: 'wss://example.org', token: 'x', ...config }), code(1000017), JSON.stringify(config))
  }
  setRoomMode('multi') // none of them counts as an engine
})

test('login connects, offers spare slots and tells who is there', async () => {
  tier.world = {
    r1: { users: [{ id: 'bob', name: 'Bob' }], streams: [{ roomId: 'r1', streamId: 'b', user: { id: 'bob', name: 'Bob' }, audio: true, live: true }], metadata: { k: 'v' } },
  }
  const engine = make()
  assert.equal(engine.peerConnection, undefined)
  await soon(engine.loginRoom('r1', user))
  assert.deepEqual(heard('roomStateChanged').map((e) => e[1]), ['logging-in', 'logged-in'])
  assert.deepEqual(heard('roomUserUpdate'), [['r1', 'ADD', [{ userID: 'bob', userName: 'Bob' }]]])
  const [[, , [stream]]] = heard('roomStreamUpdate')
  assert.deepEqual(stream, {
    roomID: 'r1', streamID: 'b', user: { userID: 'bob', userName: 'Bob' }, live: true, audio: true, video: false, audioMuted: false, videoMuted: false, extraInfo: '',
  })
  assert.deepEqual(engine.streams('r1'), [stream])
  assert.deepEqual(engine.users('r1').map((u) => u.userID), ['bob'])
  assert.deepEqual(engine.extraInfo('r1'), { k: 'v' })
  assert.deepEqual(engine.rooms, ['r1'])
  const [{ offerSdp, offerId }] = tier.of('negotiate')
  assert.equal(offerId, '1')
  assert.equal(offerSdp, 'offer of 0a:recvonly,1a:recvonly,2a:recvonly,3a:recvonly,4v:recvonly,5v:recvonly,6v:recvonly,7v:recvonly')
  const pc = engine.peerConnection
  assert.deepEqual(pc.configuration.iceServers, [{ urls: ['stun:127.0.0.1'] }])
  assert.deepEqual([pc.channel.label, pc.channel.protocol], ['sfu', 'sfu.v1'])
  assert.equal(pc.getTransceivers()[4].extensions[0].direction, 'sendrecv', 'dependency descriptors are asked for')
  assert.equal(tier.of('hello')[0].roomMode, 'ROOM_MODE_MULTI')
  assert.deepEqual(tier.of('addCandidates')[0].candidates.length, 1)
  assert.equal(tier.of('addCandidates')[0].end, true)
  assert.deepEqual([engine.connections, engine.negotiations], [1, 1])
})

test('a room is required in mode multi', async () => {
  const engine = make()
  await inRooms(engine, 'r1')
  const stream = captured()
  await assert.rejects(engine.startPublishingStream('s', { stream }), code(ErrorCode.PublishRoomRequired))
  await assert.rejects(engine.startPublishingStream('s'), code(ErrorCode.PublishRoomRequired))
  await assert.rejects(engine.startPublishingStream('s', { roomID: '', stream }), code(ErrorCode.PublishRoomEmpty))
  await assert.rejects(engine.startPlayingStream('s', {}), code(ErrorCode.PlayRoomRequired))
  await assert.rejects(engine.startPlayingStream('s', { roomID: '' }), code(ErrorCode.PlayRoomEmpty))
})

test('mode single knows its room', async () => {
  const engine = make('single')
  // Without waiting for the login.
  void engine.loginRoom('only', user)
  await soon(Promise.all([engine.startPlayingStream('s'), engine.startPublishingStream('t', { stream: captured() })]), 600)
  assert.equal(tier.of('startPlaying')[0].roomId, 'only')
  assert.equal(tier.of('startPublishing')[0].roomId, 'only')
  assert.equal(tier.of('hello')[0].roomMode, 'ROOM_MODE_SINGLE')
})

test('failures carry the code of the tier', async () => {
  const engine = make()
  tier.answers.loginRoom = ({ roomId }) => roomId === 'r2' ? tier.fail(1002037, 'USER_ROOM_LIMIT', 'RESOURCE_EXHAUSTED', { retryAfterMs: 7 }) : undefined
  await inRooms(engine, 'r1')
  await assert.rejects(soon(engine.loginRoom('r2', user)), (e) => code(1002037, 'USER_ROOM_LIMIT')(e) && e.retryAfter === 7)
  assert.deepEqual(heard('roomStateChanged').map((e) => e.slice(1, 3)), [['logging-in', 0], ['login-failed', 1002037]])
  assert.deepEqual(engine.rooms, ['r1'])
})

test('several publications of a tick make one offer, one stream in two rooms is sent once', async () => {
  const engine = make()
  await inRooms(engine, 'r1', 'r2')
  const stream = captured()
  const other = captured()
  await soon(Promise.all([
    engine.startPublishingStream('cam', { roomID: 'r1', stream, simulcast: true, extraInfo: 'hi', videoCodec: 'video/vp9' }),
    engine.startPublishingStream('cam', { roomID: 'r2', stream }),
    engine.startPublishingStream('second', { roomID: 'r2', stream: other, contentHint: 'text', maxBitrate: 5 }),
  ]))
  assert.equal(engine.negotiations, 2)
  const published = tier.of('startPublishing')
  assert.deepEqual(published.map((p) => [p.roomId, p.streamId, p.audioMid, p.videoMid]).sort(), [
    ['r1', 'cam', '8', '9'], ['r2', 'cam', '8', '9'], ['r2', 'second', '10', '11'],
  ])
  assert.equal(published.find((p) => p.roomId === 'r1').metadata, 'hi')
  const video = engine.peerConnection.getTransceivers()[9]
  assert.deepEqual(video.sender.parameters.encodings.map((e) => [e.rid, e.scaleResolutionDownBy]), [['q', 4], ['h', 2], ['f', 1]])
  assert.ok(video.sender.parameters.encodings[0].maxBitrate < video.sender.parameters.encodings[2].maxBitrate)
  assert.deepEqual(video.codecs.map((c) => c.mimeType), ['video/VP9', 'video/VP8', 'video/rtx', 'video/H264'])
  assert.deepEqual(video.extensions.map((e) => e.direction), ['sendrecv', 'sendrecv'])
  assert.equal(stream.getVideoTracks()[0].contentHint, 'motion')
  assert.equal(other.getVideoTracks()[0].contentHint, 'text')
  assert.equal(engine.peerConnection.getTransceivers()[11].sender.parameters.encodings[0].maxBitrate, 5)
  await assert.rejects(soon(engine.startPublishingStream('cam', { roomID: 'r1', stream })), code(ErrorCode.AlreadyPublishing))
  assert.deepEqual(heard('publisherStateUpdate').filter((e) => e[2] === 'publishing').length, 3)
})

test('a small picture has fewer layers', async () => {
  const engine = make()
  await inRooms(engine, 'r1')
  const layers = []
  for (const [width, height] of [[960, 540], [540, 960], [640, 360], [480, 270], [320, 180], [undefined, undefined]]) {
    const stream = captured({ width, height })
    await soon(engine.startPublishingStream(`${width}x${height}`, { roomID: 'r1', stream, simulcast: true, maxBitrate: 800_000 }))
    const { sender } = engine.peerConnection.getTransceivers().at(-1)
    layers.push(sender.parameters.encodings.map((e) => `${e.rid ?? ''}${e.scaleResolutionDownBy}`).join(' '))
    assert.equal(sender.parameters.encodings.at(-1).maxBitrate, 800_000)
  }
  assert.deepEqual(layers, ['q4 h2 f1', 'q4 h2 f1', 'h2 f1', 'h2 f1', 'f1', 'q4 h2 f1'])
})

test('a stopped publication gives its lines back', async () => {
  const engine = make()
  await inRooms(engine, 'r1')
  await soon(engine.startPublishingStream('a', { roomID: 'r1', stream: captured(), simulcast: true }))
  await soon(engine.stopPublishingStream('a'))
  const lines = engine.peerConnection.getTransceivers()
  assert.deepEqual(lines.slice(8).map((l) => [l.direction, l.currentDirection, l.sender.track]), [['inactive', 'inactive', null], ['inactive', 'inactive', null]])
  const again = captured()
  await soon(engine.startPublishingStream('b', { roomID: 'r1', stream: again, simulcast: true }))
  assert.equal(engine.peerConnection.getTransceivers().length, 10, 'the same lines')
  assert.deepEqual(lines.slice(8).map((l) => l.currentDirection), ['sendonly', 'sendonly'])
  assert.equal(lines[9].sender.track, again.getVideoTracks()[0])
  await soon(engine.startPublishingStream('c', { roomID: 'r1', stream: captured() }))
  assert.equal(engine.peerConnection.getTransceivers().length, 12)
  assert.deepEqual(heard('publisherStateUpdate').map((e) => `${e[0]} ${e[2]} ${e[3]}`), [
    'a requesting 0', 'a publishing 0', 'a stopped 0', 'b requesting 0', 'b publishing 0', 'c requesting 0', 'c publishing 0',
  ])
  await soon(engine.stopPublishingStream('nothing'))
})

test('calls about a stream take effect in order, whoever waits for them', async () => {
  const engine = make()
  const stream = captured()
  void engine.loginRoom('r1', user)
  void engine.startPublishingStream('a', { roomID: 'r1', stream })
  void engine.stopPublishingStream('a')
  void engine.startPublishingStream('a', { roomID: 'r1', stream })
  void engine.startPlayingStream('b', { roomID: 'r1' })
  const last = engine.logoutRoom('r1')
  await soon(last, 1500)
  const asked = tier.requests.map(([name]) => name).filter((n) => /Room|Publishing|Playing/.test(n) && n !== 'updatePublishing')
  assert.deepEqual(asked.filter((n) => !n.includes('Playing')), ['loginRoom', 'startPublishing', 'stopPublishing', 'startPublishing', 'logoutRoom'])
  assert.equal(asked.at(-1), 'logoutRoom')
  assert.deepEqual(engine.rooms, [])
})

test('the node stops and starts layers', async () => {
  const engine = make()
  await inRooms(engine, 'r1')
  const encodings = [{ rid: 'a', scaleResolutionDownBy: 2 }, { rid: 'b', active: false }, { rid: 'c' }]
  await soon(engine.startPublishingStream('s', { roomID: 'r1', stream: captured(), simulcast: encodings }))
  const { sender } = engine.peerConnection.getTransceivers()[9]
  const layers = (...wanted) => engine.peerConnection.channel.onmessage({
    data: JSON.stringify({ type: 'layers', mid: '9', layers: ['a', 'b', 'c'].map((rid, i) => ({ rid, spatial: i, wanted: wanted[i] })) }),
  })
  const active = () => sender.parameters.encodings.map((e) => e.active)
  layers(true, true, false)
  layers(false, false, false) // at once: one call of setParameters at a time
  await pass()
  assert.deepEqual(active(), [true, false, false], 'the smallest goes on')
  layers(false, true, true)
  await pass()
  assert.deepEqual(active(), [true, false, true], 'what the page has switched off stays off')
  const { sets } = sender
  layers(false, true, true)
  await pass()
  assert.equal(sender.sets, sets + 1)
})

test('muting is told, and what all publications mute is not sent', async () => {
  const engine = make()
  await inRooms(engine, 'r1', 'r2')
  const stream = captured()
  const [track] = stream.getVideoTracks()
  await soon(Promise.all(['r1', 'r2'].map((roomID) => engine.startPublishingStream('cam', { roomID, stream }))))
  const { sender } = engine.peerConnection.getTransceivers()[9]
  await soon(engine.mutePublishStream('cam', { video: true }, { roomID: 'r1' }))
  assert.deepEqual(tier.of('updatePublishing'), [{ roomId: 'r1', streamId: 'cam', videoMuted: true }])
  assert.ok(track.enabled && sender.track === track)
  await soon(engine.mutePublishStream('cam', { video: true }, { roomID: 'r2' }))
  assert.ok(!track.enabled && sender.track === null)
  const other = new FakeTrack('video')
  await soon(engine.replaceTrack(stream, other))
  assert.ok(!other.enabled && sender.track === null, 'another camera is as muted')
  await soon(engine.mutePublishStream('cam', { video: false }, { roomID: 'r2' }))
  assert.ok(other.enabled && sender.track === other)
  await soon(engine.setStreamExtraInfo('cam', 'x', { roomID: 'r1' }))
  assert.deepEqual(tier.of('updatePublishing').at(-1), { roomId: 'r1', streamId: 'cam', metadata: 'x' })
  await assert.rejects(engine.mutePublishStream('none', { audio: true }), code(0, 'STREAM_NOT_FOUND'))
  assert.equal(engine.negotiations, 2)
})

test('devices are changed without negotiation', async () => {
  const engine = make()
  await inRooms(engine, 'r1')
  const stream = await engine.createStream({ camera: true, microphone: true })
  await soon(engine.startPublishingStream('cam', { roomID: 'r1', stream }))
  const [before] = stream.getVideoTracks()
  const asked = []
  const get = mediaDevices.getUserMedia
  mediaDevices.getUserMedia = (constraints) => {
    asked.push(constraints)
    return get(constraints)
  }
  await soon(engine.useDevice(stream, 'video', 'other'))
  assert.deepEqual(asked, [{ video: { deviceId: { exact: 'other' } } }])
  assert.equal(before.readyState, 'ended')
  assert.equal(engine.peerConnection.getTransceivers()[9].sender.track, stream.getVideoTracks()[0])
  assert.equal(engine.negotiations, 2)
  const silent = new FakeStream([new FakeTrack('video')])
  await soon(engine.startPublishingStream('silent', { roomID: 'r1', stream: silent }))
  await assert.rejects(engine.replaceTrack(silent, new FakeTrack('audio')), code(1000017))
  mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError') }
  await assert.rejects(engine.useDevice(stream, 'audio', 'x'), code(0, 'NOT_ALLOWED'))
  await assert.rejects(engine.createStream({ camera: true }), code(0, 'NOT_ALLOWED'))
})

test('without a stream the engine captures one, and stops it in the end', async () => {
  const engine = make()
  await inRooms(engine, 'r1', 'r2')
  await soon(Promise.all(['r1', 'r2'].map((roomID) => engine.startPublishingStream('me', { roomID }))), 600)
  const lines = engine.peerConnection.getTransceivers()
  assert.equal(lines.length, 10)
  const { track } = lines[9].sender
  await soon(engine.stopPublishingStream('me', { roomID: 'r1' }))
  assert.equal(track.readyState, 'live')
  await soon(engine.stopPublishingStream('me'))
  assert.equal(track.readyState, 'ended')
})

test('a screen is a stream of its own', async () => {
  const engine = make()
  await inRooms(engine, 'r1')
  const screen = await engine.createStream({ screen: true, microphone: true })
  assert.deepEqual(screen.getTracks().map((t) => t.kind).sort(), ['audio', 'video'])
  await soon(Promise.all([
    engine.startPublishingStream('cam', { roomID: 'r1', stream: captured() }),
    engine.startPublishingStream('screen', { roomID: 'r1', stream: screen }),
  ]))
  assert.equal(screen.getVideoTracks()[0].contentHint, 'detail')
  assert.equal(tier.of('startPublishing').length, 2)
  await assert.rejects(soon(engine.startPublishingStream('empty', { roomID: 'r1', stream: new FakeStream() })), code(1000017))
})

test('a player is fed from the lines that the node names', async () => {
  const engine = make()
  await inRooms(engine, 'r1', 'r2')
  const media = await soon(engine.startPlayingStream('s', { roomID: 'r1', preference: { width: 320, priority: 9 } }))
  assert.deepEqual(tier.of('startPlaying'), [{ roomId: 'r1', streamId: 's', audio: true, video: true, preference: { width: 320 }, priority: 9 }])
  const lines = engine.peerConnection.getTransceivers()
  assert.deepEqual(media.getTracks(), [lines[0].receiver.track, lines[4].receiver.track])
  assert.equal(await engine.startPlayingStream('s', { roomID: 'r1' }), media, 'it is being played')
  const playing = { id: 'p1', roomId: 'r1', streamId: 's', audio: true, video: true }
  tier.notice({ playing: { ...playing, state: 'SUBSCRIPTION_STATE_PENDING' } })
  assert.deepEqual(media.getTracks(), [])
  tier.notice({ playing: { ...playing, state: 'SUBSCRIPTION_STATE_PAUSED_BY_BANDWIDTH', audioMid: '1', videoMid: '5' } })
  assert.deepEqual(media.getTracks(), [lines[1].receiver.track, lines[5].receiver.track])
  await soon(engine.updatePlayingStream('s', { maxSpatial: 0, paused: true }))
  assert.deepEqual(tier.of('updatePlaying'), [{ id: 'p1', preference: { maxSpatial: 0 }, priority: 0, paused: true }])
  await soon(engine.stopPlayingStream('s'))
  assert.deepEqual(tier.of('stopPlaying'), [{ id: 'p1' }])
  assert.deepEqual(media.getTracks(), [])
  assert.deepEqual(heard('playerStateUpdate').map((e) => e[2]), ['requesting', 'playing', 'pending', 'paused', 'playing', 'stopped'])
  assert.equal(engine.negotiations, 1)
})

test('switching keeps the MediaStream and does not negotiate', async () => {
  const engine = make()
  await inRooms(engine, 'r1', 'r2')
  const media = await soon(engine.startPlayingStream('a', { roomID: 'r1' }))
  const tracks = media.getTracks()
  for (let i = 0; i < 4; i++) {
    const [from, to] = i % 2 ? ['r2', 'r1'] : ['r1', 'r2']
    assert.equal(await soon(engine.switchPlayingStream({ streamID: 'a', roomID: from }, { streamID: 'a', roomID: to })), media)
  }
  assert.deepEqual(media.getTracks(), tracks)
  assert.equal(engine.negotiations, 1)
  await assert.rejects(soon(engine.switchPlayingStream({ streamID: 'x', roomID: 'r1' }, { streamID: 'y', roomID: 'r1' })), code(0, 'STREAM_NOT_FOUND'))
  await soon(engine.stopPlayingStream('a', { roomID: 'r1' }))
  assert.equal(tier.of('stopPlaying').length, 1)
})

test('a player without a line gets one', async () => {
  tier.slots = false
  const engine = make('multi', { spareSlots: { audio: 0, video: 0 } })
  await inRooms(engine, 'r1')
  void engine.startPlayingStream('a', { roomID: 'r1' })
  void engine.startPlayingStream('b', { roomID: 'r1' })
  await pass(20)
  tier.notice({ negotiationNeeded: { audio: 2, video: 2 } })
  tier.notice({ negotiationNeeded: { audio: 2, video: 2 } }) // totals, not more and more
  await pass(300)
  assert.equal(engine.peerConnection.getTransceivers().length, 4)
  assert.equal(engine.negotiations, 2)
})

test('the end of a stream ends its player', async () => {
  const engine = make()
  await inRooms(engine, 'r1')
  const media = await soon(engine.startPlayingStream('s', { roomID: 'r1' }))
  tier.notice({ playing: { id: 'p1', roomId: 'r1', streamId: 's', state: 'SUBSCRIPTION_STATE_ENDED', reason: 'END_REASON_STREAM_REMOVED' } })
  assert.deepEqual(media.getTracks(), [])
  assert.deepEqual(heard('playerStateUpdate').at(-1).slice(0, 3), ['s', 'r1', 'stopped'])
  await soon(engine.stopPlayingStream('s'))
  assert.equal(tier.of('stopPlaying').length, 0)
})

test('what happens in a room is told', async () => {
  const engine = make()
  await inRooms(engine, 'r1')
  const bob = { id: 'bob', name: 'Bob' }
  const stream = { roomId: 'r1', streamId: 's', user: bob }
  tier.notice({ users: { roomId: 'r1', added: [bob] } })
  tier.notice({ streams: { roomId: 'r1', added: [stream] } })
  tier.notice({ streams: { roomId: 'r1', updated: [{ ...stream, live: true, videoMuted: true, metadata: 'x' }] } })
  tier.notice({ streams: { roomId: 'r1', added: [{ ...stream, streamId: 'mine', own: true }] } })
  assert.equal(engine.streams('r1').length, 1)
  tier.notice({ streams: { roomId: 'r1', removed: [{ ...stream, reason: 'END_REASON_LEFT' }] } })
  tier.notice({ users: { roomId: 'r1', removed: [bob] } })
  tier.notice({ roomMetadata: { roomId: 'r1', key: 'k', value: 'v' } })
  tier.notice({ roomMetadata: { roomId: 'r1', key: 'k' } })
  tier.notice({ speakers: { roomId: 'r1', speakers: [{ streamId: 's', userId: 'bob', level: 90 }] } })
  tier.notice({ users: { roomId: 'elsewhere', added: [bob] } })
  assert.deepEqual(heard('roomUserUpdate').map((e) => e[1]), ['ADD', 'DELETE'])
  assert.deepEqual(heard('roomStreamUpdate').map((e) => [e[1], e[2][0].reason]), [['ADD', undefined], ['DELETE', 'LEFT']])
  assert.deepEqual(heard('roomStreamChanged').map((e) => [e[1][0].live, e[1][0].videoMuted, e[1][0].extraInfo]), [[true, true, 'x']])
  assert.deepEqual(heard('roomExtraInfoUpdate'), [['r1', 'k', 'v'], ['r1', 'k', undefined]])
  assert.deepEqual(heard('activeSpeakers'), [['r1', [{ streamID: 's', userID: 'bob', level: 90 }]]])
})

test('messages come once, by whichever way', async () => {
  const engine = make()
  await inRooms(engine, 'r1')
  const inband = (m) => engine.peerConnection.channel.onmessage({ data: JSON.stringify({ type: 'message', room: 'r1', from: 'bob', from_name: 'Bob', sent_ms: 5, ...m }) })
  const notice = (m) => tier.notice({ message: { roomId: 'r1', from: { id: 'bob', name: 'Bob' }, sentMs: '5', ...m } })
  inband({ id: '1', kind: 'broadcast', text: 'one' })
  notice({ messageId: '1', kind: 'MESSAGE_KIND_BROADCAST', text: 'one' })
  notice({ messageId: '2', kind: 'MESSAGE_KIND_COMMAND', data: 'AP8=' })
  inband({ id: '2', kind: 'command', data: 'AP8=' })
  inband({ id: '3', kind: 'barrage', text: 'three', room: 'elsewhere' })
  inband({ id: '4', kind: 'barrage', text: 'four' })
  assert.deepEqual(heard('broadcastMessage'), [[{ roomID: 'r1', messageID: '1', from: { userID: 'bob', userName: 'Bob' }, text: 'one', sentAt: 5 }]])
  assert.deepEqual([...heard('customCommand')[0][0].data], [0, 255])
  assert.deepEqual(heard('barrageMessage').map(([m]) => m.text), ['four'])
  const id = await soon(engine.sendCustomCommand('r1', 'hey', ['bob']))
  const [{ clientMessageId, ...sent }] = tier.of('sendMessage')
  assert.deepEqual(sent, { roomId: 'r1', kind: 'MESSAGE_KIND_COMMAND', toUsers: ['bob'], text: 'hey' })
  assert.equal(id, `m-${clientMessageId}`)
  assert.ok(new TextEncoder().encode(clientMessageId).length <= 64)
  await assert.rejects(soon(engine.sendBroadcastMessage('r2', 'x')), code(ErrorCode.NotLoggedIn))
})

test('who manages a room asks the tier', async () => {
  const engine = make()
  await inRooms(engine, 'r1')
  await soon(Promise.all([
    engine.kickUser('r1', 'bob', { reason: 'why', banSeconds: 9 }), engine.closeRoom('r1', 'late'), engine.muteStreamOf('r1', 's', { audio: true }),
    engine.setRoomExtraInfo('r1', 'k', 'v'), engine.setRoomExtraInfo('r1', 'k', undefined), engine.renewToken('newer'), engine.renewToken('own', 'r1'),
  ]))
  assert.deepEqual(tier.of('kickUser'), [{ roomId: 'r1', userId: 'bob', reason: 'why', banSeconds: 9 }])
  assert.deepEqual(tier.of('closeRoom'), [{ roomId: 'r1', reason: 'late' }])
  assert.deepEqual(tier.of('updatePublishing'), [{ roomId: 'r1', streamId: 's', audioMuted: true }])
  assert.deepEqual(tier.of('setRoomMetadata'), [{ roomId: 'r1', key: 'k', value: 'v' }, { roomId: 'r1', key: 'k' }])
  assert.deepEqual(tier.of('renewToken'), [{ roomId: '', token: 'newer' }, { roomId: 'r1', token: 'own' }])
})

test('leaving a room ends what is of it, and nothing else', async () => {
  const engine = make()
  await inRooms(engine, 'r1', 'r2')
  const stream = captured()
  const [one, two] = await soon(Promise.all([
    engine.startPlayingStream('s', { roomID: 'r1' }), engine.startPlayingStream('s', { roomID: 'r2' }),
    engine.startPublishingStream('me', { roomID: 'r1', stream }), engine.startPublishingStream('me', { roomID: 'r2', stream }),
  ]))
  forget()
  await soon(engine.logoutRoom('r1'))
  assert.deepEqual([one.getTracks().length, two.getTracks().length], [0, 2])
  assert.deepEqual(heard('publisherStateUpdate'), [['me', 'r1', 'stopped', 0]])
  assert.deepEqual(heard('playerStateUpdate'), [['s', 'r1', 'stopped', 0]])
  assert.deepEqual(heard('roomStateChanged'), [['r1', 'logged-out', 0, '']])
  assert.equal(engine.peerConnection.getTransceivers()[9].direction, 'sendonly')
  await soon(engine.logoutRoom('r1'))
  await soon(engine.logoutRoom())
  assert.deepEqual(tier.of('logoutRoom'), [{ roomId: 'r1' }, {}])
  assert.deepEqual(engine.rooms, [])
  assert.equal(engine.peerConnection.getTransceivers()[9].direction, 'inactive')
  await soon(engine.logoutRoom())
})

test('switching rooms is one request', async () => {
  const engine = make()
  await inRooms(engine, 'r1')
  await soon(engine.switchRoom('r1', 'r2', { token: 't2' }))
  assert.deepEqual(tier.of('switchRoom'), [{ fromRoomId: 'r1', toRoomId: 'r2', token: 't2' }])
  assert.deepEqual(engine.rooms, ['r2'])
  assert.deepEqual(heard('roomStateChanged').map((e) => e.slice(0, 2)), [['r2', 'logging-in'], ['r2', 'logged-in'], ['r1', 'logged-out']])
  tier.answers.switchRoom = () => tier.fail(1002034, 'ROOM_FULL', 'RESOURCE_EXHAUSTED')
  await assert.rejects(soon(engine.switchRoom('r2', 'r3')), code(1002034))
  assert.deepEqual(engine.rooms, ['r2'])
  await soon(engine.startPlayingStream('s', { roomID: 'r2' }))
})

test('who is put out of a room loses that room only', async () => {
  const engine = make()
  await inRooms(engine, 'r1', 'r2')
  const stream = captured()
  const [one, two] = await soon(Promise.all([
    engine.startPlayingStream('s', { roomID: 'r1' }), engine.startPlayingStream('s', { roomID: 'r2' }), engine.startPublishingStream('me', { roomID: 'r1', stream }),
  ]))
  forget()
  tier.notice({ roomEnded: { roomId: 'r1', reason: 'END_REASON_KICKED', detail: 'spam', code: 1002055 } })
  assert.deepEqual(heard('kickedOut'), [['r1', 1002055, 'spam']])
  assert.deepEqual(heard('roomStateChanged'), [['r1', 'kicked-out', 1002055, 'spam']])
  assert.deepEqual(heard('publisherStateUpdate'), [['me', 'r1', 'stopped', 1002055]])
  assert.deepEqual([one.getTracks().length, two.getTracks().length], [0, 2])
  assert.deepEqual(engine.rooms, ['r2'])
  tier.notice({ roomEnded: { roomId: 'r2', reason: 'END_REASON_EXPIRED' } })
  assert.equal(heard('kickedOut')[0][1], ErrorCode.TokenExpired)
})

test('an own stream that somebody else ends is told', async () => {
  const engine = make()
  await inRooms(engine, 'r1')
  const own = { roomId: 'r1', streamId: 'me', own: true, reason: 'END_REASON_REQUESTED' }
  await soon(engine.startPublishingStream('me', { roomID: 'r1', stream: captured() }))
  await soon(engine.stopPublishingStream('me'))
  await soon(engine.startPublishingStream('me', { roomID: 'r1', stream: captured() }))
  forget()
  tier.notice({ streams: { roomId: 'r1', removed: [own] } }) // of the first one, late
  assert.deepEqual(heard('publisherStateUpdate'), [])
  tier.notice({ streams: { roomId: 'r1', removed: [{ ...own, reason: 'END_REASON_GRANTS_CHANGED' }] } })
  assert.deepEqual(heard('publisherStateUpdate'), [['me', 'r1', 'stopped', ErrorCode.PublishDenied]])
})

test('what one listener throws does not reach the others', async () => {
  const engine = make()
  const uncaught = []
  const before = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (e) => uncaught.push(e.message))
  const order = []
  const broken = () => { throw new Error('broken') }
  engine.on('roomStateChanged', broken).on('roomStateChanged', () => order.push('second'))
  await inRooms(engine, 'r1')
  engine.off('roomStateChanged', broken)
  process.removeAllListeners('uncaughtException')
  for (const listener of before) process.on('uncaughtException', listener)
  assert.deepEqual(order, ['second', 'second'])
  assert.deepEqual(uncaught, ['broken', 'broken'])
})

test('qualities are told from one report', async () => {
  const engine = make('multi', { qualityInterval: 1000 })
  await inRooms(engine, 'r1')
  await soon(Promise.all([engine.startPlayingStream('s', { roomID: 'r1' }), engine.startPublishingStream('me', { roomID: 'r1', stream: captured(), simulcast: true })]))
  const qualities = []
  engine.on('playerQualityUpdate', (q) => qualities.push(['player', q])).on('publisherQualityUpdate', (q) => qualities.push(['publisher', q]))
  tier.notice({ playing: { id: 'p1', roomId: 'r1', streamId: 's', state: 'SUBSCRIPTION_STATE_ACTIVE', audioMid: '0', videoMid: '4', spatialLayer: 1, temporalLayer: 2 } })
  const report = (seconds) => {
    const of = [
      { type: 'transport', id: 'T', selectedCandidatePairId: 'P' }, { type: 'candidate-pair', id: 'P', currentRoundTripTime: 0.02 }, { type: 'codec', id: 'C', mimeType: 'video/VP8' },
      { type: 'inbound-rtp', id: 'A', mid: '0', kind: 'audio', bytesReceived: 4000 * seconds, packetsReceived: 50 * seconds, packetsLost: 0, jitter: 0.001, audioLevel: 0.5 },
      {
        type: 'inbound-rtp', id: 'V', mid: '4', kind: 'video', codecId: 'C', bytesReceived: 100_000 * seconds, packetsReceived: 40 * seconds, packetsLost: 10 * seconds, jitter: 0.003,
        jitterBufferDelay: 3 * seconds, jitterBufferEmittedCount: 30 * seconds, framesPerSecond: 30, frameWidth: 640, frameHeight: 360, freezeCount: 2,
      },
      { type: 'inbound-rtp', id: 'other', mid: '5', kind: 'video', bytesReceived: 10 ** 9 * seconds },
      ...['q', 'h', 'f'].map((rid, i) => ({
        type: 'outbound-rtp', id: rid, mid: '9', kind: 'video', rid, codecId: 'C', bytesSent: i < 2 ? 1000 * seconds : 0, framesPerSecond: 10 * i, frameWidth: 320 * 2 ** i, frameHeight: 180 * 2 ** i, remoteId: 'R',
      })),
      { type: 'remote-inbound-rtp', id: 'R', fractionLost: 0.25 },
    ]
    engine.peerConnection.stats = new Map(of.map((r) => [r.id, { timestamp: 1000 * seconds, ...r }]))
  }
  report(1)
  await pass(1000)
  report(2)
  qualities.length = 0
  await pass(1000)
  const { publisher, player } = Object.fromEntries(qualities)
  assert.deepEqual(player, {
    roomID: 'r1', streamID: 's', rtt: 20, videoBitrate: 800_000, audioBitrate: 32_000, videoFPS: 30, width: 640, height: 360, packetLoss: 0.1,
    jitter: 3, delay: 100, videoCodec: 'video/VP8', freezes: 2, audioLevel: 0.5, spatialLayer: 1, temporalLayer: 2, layers: undefined,
  })
  assert.deepEqual([publisher.videoBitrate, publisher.layers, publisher.packetLoss, publisher.width, publisher.videoFPS], [16_000, 2, 0.25, 1280, 20])
})

test('an engine that is destroyed is of no more use', async () => {
  const engine = make()
  await inRooms(engine, 'r1')
  const media = await soon(engine.startPlayingStream('s', { roomID: 'r1' }))
  const waiting = engine.loginRoom('r2', user)
  await soon(Promise.all([engine.destroy(), engine.destroy()]))
  await Promise.allSettled([waiting])
  assert.ok(tier.of('goodbye').length === 1)
  assert.deepEqual(media.getTracks(), [])
  assert.deepEqual(engine.rooms, [])
  await assert.rejects(soon(engine.loginRoom('r1', user)), code(1000001, 'DESTROYED'))
  setRoomMode('single')
})

test('a page that is closed says goodbye', async () => {
  const engine = make()
  await inRooms(engine, 'r1')
  page.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: true }))
  page.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: false }))
  await pass()
  assert.equal(tier.of('goodbye').length, 1)
})
