// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0
// src/errors.ts
var SwitchyardError = class extends Error {
	code;
	reason;
	retryAfter;
	constructor(code, reason, message, retryAfter = 0) {
		super(message);
		this.code = code;
		this.reason = reason;
		this.retryAfter = retryAfter;
		this.name = "SwitchyardError";
	}
};
var ErrorCode = {
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
	PlayRoomEmpty: 1004071
};

// src/capture.ts
async function capture({ camera, microphone, screen }) {
	const { mediaDevices } = navigator;
	const audio = microphone ?? false;
	if (!screen) {
		const video = camera === true ? { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 30 } } : camera ?? false;
		return mediaDevices.getUserMedia({ audio, video });
	}
	const shown = await mediaDevices.getDisplayMedia(screen === true ? { video: true, audio: !audio } : screen);
	if (audio) {
		try {
			const spoken = await mediaDevices.getUserMedia({ audio });
			for (const track of shown.getAudioTracks())
				shown.removeTrack(track);
			for (const track of spoken.getTracks())
				shown.addTrack(track);
		} catch (e) {
			stopTracks(shown);
			throw e;
		}
	}
	return shown;
}
async function recapture(before, kind, deviceID) {
	const constraints = { [kind]: { ...before?.getConstraints(), deviceId: { exact: deviceID } } };
	const get = () => navigator.mediaDevices.getUserMedia(constraints);
	let stream;
	try {
		stream = await get();
	} catch (e) {
		if (e.name !== "NotReadableError" || !before)
			throw e;
		before.stop();
		stream = await get();
	}
	return stream.getTracks()[0];
}
function stopTracks(stream) {
	for (const track of stream.getTracks())
		track.stop();
}

// src/failure.ts
function fail(code, reason, message) {
	return new SwitchyardError(code, reason, message);
}
function asError(e) {
	if (e instanceof SwitchyardError)
		return e;
	const { name = "Error", message = String(e) } = e ?? {};
	return fail(0, name.replace(/Error$/, "").replace(/\B(?=[A-Z])/g, "_").toUpperCase() || "INTERNAL", message);
}
function short(value = "") {
	return value.replace(/^(END_REASON|SUBSCRIPTION_STATE|MESSAGE_KIND)_/, "");
}

// src/peer.ts
var restartAfter = 1e3;
var restartEvery = 2500;
function createPeer(configuration, slots, offerID, owner) {
	const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle", ...configuration });
	const lines = [];
	const candidates = [];
	let round;
	let answered = false;
	let restarting = false;
	let held = true;
	let noMore = false;
	let closed = false;
	let timer;
	let flush;
	let offers = 0;
	function receive(kind, count) {
		for (let i = 0; i < count; i++) {
			const line = pc.addTransceiver(kind, { direction: "recvonly" });
			if (kind === "video")
				describe(line);
		}
	}
	async function offer() {
		await nextTask();
		if (closed)
			return;
		if (restarting)
			pc.restartIce();
		restarting = false;
		held = true;
		await pc.setLocalDescription();
		offers++;
		try {
			const { answer } = await owner.request({ negotiate: { offerSdp: pc.localDescription?.sdp, offerId: String(++offerID) } });
			await pc.setRemoteDescription({ type: "answer", sdp: answer?.answerSdp ?? "" });
			answered = true;
		} catch (e) {
			if (closed)
				return;
			if (pc.signalingState === "have-local-offer")
				await pc.setLocalDescription({ type: "rollback" });
			throw e;
		} finally {
			held = false;
			trickle();
		}
	}
	async function negotiate(done) {
		for (let tries = 0; tries < 4 && !done() && !closed; tries++) {
			await (round ??= offer().finally(() => {
				round = void 0;
			}));
		}
	}
	function later(done) {
		negotiate(done).catch(owner.failed);
	}
	function trickle() {
		if (held || closed || flush || !(noMore || candidates.length))
			return;
		flush = setTimeout(() => {
			flush = void 0;
			if (held || closed)
				return;
			const batch = candidates.splice(0).map(({ candidate, sdpMid, sdpMLineIndex, usernameFragment }) => ({ candidate, sdpMid: sdpMid ?? "", sdpMlineIndex: sdpMLineIndex ?? 0, usernameFragment: usernameFragment ?? "" }));
			owner.request({ addCandidates: { candidates: batch, end: noMore } }).catch(() => {
			});
			noMore = false;
		}, 50);
	}
	function connected() {
		return /^(connected|completed)$/.test(pc.iceConnectionState);
	}
	function restartIn(milliseconds) {
		timer = setTimeout(() => {
			timer = void 0;
			if (!connected())
				restart();
		}, milliseconds);
	}
	function restart() {
		clearTimeout(timer);
		if (closed || !answered)
			return;
		if (!round) {
			restarting = true;
			later(() => !restarting);
		}
		restartIn(restartEvery);
	}
	function changed() {
		const { iceConnectionState, connectionState } = pc;
		owner.state(connectionState);
		if (connectionState === "failed" && connected())
			owner.broken();
		else if (timer)
			return;
		else if (iceConnectionState === "failed")
			restart();
		else if (iceConnectionState === "disconnected")
			restartIn(restartAfter);
	}
	function tune(line) {
		const { sender } = line.transceiver;
		return line.tuning = line.tuning.then(async () => {
			const parameters = sender.getParameters();
			const before = JSON.stringify(parameters.encodings);
			parameters.encodings?.forEach((encoding, i) => {
				const { rid = "", active = true, ...rest } = line.encodings[i] ?? {};
				if (!rest.maxBitrate)
					delete encoding.maxBitrate;
				Object.assign(encoding, rest, { active: active && (i === 0 || line.wanted.get(rid) !== false) });
			});
			if (JSON.stringify(parameters.encodings) !== before)
				await sender.setParameters(parameters);
		}).catch(() => {
		});
	}
	pc.onicecandidate = ({ candidate }) => {
		if (candidate?.candidate)
			candidates.push(candidate);
		noMore ||= !candidate;
		trickle();
	};
	pc.onconnectionstatechange = pc.oniceconnectionstatechange = changed;
	pc.createDataChannel("sfu", { protocol: "sfu.v1" }).onmessage = (e) => owner.inband(e.data);
	receive("audio", slots.audio);
	receive("video", slots.video);
	const begun = negotiate(() => answered);
	begun.catch(owner.failed);
	return {
		pc,
		negotiate,
		restart,
		begun,
		offers: () => offers,
		grow(missing) {
			const open = () => pc.getTransceivers().filter((t) => t.direction === "recvonly" && !t.currentDirection);
			for (const kind of ["audio", "video"]) {
				receive(kind, (missing[kind] ?? 0) - open().filter((t) => t.receiver.track.kind === kind).length);
			}
			later(() => !open().length);
		},
		async take(track, encodings2, codec) {
			const kind = track.kind;
			let line = lines.find((l) => l.idle && l.kind === kind && rids(l.encodings) === rids(encodings2));
			if (line) {
				Object.assign(line, { idle: false, encodings: encodings2, wanted: /* @__PURE__ */ new Map() });
				line.transceiver.direction = "sendonly";
			} else {
				const transceiver = pc.addTransceiver(track, { direction: "sendonly", sendEncodings: encodings2 });
				if (kind === "video")
					describe(transceiver, encodings2.length > 1);
				line = { transceiver, kind, encodings: encodings2, wanted: /* @__PURE__ */ new Map(), tuning: Promise.resolve(), idle: false };
				lines.push(line);
			}
			prefer(line.transceiver, kind, codec);
			await line.transceiver.sender.replaceTrack(track);
			await tune(line);
			return line;
		},
		release(line) {
			const { transceiver } = line;
			if (closed)
				return;
			line.idle = true;
			transceiver.direction = "inactive";
			transceiver.sender.replaceTrack(null).catch(() => {
			});
			later(() => transceiver.direction === transceiver.currentDirection);
		},
		layers(mid, layers) {
			const line = lines.find((l) => l.transceiver.mid === mid);
			if (!line)
				return;
			line.wanted = new Map(layers.map(({ rid = "", wanted: wanted2 = false }) => [rid, wanted2]));
			void tune(line);
		},
		track: (mid) => pc.getTransceivers().find((t) => t.mid === mid)?.receiver.track,
		close() {
			closed = true;
			clearTimeout(timer);
			clearTimeout(flush);
			pc.onconnectionstatechange = pc.oniceconnectionstatechange = pc.onicecandidate = null;
			pc.close();
			owner.state("closed");
		}
	};
}
function rids(encodings2) {
	return encodings2.length > 1 ? encodings2.map((e) => e.rid).join() : "";
}
function nextTask() {
	return new Promise((resolve) => {
		const { port1, port2 } = new MessageChannel();
		port1.onmessage = () => {
			port1.close();
			resolve();
		};
		port2.postMessage(0);
	});
}
function describe(line, layers = false) {
	const extensions = line.getHeaderExtensionsToNegotiate?.();
	const wanted2 = layers ? /dependency-descriptor|rtp-stream-id/ : /dependency-descriptor/;
	for (const extension of extensions ?? [])
		if (wanted2.test(extension.uri))
			extension.direction = "sendrecv";
	if (extensions)
		line.setHeaderExtensionsToNegotiate?.(extensions);
}
function prefer(line, kind, codec = "") {
	const codecs = RTCRtpSender.getCapabilities?.(kind)?.codecs ?? [];
	const first = codecs.filter((c) => c.mimeType.toLowerCase() === codec.toLowerCase());
	line.setCodecPreferences?.(first.length ? [...first, ...codecs.filter((c) => !first.includes(c))] : []);
}

// src/signal.ts
var lost = fail(0, "SESSION_NOT_FOUND", "the session is over");
var longestPause = 5e3;
var patience = 1e4;
var firstFor = 15e3;
function createSignal(url, roomMode, reconnectFor, owner) {
	let on = false;
	let ready = false;
	let welcomed = false;
	let socket;
	let turn = 0;
	let attempt = 0;
	let readyAt = 0;
	let troubleSince = 0;
	let lastID = 0;
	let unanswered = 0;
	let pause;
	let refused = false;
	let token = "";
	let hello;
	let resume;
	let pinger;
	const timers = /* @__PURE__ */ new Set();
	const pending = /* @__PURE__ */ new Set();
	const sent = /* @__PURE__ */ new Map();
	function after(milliseconds, work) {
		const timer = setTimeout(() => {
			timers.delete(timer);
			work();
		}, milliseconds);
		timers.add(timer);
	}
	function say(body) {
		socket?.send(JSON.stringify({ id: ++lastID, ...body }));
	}
	function send(one) {
		sent.set(lastID + 1, one);
		say(one.body);
	}
	function rejectAll(error) {
		const all = [...pending];
		pending.clear();
		sent.clear();
		for (const { reject } of all)
			reject(error);
	}
	function hangUp() {
		const old = socket;
		turn++;
		clearInterval(pinger);
		timers.forEach(clearTimeout);
		timers.clear();
		sent.clear();
		ready = false;
		socket = hello = void 0;
		lastID = unanswered = 0;
		old?.close();
	}
	function close(error) {
		on = welcomed = refused = false;
		resume = void 0;
		attempt = 0;
		hangUp();
		rejectAll(error);
	}
	function end(error) {
		close(error);
		owner.ended(error);
	}
	function drop(wait, error) {
		if (!on)
			return;
		const now = Date.now();
		if (ready && now - readyAt > longestPause)
			attempt = 0;
		hangUp();
		owner.state("disconnected");
		troubleSince ||= now;
		if (now - troubleSince >= (welcomed ? reconnectFor : Math.min(reconnectFor, firstFor))) {
			end(error ?? fail(welcomed ? 1002053 : 1002030, "UNAVAILABLE", `no connection to ${url}`));
			return;
		}
		after(wait ?? pause ?? Math.random() * Math.min(longestPause, 250 * 2 ** attempt++), open);
		pause = void 0;
	}
	function lose() {
		resume = void 0;
		owner.lost();
		rejectAll(lost);
	}
	function renew() {
		lose();
		drop();
	}
	async function open() {
		const mine = ++turn;
		owner.state("connecting");
		try {
			token = await owner.token(refused);
			if (mine !== turn)
				return;
			socket = new WebSocket(url);
		} catch (e) {
			if (mine !== turn)
				return;
			if (welcomed)
				drop(void 0, e);
			else
				end(e);
			return;
		}
		after(patience, () => {
			if (!ready)
				drop();
		});
		socket.onopen = greet;
		socket.onmessage = (e) => {
			if (mine === turn)
				frame(e.data);
		};
		socket.onclose = socket.onerror = () => {
			if (mine === turn)
				drop();
		};
	}
	function greet() {
		hello = { body: { hello: { token, roomMode, client: "switchyard-js", resume } }, resolve: welcome, reject: () => {
		}, tries: 0 };
		send(hello);
	}
	function welcome(reply) {
		const { session, resumed, pingIntervalMs } = reply.welcome;
		if (resume && !resumed)
			lose();
		resume = { sessionId: session.id, sessionEpoch: session.epoch };
		hello = void 0;
		refused = false;
		ready = welcomed = true;
		readyAt = Date.now();
		pinger = setInterval(ping, pingIntervalMs || 5e3);
		const waiting = [...pending];
		owner.state("connected");
		owner.welcome(reply.welcome);
		for (const one of waiting)
			if (pending.has(one))
				send(one);
	}
	function unwelcome(failure, error) {
		if (resume && gone(error)) {
			lose();
			greet();
		} else if (failure.status === "UNAUTHENTICATED" && !refused) {
			refused = true;
			drop(0);
		} else if (/^(UNAUTH|PERM|INVALID_ARG|FAILED_PRE|NOT_F|UNIMPL)/.test(failure.status ?? "")) {
			end(error);
		} else {
			pause = error.retryAfter || void 0;
			drop(void 0, error);
		}
	}
	function frame(data) {
		unanswered = 0;
		let message;
		try {
			message = JSON.parse(String(data));
		} catch {
			drop();
			return;
		}
		const { reply, notice } = message;
		if (reply)
			answered(reply);
		else if (notice?.goingAway)
			pause = (notice.goingAway.retryAfterMs ?? 0) + Math.random() * 500;
		else if (notice && ready)
			owner.notice(notice);
	}
	function answered(reply) {
		const one = sent.get(reply.id);
		sent.delete(reply.id);
		if (!one)
			return;
		const { failure } = reply;
		if (!failure) {
			pending.delete(one);
			one.resolve(reply);
			return;
		}
		const { code = 0, reason = failure.status ?? "", message = "", retryAfterMs } = failure;
		const error = new SwitchyardError(code, reason, message, retryAfterMs);
		if (one === hello)
			unwelcome(failure, error);
		else if (gone(error))
			renew();
		else if (one.tries < 4 && passing(failure)) {
			after(error.retryAfter || 250 * 2 ** one.tries, () => {
				if (pending.has(one))
					send(one);
			});
			one.tries++;
		} else {
			pending.delete(one);
			one.reject(error);
		}
	}
	function ping() {
		if (unanswered++ >= 2)
			drop(0);
		else
			say({ ping: {} });
	}
	return {
		renew,
		close,
		connect() {
			if (on)
				return;
			on = true;
			troubleSince = Date.now();
			void open();
		},
		request(body) {
			return new Promise((resolve, reject) => {
				const one = { body, resolve, reject, tries: 0 };
				pending.add(one);
				if (ready)
					send(one);
			});
		},
		well() {
			if (ready)
				troubleSince = 0;
		},
		nudge() {
			if (!ready) {
				drop(0);
				return;
			}
			unanswered = 1;
			ping();
			after(2500, () => {
				if (unanswered)
					drop(0);
			});
		},
		leave() {
			if (ready)
				say({ goodbye: {} });
		}
	};
}
function gone({ reason }) {
	return reason === "SESSION_NOT_FOUND" || reason === "STALE_EPOCH";
}
function passing({ status, reason = "" }) {
	return /^(SESSION_BUSY|CALL_RATE|RATE|BUSY)$/.test(reason) || reason !== "DRAINING" && /^(UNAVAILABLE|DEADLINE_EXCEEDED)$/.test(status ?? "");
}

// src/connection.ts
function createConnection(config, url, mode2, owner) {
	const { emit } = owner;
	const asked = /* @__PURE__ */ new Map();
	let token = "";
	let peer;
	let connections = 0;
	let offers = 0;
	let running = false;
	let up = false;
	let why = fail(1002002, "NOT_A_MEMBER", "not logged in to any room");
	let waiting = [];
	let state = "disconnected";
	const signal = createSignal(url, mode2 === "multi" ? "ROOM_MODE_MULTI" : "ROOM_MODE_SINGLE", config.reconnectFor ?? 12e5, {
		token: hello,
		welcome,
		lost: dropPeer,
		notice: ({ sessionEnded, ...notice }) => {
			if (sessionEnded)
				ended(sessionEnded);
			else
				owner.notice(notice);
		},
		state: tell,
		ended: end
	});
	function tell(now) {
		if (state === now)
			return;
		state = now;
		emit("signalingStateChanged", now);
		if (now === "disconnected")
			owner.away();
	}
	function wake() {
		const all = waiting;
		waiting = [];
		for (const go of all)
			go();
	}
	function dropPeer() {
		up = false;
		offers += peer?.offers() ?? 0;
		peer?.close();
		peer = void 0;
	}
	function close(error) {
		running = false;
		why = error;
		dropPeer();
		signal.close(error);
		tell("disconnected");
		wake();
	}
	function end(error) {
		close(error);
		owner.over(error);
	}
	function ended({ reason, detail = "the session was ended", code = 0 }) {
		const cause = short(reason);
		if (code || cause === "DUPLICATE_USER" || cause === "SESSION_CLOSED") {
			end(fail(code || (cause === "DUPLICATE_USER" ? 1002050 : 1002055), cause, detail));
		} else
			signal.renew();
	}
	async function ask(reason, key = "") {
		const get = config.token;
		if (typeof get !== "function")
			return void 0;
		const answer = asked.get(key) ?? (async () => get(reason))().finally(() => asked.delete(key));
		asked.set(key, answer);
		return answer;
	}
	async function hello(refused) {
		if (typeof config.token === "string")
			token ||= config.token;
		else if (refused || !token) {
			try {
				token = await ask({ reason: refused ? "refused" : "first" }) ?? "";
			} catch (e) {
				throw fail(1002033, "NO_TOKEN", `the function for tokens failed: ${String(e)}`);
			}
		}
		return token;
	}
	function welcome(message) {
		const { session, resumed } = message;
		if (!resumed || !peer) {
			dropPeer();
			connections++;
			peer = connect(session);
		} else if (peer.pc.connectionState === "connected")
			signal.well();
		const mine = peer;
		up = false;
		void owner.restore(message, mine).then(() => {
			if (peer !== mine)
				return;
			up = true;
			wake();
		});
	}
	function connect({ iceServers = [], offerId = "0" }) {
		const { audio = 4, video = 4 } = config.spareSlots ?? {};
		const servers = iceServers.map(({ urls = [], ...rest }) => ({ urls, ...rest }));
		const made = createPeer({ iceServers: servers, ...config.peer }, { audio, video }, Number(offerId), {
			request: signal.request,
			state: (now) => {
				if (now === "connected")
					signal.well();
				emit("mediaStateChanged", now);
			},
			inband: (text) => {
				const message = JSON.parse(text);
				if (message.type === "layers")
					made.layers(message.mid, message.layers);
				else
					owner.inband(message);
			},
			failed: (e) => {
				if (e !== lost && made === peer)
					emit("error", asError(e));
			},
			broken: signal.renew
		});
		return made;
	}
	const network = globalThis.navigator?.connection;
	let type = network?.type;
	function online() {
		if (!running)
			return;
		signal.nudge();
		peer?.restart();
	}
	function moved() {
		if (type !== network?.type)
			online();
		type = network?.type;
	}
	function hide(e) {
		if (!e.persisted)
			signal.leave();
	}
	function listen(change) {
		globalThis[change]?.("online", online);
		globalThis[change]?.("pagehide", hide);
		network?.[change]("change", moved);
	}
	listen("addEventListener");
	async function run(work) {
		for (; ; ) {
			while (running && !up)
				await new Promise((go) => waiting.push(go));
			const mine = peer;
			if (!mine)
				throw why;
			try {
				return await work(mine);
			} catch (e) {
				if (e !== lost && (e instanceof SwitchyardError || mine === peer))
					throw e;
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
		connect() {
			running = true;
			signal.connect();
		},
		send: (body) => run(() => signal.request(body)),
		async renew(newer, roomId) {
			if (!roomId)
				token = newer;
			if (running)
				await run(() => signal.request({ renewToken: { roomId, token: newer } }));
		},
		async destroy(error) {
			listen("removeEventListener");
			if (up) {
				let timer;
				const enough = new Promise((resolve) => {
					timer = setTimeout(resolve, 1e3);
				});
				await Promise.race([signal.request({ goodbye: {} }).catch(() => {
				}), enough]);
				clearTimeout(timer);
			}
			close(error);
		}
	};
}

// src/events.ts
function createListeners() {
	const all = {};
	return {
		on: (event, listener) => (all[event] ??= /* @__PURE__ */ new Set()).add(listener),
		off: (event, listener) => all[event]?.delete(listener),
		emit: (event, ...args) => {
			for (const listener of [...all[event] ?? []]) {
				try {
					listener(...args);
				} catch (e) {
					queueMicrotask(() => {
						throw e;
					});
				}
			}
		}
	};
}

// src/room.ts
function createRoom(roomID, user, token, emit) {
	const users = /* @__PURE__ */ new Map();
	const streams = /* @__PURE__ */ new Map();
	const info = /* @__PURE__ */ new Map();
	function changeUsers({ added = [], removed = [] }) {
		const gone2 = removed.map(({ id }) => users.get(id)).filter((u) => u !== void 0);
		for (const { userID } of gone2)
			users.delete(userID);
		const fresh = added.filter(({ id }) => !users.has(id)).map(toUser);
		for (const one of fresh)
			users.set(one.userID, one);
		if (gone2.length)
			emit("roomUserUpdate", roomID, "DELETE", gone2);
		if (fresh.length)
			emit("roomUserUpdate", roomID, "ADD", fresh);
	}
	function changeStreams({ added = [], removed = [], updated = [] }) {
		const gone2 = [];
		const fresh = [];
		const changed = [];
		for (const { streamId, reason } of removed) {
			const stream = streams.get(streamId);
			streams.delete(streamId);
			if (stream)
				gone2.push({ ...stream, reason: short(reason) });
		}
		for (const wire of [...added, ...updated]) {
			if (wire.own)
				continue;
			const before = streams.get(wire.streamId);
			const stream = toStream(roomID, wire);
			streams.set(wire.streamId, stream);
			if (!before)
				fresh.push(stream);
			else if (JSON.stringify(before) !== JSON.stringify(stream))
				changed.push(stream);
		}
		if (gone2.length)
			emit("roomStreamUpdate", roomID, "DELETE", gone2);
		if (fresh.length)
			emit("roomStreamUpdate", roomID, "ADD", fresh);
		if (changed.length)
			emit("roomStreamChanged", roomID, changed);
	}
	function changeInfo(key, value) {
		if (info.get(key) === value)
			return;
		if (value === void 0)
			info.delete(key);
		else
			info.set(key, value);
		emit("roomExtraInfoUpdate", roomID, key, value);
	}
	return {
		id: roomID,
		user,
		token,
		users,
		streams,
		info,
		changeUsers,
		changeStreams,
		changeInfo,
		state: "entering",
		away: false,
		ending: /* @__PURE__ */ new Set(),
		update({ users: there = [], streams: playing = [], metadata = {} }) {
			const others = playing.filter((s) => !s.own);
			const gone2 = [...streams.values()].filter((s) => !others.some((t) => t.streamId === s.streamID && t.user?.id === s.user.userID));
			changeStreams({ removed: gone2.map((s) => ({ roomId: roomID, streamId: s.streamID })) });
			changeUsers({ added: there, removed: [...users.keys()].filter((id) => !there.some((u) => u.id === id)).map((id) => ({ id })) });
			changeStreams({ added: others });
			for (const key of /* @__PURE__ */ new Set([...info.keys(), ...Object.keys(metadata)]))
				changeInfo(key, metadata[key]);
		}
	};
}
function toUser({ id, name = id }) {
	return { userID: id, userName: name };
}
function toStream(roomID, s) {
	const { live = false, audio = false, video = false, audioMuted = false, videoMuted = false, metadata: extraInfo = "" } = s;
	return { roomID, streamID: s.streamId, user: toUser(s.user ?? { id: "" }), live, audio, video, audioMuted, videoMuted, extraInfo };
}

// src/messages.ts
var remembered = 2048;
var events = { BROADCAST: "broadcastMessage", BARRAGE: "barrageMessage", COMMAND: "customCommand" };
function createMessages(emit) {
	const seen = /* @__PURE__ */ new Set();
	return ({ roomId, messageId, kind, from = { id: "" }, text = "", data, sentMs = 0 }) => {
		const event = events[short(kind).toUpperCase()];
		const key = `${roomId}
${messageId}`;
		if (!event || seen.has(key))
			return;
		seen.add(key);
		if (seen.size > remembered)
			seen.delete(seen.values().next().value);
		const message = { roomID: roomId, messageID: messageId, from: toUser(from), text, sentAt: Number(sentMs) };
		if (data)
			message.data = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
		emit(event, message);
	};
}

// src/order.ts
function createOrder() {
	const doors = /* @__PURE__ */ new Map();
	return (needs, work) => {
		const result = Promise.all(needs.map(([name, alone]) => doors.get(name)?.[alone ? "all" : "alone"])).then(work);
		const settled = result.then(() => {
		}, () => {
		});
		for (const [name, alone] of needs) {
			const before = doors.get(name);
			const all = Promise.all([before?.all, settled]);
			const door = { alone: alone ? all : before?.alone ?? Promise.resolve(), all };
			doors.set(name, door);
			void all.then(() => {
				if (doors.get(name) === door)
					doors.delete(name);
			});
		}
		return result;
	};
}

// src/player.ts
var playerStates = {
	ACTIVE: "playing",
	PENDING: "pending",
	PAUSED_BY_BANDWIDTH: "paused",
	ENDED: "stopped"
};
function feed(stream, tracks) {
	for (const track of stream.getTracks())
		if (!tracks.includes(track))
			stream.removeTrack(track);
	for (const track of tracks)
		if (track)
			stream.addTrack(track);
}
function wanted({ priority = 0, paused: _, ...preference } = {}) {
	return { preference, priority };
}

// src/publication.ts
var kinds = ["audio", "video"];
function createSource(stream, config, own) {
	const publications = /* @__PURE__ */ new Set();
	let muted = {};
	let lines = {};
	let peer;
	const trackOf = (kind) => stream.getTracks().find((t) => t.kind === kind);
	async function tell() {
		for (const kind of kinds) {
			const mute = publications.size > 0 && [...publications].every((p) => p.muted[kind]);
			const track = trackOf(kind);
			if (track && mute !== !!muted[kind])
				track.enabled = !mute;
			muted = { ...muted, [kind]: mute };
			const sender = (await lines[kind])?.transceiver.sender;
			const wanted2 = !mute && track || null;
			if (sender && sender.track !== wanted2)
				await sender.replaceTrack(wanted2);
		}
	}
	async function mids() {
		const [audioMid = "", videoMid = ""] = await Promise.all(kinds.map(async (kind) => (await lines[kind])?.transceiver.mid ?? ""));
		return { audioMid, videoMid };
	}
	return {
		stream,
		own,
		publications,
		tell,
		mids,
		trackOf,
		async attach(to) {
			if (peer !== to)
				lines = {};
			peer = to;
			for (const track of stream.getTracks()) {
				const video = track.kind === "video";
				if (video)
					hint(track, config);
				lines[track.kind] ??= to.take(track, video ? encodings(track, config) : [], video ? config.videoCodec : "");
			}
			await tell();
			const all = (await Promise.all(Object.values(lines))).map((line) => line.transceiver);
			await to.negotiate(() => all.every((t) => t.direction === t.currentDirection));
			return mids();
		},
		async replace(track) {
			const before = trackOf(track.kind);
			if (before === track)
				return;
			if (before)
				stream.removeTrack(before);
			stream.addTrack(track);
			if (track.kind === "video")
				hint(track, config);
			if (muted[track.kind])
				track.enabled = false;
			await tell();
		},
		remove(publication) {
			publications.delete(publication);
			if (publications.size) {
				tell().catch(() => {
				});
				return false;
			}
			for (const kind of kinds) {
				const mine = peer;
				lines[kind]?.then((line) => mine?.release(line)).catch(() => {
				});
				const track = trackOf(kind);
				if (track && muted[kind])
					track.enabled = true;
				if (own)
					track?.stop();
			}
			lines = {};
			return true;
		}
	};
}
function hint(track, { contentHint }) {
	if (track.contentHint && !contentHint)
		return;
	track.contentHint = contentHint ?? ("displaySurface" in track.getSettings() ? "detail" : "motion");
}
function encodings(track, { simulcast, maxBitrate }) {
	if (Array.isArray(simulcast))
		return simulcast.map((e, i) => simulcast.length > 1 ? { rid: `r${i}`, ...e } : e);
	if (!simulcast)
		return maxBitrate ? [{ maxBitrate }] : [{}];
	const { width = 640, height = 360 } = track.getSettings();
	const most = maxBitrate ?? 75 * (width * height) ** 0.75;
	return [4, 2, 1].map((scale, i) => ({ rid: "qhf".charAt(i), scaleResolutionDownBy: scale, maxBitrate: Math.round(most / scale ** 1.5) }));
}

// src/quality.ts
function createMeter() {
	let before = /* @__PURE__ */ new Map();
	return async (pc, of) => {
		const all = await pc.getStats();
		const reports = [...all.values()];
		const get = (id) => all.get(String(id)) ?? {};
		const transport = reports.find((r) => r.type === "transport");
		const rtt = num(get(transport?.selectedCandidatePairId).currentRoundTripTime) * 1e3;
		const grown = (report, counter) => Math.max(0, num(report[counter]) - num(before.get(String(report.id))?.[counter]));
		const rate = (report) => {
			const passed = num(report.timestamp) - num(before.get(String(report.id))?.timestamp ?? report.timestamp);
			return passed > 0 ? Math.round((grown(report, "bytesSent") + grown(report, "bytesReceived")) * 8e3 / passed) : 0;
		};
		const qualities = of.map(({ roomId, streamId, mids, sent }) => {
			const q = {
				roomID: roomId,
				streamID: streamId,
				rtt,
				videoBitrate: 0,
				audioBitrate: 0,
				videoFPS: 0,
				width: 0,
				height: 0,
				packetLoss: 0,
				jitter: 0,
				delay: 0,
				videoCodec: "",
				freezes: 0,
				audioLevel: 0
			};
			let lost2 = 0;
			let came = 0;
			const type = sent ? "outbound-rtp" : "inbound-rtp";
			for (const r of reports) {
				if (r.type !== type || !mids.includes(String(r.mid)))
					continue;
				const bits = rate(r);
				const emitted = grown(r, "jitterBufferEmittedCount");
				lost2 += grown(r, "packetsLost");
				came += grown(r, "packetsReceived");
				q.packetLoss = sent ? Math.max(q.packetLoss, num(get(r.remoteId).fractionLost)) : lost2 / (lost2 + came || 1);
				if (r.kind === "audio") {
					q.audioBitrate += bits;
					q.audioLevel = num(r.audioLevel);
				} else {
					q.videoBitrate += bits;
					q.freezes += num(r.freezeCount);
					q.videoFPS = Math.max(q.videoFPS, num(r.framesPerSecond));
					q.videoCodec = String(get(r.codecId).mimeType ?? q.videoCodec);
					if (sent)
						q.layers = (q.layers ?? 0) + (bits > 0 ? 1 : 0);
					if (num(r.frameWidth) > q.width)
						Object.assign(q, { width: num(r.frameWidth), height: num(r.frameHeight) });
				}
				if (r.kind === "video" || !q.jitter)
					q.jitter = num(r.jitter) * 1e3;
				if (emitted && (r.kind === "video" || !q.delay))
					q.delay = grown(r, "jitterBufferDelay") / emitted * 1e3;
			}
			return q;
		});
		before = new Map([...all].map(([id, report]) => [id, { ...report }]));
		return qualities;
	};
}
function num(value) {
	return typeof value === "number" ? value : 0;
}

// src/client.ts
var over = /^(NOT_A_MEMBER|NOT_IN_ROOM|(ROOM|STREAM|SUBSCRIPTION)_NOT_FOUND)$/;
var needsLines = "SUBSCRIPTION_STATE_NEEDS_NEGOTIATION";
function createClient(config, url, mode2, freed) {
	const { on, off, emit } = createListeners();
	const inTurn = createOrder();
	const deliver = createMessages(emit);
	const measure = createMeter();
	const rooms = /* @__PURE__ */ new Map();
	const entering = /* @__PURE__ */ new Set();
	const publications = /* @__PURE__ */ new Map();
	const sources = /* @__PURE__ */ new Map();
	const players = /* @__PURE__ */ new Map();
	const meter = config.qualityInterval === 0 ? void 0 : setInterval(() => void tellQuality(), config.qualityInterval ?? 2e3);
	const { run, send, request, peer, ...connection } = createConnection(config, url, mode2, { emit, notice, inband, restore, away, over: ended });
	let gone2;
	function turn(needs2, work) {
		const result = inTurn(needs2, async () => {
			if (gone2)
				throw destroyed();
			try {
				return await work();
			} catch (e) {
				throw asError(e);
			}
		});
		result.catch(() => {
		});
		return result;
	}
	function named(roomID, required) {
		if (mode2 === "single")
			return roomID || [...rooms.keys(), ...entering][0] || "";
		if (!roomID)
			throw fail(required + (roomID === "" ? 1 : 0), "ROOM_ID_REQUIRED", "in room mode multi the room has to be named");
		return roomID;
	}
	function member(roomId) {
		const room = rooms.get(roomId);
		if (room?.state === "in")
			return room;
		throw fail(ErrorCode.NotLoggedIn, "NOT_A_MEMBER", `not logged in to ${roomId || "any room"}`);
	}
	async function each(all, streamID, ref, work, stop = false) {
		const found = [...all.values()].filter((one) => one.streamId === streamID && !one.stopping && (!ref?.roomID || one.roomId === ref.roomID));
		if (!stop && !found.length)
			throw fail(0, "STREAM_NOT_FOUND", `there is no ${streamID}`);
		await Promise.all(found.map((one) => {
			one.stopping = stop;
			return turn(needs(all, one), async () => {
				if (one.state !== "stopped")
					await work(one);
			});
		}));
	}
	function needs(all, { roomId, streamId }) {
		return [[roomId], [`${all === players ? "play" : "publish"} ${keyOf(roomId, streamId)}`, true]];
	}
	async function end(body) {
		let first;
		try {
			await run(async (mine) => {
				if ((first ??= mine) === mine)
					await request(body);
			});
		} catch (e) {
			if (!over.test(asError(e).reason))
				throw e;
		}
	}
	function ask(roomId, body) {
		return turn([[roomId]], async () => {
			member(roomId);
			await send(body);
		});
	}
	function say(roomId, kind, text, toUsers) {
		const clientMessageId = crypto.getRandomValues(new Uint32Array(4)).join("-");
		return turn([[roomId]], async () => {
			member(roomId);
			const reply = await send({ sendMessage: { roomId, kind: `MESSAGE_KIND_${kind}`, toUsers, text, clientMessageId } });
			return reply.sent?.messageId ?? "";
		});
	}
	function tellRoom({ id }, state, why) {
		const { code, message } = why ? asError(why) : { code: 0, message: "" };
		emit("roomStateChanged", id, state, code, message);
		if (state === "kicked-out")
			emit("kickedOut", id, code, message);
	}
	async function login(room, user) {
		const enter = async () => {
			const who = user && { id: user.userID, name: user.userName || user.userID };
			return (await request({ loginRoom: { roomId: room.id, user: who, token: room.token } })).room;
		};
		try {
			return await enter();
		} catch (e) {
			if (e.code !== ErrorCode.BadToken)
				throw e;
			const token = await connection.ask({ reason: "refused", roomID: room.id }, room.id).catch(() => "");
			if (!token)
				throw e;
			room.token = token;
			return enter();
		}
	}
	function entered(room, state, how) {
		room.away = false;
		if (room.state !== "in" || how === "reconnected")
			tellRoom(room, how);
		room.state = "in";
		room.update(state);
	}
	async function enterBy(room, work) {
		rooms.set(room.id, room);
		tellRoom(room, "logging-in");
		try {
			entered(room, await work(), "logged-in");
		} catch (e) {
			if (rooms.get(room.id) === room)
				rooms.delete(room.id);
			tellRoom(room, "login-failed", e);
			throw e;
		}
	}
	function leave(room, state, why) {
		const code = why ? asError(why).code : 0;
		rooms.delete(room.id);
		for (const one of [...publications.values()])
			if (one.roomId === room.id)
				unpublish(one, code);
		for (const one of [...players.values()])
			if (one.roomId === room.id)
				unplay(one, code);
		tellRoom(room, state, why);
	}
	function tellPublisher(one, state, code = 0) {
		if (one.state === "stopped")
			return;
		one.state = state;
		emit("publisherStateUpdate", one.streamId, one.roomId, state, code);
	}
	async function sourceOf({ config: { stream }, config: config2 }) {
		const known = stream ? sources.get(stream) : [...sources.values()].find((s) => s.own);
		if (known)
			return known;
		const source = createSource(stream ?? await capture({ camera: true, microphone: true }), config2, !stream);
		if (!source.stream.getTracks().length)
			throw fail(1000017, "MEDIA_REQUIRED", "the stream has no tracks");
		sources.set(source.stream, source);
		return source;
	}
	async function publish({ roomId, streamId, config: config2, muted, source }, mine) {
		const mids = await source?.attach(mine);
		await request({ startPublishing: { roomId, streamId, ...mids, metadata: config2.extraInfo } });
		if (muted.audio || muted.video)
			await request({ updatePublishing: { roomId, streamId, ...muting(muted) } });
	}
	function unpublish(one, code) {
		const key = keyOf(one.roomId, one.streamId);
		if (publications.get(key) === one)
			publications.delete(key);
		if (one.source?.remove(one))
			sources.delete(one.source.stream);
		tellPublisher(one, "stopped", code);
	}
	async function update(one, what) {
		await one.source?.tell();
		await send({ updatePublishing: { roomId: one.roomId, streamId: one.streamId, ...what } });
	}
	async function replace(stream, track) {
		const source = sources.get(stream);
		if (source && !source.trackOf(track.kind))
			throw fail(1000017, "INVALID_ARGUMENT", `the stream is published without ${track.kind}`);
		await (source ?? createSource(stream, {}, false)).replace(track);
	}
	function tellPlayer(one, state, code = 0) {
		one.state = state;
		emit("playerStateUpdate", one.streamId, one.roomId, state, code);
	}
	async function play(one, mine) {
		const { roomId, streamId, config: { audio = true, video = true, preference } } = one;
		await mine.begun;
		const reply = await request({ startPlaying: { roomId, streamId, audio, video, ...wanted(preference) } });
		played(reply.playing, one);
		if (preference?.paused)
			await prefer2(one);
	}
	async function prefer2(one) {
		const { preference } = one.config;
		const reply = await request({ updatePlaying: { id: one.playing?.id, ...wanted(preference), paused: !!preference?.paused } });
		played(reply.playing, one);
	}
	function played(playing, known) {
		const { id, roomId, streamId, audioMid = "", videoMid = "" } = playing;
		const key = keyOf(roomId, streamId);
		const one = known ?? [...players.values()].find((p) => p.playing?.id === id) ?? players.get(key);
		if (!one || one.state === "stopped" || !known && one.playing?.id && one.playing.id !== id)
			return;
		const before = keyOf(one.roomId, one.streamId);
		one.playing = playing;
		if (before !== key) {
			emit("playerStateUpdate", one.streamId, one.roomId, "stopped", 0);
			if (players.get(before) === one)
				players.delete(before);
			players.set(key, Object.assign(one, { roomId, streamId }));
		}
		const state = playerStates[short(playing.state)] ?? "requesting";
		if (state === "stopped") {
			unplay(one, 0);
			return;
		}
		feed(one.media, [audioMid, videoMid].map((mid) => mid ? peer()?.track(mid) : void 0));
		if (one.state !== state || before !== key)
			tellPlayer(one, state);
		if (playing.state === needsLines)
			grow();
	}
	function grow() {
		const missing = { audio: 0, video: 0 };
		for (const { playing: p } of players.values()) {
			if (p?.state !== needsLines)
				continue;
			const stream = rooms.get(p.roomId)?.streams.get(p.streamId);
			if (p.audio && !p.audioMid && stream?.audio !== false)
				missing.audio++;
			if (p.video && !p.videoMid && stream?.video !== false)
				missing.video++;
		}
		peer()?.grow(missing);
	}
	function unplay(one, code) {
		const key = keyOf(one.roomId, one.streamId);
		if (players.get(key) === one)
			players.delete(key);
		feed(one.media, []);
		if (one.state !== "stopped")
			tellPlayer(one, "stopped", code);
	}
	async function tellQuality() {
		const pc = peer()?.pc;
		if (!pc || !(publications.size || players.size))
			return;
		try {
			const of = [];
			for (const { roomId, streamId, source } of publications.values()) {
				if (source)
					of.push({ roomId, streamId, mids: Object.values(await source.mids()), sent: true });
			}
			const heard = [...players.values()].flatMap(({ playing }) => playing ?? []);
			for (const { roomId, streamId, audioMid, videoMid } of heard)
				of.push({ roomId, streamId, mids: [audioMid, videoMid], sent: false });
			const qualities = await measure(pc, of);
			if (gone2)
				return;
			qualities.forEach((quality, i) => {
				const { spatialLayer, temporalLayer } = heard[i + heard.length - of.length] ?? {};
				if (spatialLayer !== void 0)
					quality.spatialLayer = spatialLayer;
				if (temporalLayer !== void 0)
					quality.temporalLayer = temporalLayer;
				emit(of[i]?.sent ? "publisherQualityUpdate" : "playerQualityUpdate", quality);
			});
		} catch {
		}
	}
	function notice({ playing, message, negotiationNeeded, tokenWillExpire, room: whole, ...of }) {
		if (playing)
			played(playing);
		if (negotiationNeeded)
			peer()?.grow(negotiationNeeded);
		if (whole)
			wholeRoom(whole);
		const { users, streams, roomMetadata, speakers, roomEnded } = of;
		const subject = message ?? tokenWillExpire ?? users ?? streams ?? roomMetadata ?? speakers ?? roomEnded;
		const room = rooms.get(subject?.roomId ?? "");
		if (tokenWillExpire)
			void expiring(room, Number(tokenWillExpire.expiresInMs ?? 0));
		if (room?.state !== "in")
			return;
		if (message)
			deliver(message);
		if (users)
			room.changeUsers(users);
		if (streams) {
			room.changeStreams(streams);
			for (const stream of streams.removed ?? [])
				if (stream.own)
					ownEnded(room, stream);
		}
		if (roomMetadata)
			room.changeInfo(roomMetadata.key, roomMetadata.value);
		if (speakers) {
			emit("activeSpeakers", room.id, (speakers.speakers ?? []).map(({ streamId, userId, level = 0 }) => ({ streamID: streamId, userID: userId, level })));
		}
		if (roomEnded) {
			const reason = short(roomEnded.reason);
			const code = roomEnded.code || (reason === "EXPIRED" ? ErrorCode.TokenExpired : ErrorCode.KickedOut);
			leave(room, "kicked-out", fail(code, reason, roomEnded.detail || reason));
		}
	}
	function inband({ type, room, id, from, from_name: name, sent_ms: sentMs, ...rest }) {
		if (type !== "message" || rooms.get(room)?.state !== "in")
			return;
		deliver({ ...rest, roomId: room, messageId: id, from: { id: from, name }, sentMs });
	}
	function wholeRoom(state) {
		const room = rooms.get(state.roomId);
		if (room?.state === "in")
			room.update(state);
		if (room)
			return;
		const fresh = createRoom(state.roomId, [...rooms.values()][0]?.user, void 0, emit);
		rooms.set(fresh.id, fresh);
		entered(fresh, state, "logged-in");
	}
	function ownEnded(room, { streamId, reason = "" }) {
		const one = publications.get(keyOf(room.id, streamId));
		if (!room.ending.delete(streamId) && one?.state === "publishing") {
			unpublish(one, reason.includes("GRANTS") ? ErrorCode.PublishDenied : 1003020);
		}
	}
	async function expiring(room, left) {
		const roomID = room?.id ?? "";
		const own = room?.token ? roomID : "";
		try {
			const token = await connection.ask({ reason: "expiring", roomID }, own);
			if (token) {
				await engine.renewToken(token, own);
				return;
			}
		} catch (e) {
			emit("error", asError(e));
		}
		if (!gone2)
			emit("tokenWillExpire", roomID, left);
	}
	function away() {
		for (const room of rooms.values()) {
			if (room.state === "in" && !room.away && !gone2)
				tellRoom(room, "reconnecting");
			room.away = true;
		}
	}
	function ended(error) {
		for (const room of [...rooms.values()]) {
			if (room.state === "in")
				leave(room, "kicked-out", error);
			if (room.state === "leaving")
				leave(room, "logged-out");
		}
	}
	async function restore({ resumed, rooms: states = [], playing = [] }, mine) {
		if (!resumed) {
			for (const one of players.values())
				if (one.playing)
					one.playing.id = "";
		}
		for (const state of states)
			if (!rooms.has(state.roomId))
				wholeRoom(state);
		for (const one of playing)
			played(one);
		const live = new Set(playing.map(({ id }) => id));
		const attempt = async (work, failed) => {
			try {
				await work();
			} catch (e) {
				if (e !== lost && peer() === mine)
					failed(e);
			}
		};
		await Promise.all([...rooms.values()].filter((room) => room.state === "in").map((room) => attempt(async () => {
			const state = states.find(({ roomId }) => roomId === room.id) ?? await login(room, room.user);
			if (room.state !== "in")
				return;
			entered(room, state, room.away ? "reconnected" : "logged-in");
			await Promise.all([
				...[...publications.values()].filter((one) => one.roomId === room.id && one.state === "publishing" && !one.stopping && !state.streams?.some((s) => s.own && s.streamId === one.streamId)).map((one) => attempt(async () => {
					emit("publisherStateUpdate", one.streamId, one.roomId, "requesting", 0);
					await publish(one, mine);
					tellPublisher(one, "publishing");
				}, (e) => unpublish(one, asError(e).code))),
				...[...players.values()].filter((one) => one.roomId === room.id && one.playing && !one.stopping && !live.has(one.playing.id)).map((one) => attempt(() => play(one, mine), (e) => unplay(one, asError(e).code)))
			]);
		}, (e) => {
			if (room.state === "in")
				leave(room, "kicked-out", e);
		})));
	}
	const engine = {
		async loginRoom(roomID, user, { token } = {}) {
			entering.add(roomID);
			try {
				await turn([[roomID, true]], async () => {
					const known = rooms.get(roomID);
					const room = known ?? createRoom(roomID, user, token, emit);
					connection.connect();
					const work = () => run(() => login(room, user));
					if (known)
						entered(room, await work(), "logged-in");
					else
						await enterBy(room, work);
				});
			} finally {
				entering.delete(roomID);
			}
		},
		logoutRoom(roomID) {
			const ids = roomID === void 0 ? [.../* @__PURE__ */ new Set([...rooms.keys(), ...entering])] : [roomID];
			return turn(ids.map((id) => [id, true]), async () => {
				const all = ids.flatMap((id) => rooms.get(id) ?? []);
				if (!all.length)
					return;
				for (const room of all)
					room.state = "leaving";
				try {
					await end({ logoutRoom: { roomId: roomID } });
				} catch (e) {
					for (const room of all)
						room.state = "in";
					throw e;
				}
				for (const room of all)
					leave(room, "logged-out");
			});
		},
		switchRoom(fromRoomID, toRoomID, { token } = {}) {
			return turn([[fromRoomID, true], [toRoomID, true]], async () => {
				const from = member(fromRoomID);
				if (rooms.has(toRoomID))
					throw fail(0, "ALREADY_IN_ROOM", `already in ${toRoomID}`);
				const room = createRoom(toRoomID, from.user, token, emit);
				let first;
				from.state = "leaving";
				try {
					await enterBy(room, () => run(async (mine) => {
						if ((first ??= mine) !== mine)
							return login(room, room.user);
						const reply = await request({ switchRoom: { fromRoomId: fromRoomID, toRoomId: toRoomID, token } }).catch((e) => {
							if (asError(e).reason !== "NOT_A_MEMBER")
								throw e;
						});
						const state = reply?.room ?? await login(room, room.user);
						leave(from, "logged-out");
						return state;
					}));
				} catch (e) {
					if (rooms.has(fromRoomID))
						from.state = "in";
					throw e;
				}
				if (rooms.has(fromRoomID))
					leave(from, "logged-out");
			});
		},
		renewToken(token, roomID = "") {
			return turn([], async () => {
				const room = rooms.get(roomID);
				if (room)
					room.token = token;
				await connection.renew(token, roomID);
			});
		},
		get rooms() {
			return [...rooms.values()].filter((room) => room.state !== "entering").map((room) => room.id);
		},
		streams: (roomID) => [...rooms.get(roomID)?.streams.values() ?? []],
		users: (roomID) => [...rooms.get(roomID)?.users.values() ?? []],
		extraInfo: (roomID) => Object.fromEntries(rooms.get(roomID)?.info ?? []),
		createStream: (options) => capture(options).catch((e) => {
			throw asError(e);
		}),
		destroyStream: stopTracks,
		async startPublishingStream(streamId, of = {}) {
			const roomId = named(of.roomID, ErrorCode.PublishRoomRequired);
			const key = keyOf(roomId, streamId);
			const before = publications.get(key);
			if (before && !before.stopping)
				throw fail(ErrorCode.AlreadyPublishing, "ALREADY_PUBLISHING", `${streamId} is being published in ${roomId}`);
			const one = { roomId, streamId, config: { ...of }, state: "requesting", stopping: false, muted: {} };
			publications.set(key, one);
			await turn(needs(publications, one), async () => {
				try {
					member(roomId);
					tellPublisher(one, "requesting");
					one.source = await sourceOf(one);
					one.source.publications.add(one);
					await run((mine) => publish(one, mine));
					tellPublisher(one, "publishing");
				} catch (e) {
					unpublish(one, asError(e).code);
					throw e;
				}
			});
		},
		stopPublishingStream: (streamID, ref) => each(publications, streamID, ref, async (one) => {
			const { roomId, streamId } = one;
			rooms.get(roomId)?.ending.add(streamId);
			await end({ stopPublishing: { roomId, streamId } });
			unpublish(one, 0);
		}, true),
		replaceTrack: (stream, track) => replace(stream, track).catch((e) => {
			throw asError(e);
		}),
		async useDevice(stream, kind, deviceID) {
			try {
				const before = stream.getTracks().find((t) => t.kind === kind);
				await replace(stream, await recapture(before, kind, deviceID));
				before?.stop();
			} catch (e) {
				throw asError(e);
			}
		},
		mutePublishStream: (streamID, mute, ref) => each(publications, streamID, ref, (one) => {
			one.muted = { ...one.muted, ...mute };
			return update(one, muting(mute));
		}),
		setStreamExtraInfo: (streamID, extraInfo, ref) => each(publications, streamID, ref, (one) => {
			one.config.extraInfo = extraInfo;
			return update(one, { metadata: extraInfo });
		}),
		async startPlayingStream(streamId, of = {}) {
			const roomId = named(of.roomID, ErrorCode.PlayRoomRequired);
			const key = keyOf(roomId, streamId);
			const before = players.get(key);
			if (before?.started && !before.stopping)
				return before.started;
			const one = { roomId, streamId, config: { ...of }, media: new MediaStream(), stopping: false, state: "requesting" };
			players.set(key, one);
			one.started = turn(needs(players, one), async () => {
				try {
					member(roomId);
					tellPlayer(one, "requesting");
					await run((mine) => play(one, mine));
					return one.media;
				} catch (e) {
					unplay(one, asError(e).code);
					throw e;
				}
			});
			return one.started;
		},
		stopPlayingStream: (streamID, ref) => each(players, streamID, ref, async (one) => {
			await end({ stopPlaying: { id: one.playing?.id } });
			unplay(one, 0);
		}, true),
		async switchPlayingStream(from, to) {
			const roomId = named(to.roomID, ErrorCode.PlayRoomRequired);
			const [, source] = needs(players, { roomId: named(from.roomID, ErrorCode.PlayRoomRequired), streamId: from.streamID });
			const [, target] = needs(players, { roomId, streamId: to.streamID });
			const fromRoom = named(from.roomID, ErrorCode.PlayRoomRequired);
			return turn([[fromRoom], [roomId], source, target], async () => {
				const one = players.get(keyOf(fromRoom, from.streamID));
				if (!one || one.stopping)
					throw fail(0, "NOT_PLAYING", `${from.streamID} is not played`);
				member(roomId);
				const reply = await run(() => request({ switchPlaying: { id: one.playing?.id, roomId, streamId: to.streamID } }));
				played(reply.playing, one);
				return one.media;
			});
		},
		updatePlayingStream: (streamID, preference, ref) => each(players, streamID, ref, (one) => {
			one.config.preference = preference;
			return run(() => prefer2(one));
		}),
		sendBroadcastMessage: (roomID, text) => say(roomID, "BROADCAST", text),
		sendBarrageMessage: (roomID, text) => say(roomID, "BARRAGE", text),
		sendCustomCommand: (roomID, text, toUserIDs) => say(roomID, "COMMAND", text, toUserIDs),
		setRoomExtraInfo: (roomId, key, value) => ask(roomId, { setRoomMetadata: { roomId, key, value } }),
		kickUser: (roomId, userId, { reason, banSeconds } = {}) => ask(roomId, { kickUser: { roomId, userId, reason, banSeconds } }),
		closeRoom: (roomId, reason) => ask(roomId, { closeRoom: { roomId, reason } }),
		muteStreamOf: (roomId, streamId, mute) => ask(roomId, { updatePublishing: { roomId, streamId, ...muting(mute) } }),
		on(event, listener) {
			on(event, listener);
			return this;
		},
		off(event, listener) {
			off(event, listener);
			return this;
		},
		get peerConnection() {
			return peer()?.pc;
		},
		get connections() {
			return connection.connections();
		},
		get negotiations() {
			return connection.offers();
		},
		destroy: () => gone2 ??= (async () => {
			freed();
			clearInterval(meter);
			await connection.destroy(destroyed());
			for (const room of [...rooms.values()])
				leave(room, "logged-out");
		})()
	};
	return engine;
}
function destroyed() {
	return fail(1000001, "DESTROYED", "the engine was destroyed");
}
function keyOf(roomId, streamId) {
	return `${roomId}
${streamId}`;
}
function muting({ audio, video }) {
	return { audioMuted: audio, videoMuted: video };
}

// src/engine.ts
var mode = "single";
var engines = 0;
function setRoomMode(next) {
	if (engines > 0)
		throw fail(ErrorCode.RoomModeFixed, "ROOM_MODE_FIXED", "setRoomMode comes before createEngine");
	if (next !== "single" && next !== "multi")
		throw invalid(`there is no room mode ${String(next)}`);
	mode = next;
}
function createEngine(config) {
	const { token, spareSlots = {} } = config ?? {};
	if (!token || typeof token !== "string" && typeof token !== "function")
		throw invalid("a token is needed, or a function that gets one");
	for (const slots of Object.values(spareSlots)) {
		if (!(Number.isInteger(slots) && slots >= 0 && slots <= 64))
			throw invalid("spareSlots are 0 to 64");
	}
	for (const time of [config.qualityInterval ?? 0, config.reconnectFor ?? 0]) {
		if (!(time >= 0))
			throw invalid("times are 0 or more milliseconds");
	}
	const client = createClient(config, socketURL(config.url), mode, () => {
		engines--;
	});
	engines++;
	return client;
}
function socketURL(text) {
	let url;
	try {
		url = new URL(text, globalThis.location?.href);
	} catch {
		throw invalid(`${text} is no address`);
	}
	url.protocol = url.protocol.replace(/^http/, "ws");
	url.hash = "";
	if (!/^wss?:$/.test(url.protocol))
		throw invalid(`${text} is no address of a WebSocket`);
	return url.href;
}
function invalid(message) {
	return fail(1000017, "INVALID_ARGUMENT", message);
}
export {
	ErrorCode,
	SwitchyardError,
	createEngine,
	setRoomMode
};
