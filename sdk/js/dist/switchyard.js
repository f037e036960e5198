// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0
class SwitchyardError extends Error {
	constructor(code, reason, message, retryAfter = 0) {
		super(message);this.code = code;this.reason = reason;this.retryAfter = retryAfter
		this.name = 'SwitchyardError'
	}
}
const ErrorCode = {
	RoomModeFixed: 1001020,
	SingleRoomMode: 1002001,
	NotLoggedIn: 1002002,
	UserMismatch: 1002018,
	BadToken: 1002033,
	RoomFull: 1002034,
	MultiRoomDisabled: 1002036,
	UserRoomLimit: 1002037,
	LoggedInElsewhere: 1002050,
	KickedOut: 1002055,
	TokenExpired: 1002056,
	AlreadyPublishing: 1003023,
	PublishDenied: 1003025,
	StreamExists: 1003028,
	PublishRoomRequired: 1003070,
	PublishRoomEmpty: 1003071,
	PlayDenied: 1004025,
	PlayRoomRequired: 1004070,
	PlayRoomEmpty: 1004071,
}
async function capture({camera = false, microphone: audio = false, screen}) {
	const {mediaDevices} = navigator
	if (!screen) {
		const video = camera === true ? {width: 640, height: 360, frameRate: 30} : camera
		return mediaDevices.getUserMedia({audio, video})
	}
	const shown = await mediaDevices.getDisplayMedia({...(screen === true ? {audio: true} : screen), ...(audio && {audio: false})})
	const spoken = audio && await mediaDevices.getUserMedia({audio}).catch(e => {
		stopTracks(shown)
		throw e
	})
	if (spoken) shown.addTrack(spoken.getTracks()[0])
	return shown
}
const recapture = async (before, kind, deviceID) =>
	(await navigator.mediaDevices.getUserMedia({[kind]: {...before?.getConstraints(), deviceId: {exact: deviceID}}})).getTracks()[0]
const stopTracks = (stream) => stream.getTracks().forEach(track => track.stop())
const trackOf = (stream, kind) => stream.getTracks().find(track => track.kind === kind)
const fail = (code, reason, message) => new SwitchyardError(code, reason, message)
const invalid = (message) => fail(1000017, 'INVALID_ARGUMENT', message)
function asError(e = fail(0, '', '')) {
	if (e instanceof SwitchyardError) return e
	const {name, message} = e
	return fail(0, String(name).replace(/Error$/, '').replace(/\B(?=[A-Z])/g, '_').toUpperCase(), message ?? String(e))
}
function rethrow(e) {
	throw asError(e)
}
const short = (value = '') => value.replace(/^(END_REASON|SUBSCRIPTION_STATE|MESSAGE_KIND)_/, '')
const kinds = ['audio', 'video']
function createPeer(configuration, slots, offerID, owner) {
	const pc = new RTCPeerConnection({bundlePolicy: 'max-bundle', ...configuration})
	const lines = new Set()
	const found = []
	let round
	let answered = false, closed = false
	let timer
	let tuning = Promise.resolve()
	const open = () => pc.getTransceivers().filter(t => t.direction === 'recvonly' && !t.currentDirection)
	function receive(missing) {
		for (const kind of kinds) {
			for (let count = open().filter(t => t.receiver.track.kind === kind).length; count < (missing[kind] ?? 0); count++) {
				describe(pc.addTransceiver(kind, {direction: 'recvonly'}))
			}
		}
	}
	async function offer() {
		await new Promise(resolve => setTimeout(resolve, 0))
		if (closed) return
		await pc.setLocalDescription()
		owner.offered()
		try {
			const {answer} = await owner.request({negotiate: {offerSdp: pc.localDescription?.sdp, offerId: String(++offerID)}})
			await pc.setRemoteDescription({type: 'answer', sdp: answer?.answerSdp ?? ''})
			answered = true
		} catch (e) {
			if (closed) return
			if (pc.signalingState !== 'stable') await pc.setLocalDescription({type: 'rollback'})
			throw e
		}
	}
	const once = () => round ??= offer().finally(() => {round = undefined})
	async function negotiate(done) {
		for (let tries = 0; tries < 4 && !done() && !closed; tries++) await once()
	}
	const later = (done) => negotiate(done).catch(owner.failed)
	const connected = () => /^(connected|completed)$/.test(pc.iceConnectionState)
	function restartIn(milliseconds) {
		timer = setTimeout(() => {
			timer = undefined
			if (!connected()) restart()
		}, milliseconds)
	}
	function restart() {
		clearTimeout(timer)
		if (closed || !answered) return
		if (!round) {
			pc.restartIce()
			once().catch(owner.failed)
		}
		restartIn(2500)
	}
	let heard = 0, silent = 0
	const listener = setInterval(async () => {
		const before = heard
		heard = 0
		for (const r of (await pc.getStats()).values()) if (r.responsesReceived) heard += r.responsesReceived + (r.packetsReceived ?? 0)
		silent = heard && heard === before && connected() ? silent + 1 : 0
		if (silent < 4) return
		silent = 0
		restart()
	}, 1000)
	function changed() {
		const {iceConnectionState: ice, connectionState} = pc
		if (connectionState === 'failed' && connected()) owner.broken()
		else if (!timer && ice === 'failed') restart()
		else if (!timer && ice === 'disconnected') restartIn(1000)
	}
	function tune(line) {
		return tuning = tuning.then(() => {
			const {sender} = line.tx
			const parameters = sender.getParameters()
			parameters.encodings?.forEach((encoding, i) => {
				const {rid, active = true, ...rest} = line.encodings[i] ?? {}
				if (!rest.maxBitrate) delete encoding.maxBitrate
				Object.assign(encoding, rest, {active: active && !(i && line.unwanted.includes(rid))})
			})
			return sender.setParameters(parameters)
		}).catch(() => {})
	}
	pc.onicecandidate = async ({candidate}) => {
		found.push(candidate)
		await round?.catch(() => {})
		const batch = found.splice(0)
		if (batch.length && !closed) owner.request({addCandidates: {candidates: batch.filter(c => c?.candidate), end: batch.includes(null)}}).catch(() => {})
	}
	pc.oniceconnectionstatechange = changed
	pc.onconnectionstatechange = () => {
		owner.state(pc.connectionState)
		changed()
	}
	pc.createDataChannel('sfu', {protocol: 'sfu.v1'}).onmessage = e => owner.inband(e.data)
	receive(slots)
	const begun = negotiate(() => answered)
	begun.catch(owner.failed)
	return {
		pc,
		negotiate,
		restart,
		begun,
		grow(missing) {
			receive(missing)
			later(() => !open().length)
		},
		async take(track, encodings, codec) {
			const kind = track.kind
			const free = [...lines].find(l => l.tx.direction === 'inactive' && l.tx.receiver.track.kind === kind && rids(l.encodings) === rids(encodings))
			const tx = free?.tx ?? pc.addTransceiver(track, {direction: 'sendonly', sendEncodings: encodings})
			const line = Object.assign(free ?? {tx}, {encodings, unwanted: []})
			if (!free) describe(tx, encodings.length > 1)
			lines.add(line)
			tx.direction = 'sendonly'
			prefer(tx, kind, codec)
			await tx.sender.replaceTrack(track)
			await tune(line)
			return line
		},
		release({tx}) {
			if (closed) return
			tx.direction = 'inactive'
			tx.sender.replaceTrack(null).catch(() => {})
			later(() => tx.direction === tx.currentDirection)
		},
		layers({mid, layers}) {
			for (const line of lines) if (line.tx.mid === mid) {
				line.unwanted = layers.filter(l => !l.wanted).map(l => l.rid)
				tune(line)
			}
		},
		track: (mid) => pc.getTransceivers().find(t => t.mid === mid)?.receiver.track,
		close() {
			closed = true
			clearTimeout(timer)
			clearInterval(listener)
			pc.close()
			owner.state('closed')
		},
	}
}
const rids = (encodings) => encodings.length > 1 ? encodings.map(e => e.rid).join() : ''
function describe(line, layers = false) {
	const all = line.receiver.track.kind === 'video' && line.getHeaderExtensionsToNegotiate?.()
	if (!all) return
	for (const one of all) if ((layers ? /dependency-descriptor|rtp-stream-id/ : /dependency-descriptor/).test(one.uri)) one.direction = 'sendrecv'
	line.setHeaderExtensionsToNegotiate?.(all)
}
function prefer(line, kind, codec = '') {
	const all = RTCRtpSender.getCapabilities?.(kind)?.codecs ?? []
	const first = all.filter(c => c.mimeType.toLowerCase() === codec.toLowerCase())
	line.setCodecPreferences?.(first.length ? [...new Set([...first, ...all])] : [])
}
const lost = fail(0, 'SESSION_NOT_FOUND', 'the session is over')
const longestPause = 5000
const passing = /^(UNAVAILABLE|DEADLINE_EXCEEDED) (?!DRAINING)| (SESSION_BUSY|BUSY|CALL_RATE|RATE)$/
function createConnection(config, url, mode, {emit, ...owner}) {
	const {reconnectFor = 1_200_000, spareSlots: {audio = 4, video = 4} = {}, peer: more} = config
	let running = false, ready = false, welcomed = false, up = false, refused = false
	let turn = 0, attempt = 0, since = 0, lastID = 0, silent = 0, pause = 0
	let state = '', token = ''
	let why
	let waiting = []
	let socket, peer
	let resume
	let pinger
	const counts = {connections: 0, offers: 0}
	const asked = new Map()
	const pending = new Set()
	const sent = new Map()
	function after(milliseconds, work) {
		const mine = turn
		setTimeout(() => {if (mine === turn) work()}, milliseconds)
	}
	function tell(now) {
		if (state === now) return
		state = now
		emit('signalingStateChanged', now)
		if (now === 'disconnected' && running) owner.away()
	}
	const say = (body) => socket?.send(JSON.stringify({id: ++lastID, ...body}))
	function send(one) {
		say(one.body)
		sent.set(lastID, one)
	}
	function request(body) {
		let one
		return new Promise((resolve, reject) => {
			pending.add(one = {body, resolve, reject, tries: 0})
			if (ready) send(one)
		}).finally(() => pending.delete(one))
	}
	function frame(data) {
		silent = 0
		const {reply, notice} = JSON.parse(data)
		if (reply) answered(reply)
		if (!notice || !ready) return
		const {goingAway, sessionEnded} = notice
		if (goingAway) pause = (goingAway.retryAfterMs ?? 0) + Math.random() * 500
		else if (sessionEnded) {
			const {reason = '', code, detail = ''} = sessionEnded
			if (/DUPLICATE_USER|SESSION_CLOSED/.test(reason)) end(fail(code || 1002055, short(reason), detail))
			else renew()
		} else owner.notice(notice)
	}
	function answered(reply) {
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
	async function open() {
		const mine = ++turn
		tell('connecting')
		try {
			if (refused || !token) token = await ask({reason: refused ? 'refused' : 'first'}) ?? config.token
			if (mine !== turn) return
			socket = new WebSocket(url)
		} catch (e) {
			if (mine === turn) (welcomed ? drop.bind(0, undefined) : end)(fail(1002033, 'NO_TOKEN', `no token: ${String(e)}`))
			return
		}
		after(10_000, () => {if (!ready) drop()})
		socket.onopen = greet
		socket.onmessage = ({data}) => {if (mine === turn) frame(data)}
		socket.onclose = () => {if (mine === turn) drop()}
	}
	function greet() {
		send({body: {hello: {token, roomMode: `ROOM_MODE_${mode.toUpperCase()}`, client: 'switchyard-js', resume}}, resolve: welcome})
	}
	function hangUp() {
		turn++
		clearInterval(pinger)
		sent.clear()
		ready = false
		socket?.close()
		socket = undefined
		lastID = silent = 0
		tell('disconnected')
	}
	function drop(wait, error) {
		if (!running) return
		hangUp()
		since ||= Date.now()
		if (Date.now() - since < (welcomed ? reconnectFor : 15_000)) {
			after(wait ?? (pause || Math.random() * Math.min(longestPause, 250 * 2 ** attempt++)), open)
			pause = 0
		} else end(error ?? fail(welcomed ? 1002053 : 1002030, 'UNAVAILABLE', `no connection to ${url}`))
	}
	function welcome(reply) {
		const {session, resumed, pingIntervalMs} = reply.welcome
		if (resume && !resumed) lose()
		resume = {sessionId: session.id, sessionEpoch: session.epoch}
		refused = false
		ready = welcomed = true
		pinger = setInterval(() => silent++ < 2 ? say({ping: {}}) : drop(0), pingIntervalMs || 5000)
		after(longestPause, () => {attempt = 0})
		pending.forEach(send)
		tell('connected')
		const mine = (peer ??= connect(session))
		well()
		up = false
		owner.restore(reply.welcome, mine).then(() => {
			up ||= peer === mine
			for (const go of waiting.splice(0)) go()
		})
	}
	function well() {
		if (ready && peer?.pc.connectionState === 'connected') since = 0
	}
	function connect({iceServers = [], offerId = '0'}) {
		counts.connections++
		const made = createPeer({iceServers: iceServers, ...more}, {audio, video}, +offerId, {
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
	function lose(error = lost) {
		resume = undefined
		up = false
		peer?.close()
		peer = undefined
		for (const {reject} of pending) reject(error)
		pending.clear()
	}
	function renew() {
		lose()
		drop()
	}
	function end(error) {
		running = welcomed = refused = false
		attempt = since = 0
		why = error
		hangUp()
		lose(error)
		for (const go of waiting.splice(0)) go()
		owner.over(error)
	}
	async function ask(reason, key = '') {
		const get = config.token
		if (typeof get !== 'function') return
		if (!asked.has(key)) asked.set(key, (async () => get(reason))().finally(() => asked.delete(key)))
		return asked.get(key)
	}
	async function run(work) {
		for (;;) {
			while (running && !up) await new Promise(go => waiting.push(go))
			const mine = peer
			if (!mine) throw why
			try {
				return await work(mine)
			} catch (e) {
				if (e !== lost && (e instanceof SwitchyardError || mine === peer)) throw e
			}
		}
	}
	function online() {
		drop(0)
		peer?.restart()
	}
	function leave(e) {
		if (ready && !(e)?.persisted) say({goodbye: {}})
	}
	const listening = new AbortController()
	globalThis.addEventListener?.('online', online, listening)
	globalThis.addEventListener?.('pagehide', leave, listening)
	return {
		ask,
		run,
		request,
		peer: () => peer,
		counts,
		connect() {
			if (running) return
			running = true
			open()
		},
		async renewToken(newer, roomId) {
			if (!roomId) token = newer
			if (running) await run(() => request({renewToken: {roomId, token: newer}}))
		},
		destroy(error) {
			listening.abort()
			leave()
			end(error)
		},
	}
}
function createListeners() {
	const all = {}
	return {
		emit: ((event, ...args) => {
			for (const listener of [...all[event] ?? []]) {
				try {
					listener(...(args))
				} catch (e) {
					queueMicrotask(() => {throw e})
				}
			}
		}),
		on(event, listener) {
			(all[event] ??= new Set()).add(listener)
			return this
		},
		off(event, listener) {
			all[event]?.delete(listener)
			return this
		},
	}
}
function createSource(stream, config) {
	const uses = new Set()
	const muted = {}
	let lines = {}
	let peer
	async function tell() {
		for (const kind of kinds) {
			const mute = uses.size > 0 && [...uses].every(one => one.told[`${kind}Muted`])
			const track = trackOf(stream, kind)
			if (track && (mute || muted[kind])) track.enabled = !mute
			muted[kind] = mute
			await (await lines[kind])?.tx.sender.replaceTrack(!mute && track || null)
		}
	}
	return {
		uses, tell,
		async attach(to) {
			if (peer !== to) lines = {}
			peer = to
			for (const track of stream.getTracks()) lines[track.kind] ??= to.take(track, encodings(track, config), config.videoCodec)
			await tell()
			const all = await Promise.all(kinds.map(async kind => (await lines[kind])?.tx))
			await to.negotiate(() => all.every(tx => tx?.direction === tx?.currentDirection))
			return all.map(tx => tx?.mid)
		},
		async replace(track) {
			const before = trackOf(stream, track.kind)
			if (before) stream.removeTrack(before)
			stream.addTrack(track)
			hint(track, config)
			await tell()
		},
		async remove(publication) {
			uses.delete(publication)
			const old = lines
			if (!uses.size) lines = {}
			await tell()
			if (uses.size) return
			if (!config.stream) stopTracks(stream)
			for (const line of Object.values(old)) peer?.release(await line)
		},
	}
}
function hint(track, {contentHint}) {
	if (track.kind !== 'video' || (track.contentHint && !contentHint)) return
	track.contentHint = contentHint ?? ('displaySurface' in track.getSettings() ? 'detail' : 'motion')
}
function encodings(track, config) {
	const {simulcast, maxBitrate} = config
	if (track.kind !== 'video') return [{}]
	hint(track, config)
	if (Array.isArray(simulcast)) return simulcast
	if (!simulcast) return [{maxBitrate}]
	const {width = 960, height = 540} = track.getSettings()
	const pixels = width * height
	const most = maxBitrate ?? 75 * pixels ** 0.75
	const layers = pixels < 480 * 270 ? 'f' : pixels < 960 * 540 ? 'hf' : 'qhf'
	return [...layers].map(rid => {
		const scale = {q: 4, h: 2, f: 1}[rid]
		return {rid, scaleResolutionDownBy: scale, maxBitrate: Math.round(most / scale ** 1.5)}
	})
}
function createRoom(roomID, user, token, emit) {
	const users = new Map()
	const streams = new Map()
	const info = new Map()
	function change(event, all, id, now, gone) {
		const left = gone.filter(one => all.delete(one[id]))
		const fresh = [], changed = []
		for (const one of now) {
			const before = all.get(one[id])
			if (JSON.stringify(before) !== JSON.stringify(one)) (before ? changed : fresh).push(one)
			all.set(one[id], one)
		}
		if (left.length) emit(event, roomID, 'DELETE', left)
		if (fresh.length) emit(event, roomID, 'ADD', fresh)
		if (changed.length && id === 'streamID') emit('roomStreamChanged', roomID, changed)
	}
	const changeUsers = (now, gone) => change('roomUserUpdate', users, 'userID', now, gone)
	const changeStreams = (now, gone) => change('roomStreamUpdate', streams, 'streamID', now, gone)
	function changeInfo(key, value) {
		if (info.get(key) === value) return
		if (value === undefined) info.delete(key)
		else info.set(key, value)
		emit('roomExtraInfoUpdate', roomID, key, value)
	}
	return {
		id: roomID, user, token, users, streams, info,
		state: 'entering',
		away: false,
		ending: new Set(),
		notice({users: {added = [], removed = []} = {}, streams, roomMetadata}) {
			changeUsers(added.map(toUser), removed.map(toUser))
			changeStreams([...others(streams?.added), ...others(streams?.updated)], others(streams?.removed))
			if (roomMetadata) changeInfo(roomMetadata.key, roomMetadata.value)
		},
		update({users: there = [], streams: playing, metadata = {}}) {
			const now = others(playing)
			changeStreams([], [...streams.values()].filter(s => !now.some(t => t.streamID === s.streamID && t.user.userID === s.user.userID)))
			changeUsers(there.map(toUser), [...users.values()].filter(u => !there.some(({id}) => id === u.userID)))
			changeStreams(now, [])
			for (const key of [...info.keys(), ...Object.keys(metadata)]) changeInfo(key, metadata[key])
		},
	}
}
const toUser = ({id, name = id}) => ({userID: id, userName: name})
function others(streams = []) {
	return streams.filter(s => !s.own).map(({
		roomId: roomID, streamId: streamID, user = {id: ''}, live = false, audio = false, video = false, audioMuted = false, videoMuted = false,
		metadata: extraInfo = '', reason,
	}) => ({
		roomID, streamID, user: toUser(user), live, audio, video, audioMuted, videoMuted, extraInfo, ...(reason && {reason: short(reason)}),
	}))
}
const events = {BROADCAST: 'broadcastMessage', BARRAGE: 'barrageMessage', COMMAND: 'customCommand'}
function createMessages(emit) {
	const seen = new Set()
	return ({roomId, messageId, kind, from = {id: ''}, text = '', data, sentMs = 0}) => {
		const event = events[short(kind).toUpperCase()]
		if (!event || seen.has(messageId)) return
		seen.add(messageId)
		if (seen.size > 2048) seen.delete(seen.values().next().value)
		emit(event, {roomID: roomId, messageID: messageId, from: toUser(from), text, sentAt: +sentMs, ...(data && {data: Uint8Array.from(atob(data), c => c.charCodeAt(0))})})
	}
}
function createOrder() {
	const before = new Map()
	return (needs, work) => {
		const clash = ([, theirs]) => theirs.some(([name, alone]) => needs.some(need => need[0] === name && (alone || need[1])))
		const result = Promise.allSettled([...before].filter(clash).map(([one]) => one)).then(work)
		const done = () => before.delete(result)
		before.set(result, needs)
		result.then(done, done)
		return result
	}
}
function createMeter(emit) {
	let before = new Map()
	return async (pc, media) => {
		const all = await pc.getStats()
		const reports = [...all.values()]
		const get = (id) => all.get(id) ?? {}
		const now = (r, key) => +(r[key] ?? 0)
		const grown = (r, key) => now(r, key) - now(before.get(r.id) ?? {}, key)
		const most = (list, key) => Math.max(0, ...list.map(r => now(r, key)))
		const total = (list, key) => list.reduce((sum, r) => sum + grown(r, key), 0)
		const rate = (list) =>
			Math.round((total(list, 'bytesSent') + total(list, 'bytesReceived')) * 8000 / (grown(list[0] ?? {}, 'timestamp') || 1))
		const pair = get(reports.find(r => r.type === 'transport')?.selectedCandidatePairId)
		for (const {play, roomId, streamId, playing, mids} of media) {
			const own = reports.filter(r => r.mid && mids.includes(r.mid) && r.type === (play ? 'inbound-rtp' : 'outbound-rtp'))
			const video = own.filter(r => r.kind === 'video')
			const audio = own.filter(r => r.kind === 'audio')
			const [main = {}] = [...video, ...audio]
			const lost = Math.max(0, total(own, 'packetsLost'))
			emit(play ? 'playerQualityUpdate' : 'publisherQualityUpdate', {
				roomID: roomId, streamID: streamId,
				videoBitrate: rate(video),
				audioBitrate: rate(audio),
				videoFPS: most(video, 'framesPerSecond'),
				width: most(video, 'frameWidth'),
				height: most(video, 'frameHeight'),
				packetLoss: play ? lost / (lost + total(own, 'packetsReceived') || 1) : most(own.map(r => get(r.remoteId)), 'fractionLost'),
				rtt: now(pair, 'currentRoundTripTime') * 1000,
				jitter: now(main, 'jitter') * 1000,
				delay: grown(main, 'jitterBufferDelay') * 1000 / (grown(main, 'jitterBufferEmittedCount') || 1),
				videoCodec: get(video[0]?.codecId).mimeType ?? '',
				freezes: most(video, 'freezeCount'),
				audioLevel: most(audio, 'audioLevel'),
				spatialLayer: playing?.spatialLayer,
				temporalLayer: playing?.temporalLayer,
				layers: play ? undefined : video.filter(r => rate([r]) > 0).length,
			})
		}
		before = all
	}
}
const over = /^(NOT_A_MEMBER|NOT_IN_ROOM|(ROOM|STREAM|SUBSCRIPTION)_NOT_FOUND)$/
const destroyed = fail(1000001, 'DESTROYED', 'the engine was destroyed')
const playerStates = {ACTIVE: 'playing', PENDING: 'pending', PAUSED_BY_BANDWIDTH: 'paused', ENDED: 'stopped'}
function createClient(config, url, mode, freed) {
	const {emit, ...listeners} = createListeners()
	const inTurn = createOrder()
	const deliver = createMessages(emit)
	const measure = createMeter(emit)
	const rooms = new Map()
	const entering = new Set()
	const media = new Map()
	const sources = new Map()
	const {run, request, peer, ...link} = createConnection(config, url, mode, {emit, notice, inband, restore, away, over: ended})
	const {qualityInterval = 2000} = config
	const meter = qualityInterval > 0 && setInterval(() => {
		const of = all(media).filter(one => one.live)
		const pc = peer()?.pc
		if (pc && of.length) measure(pc, of).catch(() => {})
	}, qualityInterval)
	let gone = false
	function turn(needs, work) {
		return inTurn(needs, async () => {
			if (gone) throw destroyed
			return work()
		})
	}
	function named(roomID, required) {
		if (mode === 'single') return roomID || [...rooms.keys(), ...entering][0] || ''
		return roomID || rethrow(fail(required + +(roomID === ''), 'ROOM_ID_REQUIRED', 'mode multi needs the room'))
	}
	function member(roomId) {
		const room = rooms.get(roomId)
		if (room?.state !== 'in') throw fail(1002002, 'NOT_A_MEMBER', `not logged in to ${roomId}`)
		return room
	}
	function ask(roomId, body) {
		return turn([[roomId]], async () => {
			member(roomId)
			const {sent} = await run(() => request(body))
			return sent?.messageId
		})
	}
	function say(roomId, kind, text, toUsers) {
		const clientMessageId = crypto.getRandomValues(new Uint32Array(4)).join('-')
		return ask(roomId, {sendMessage: {roomId, kind: `MESSAGE_KIND_${kind}`, toUsers, text, clientMessageId}})
	}
	function end(body) {
		let first
		return run(async mine => (first ??= mine) === mine && request(body)).catch(e => {
			if (!over.test(e.reason)) throw e
		})
	}
	function tellRoom({id}, state, why) {
		const {code, message} = asError(why)
		emit('roomStateChanged', id, state, code, message)
		if (state === 'kicked-out') emit('kickedOut', id, code, message)
	}
	async function login(room, user = room.user) {
		const who = user && {id: user.userID, name: user.userName || user.userID}
		const enter = async () => (await request({loginRoom: {roomId: room.id, user: who, token: room.token}})).room
		return enter().catch(async e => {
			if (e.code !== 1002033) throw e
			room.token = await link.ask({reason: 'refused', roomID: room.id}, room.id) ?? rethrow(e)
			return enter()
		})
	}
	function entered(room, state) {
		if (room.away || room.state !== 'in') tellRoom(room, room.away ? 'reconnected' : 'logged-in')
		room.away = false
		room.state = 'in'
		room.update(state)
	}
	const roomOf = (id, user, token) => rooms.get(id) ?? createRoom(id, user, token, emit)
	async function enterBy(room, work) {
		const fresh = room.state === 'entering'
		rooms.set(room.id, room)
		if (fresh) tellRoom(room, 'logging-in')
		entered(room, await work(room).catch(e => {
			if (fresh && rooms.delete(room.id)) tellRoom(room, 'login-failed', e)
			throw e
		}))
	}
	function leave(room, state, why) {
		rooms.delete(room.id)
		for (const one of all(media)) if (one.roomId === room.id) finish(one, why)
		tellRoom(room, state, why)
	}
	async function leaveBy(left, work) {
		for (const room of left) room.state = 'leaving'
		await work().catch(e => {
			for (const room of left) room.state = 'in'
			throw e
		})
		for (const room of left) leave(room, 'logged-out')
	}
	const keyOf = (play, roomId, streamId) => `${play ? 'play' : 'publish'} ${roomId}\n${streamId}`
	function tell(one, state, code = 0) {
		if (one.state === state || one.state === 'stopped') return
		one.state = state
		emit(one.play ? 'playerStateUpdate' : 'publisherStateUpdate', one.streamId, one.roomId, state, code)
	}
	async function start(play, streamId, of = {}) {
		const roomId = named(of.roomID, play ? 1004070 : 1003070)
		const key = keyOf(play, roomId, streamId)
		const before = media.get(key)
		if (before && !before.stopping) return play ? before.started : rethrow(fail(1003023, 'ALREADY_PUBLISHING', `${streamId} is being published`))
		const one = {play, key, roomId, streamId, config: {...of}, told: {metadata: of.extraInfo}, mids: [], stream: play && new MediaStream()}
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
	async function begin(one, mine) {
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
	function sourceOf({config: of}) {
		const source = sources.get(of.stream) ?? (async () => {
			const stream = of.stream ?? await capture({camera: true, microphone: true})
			if (!stream.getTracks().length) throw invalid('the stream has no tracks')
			return createSource(stream, of)
		})()
		sources.set(of.stream, source)
		source.catch(() => sources.delete(of.stream))
		return source
	}
	function finish(one, why) {
		const {source, stream, config} = one
		if (media.get(one.key) === one) media.delete(one.key)
		if (stream) feed(stream, [])
		if (source) {
			source.remove(one).catch(() => {})
			if (!source.uses.size) sources.delete(config.stream)
		}
		tell(one, 'stopped', asError(why).code)
	}
	async function each(play, streamID, ref, work, stop = false) {
		const found = all(media).filter(one => one.play === play && one.streamId === streamID && !one.stopping && one.roomId === (ref?.roomID || one.roomId))
		if (!stop && !found.length) throw fail(0, 'STREAM_NOT_FOUND', `no ${streamID}`)
		await Promise.all(found.map(one => {
			one.stopping = stop
			return turn([[one.roomId], [one.key, true]], async () => one.state !== 'stopped' && work(one))
		}))
	}
	const stop = (play, streamID, ref) => each(play, streamID, ref, async one => {
		const {roomId, streamId, playing} = one
		if (!play) rooms.get(roomId)?.ending.add(streamId)
		await end(play ? {stopPlaying: {id: playing?.id}} : {stopPublishing: {roomId, streamId}})
		finish(one)
	}, true)
	const update = (streamID, ref, what) => each(false, streamID, ref, async one => {
		const {roomId, streamId, source, told} = one
		Object.assign(told, what)
		await source?.tell()
		await run(() => request({updatePublishing: {roomId, streamId, ...what}}))
	})
	async function replace(stream, track) {
		const source = await sources.get(stream) ?? createSource(stream, {})
		if (source.uses.size && !trackOf(stream, track.kind)) throw invalid(`published without ${track.kind}`)
		await source.replace(track)
	}
	async function place(one, body) {
		const {playing} = await request(body)
		played(playing, one)
	}
	function prefer(one) {
		const {playing, config: {preference}} = one
		return place(one, {updatePlaying: {id: playing?.id, ...wanted(preference), paused: !!preference?.paused}})
	}
	function played(playing, known) {
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
	function notice(notice) {
		const [[kind, body]] = Object.entries(notice)
		const room = rooms.get(body.roomId)
		if (kind === 'playing') played(body)
		if (kind === 'negotiationNeeded') peer()?.grow(body)
		if (kind === 'room') wholeRoom(body)
		if (kind === 'tokenWillExpire') expire(room, +(body.expiresInMs ?? 0))
		if (room?.state !== 'in') return
		room.notice(notice)
		if (kind === 'message') deliver(body)
		if (kind === 'streams') for (const {own, streamId, reason = ''} of body.removed ?? []) {
			const one = media.get(keyOf(false, room.id, streamId))
			if (own && !room.ending.delete(streamId) && one?.live) finish(one, fail(/GRANTS/.test(reason) ? 1003025 : 1003020, reason, ''))
		}
		if (kind === 'speakers') emit('activeSpeakers', room.id, (body.speakers ?? []).map(({streamId: streamID, userId: userID, level = 0}) => ({streamID, userID, level})))
		if (kind === 'roomEnded') {
			const {reason = '', code, detail} = body
			leave(room, 'kicked-out', fail(code || (/EXPIRED/.test(reason) ? 1002056 : 1002055), short(reason), detail || short(reason)))
		}
	}
	function inband({room, id, from, from_name: name, sent_ms: sentMs, ...rest}) {
		if (rooms.get(room)?.state === 'in') deliver({...rest, roomId: room, messageId: id, from: {id: from, name}, sentMs})
	}
	function wholeRoom(state) {
		const room = roomOf(state.roomId, all(rooms)[0]?.user)
		if (room.state !== 'in' && rooms.has(room.id)) return
		rooms.set(room.id, room)
		entered(room, state)
	}
	async function expire(room, left) {
		const roomID = room?.id ?? ''
		const own = room?.token ? roomID : ''
		const token = await link.ask({reason: 'expiring', roomID}, own).catch(tellError)
		if (token) engine.renewToken(token, own).catch(tellError)
		else emit('tokenWillExpire', roomID, left)
	}
	const tellError = (e) => emit('error', asError(e))
	function away() {
		for (const room of rooms.values()) if (room.state === 'in' && !room.away) {
			room.away = true
			tellRoom(room, 'reconnecting')
		}
	}
	function ended(error) {
		for (const room of all(rooms)) if (room.state !== 'entering') leave(room, 'kicked-out', error)
	}
	async function restore({resumed, rooms: states = [], playing = []}, mine) {
		const attempt = (work, failed) => work().catch(e => {if (e !== lost && peer() === mine) failed(e)})
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
	const engine = {
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
				await leaveBy([from], () => enterBy(roomOf(toRoomId, from.user, token), async room => {
					const switched = await end({switchRoom: {fromRoomId, toRoomId, token}})
					return switched ? switched.room : run(() => login(room))
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
		startPublishingStream: (streamID, of) => start(false, streamID, of),
		stopPublishingStream: (streamID, ref) => stop(false, streamID, ref),
		replaceTrack: replace,
		async useDevice(stream, kind, deviceID) {
			const before = trackOf(stream, kind)
			await replace(stream, await recapture(before, kind, deviceID))
			before?.stop()
		},
		mutePublishStream: (streamID, mute, ref) => update(streamID, ref, muting(mute)),
		setStreamExtraInfo: (streamID, metadata, ref) => update(streamID, ref, {metadata}),
		startPlayingStream: (streamID, of) => start(true, streamID, of),
		stopPlayingStream: (streamID, ref) => stop(true, streamID, ref),
		async switchPlayingStream(from, {roomID, streamID: streamId}) {
			const [fromRoom, roomId] = [from.roomID, roomID].map(id => named(id, 1004070))
			const key = keyOf(true, fromRoom, from.streamID)
			return turn([[fromRoom], [roomId], [key, true], [keyOf(true, roomId, streamId), true]], async () => {
				const one = media.get(key)
				if (!one?.live || one.stopping) throw fail(0, 'STREAM_NOT_FOUND', `${from.streamID} is not played`)
				member(roomId)
				await run(() => place(one, {switchPlaying: {id: one.playing?.id, roomId, streamId}}))
				return one.stream
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
			clearInterval(meter)
			for (const room of all(rooms)) leave(room, 'logged-out')
			link.destroy(destroyed)
		},
	}
	for (const [name, method] of Object.entries(engine)) {
		if (typeof method === 'function') (engine)[name] = (...args) => {
			const result = method.apply(engine, args)
			if (!result?.catch) return result
			const told = result.catch(rethrow)
			told.catch(() => {})
			return told
		}
	}
	return engine
}
const muting = (mute) => Object.fromEntries(Object.entries(mute).map(([kind, on]) => [`${kind}Muted`, on]))
const wanted = ({priority = 0, paused: _, ...preference} = {}) => ({preference, priority})
function feed(stream, tracks) {
	for (const track of stream.getTracks()) if (!tracks.includes(track)) stream.removeTrack(track)
	for (const track of tracks) if (track) stream.addTrack(track)
}
const all = (of) => [...of.values()]
let mode = 'single'
let engines = 0
function setRoomMode(next) {
	if (engines > 0) throw fail(1001020, 'ROOM_MODE_FIXED', 'setRoomMode comes before createEngine')
	if (next !== 'single' && next !== 'multi') throw invalid(`there is no room mode ${next }`)
	mode = next
}
function createEngine(config) {
	const {url, token, qualityInterval = 0, reconnectFor = 0, spareSlots = {}} = config
	if (!token) throw invalid('a token is needed')
	for (const number of [qualityInterval, reconnectFor, ...Object.values(spareSlots)]) if (!(number >= 0)) throw invalid(`${number} is less than 0`)
	const client = createClient(config, socketURL(url), mode, () => {engines--})
	engines++
	return client
}
function socketURL(text) {
	try {
		const url = new URL(text, globalThis.location?.href)
		url.protocol = url.protocol.replace(/^http/, 'ws')
		if (/^wss?:$/.test(url.protocol)) return url.href
	} catch {
	}
	throw invalid(`${text} is no address of a WebSocket`)
}
export { ErrorCode, SwitchyardError, createEngine, setRoomMode };
