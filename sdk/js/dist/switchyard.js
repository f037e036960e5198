// src/errors.ts
var SwitchyardError = class extends Error {
  /**
   * @param code    numeric code, see {@link ErrorCode}; 0 when there is none
   * @param reason  in capitals, for example `USER_ROOM_LIMIT`
   * @param message in words
   * @param retryAfter when it may be tried again, in milliseconds; 0: nothing is known
   */
  constructor(code, reason, message, retryAfter = 0) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.retryAfter = retryAfter;
    this.name = "SwitchyardError";
  }
  code;
  reason;
  retryAfter;
};
var ErrorCode = {
  /** setRoomMode after an engine was created. */
  RoomModeFixed: 1001020,
  /** Mode single, and already in another room. */
  SingleRoomMode: 1002001,
  /** Not logged in to that room. */
  NotLoggedIn: 1002002,
  /** Another user id or name than in the first room. */
  UserMismatch: 1002018,
  /** The token was refused. */
  BadToken: 1002033,
  RoomFull: 1002034,
  /** Mode multi, and the app is not entitled to it. */
  MultiRoomDisabled: 1002036,
  /** Too many rooms at once. */
  UserRoomLimit: 1002037,
  /** The same user logged in elsewhere. */
  LoggedInElsewhere: 1002050,
  /** Put out of the room. */
  KickedOut: 1002055,
  /** The token expired. */
  TokenExpired: 1002056,
  AlreadyPublishing: 1003023,
  PublishDenied: 1003025,
  StreamExists: 1003028,
  /** Mode multi: publish without a room. */
  PublishRoomRequired: 1003070,
  /** Mode multi: publish with an empty room. */
  PublishRoomEmpty: 1003071,
  PlayDenied: 1004025,
  /** Mode multi: play without a room. */
  PlayRoomRequired: 1004070,
  /** Mode multi: play with an empty room. */
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
      for (const track of shown.getAudioTracks()) shown.removeTrack(track);
      for (const track of spoken.getTracks()) shown.addTrack(track);
    } catch (e) {
      stop(shown);
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
    if (e.name !== "NotReadableError" || !before) throw e;
    before.stop();
    stream = await get();
  }
  return stream.getTracks()[0];
}
function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}

// src/peer.ts
var restartAfter = 1e3;
var restartEvery = 2500;
var Line = class {
  constructor(transceiver, encodings2) {
    this.transceiver = transceiver;
    this.encodings = encodings2;
  }
  transceiver;
  encodings;
  wanted = /* @__PURE__ */ new Map();
  #tuning = Promise.resolve();
  get mid() {
    return this.transceiver.mid ?? "";
  }
  /** What the line was made for and stays good for. */
  fits(kind, encodings2) {
    return this.transceiver.receiver.track.kind === kind && rids(encodings2) === rids(this.encodings);
  }
  /**
   * Has the sender use the encodings, without the layers that nobody takes. The smallest one is sent always, so that whoever
   * comes next has a picture at once. One call at a time, since parameters that were read before another call set them are refused.
   */
  tune() {
    const { sender } = this.transceiver;
    return this.#tuning = this.#tuning.then(async () => {
      const parameters = sender.getParameters();
      const before = JSON.stringify(parameters.encodings);
      parameters.encodings?.forEach((encoding, i) => {
        const { rid, active = true, ...rest } = this.encodings[i] ?? {};
        if (rest.maxBitrate === void 0) delete encoding.maxBitrate;
        Object.assign(encoding, rest, { active: active && (i === 0 || this.wanted.get(rid ?? "") !== false) });
      });
      if (JSON.stringify(parameters.encodings) !== before) await sender.setParameters(parameters);
    }).catch(() => {
    });
  }
};
function rids(encodings2) {
  return encodings2.length > 1 ? encodings2.map((e) => e.rid).join() : "";
}
var Peer = class {
  constructor(configuration, slots, offerID, owner) {
    this.owner = owner;
    this.#offerID = offerID;
    this.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle", ...configuration });
    this.pc.onicecandidate = (e) => this.#candidate(e.candidate);
    this.pc.onconnectionstatechange = () => this.#changed();
    this.pc.oniceconnectionstatechange = () => this.#changed();
    this.pc.createDataChannel("sfu", { protocol: "sfu.v1" }).onmessage = (e) => owner.inband(String(e.data));
    this.#receive("audio", slots.audio);
    this.#receive("video", slots.video);
    this.connected = this.negotiate(() => this.#answered);
    this.connected.catch((e) => owner.failed(e));
  }
  owner;
  pc;
  /** Resolves when the first offer has been answered. */
  connected;
  /** Offers made. */
  offers = 0;
  #lines = /* @__PURE__ */ new Set();
  #idle = /* @__PURE__ */ new Set();
  #candidates = [];
  #offerID;
  #round;
  #restart = false;
  #answered = false;
  #held = true;
  #last = false;
  #closed = false;
  #timer;
  #flush;
  /** Has as many more lines to receive on as are missing; those that are being negotiated are counted. */
  grow(audio, video) {
    const fresh = this.pc.getTransceivers().filter((t) => t.direction === "recvonly" && t.currentDirection === null);
    const count = (kind) => fresh.filter((t) => t.receiver.track.kind === kind).length;
    const before = fresh.length;
    this.#receive("audio", audio - count("audio"));
    this.#receive("video", video - count("video"));
    const lines = this.pc.getTransceivers().filter((t) => t.direction === "recvonly");
    if (before || lines.some((t) => t.currentDirection === null)) {
      this.negotiate(() => lines.every((t) => t.currentDirection !== null)).catch((e) => this.owner.failed(e));
    }
  }
  /** A line that sends this; one that was given back is used again. */
  async take({ track, encodings: encodings2, codec: codec2 }) {
    const kind = track.kind;
    let line = [...this.#idle].find((l) => l.fits(kind, encodings2));
    if (line) {
      this.#idle.delete(line);
      line.encodings = encodings2;
      line.wanted.clear();
      line.transceiver.direction = "sendonly";
    } else {
      const init = { direction: "sendonly" };
      if (encodings2.length) init.sendEncodings = encodings2;
      line = new Line(this.pc.addTransceiver(track, init), encodings2);
      if (kind === "video") describe(line.transceiver, encodings2.length > 1);
      this.#lines.add(line);
    }
    prefer(line.transceiver, kind, codec2);
    await line.transceiver.sender.replaceTrack(track);
    await line.tune();
    return line;
  }
  /** Takes a line back. */
  release(line) {
    if (this.#closed || this.#idle.has(line)) return;
    this.#idle.add(line);
    line.transceiver.direction = "inactive";
    line.transceiver.sender.replaceTrack(null).catch(() => {
    });
    this.negotiate(() => line.transceiver.direction === line.transceiver.currentDirection).catch((e) => this.owner.failed(e));
  }
  /** Does what the node says about the layers of a line. */
  layers(mid, layers) {
    for (const line of this.#lines) {
      if (line.mid !== mid || this.#idle.has(line)) continue;
      line.wanted = new Map(layers.map((l) => [l.rid ?? "", !!l.wanted]));
      void line.tune();
    }
  }
  /** The transceiver of a line. */
  line(mid) {
    return this.pc.getTransceivers().find((t) => t.mid === mid);
  }
  /** Offers, once for all who ask at about the same time, until what is wanted is so; a few times at most. */
  async negotiate(done) {
    for (let tries = 0; tries < 4 && !done() && !this.#closed; tries++) {
      this.#round ??= this.#offer().finally(() => {
        this.#round = void 0;
      });
      await this.#round;
    }
  }
  /** Looks for another path to the node, and goes on until there is one. */
  restart() {
    clearTimeout(this.#timer);
    this.#timer = void 0;
    if (this.#closed) return;
    if (!this.#round) {
      this.#restart = true;
      this.negotiate(() => !this.#restart).catch((e) => this.owner.failed(e));
    }
    this.#timer = setTimeout(() => {
      this.#timer = void 0;
      if (!this.#fine()) this.restart();
    }, restartEvery);
  }
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#flush);
    this.pc.onconnectionstatechange = this.pc.oniceconnectionstatechange = this.pc.onicecandidate = null;
    this.pc.close();
    this.owner.state("closed");
  }
  #receive(kind, count) {
    for (let i = 0; i < count; i++) {
      const line = this.pc.addTransceiver(kind, { direction: "recvonly" });
      if (kind === "video") describe(line);
    }
  }
  async #offer() {
    await nextTask();
    if (this.#closed) return;
    const { pc } = this;
    if (this.#restart) pc.restartIce();
    this.#restart = false;
    this.#held = true;
    await pc.setLocalDescription();
    this.offers++;
    try {
      const offerSdp = pc.localDescription?.sdp ?? "";
      const { answer: answer2 } = await this.owner.send({ negotiate: { offerSdp, offerId: String(++this.#offerID) } });
      await pc.setRemoteDescription({ type: "answer", sdp: answer2?.answerSdp ?? "" });
      this.#answered = true;
    } catch (e) {
      if (this.#closed) return;
      if (pc.signalingState === "have-local-offer") await pc.setLocalDescription({ type: "rollback" });
      throw e;
    } finally {
      this.#held = false;
      this.#trickle();
    }
  }
  /** Candidates are sent together, and after the offer that they belong to. */
  #candidate(candidate) {
    if (candidate?.candidate) this.#candidates.push(candidate);
    else if (!candidate) this.#last = true;
    this.#trickle();
  }
  #trickle() {
    if (this.#held || this.#closed || this.#flush || !(this.#last || this.#candidates.length)) return;
    this.#flush = setTimeout(() => {
      this.#flush = void 0;
      if (this.#held || this.#closed) return;
      const candidates = this.#candidates.splice(0).map((c) => ({
        candidate: c.candidate,
        sdpMid: c.sdpMid ?? "",
        sdpMlineIndex: c.sdpMLineIndex ?? 0,
        usernameFragment: c.usernameFragment ?? ""
      }));
      const end = this.#last;
      this.#last = false;
      this.owner.send({ addCandidates: { candidates, end } }).catch(() => {
      });
    }, 50);
  }
  #fine() {
    return /^(connected|completed)$/.test(this.pc.iceConnectionState);
  }
  #changed() {
    const { iceConnectionState: ice, connectionState: state } = this.pc;
    this.owner.state(state);
    if (this.#closed) return;
    if (state === "failed" && this.#fine()) this.owner.broken();
    else if (ice === "failed") {
      if (!this.#timer) this.restart();
    } else if (ice === "disconnected") {
      this.#timer ??= setTimeout(() => {
        this.#timer = void 0;
        if (!this.#fine()) this.restart();
      }, restartAfter);
    }
  }
};
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
  const wanted = layers ? /dependency-descriptor|rtp-stream-id/ : /dependency-descriptor/;
  for (const extension of extensions ?? []) if (wanted.test(extension.uri)) extension.direction = "sendrecv";
  if (extensions) line.setHeaderExtensionsToNegotiate?.(extensions);
}
function prefer(line, kind, codec2) {
  const codecs = RTCRtpSender.getCapabilities?.(kind)?.codecs;
  if (!codecs || !line.setCodecPreferences) return;
  const wanted = codecs.filter((c) => c.mimeType.toLowerCase() === codec2?.toLowerCase());
  line.setCodecPreferences(wanted.length ? [...wanted, ...codecs.filter((c) => !wanted.includes(c))] : []);
}

// src/signal.ts
var lost = new SwitchyardError(0, "SESSION_NOT_FOUND", "the session is over");
var longestPause = 5e3;
var patience = 1e4;
var firstFor = 15e3;
var Signal = class {
  constructor(url, mode2, reconnectFor, owner) {
    this.url = url;
    this.mode = mode2;
    this.reconnectFor = reconnectFor;
    this.owner = owner;
  }
  url;
  mode;
  reconnectFor;
  owner;
  #socket;
  #ready = false;
  #on = false;
  /** Counts attempts, so that what an earlier one still does can be told. */
  #turn = 0;
  #attempt = 0;
  #since = 0;
  #last = 0;
  #silent = 0;
  #pause;
  #refused = false;
  #welcomed = false;
  #resume;
  #readyAt = 0;
  #pinger;
  /** Of this attempt; none outlives it. */
  #timers = /* @__PURE__ */ new Set();
  #pending = /* @__PURE__ */ new Set();
  #sent = /* @__PURE__ */ new Map();
  /** Connects, unless that is being done. */
  connect() {
    if (this.#on) return;
    this.#on = true;
    this.#since = Date.now();
    void this.#open();
  }
  /** Sends a request, again after each loss of the connection, until it is answered or its session is over. */
  request(body, settled) {
    return new Promise((resolve, reject) => {
      const pending = { body, settled, resolve, reject, tries: 0 };
      this.#pending.add(pending);
      if (this.#ready) this.#send(pending);
    });
  }
  /** All is well: what goes wrong from now on is counted anew. */
  well() {
    if (this.#ready) this.#since = 0;
  }
  /** The network may have changed: finds out now what would be noticed in a while. */
  nudge() {
    if (!this.#on) return;
    if (!this.#ready) {
      this.#drop(0);
      return;
    }
    this.#silent = 1;
    this.#ping();
    this.#after(2500, () => {
      if (this.#silent > 0) this.#drop(0);
    });
  }
  /** Begins another session in place of one that is of no more use. */
  renew() {
    this.#lose();
    this.#drop();
  }
  /** Says something on the way out, to whom it may concern. */
  say(body) {
    if (this.#ready) this.#socket?.send(JSON.stringify({ id: ++this.#last, ...body }));
  }
  /** Ends everything; requests that wait are rejected. */
  close(error) {
    this.#on = this.#welcomed = false;
    this.#resume = void 0;
    this.#hangUp();
    this.#rejectAll(error);
  }
  async #open() {
    const turn = ++this.#turn;
    this.owner.state("connecting");
    let token;
    try {
      token = await this.owner.token(this.#refused);
    } catch (e) {
      if (turn !== this.#turn) return;
      if (this.#welcomed) this.#drop(void 0, e);
      else this.#end(e);
      return;
    }
    if (turn !== this.#turn) return;
    let socket;
    try {
      socket = new WebSocket(this.url);
    } catch (e) {
      this.#end(new SwitchyardError(1000017, "INVALID_ARGUMENT", String(e)));
      return;
    }
    this.#socket = socket;
    this.#after(patience, () => {
      if (!this.#ready) this.#drop();
    });
    socket.onopen = () => this.#hello(token);
    socket.onmessage = (e) => {
      if (turn === this.#turn) this.#frame(e.data);
    };
    socket.onclose = socket.onerror = () => {
      if (turn === this.#turn) this.#drop();
    };
  }
  #hello(token) {
    const hello = { token, roomMode: this.mode, client: "switchyard-js" };
    if (this.#resume) hello.resume = this.#resume;
    const pending = {
      body: { hello },
      settled: void 0,
      tries: 0,
      resolve: ({ welcome }) => this.#welcome(welcome),
      reject: () => {
      }
    };
    this.#send(pending);
    this.#greeting = { pending, token };
  }
  #greeting;
  #welcome(welcome) {
    const { id, epoch } = welcome.session;
    if (this.#resume && !welcome.resumed) this.#lose();
    this.#resume = { sessionId: id, sessionEpoch: epoch };
    this.#greeting = void 0;
    this.#refused = false;
    this.#ready = this.#welcomed = true;
    this.#readyAt = Date.now();
    this.#pinger = setInterval(() => this.#ping(), welcome.pingIntervalMs || 5e3);
    this.owner.state("connected");
    const waiting = [...this.#pending];
    this.owner.welcome(welcome);
    for (const pending of waiting) {
      const reply = pending.settled?.(welcome);
      if (reply) {
        this.#pending.delete(pending);
        pending.resolve(reply);
      } else if (this.#pending.has(pending)) this.#send(pending);
    }
  }
  /** The request that says hello has failed. */
  #unwelcome(failure, error) {
    const token = this.#greeting?.token ?? "";
    if (this.#resume && (failure.reason === "SESSION_NOT_FOUND" || failure.reason === "STALE_EPOCH")) {
      this.#lose();
      this.#hello(token);
    } else if (failure.status === "UNAUTHENTICATED" && !this.#refused) {
      this.#refused = true;
      this.#drop(0);
    } else if (/^(UNAUTH|PERM|INVALID_ARG|FAILED_PRE|NOT_F|UNIMPL)/.test(failure.status ?? "")) {
      this.#end(error);
    } else {
      if (failure.retryAfterMs) this.#pause = failure.retryAfterMs;
      this.#drop(void 0, error);
    }
  }
  #frame(data) {
    this.#silent = 0;
    let message;
    try {
      message = JSON.parse(String(data));
    } catch {
      this.#drop();
      return;
    }
    if (message.reply) this.#reply(message.reply);
    else if (message.notice?.goingAway) this.#pause = (message.notice.goingAway.retryAfterMs ?? 0) + Math.random() * 500;
    else if (message.notice && this.#ready) this.owner.notice(message.notice);
  }
  #reply(reply) {
    const pending = this.#sent.get(reply.id);
    this.#sent.delete(reply.id);
    if (!pending) return;
    const { failure } = reply;
    if (!failure) {
      this.#pending.delete(pending);
      pending.resolve(reply);
      return;
    }
    const error = new SwitchyardError(failure.code ?? 0, failure.reason ?? failure.status ?? "", failure.message ?? "", failure.retryAfterMs);
    if (pending === this.#greeting?.pending) {
      this.#unwelcome(failure, error);
    } else if (error.reason === "SESSION_NOT_FOUND" || error.reason === "STALE_EPOCH") {
      this.renew();
    } else if (pending.tries < 4 && passing(failure)) {
      this.#after(error.retryAfter || 250 * 2 ** pending.tries++, () => {
        if (this.#pending.has(pending)) this.#send(pending);
      });
    } else {
      this.#pending.delete(pending);
      pending.reject(error);
    }
  }
  #send(pending) {
    this.#sent.set(++this.#last, pending);
    this.#socket?.send(JSON.stringify({ id: this.#last, ...pending.body }));
  }
  #ping() {
    if (this.#silent++ >= 2) this.#drop(0);
    else this.say({ ping: {} });
  }
  /** Forgets the session. */
  #lose() {
    this.#resume = void 0;
    this.owner.lost();
    this.#rejectAll(lost);
  }
  #rejectAll(error) {
    const all = [...this.#pending];
    this.#pending.clear();
    this.#sent.clear();
    for (const pending of all) pending.reject(error);
  }
  #hangUp() {
    const socket = this.#socket;
    this.#turn++;
    clearInterval(this.#pinger);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#ready = false;
    this.#socket = this.#greeting = void 0;
    this.#last = this.#silent = 0;
    this.#sent.clear();
    socket?.close();
  }
  /** Gives the connection up and makes another one in a while: exponential backoff with full jitter. */
  #drop(pause, error) {
    if (!this.#on) return;
    const now = Date.now();
    if (this.#ready && now - this.#readyAt > longestPause) this.#attempt = 0;
    this.#hangUp();
    this.owner.state("disconnected");
    this.#since ||= now;
    if (now - this.#since >= (this.#welcomed ? this.reconnectFor : Math.min(this.reconnectFor, firstFor))) {
      this.#end(error ?? new SwitchyardError(this.#welcomed ? 1002053 : 1002030, "UNAVAILABLE", `no connection to ${this.url}`));
      return;
    }
    const backoff = Math.random() * Math.min(longestPause, 250 * 2 ** this.#attempt++);
    this.#after(pause ?? this.#pause ?? backoff, () => void this.#open());
    this.#pause = void 0;
  }
  #after(milliseconds, work) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, milliseconds);
    this.#timers.add(timer);
  }
  #end(error) {
    this.#refused = false;
    this.#attempt = 0;
    this.close(error);
    this.owner.ended(error);
  }
};
function passing({ status, reason }) {
  if (/^(SESSION_BUSY|CALL_RATE|RATE|BUSY)$/.test(reason ?? "")) return true;
  return reason !== "DRAINING" && (status === "UNAVAILABLE" || status === "DEADLINE_EXCEEDED");
}

// src/connection.ts
var Connection = class {
  constructor(config, url, mode2, owner) {
    this.config = config;
    this.mode = mode2;
    this.owner = owner;
    this.#signal = new Signal(url, mode2 === "multi" ? "ROOM_MODE_MULTI" : "ROOM_MODE_SINGLE", config.reconnectFor ?? 12e5, {
      token: (refused) => this.#hello(refused),
      welcome: (welcome) => this.#welcome(welcome),
      lost: () => {
        this.#dropPeer();
        this.#wait();
      },
      notice: (notice) => owner.notice(notice),
      state: (state) => {
        if (state === "disconnected") owner.interrupted();
        owner.emit("signalingStateChanged", state);
      },
      ended: (error) => this.#end(error)
    });
    this.#listen(true);
  }
  config;
  mode;
  owner;
  peer;
  /** PeerConnections made. */
  connections = 0;
  #offers = 0;
  #token = "";
  #asked = /* @__PURE__ */ new Map();
  #closed = false;
  #usable = Promise.resolve();
  /** Ends the wait for a session, while there is none. */
  #begin;
  #network = connectionType();
  #signal;
  get offers() {
    return this.#offers + (this.peer?.offers ?? 0);
  }
  /** There is a session, or one is being made. */
  get open() {
    return this.#begin !== void 0 || this.peer !== void 0;
  }
  connect() {
    if (this.open) return;
    this.#wait();
    this.#signal.connect();
  }
  /** Does what needs a session, and again in the next one when the session is lost meanwhile. */
  async run(work) {
    for (; ; ) {
      const usable = this.#usable;
      await usable;
      if (usable !== this.#usable) continue;
      const { peer } = this;
      if (!peer) throw this.#closed ? destroyed() : new SwitchyardError(1002002, "NOT_A_MEMBER", "not logged in to any room");
      try {
        return await work(peer);
      } catch (e) {
        if (e !== lost && (e instanceof SwitchyardError || this.peer === peer)) throw asError(e);
      }
    }
  }
  request(request, settled) {
    return this.#signal.request(request, settled);
  }
  /** The session is over by the node's word. */
  sessionEnded({ reason, detail, code }) {
    if (code || /DUPLICATE_USER|SESSION_CLOSED|KICKED/.test(reason ?? "")) {
      this.#end(new SwitchyardError(code || (reason?.includes("DUPLICATE") ? 1002050 : 1002055), short(reason), detail ?? "the session was ended"));
    } else this.#signal.renew();
  }
  /** Asks the function for tokens, if there is one; once for all who want the one with this key at the same time. */
  async token(why, key = "") {
    const { token } = this.config;
    if (typeof token !== "function") return void 0;
    const asked = this.#asked.get(key) ?? (async () => token(why))().finally(() => this.#asked.delete(key));
    this.#asked.set(key, asked);
    return asked;
  }
  /** Shows a newer token. */
  async renew(token, roomID) {
    if (!roomID) this.#token = token;
    if (this.open) await this.run(() => this.#signal.request({ renewToken: { roomId: roomID, token } }));
  }
  /** Ends the session and everything. */
  async destroy() {
    this.#closed = true;
    this.#listen(false);
    if (this.peer) {
      let timer;
      const enough = new Promise((resolve) => {
        timer = setTimeout(resolve, 1e3);
      });
      await Promise.race([this.#signal.request({ goodbye: {} }).catch(() => {
      }), enough]);
      clearTimeout(timer);
    }
    this.#close(destroyed());
  }
  async #hello(refused) {
    const { token } = this.config;
    if (typeof token === "string") return this.#token ||= token;
    if (refused || !this.#token) {
      try {
        this.#token = await this.token({ reason: refused ? "refused" : "first" }) ?? "";
      } catch (e) {
        throw new SwitchyardError(1002033, "NO_TOKEN", `the function for tokens failed: ${String(e)}`);
      }
    }
    return this.#token;
  }
  #welcome(welcome) {
    const { session } = welcome;
    if (!welcome.resumed || !this.peer) {
      this.#dropPeer();
      const { audio = 4, video = 4 } = this.config.spareSlots ?? {};
      const iceServers = (session.iceServers ?? []).map(({ urls = [], ...rest }) => ({ urls, ...rest }));
      this.connections++;
      const peer = new Peer({ iceServers, ...this.config.peer }, { audio, video }, Number(session.offerId ?? 0), {
        send: (request) => this.#signal.request(request),
        state: (state) => {
          if (state === "connected") this.#signal.well();
          this.owner.emit("mediaStateChanged", state);
        },
        inband: (text) => this.#inband(peer, text),
        failed: (e) => {
          if (e !== lost && this.peer === peer) this.owner.emit("error", asError(e));
        },
        broken: () => this.#signal.renew()
      });
      this.peer = peer;
    } else if (this.peer.pc.connectionState === "connected") this.#signal.well();
    const begin = this.#begin;
    this.#begin = void 0;
    this.#usable = this.owner.restore(welcome);
    this.#usable.then(begin?.resolve, begin?.reject);
  }
  #inband(peer, text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message.type === "layers") peer.layers(message.mid, message.layers);
    else this.owner.inband(message);
  }
  /** Has whoever needs a session wait for the next one. */
  #wait() {
    if (this.#begin) return;
    this.#usable = new Promise((resolve, reject) => {
      this.#begin = { resolve, reject };
    });
    this.#usable.catch(() => {
    });
  }
  #dropPeer() {
    const { peer } = this;
    this.peer = void 0;
    this.#offers += peer?.offers ?? 0;
    peer?.close();
  }
  #end(error) {
    this.#close(error);
    this.owner.ended(error);
  }
  #close(error) {
    this.#begin?.reject(error);
    this.#begin = void 0;
    this.#usable = Promise.resolve();
    this.#dropPeer();
    this.#signal.close(error);
    this.owner.emit("signalingStateChanged", "disconnected");
  }
  #online = () => {
    this.#signal.nudge();
    this.peer?.restart();
  };
  #moved = () => {
    const type = connectionType();
    if (type !== this.#network) this.#online();
    this.#network = type;
  };
  #hidden = (e) => {
    if (!e.persisted) this.#signal.say({ goodbye: {} });
  };
  #listen(on) {
    const change = on ? "addEventListener" : "removeEventListener";
    globalThis[change]?.("online", this.#online);
    globalThis[change]?.("pagehide", this.#hidden);
    network()?.[change]("change", this.#moved);
  }
};
function network() {
  return globalThis.navigator?.connection;
}
function connectionType() {
  return network()?.type;
}
function destroyed() {
  return new SwitchyardError(1000001, "DESTROYED", "the engine was destroyed");
}
function short(reason) {
  return (reason ?? "").replace(/^END_REASON_/, "");
}
function asError(e) {
  if (e instanceof SwitchyardError) return e;
  const { name = "Error", message = String(e) } = e;
  return new SwitchyardError(0, name.replace(/Error$/, "").replace(/(?<=.)(?=[A-Z])/g, "_").toUpperCase() || "INTERNAL", message);
}

// src/events.ts
var Listeners = class {
  #of = /* @__PURE__ */ new Map();
  on(event, listener) {
    const all = this.#of.get(event) ?? /* @__PURE__ */ new Set();
    this.#of.set(event, all.add(listener));
  }
  off(event, listener) {
    this.#of.get(event)?.delete(listener);
  }
  emit = (event, ...args) => {
    for (const listener of [...this.#of.get(event) ?? []]) {
      try {
        listener(...args);
      } catch (e) {
        queueMicrotask(() => {
          throw e;
        });
      }
    }
  };
};

// src/room.ts
var Room = class {
  constructor(id, user, token, emit) {
    this.id = id;
    this.user = user;
    this.token = token;
    this.emit = emit;
  }
  id;
  user;
  token;
  emit;
  state = "entering";
  /** Its signaling is gone for now, which has been told. */
  away = false;
  users = /* @__PURE__ */ new Map();
  /** Of others. */
  streams = /* @__PURE__ */ new Map();
  info = /* @__PURE__ */ new Map();
  /** Own streams whose end is still to be told, and those whose end was told before the call that asked for it returned. */
  ending = /* @__PURE__ */ new Set();
  ended = /* @__PURE__ */ new Set();
  /** Takes over the whole room and tells what is different. */
  update(room) {
    const users = room.users ?? [];
    const streams = (room.streams ?? []).filter((s) => !s.own);
    const goneStreams = [...this.streams.values()].filter((s) => !streams.some((t) => t.streamId === s.streamID && t.user?.id === s.user.userID));
    const goneUsers = [...this.users.values()].filter((u) => !users.some((v) => v.id === u.userID));
    this.changeStreams({ removed: goneStreams.map((s) => ({ roomId: this.id, streamId: s.streamID })) });
    this.changeUsers({ added: users, removed: goneUsers.map((u) => ({ id: u.userID })) });
    this.changeStreams({ added: streams });
    const metadata = room.metadata ?? {};
    for (const key of this.info.keys()) if (!(key in metadata)) this.changeInfo(key, void 0);
    for (const [key, value] of Object.entries(metadata)) this.changeInfo(key, value);
  }
  changeUsers({ added = [], removed = [] }) {
    const gone = removed.map(({ id }) => this.users.get(id)).filter((u) => u !== void 0);
    for (const user of gone) this.users.delete(user.userID);
    const fresh = added.filter(({ id }) => !this.users.has(id)).map(toUser);
    for (const user of fresh) this.users.set(user.userID, user);
    if (gone.length) this.emit("roomUserUpdate", this.id, "DELETE", gone);
    if (fresh.length) this.emit("roomUserUpdate", this.id, "ADD", fresh);
  }
  changeStreams({ added = [], removed = [], updated = [] }) {
    const gone = [];
    for (const { streamId, reason } of removed) {
      const stream = this.streams.get(streamId);
      if (this.streams.delete(streamId) && stream) gone.push(reason ? { ...stream, reason: short(reason) } : stream);
    }
    const fresh = [];
    const changed = [];
    for (const wire2 of [...added, ...updated]) {
      if (wire2.own) continue;
      const stream = toStream(this.id, wire2);
      const before = this.streams.get(stream.streamID);
      this.streams.set(stream.streamID, stream);
      if (!before) fresh.push(stream);
      else if (JSON.stringify(before) !== JSON.stringify(stream)) changed.push(stream);
    }
    if (gone.length) this.emit("roomStreamUpdate", this.id, "DELETE", gone);
    if (fresh.length) this.emit("roomStreamUpdate", this.id, "ADD", fresh);
    if (changed.length) this.emit("roomStreamChanged", this.id, changed);
  }
  changeInfo(key, value) {
    if (this.info.get(key) === value) return;
    if (value === void 0) this.info.delete(key);
    else this.info.set(key, value);
    this.emit("roomExtraInfoUpdate", this.id, key, value);
  }
};
function toUser({ id, name = id }) {
  return { userID: id, userName: name };
}
function toStream(roomID, s) {
  return {
    roomID,
    streamID: s.streamId,
    user: toUser(s.user ?? { id: "" }),
    live: !!s.live,
    audio: !!s.audio,
    video: !!s.video,
    audioMuted: !!s.audioMuted,
    videoMuted: !!s.videoMuted,
    extraInfo: s.metadata ?? ""
  };
}

// src/messages.ts
var remembered = 2048;
var events = { broadcast: "broadcastMessage", barrage: "barrageMessage", command: "customCommand" };
var Messages = class {
  constructor(rooms, emit) {
    this.rooms = rooms;
    this.emit = emit;
  }
  rooms;
  emit;
  #seen = /* @__PURE__ */ new Set();
  deliver({ roomId, messageId, kind = "", from = { id: "" }, text = "", data, sentMs = 0 }) {
    const event = events[kind.replace("MESSAGE_KIND_", "").toLowerCase()];
    const key = `${roomId}
${messageId}`;
    if (!event || this.rooms.get(roomId)?.state !== "in" || this.#seen.has(key)) return;
    this.#seen.add(key);
    if (this.#seen.size > remembered) this.#seen.delete(this.#seen.values().next().value);
    const message = { roomID: roomId, messageID: messageId, from: toUser(from), text, sentAt: Number(sentMs) };
    if (data) message.data = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    this.emit(event, message);
  }
  /** A message of the data channel. */
  inband(m) {
    if (m.type !== "message") return;
    const from = { id: String(m.from), ...m.from_name ? { name: String(m.from_name) } : {} };
    const { id, room, kind, text, data, sent_ms: sentMs } = m;
    this.deliver({ roomId: room, messageId: id, kind, from, text, data, sentMs });
  }
};

// src/order.ts
var Order = class {
  #doors = /* @__PURE__ */ new Map();
  run(needs, work) {
    const doors = needs.map(([name, alone]) => {
      const open = Promise.resolve();
      return [[name, alone], this.#doors.get(name) ?? { alone: open, all: open }];
    });
    const result = Promise.all(doors.map(([[, alone], door]) => alone ? door.all : door.alone)).then(work);
    const settled = result.then(() => {
    }, () => {
    });
    for (const [[name, alone], door] of doors) {
      const all = Promise.all([door.all, settled]);
      const next = { alone: alone ? all : door.alone, all };
      this.#doors.set(name, next);
      void all.then(() => {
        if (this.#doors.get(name) === next) this.#doors.delete(name);
      });
    }
    return result;
  }
  /** The things that work is waiting or running for. */
  names() {
    return [...this.#doors.keys()];
  }
};

// src/player.ts
var states = {
  ACTIVE: "playing",
  PENDING: "pending",
  NEEDS_NEGOTIATION: "requesting",
  PAUSED_BY_BANDWIDTH: "paused",
  ENDED: "stopped"
};
var Player = class {
  constructor(roomID, streamID, config) {
    this.roomID = roomID;
    this.streamID = streamID;
    this.config = config;
  }
  roomID;
  streamID;
  config;
  media = new MediaStream();
  /** Resolves when the node has taken it on. */
  started;
  /** The subscription; empty while there is none. */
  id = "";
  stopping = false;
  state = "requesting";
  playing;
  /** Its end has been told. */
  told = false;
  get key() {
    return `${this.roomID}
${this.streamID}`;
  }
  get over() {
    return this.state === "stopped";
  }
  /** What the node is asked for. */
  request() {
    const { audio = true, video = true, preference = {} } = this.config;
    return { startPlaying: { roomId: this.roomID, streamId: this.streamID, audio, video, ...wire(preference) } };
  }
  /** Takes over where the node says that it stands. */
  apply(playing, peer) {
    this.playing = playing;
    this.id = playing.id;
    this.roomID = playing.roomId;
    this.streamID = playing.streamId;
    this.state = states[(playing.state ?? "").replace("SUBSCRIPTION_STATE_", "")] ?? "requesting";
    if (this.state === "stopped") this.feed([]);
    else this.feed([playing.audioMid, playing.videoMid].map((mid) => mid && peer?.line(mid)?.receiver.track));
  }
  /** Has exactly these tracks in the MediaStream. */
  feed(tracks) {
    for (const track of this.media.getTracks()) if (!tracks.includes(track)) this.media.removeTrack(track);
    for (const track of tracks) if (typeof track === "object" && !this.media.getTracks().includes(track)) this.media.addTrack(track);
  }
};
function wire({ priority = 0, paused: _, ...preference }) {
  return { preference, priority };
}

// src/publication.ts
var kinds = ["audio", "video"];
var Publication = class {
  constructor(roomID, streamID, config) {
    this.roomID = roomID;
    this.streamID = streamID;
    this.config = config;
  }
  roomID;
  streamID;
  config;
  state = "requesting";
  stopping = false;
  source;
  muted = {};
  get key() {
    return `${this.roomID}
${this.streamID}`;
  }
};
var Source = class {
  /** own: the engine captured it, and stops it when it is not published any more. */
  constructor(stream, config, own2) {
    this.stream = stream;
    this.config = config;
    this.own = own2;
  }
  stream;
  config;
  own;
  publications = /* @__PURE__ */ new Set();
  #muted = {};
  #lines = {};
  #peer;
  /** Has its lines in a peer, negotiated, and answers their mids. */
  async attach(peer) {
    if (this.#peer !== peer) {
      this.#peer = peer;
      this.#lines = {};
    }
    const lines = [];
    for (const kind of kinds) {
      const track = this.track(kind);
      if (track) this.#lines[kind] ??= peer.take({ track, encodings: encodings(track, this.config), codec: codec(kind, this.config) });
    }
    const [audio, video] = await Promise.all([this.#lines.audio, this.#lines.video]);
    if (audio) lines.push(audio);
    if (video) lines.push(video);
    await this.tell();
    await peer.negotiate(() => lines.every(({ transceiver: t }) => t.direction === t.currentDirection));
    return { audioMid: audio?.mid ?? "", videoMid: video?.mid ?? "" };
  }
  track(kind) {
    return this.stream.getTracks().find((t) => t.kind === kind);
  }
  /** Sends what is to be sent: a kind that all publications mute is not, and its track is told so. */
  async tell() {
    for (const kind of kinds) {
      const muted = this.publications.size > 0 && [...this.publications].every((p) => p.muted[kind]);
      const track = this.track(kind);
      if (track && muted !== !!this.#muted[kind]) track.enabled = !muted;
      this.#muted[kind] = muted;
      const line = await this.#lines[kind];
      const wanted = muted ? null : track ?? null;
      if (line && line.transceiver.sender.track !== wanted) await line.transceiver.sender.replaceTrack(wanted);
    }
  }
  /** Puts a track in the place of the one of its kind, which is answered. */
  async replace(track) {
    const kind = track.kind;
    const before = this.track(kind);
    if (before === track) return void 0;
    if (before) this.stream.removeTrack(before);
    this.stream.addTrack(track);
    hint(track, this.config);
    if (this.#muted[kind]) track.enabled = false;
    await this.tell();
    return before;
  }
  /** Takes a publication away; after the last one the lines are given back. */
  remove(publication) {
    this.publications.delete(publication);
    if (this.publications.size) {
      this.tell().catch(() => {
      });
      return false;
    }
    for (const kind of kinds) {
      const peer = this.#peer;
      this.#lines[kind]?.then((line) => peer?.release(line)).catch(() => {
      });
      const track = this.track(kind);
      if (track && this.#muted[kind]) track.enabled = true;
      if (this.own) track?.stop();
    }
    this.#lines = {};
    return true;
  }
  /** The kind of what comes on a line, if it is one of its own. */
  async mids() {
    const lines = await Promise.all([this.#lines.audio, this.#lines.video]);
    return lines.map((line) => line?.mid ?? "");
  }
};
function hint(track, config) {
  if (track.kind !== "video" || track.contentHint && !config.contentHint) return;
  track.contentHint = config.contentHint ?? ("displaySurface" in (track.getSettings?.() ?? {}) ? "detail" : "motion");
}
function codec(kind, config) {
  return kind === "video" ? config.videoCodec : void 0;
}
function encodings(track, config) {
  if (track.kind !== "video") return [];
  hint(track, config);
  const { simulcast, maxBitrate } = config;
  if (Array.isArray(simulcast)) return simulcast.map((e, i) => simulcast.length > 1 ? { rid: `r${i}`, ...e } : e);
  if (!simulcast) return maxBitrate ? [{ maxBitrate }] : [];
  const { width = 640, height = 360 } = track.getSettings?.() ?? {};
  const most = maxBitrate ?? Math.round(75 * (width * height) ** 0.75);
  return [4, 2, 1].map((scale, i) => ({ rid: "qhf".charAt(i), scaleResolutionDownBy: scale, maxBitrate: Math.round(most / scale ** 1.5) }));
}

// src/quality.ts
var Meter = class {
  constructor(interval, emit, peer, publications, players) {
    this.interval = interval;
    this.emit = emit;
    this.peer = peer;
    this.publications = publications;
    this.players = players;
  }
  interval;
  emit;
  peer;
  publications;
  players;
  #timer;
  #before = /* @__PURE__ */ new Map();
  #busy = false;
  start() {
    if (this.interval > 0) this.#timer ??= setInterval(() => void this.#measure(), this.interval);
  }
  stop() {
    clearInterval(this.#timer);
    this.#timer = void 0;
  }
  async #measure() {
    const pc = this.peer();
    if (!pc || this.#busy || !(this.publications.size || this.players.size)) return;
    this.#busy = true;
    try {
      const all = await pc.getStats();
      const lines = /* @__PURE__ */ new Map();
      let pair;
      for (const report of all.values()) {
        if (report.type === "transport") pair = all.get(String(report.selectedCandidatePairId));
        if (report.type !== "inbound-rtp" && report.type !== "outbound-rtp") continue;
        const mid = String(report.mid);
        lines.set(mid, [...lines.get(mid) ?? [], report]);
      }
      const rtt = num(pair?.currentRoundTripTime) * 1e3;
      for (const { roomID, streamID, source, state } of this.publications.values()) {
        if (state !== "publishing" || !source) continue;
        const reports = (await source.mids()).flatMap((mid) => lines.get(mid) ?? []);
        this.emit("publisherQualityUpdate", this.#sent(roomID, streamID, reports, all, rtt));
      }
      for (const { roomID, streamID, playing } of this.players.values()) {
        if (!playing) continue;
        const reports = [playing.audioMid, playing.videoMid].flatMap((mid) => mid && lines.get(mid) || []);
        const quality = this.#received(roomID, streamID, reports, all, rtt);
        if (playing.spatialLayer !== void 0) quality.spatialLayer = playing.spatialLayer;
        if (playing.temporalLayer !== void 0) quality.temporalLayer = playing.temporalLayer;
        this.emit("playerQualityUpdate", quality);
      }
      this.#before = new Map([...all].map(([id, report]) => [id, { ...report }]));
    } catch {
    } finally {
      this.#busy = false;
    }
  }
  /** What a counter grew by since the report before. */
  #grown(report, counter) {
    const before = num(this.#before.get(String(report.id))?.[counter]);
    return Math.max(0, num(report[counter]) - before);
  }
  #rate(report, counter) {
    const before = this.#before.get(String(report.id));
    const passed = num(report.timestamp) - num(before?.timestamp);
    return before && passed > 0 ? Math.round(this.#grown(report, counter) * 8e3 / passed) : 0;
  }
  #sent(roomID, streamID, reports, all, rtt) {
    const quality = nothing(roomID, streamID, rtt);
    quality.layers = 0;
    for (const report of reports) {
      const remote = all.get(String(report.remoteId));
      quality.packetLoss = Math.max(quality.packetLoss, num(remote?.fractionLost));
      const rate = this.#rate(report, "bytesSent");
      if (report.kind === "audio") quality.audioBitrate += rate;
      else {
        quality.videoBitrate += rate;
        if (rate > 0) quality.layers++;
        picture(quality, report, all);
      }
    }
    return quality;
  }
  #received(roomID, streamID, reports, all, rtt) {
    const quality = nothing(roomID, streamID, rtt);
    let lost2 = 0;
    let came = 0;
    for (const report of reports) {
      lost2 += this.#grown(report, "packetsLost");
      came += this.#grown(report, "packetsReceived");
      const rate = this.#rate(report, "bytesReceived");
      const emitted = this.#grown(report, "jitterBufferEmittedCount");
      if (report.kind === "audio") {
        quality.audioBitrate += rate;
        quality.audioLevel = num(report.audioLevel);
      } else {
        quality.videoBitrate += rate;
        quality.freezes += num(report.freezeCount);
        picture(quality, report, all);
      }
      quality.jitter = num(report.jitter) * 1e3;
      if (emitted) quality.delay = this.#grown(report, "jitterBufferDelay") / emitted * 1e3;
    }
    quality.packetLoss = lost2 + came > 0 ? lost2 / (lost2 + came) : 0;
    return quality;
  }
};
function picture(quality, report, all) {
  const codec2 = all.get(String(report.codecId))?.mimeType;
  if (codec2) quality.videoCodec = String(codec2);
  quality.videoFPS = Math.max(quality.videoFPS, num(report.framesPerSecond));
  if (num(report.frameWidth) < quality.width) return;
  quality.width = num(report.frameWidth);
  quality.height = num(report.frameHeight);
}
function nothing(roomID, streamID, rtt) {
  return {
    roomID,
    streamID,
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
}
function num(value) {
  return typeof value === "number" ? value : 0;
}

// src/client.ts
var Client = class {
  constructor(config, url, mode2, freed) {
    this.mode = mode2;
    this.freed = freed;
    this.#connection = new Connection(config, url, mode2, {
      emit: this.#emit,
      notice: (notice) => this.#notice(notice),
      inband: (message) => this.#messages.inband(message),
      restore: (welcome) => this.#restore(welcome),
      interrupted: () => {
        for (const room of this.#rooms.values()) {
          if (room.state === "in" && !room.away) this.#tell(room, "reconnecting");
          room.away = true;
        }
      },
      ended: (error) => this.#ended(error)
    });
    this.#messages = new Messages(this.#rooms, this.#emit);
    this.#meter = new Meter(config.qualityInterval ?? 2e3, this.#emit, () => this.#connection.peer?.pc, this.#publications, this.#players);
  }
  mode;
  freed;
  #listeners = new Listeners();
  #emit = this.#listeners.emit;
  #order = new Order();
  #rooms = /* @__PURE__ */ new Map();
  #publications = /* @__PURE__ */ new Map();
  #sources = /* @__PURE__ */ new Map();
  #players = /* @__PURE__ */ new Map();
  #connection;
  #messages;
  #meter;
  #gone;
  loginRoom(roomID, user, options = {}) {
    return this.#do([[roomID, true]], async () => {
      const known = this.#rooms.get(roomID);
      const room = known ?? new Room(roomID, user, options.token, this.#emit);
      if (!known) {
        this.#rooms.set(roomID, room);
        this.#tell(room, "logging-in");
      }
      this.#connection.connect();
      try {
        const state = await this.#connection.run(() => this.#enter(room, user));
        this.#entered(room, state, "logged-in");
      } catch (e) {
        if (!known && this.#rooms.get(roomID) === room) {
          this.#rooms.delete(roomID);
          this.#tell(room, "login-failed", e);
        }
        throw e;
      }
    });
  }
  logoutRoom(roomID) {
    const all = roomID === void 0;
    const ids = all ? [.../* @__PURE__ */ new Set([...this.#rooms.keys(), ...this.#asked()])] : [roomID];
    return this.#do(ids.map((id) => [id, true]), async () => {
      const rooms = ids.map((id) => this.#rooms.get(id)).filter((r) => r !== void 0);
      if (!rooms.length) return;
      for (const room of rooms) room.state = "leaving";
      try {
        await this.#stop({ logoutRoom: all ? {} : { roomId: roomID } }, /^(NOT_A_MEMBER|NOT_IN_ROOM|ROOM_NOT_FOUND)$/);
      } catch (e) {
        for (const room of rooms) room.state = "in";
        throw e;
      }
      for (const room of rooms) this.#leave(room, "logged-out");
    });
  }
  switchRoom(fromRoomID, toRoomID, options = {}) {
    return this.#do([[fromRoomID, true], [toRoomID, true]], async () => {
      const from = this.#room(fromRoomID);
      const room = new Room(toRoomID, from.user, options.token, this.#emit);
      if (this.#rooms.has(toRoomID)) throw new SwitchyardError(0, "ALREADY_IN_ROOM", `already in ${toRoomID}`);
      this.#rooms.set(toRoomID, room);
      this.#tell(room, "logging-in");
      from.state = "leaving";
      let first;
      try {
        const state = await this.#connection.run(async (peer) => {
          first ??= peer;
          if (first !== peer) return this.#enter(room, room.user);
          const token = room.token ?? "";
          const done = (w) => inRoom(w, fromRoomID) ? void 0 : answer("room", inRoom(w, toRoomID));
          const reply = await this.#connection.request({ switchRoom: { fromRoomId: fromRoomID, toRoomId: toRoomID, token } }, done);
          return reply.room;
        });
        this.#leave(from, "logged-out");
        this.#entered(room, state, "logged-in");
      } catch (e) {
        from.state = "in";
        this.#rooms.delete(toRoomID);
        this.#tell(room, "login-failed", e);
        throw e;
      }
    });
  }
  renewToken(token, roomID = "") {
    return this.#do([], async () => {
      const room = this.#rooms.get(roomID);
      if (room) room.token = token;
      await this.#connection.renew(token, roomID);
    });
  }
  get rooms() {
    return [...this.#rooms.values()].filter((r) => r.state !== "entering").map((r) => r.id);
  }
  streams(roomID) {
    return [...this.#rooms.get(roomID)?.streams.values() ?? []];
  }
  users(roomID) {
    return [...this.#rooms.get(roomID)?.users.values() ?? []];
  }
  extraInfo(roomID) {
    return Object.fromEntries(this.#rooms.get(roomID)?.info ?? []);
  }
  async createStream(options) {
    return capture(options).catch((e) => {
      throw asError(e);
    });
  }
  destroyStream(stream) {
    stop(stream);
  }
  async startPublishingStream(streamID, config = {}) {
    const roomID = this.#roomID(config.roomID, ErrorCode.PublishRoomRequired, ErrorCode.PublishRoomEmpty);
    const publication = new Publication(roomID, streamID, config);
    const { key } = publication;
    const before = this.#publications.get(key);
    if (before && !before.stopping) {
      throw new SwitchyardError(ErrorCode.AlreadyPublishing, "ALREADY_PUBLISHING", `${streamID} is being published in ${roomID}`);
    }
    this.#publications.set(key, publication);
    await this.#do([[roomID, false], [`publish ${key}`, true]], async () => {
      try {
        this.#room(roomID);
        this.#tellPublisher(publication, "requesting");
        publication.source = await this.#source(config);
        publication.source.publications.add(publication);
        await this.#connection.run((peer) => this.#publish(publication, peer));
        this.#tellPublisher(publication, "publishing");
      } catch (e) {
        this.#unpublish(publication, asError(e).code);
        throw e;
      }
    });
  }
  stopPublishingStream(streamID, ref) {
    return this.#each(this.#publications, streamID, ref, (publication) => {
      publication.stopping = true;
      return this.#do([[publication.roomID, false], [`publish ${publication.key}`, true]], async () => {
        if (publication.state === "stopped") return;
        const { roomID, streamID: streamID2 } = publication;
        await this.#stop({ stopPublishing: { roomId: roomID, streamId: streamID2 } }, /^(STREAM_NOT_FOUND|NOT_A_MEMBER|NOT_IN_ROOM|ROOM_NOT_FOUND)$/);
        const room = this.#rooms.get(roomID);
        if (room && !room.ended.delete(streamID2)) room.ending.add(streamID2);
        this.#unpublish(publication, 0);
      });
    });
  }
  async replaceTrack(stream, track) {
    await this.#replace(stream, track);
  }
  async useDevice(stream, kind, deviceID) {
    const before = stream.getTracks().find((t) => t.kind === kind);
    const track = await recapture(before, kind, deviceID).catch((e) => {
      throw asError(e);
    });
    await this.#replace(stream, track);
    before?.stop();
  }
  mutePublishStream(streamID, mute, ref) {
    return this.#each(this.#publications, streamID, ref, async (publication) => {
      publication.muted = { ...publication.muted, ...mute };
      await this.#update(publication, { ...muting(mute) });
    }, true);
  }
  setStreamExtraInfo(streamID, extraInfo, ref) {
    return this.#each(this.#publications, streamID, ref, (publication) => {
      publication.config.extraInfo = extraInfo;
      return this.#update(publication, { metadata: extraInfo });
    }, true);
  }
  async startPlayingStream(streamID, config = {}) {
    const roomID = this.#roomID(config.roomID, ErrorCode.PlayRoomRequired, ErrorCode.PlayRoomEmpty);
    const player = new Player(roomID, streamID, { ...config });
    const { key } = player;
    const before = this.#players.get(key);
    if (before?.started && !before.stopping) return before.started;
    this.#players.set(key, player);
    player.started = this.#do([[roomID, false], [`play ${key}`, true]], async () => {
      try {
        this.#room(roomID);
        this.#tellPlayer(player);
        await this.#connection.run((peer) => this.#play(player, peer));
        return player.media;
      } catch (e) {
        this.#unplay(player, asError(e).code);
        throw e;
      }
    });
    return player.started;
  }
  stopPlayingStream(streamID, ref) {
    return this.#each(this.#players, streamID, ref, (player) => {
      player.stopping = true;
      return this.#do([[player.roomID, false], [`play ${player.key}`, true]], async () => {
        if (player.over) return;
        await this.#stop({ stopPlaying: { id: player.id } }, /^(SUBSCRIPTION_NOT_FOUND|NOT_A_MEMBER|NOT_IN_ROOM|ROOM_NOT_FOUND)$/);
        this.#unplay(player, 0);
      });
    });
  }
  async switchPlayingStream(from, to) {
    const fromID = this.#roomID(from.roomID, ErrorCode.PlayRoomRequired, ErrorCode.PlayRoomEmpty);
    const toID = this.#roomID(to.roomID, ErrorCode.PlayRoomRequired, ErrorCode.PlayRoomEmpty);
    const fromKey = `${fromID}
${from.streamID}`;
    const toKey = `${toID}
${to.streamID}`;
    return this.#do([[fromID, false], [toID, false], [`play ${fromKey}`, true], [`play ${toKey}`, true]], async () => {
      const player = this.#players.get(fromKey);
      if (!player || player.stopping) throw new SwitchyardError(0, "NOT_PLAYING", `${from.streamID} is not played`);
      this.#room(toID);
      const reply = await this.#connection.run(() => this.#connection.request({ switchPlaying: { id: player.id, roomId: toID, streamId: to.streamID } }));
      this.#playing(reply.playing);
      return player.media;
    });
  }
  updatePlayingStream(streamID, preference, ref) {
    return this.#each(this.#players, streamID, ref, (player) => {
      player.config.preference = preference;
      return this.#do([[player.roomID, false], [`play ${player.key}`, true]], async () => {
        await this.#connection.run(() => this.#prefer(player));
      });
    }, true);
  }
  sendBroadcastMessage(roomID, text) {
    return this.#send(roomID, "BROADCAST", text);
  }
  sendBarrageMessage(roomID, text) {
    return this.#send(roomID, "BARRAGE", text);
  }
  sendCustomCommand(roomID, text, toUserIDs = []) {
    return this.#send(roomID, "COMMAND", text, toUserIDs);
  }
  setRoomExtraInfo(roomID, key, value) {
    return this.#ask(roomID, { setRoomMetadata: { roomId: roomID, key, value } });
  }
  kickUser(roomID, userID, { reason = "", banSeconds = 0 } = {}) {
    return this.#ask(roomID, { kickUser: { roomId: roomID, userId: userID, reason, banSeconds } });
  }
  closeRoom(roomID, reason = "") {
    return this.#ask(roomID, { closeRoom: { roomId: roomID, reason } });
  }
  muteStreamOf(roomID, streamID, mute) {
    return this.#ask(roomID, { updatePublishing: { roomId: roomID, streamId: streamID, ...muting(mute) } });
  }
  on(event, listener) {
    this.#listeners.on(event, listener);
    return this;
  }
  off(event, listener) {
    this.#listeners.off(event, listener);
    return this;
  }
  get peerConnection() {
    return this.#connection.peer?.pc;
  }
  get connections() {
    return this.#connection.connections;
  }
  get negotiations() {
    return this.#connection.offers;
  }
  destroy() {
    return this.#gone ??= (async () => {
      this.freed();
      this.#meter.stop();
      await this.#connection.destroy();
      for (const room of [...this.#rooms.values()]) this.#leave(room, "logged-out");
    })();
  }
  // What calls are made of.
  /** Runs work in its turn. */
  #do(needs, work) {
    const result = this.#order.run(needs, async () => {
      if (this.#gone) throw destroyed();
      return work().catch((e) => {
        throw asError(e);
      });
    });
    result.catch(() => {
    });
    return result;
  }
  /** Rooms that calls wait for. */
  #asked() {
    return this.#order.names().filter((name) => !/^(publish|play) /.test(name));
  }
  #roomID(roomID, required, empty) {
    if (this.mode === "single") return roomID || ([...this.#rooms.keys()][0] ?? this.#asked()[0] ?? "");
    if (roomID) return roomID;
    throw new SwitchyardError(roomID === "" ? empty : required, "ROOM_ID_REQUIRED", "in room mode multi the room has to be named");
  }
  /** The room, which the user has to be in. */
  #room(roomID) {
    const room = this.#rooms.get(roomID);
    if (room?.state === "in") return room;
    throw new SwitchyardError(ErrorCode.NotLoggedIn, "NOT_A_MEMBER", `not logged in to ${roomID || "any room"}`);
  }
  /** Does something to each publication or player of the id. */
  async #each(all, streamID, ref, work, needed = false) {
    const found = [...all.values()].filter((one) => one.streamID === streamID && !one.stopping && (!ref?.roomID || one.roomID === ref.roomID));
    if (needed && !found.length) throw new SwitchyardError(0, "STREAM_NOT_FOUND", `there is no ${streamID}`);
    await Promise.all(found.map(work));
  }
  /** Asks for the end of something; that it has ended by itself is as good. */
  async #stop(request, fine) {
    let first;
    try {
      await this.#connection.run(async (peer) => {
        first ??= peer;
        if (first === peer) await this.#connection.request(request);
      });
    } catch (e) {
      if (!fine.test(asError(e).reason)) throw e;
    }
  }
  /** A request of a member. */
  #ask(roomID, request) {
    return this.#do([[roomID, false]], async () => {
      this.#room(roomID);
      await this.#connection.run(() => this.#connection.request(request));
    });
  }
  #send(roomID, kind, text, toUsers = []) {
    const clientMessageId = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
    return this.#do([[roomID, false]], async () => {
      this.#room(roomID);
      const sendMessage = { roomId: roomID, kind: `MESSAGE_KIND_${kind}`, toUsers, text, clientMessageId };
      const { sent } = await this.#connection.run(() => this.#connection.request({ sendMessage }));
      return sent?.messageId ?? "";
    });
  }
  // Rooms.
  async #enter(room, user) {
    const id = user?.userID;
    const request = async () => {
      const loginRoom = { roomId: room.id, token: room.token ?? "", ...user && { user: { id, name: user.userName || id } } };
      const reply = await this.#connection.request({ loginRoom });
      return reply.room;
    };
    try {
      return await request();
    } catch (e) {
      if (e.code !== ErrorCode.BadToken) throw e;
      const token = await this.#connection.token({ reason: "refused", roomID: room.id }, room.id).catch(() => void 0);
      if (!token) throw e;
      room.token = token;
      return request();
    }
  }
  #entered(room, state, how) {
    const fresh = room.state === "entering";
    room.state = "in";
    if (fresh || how !== "logged-in") this.#tell(room, how);
    room.away = false;
    room.update(state);
  }
  /** The user is not in the room any more: ends what it has there. */
  #leave(room, state, why) {
    const code = why ? asError(why).code : 0;
    this.#rooms.delete(room.id);
    for (const publication of [...this.#publications.values()]) if (publication.roomID === room.id) this.#unpublish(publication, code);
    for (const player of [...this.#players.values()]) if (player.roomID === room.id) this.#unplay(player, code);
    this.#tell(room, state, why);
    if (state === "kicked-out") this.#emit("kickedOut", room.id, code, asError(why).message);
  }
  #tell(room, state, why) {
    const { code, message } = why ? asError(why) : { code: 0, message: "" };
    this.#emit("roomStateChanged", room.id, state, code, message);
  }
  // Publications.
  async #source(config) {
    const own2 = !config.stream;
    const known = own2 ? [...this.#sources.values()].find((s) => s.own) : this.#sources.get(config.stream);
    if (known) return known;
    const source = new Source(config.stream ?? await capture({ camera: true, microphone: true }), config, own2);
    if (!source.stream.getTracks().length) throw new SwitchyardError(1000017, "MEDIA_REQUIRED", "the stream has no tracks");
    this.#sources.set(source.stream, source);
    return source;
  }
  async #publish(publication, peer) {
    const { roomID, streamID, config, muted, source } = publication;
    if (!source) return;
    const mids = await source.attach(peer);
    const done = (w) => answer("stream", own(inRoom(w, roomID), streamID));
    await this.#connection.request({ startPublishing: { roomId: roomID, streamId: streamID, ...mids, metadata: config.extraInfo ?? "" } }, done);
    if (muted.audio || muted.video) {
      await this.#connection.request({ updatePublishing: { roomId: roomID, streamId: streamID, ...muting(muted) } });
    }
  }
  #unpublish(publication, code) {
    const { key, source } = publication;
    if (this.#publications.get(key) === publication) this.#publications.delete(key);
    if (source?.remove(publication)) this.#sources.delete(source.stream);
    this.#tellPublisher(publication, "stopped", code);
  }
  #tellPublisher(publication, state, code = 0) {
    if (publication.state === "stopped") return;
    publication.state = state;
    this.#emit("publisherStateUpdate", publication.streamID, publication.roomID, state, code);
  }
  #update(publication, what) {
    const { roomID, streamID, key } = publication;
    return this.#do([[roomID, false], [`publish ${key}`, true]], async () => {
      await publication.source?.tell();
      await this.#connection.run(() => this.#connection.request({ updatePublishing: { roomId: roomID, streamId: streamID, ...what } }));
    });
  }
  async #replace(stream, track) {
    const source = this.#sources.get(stream) ?? new Source(stream, {}, false);
    if (!source.track(track.kind) && source.publications.size) {
      throw new SwitchyardError(1000017, "INVALID_ARGUMENT", `the stream is published without ${track.kind}`);
    }
    await source.replace(track).catch((e) => {
      throw asError(e);
    });
  }
  // Players.
  async #play(player, peer) {
    await peer.connected;
    const reply = await this.#connection.request(player.request());
    this.#playing(reply.playing, player);
    if (player.config.preference?.paused) await this.#prefer(player);
  }
  async #prefer(player) {
    const { preference = {} } = player.config;
    const reply = await this.#connection.request({ updatePlaying: { id: player.id, ...wire(preference), paused: !!preference.paused } });
    this.#playing(reply.playing, player);
  }
  /** The node says where a player stands. */
  #playing(playing, known) {
    const all = [...this.#players.values()];
    const key = `${playing.roomId}
${playing.streamId}`;
    const player = known ?? all.find((p) => p.id === playing.id) ?? all.find((p) => !p.id && p.key === key);
    if (!player || player.over) return;
    const { key: before, roomID, streamID, state } = player;
    player.apply(playing, this.#connection.peer);
    if (key !== before) {
      if (this.#players.get(before) === player) this.#players.delete(before);
      this.#players.set(key, player);
      this.#emit("playerStateUpdate", streamID, roomID, "stopped", 0);
    }
    if (player.over) this.#unplay(player, 0);
    else if (player.state !== state || key !== before) this.#tellPlayer(player);
    if (playing.state === "SUBSCRIPTION_STATE_NEEDS_NEGOTIATION") this.#grow();
  }
  /** Has lines for the players that lack them. */
  #grow(audio = 0, video = 0) {
    if (!audio && !video) {
      for (const { playing: p, roomID, streamID } of this.#players.values()) {
        if (p?.state !== "SUBSCRIPTION_STATE_NEEDS_NEGOTIATION") continue;
        const stream = this.#rooms.get(roomID)?.streams.get(streamID);
        if (p.audio && !p.audioMid && stream?.audio !== false) audio++;
        if (p.video && !p.videoMid && stream?.video !== false) video++;
      }
    }
    this.#connection.peer?.grow(audio, video);
  }
  #unplay(player, code) {
    const { key } = player;
    if (this.#players.get(key) === player) this.#players.delete(key);
    player.feed([]);
    player.state = "stopped";
    this.#tellPlayer(player, code);
  }
  #tellPlayer(player, code = 0) {
    if (player.told) return;
    player.told = player.state === "stopped";
    this.#emit("playerStateUpdate", player.streamID, player.roomID, player.state, code);
  }
  // What the node says.
  #notice(notice) {
    const { room: whole, roomEnded, users, streams, roomMetadata, speakers, tokenWillExpire: expiring } = notice;
    const room = this.#rooms.get((whole ?? roomEnded ?? users ?? streams ?? roomMetadata ?? speakers ?? expiring)?.roomId ?? "");
    if (notice.playing) this.#playing(notice.playing);
    else if (notice.message) this.#messages.deliver(notice.message);
    else if (notice.sessionEnded) this.#connection.sessionEnded(notice.sessionEnded);
    else if (notice.negotiationNeeded) this.#grow(notice.negotiationNeeded.audio, notice.negotiationNeeded.video);
    else if (expiring) void this.#expiring(room, Number(expiring.expiresInMs ?? 0));
    else if (whole) this.#whole(room, whole);
    else if (room && users) room.changeUsers(users);
    else if (room && streams) {
      room.changeStreams(streams);
      for (const stream of streams.removed ?? []) if (stream.own) this.#ownEnded(room, stream);
    } else if (room && roomMetadata) room.changeInfo(roomMetadata.key, roomMetadata.value);
    else if (room && speakers) {
      this.#emit("activeSpeakers", room.id, (speakers.speakers ?? []).map((s) => ({ streamID: s.streamId, userID: s.userId, level: s.level ?? 0 })));
    } else if (room && roomEnded && room.state !== "leaving") {
      const code = roomEnded.code || (roomEnded.reason === "END_REASON_EXPIRED" ? ErrorCode.TokenExpired : ErrorCode.KickedOut);
      this.#leave(room, "kicked-out", new SwitchyardError(code, short(roomEnded.reason), roomEnded.detail || short(roomEnded.reason)));
    }
  }
  /** A room anew: events were missed, or somebody took the user there. */
  #whole(room, state) {
    if (room?.state === "in") room.update(state);
    else if (!room) {
      const fresh = new Room(state.roomId, [...this.#rooms.values()][0]?.user, void 0, this.#emit);
      this.#rooms.set(fresh.id, fresh);
      this.#entered(fresh, state, "logged-in");
    }
  }
  /** An own stream has ended: as asked for, or by somebody else's hand. */
  #ownEnded(room, { streamId, reason }) {
    const publication = this.#publications.get(`${room.id}
${streamId}`);
    if (room.ending.delete(streamId) || room.state === "leaving") return;
    if (publication?.state === "publishing" && !publication.stopping) {
      this.#unpublish(publication, /GRANTS/.test(reason ?? "") ? ErrorCode.PublishDenied : 1003020);
    } else room.ended.add(streamId);
  }
  async #expiring(room, left) {
    const own2 = room?.token ? room.id : "";
    try {
      const token = await this.#connection.token({ reason: "expiring", ...room && { roomID: room.id } }, own2);
      if (token) {
        await this.renewToken(token, own2);
        return;
      }
    } catch (e) {
      this.#emit("error", asError(e));
    }
    if (!this.#gone) this.#emit("tokenWillExpire", room?.id ?? "", left);
  }
  /** The session is over, and nothing will bring it back. */
  #ended(error) {
    for (const room of [...this.#rooms.values()]) {
      if (room.state === "in") this.#leave(room, "kicked-out", error);
      else if (room.state === "leaving") this.#leave(room, "logged-out");
    }
  }
  /** Makes the session what it was, or what it should be by now. */
  async #restore(welcome) {
    const { peer } = this.#connection;
    if (!peer) return;
    this.#meter.start();
    for (const state of welcome.rooms ?? []) if (!this.#rooms.has(state.roomId)) this.#whole(void 0, state);
    if (!welcome.resumed) for (const player of this.#players.values()) player.id = "";
    for (const playing of welcome.playing ?? []) this.#playing(playing);
    const live = new Set((welcome.playing ?? []).map((p) => p.id));
    await Promise.all([...this.#rooms.values()].filter((r) => r.state === "in").map(async (room) => {
      try {
        const state = inRoom(welcome, room.id) ?? await this.#enter(room, room.user);
        if (peer !== this.#connection.peer || room.state !== "in") return;
        if (room.away) this.#entered(room, state, "reconnected");
        else room.update(state);
        await this.#bringBack(room, state, peer, live);
      } catch (e) {
        if (e !== lost && peer === this.#connection.peer && room.state === "in") this.#leave(room, "kicked-out", e);
      }
    }));
  }
  /** Publishes and plays again what a room lacks. */
  async #bringBack(room, state, peer, live) {
    const work = [];
    const again = async (one, failed) => {
      try {
        await one();
      } catch (e) {
        if (e === lost || peer !== this.#connection.peer) return;
        failed(asError(e).code);
      }
    };
    for (const publication of this.#publications.values()) {
      if (publication.roomID !== room.id || publication.state !== "publishing" || publication.stopping || own(state, publication.streamID)) continue;
      this.#tellPublisher(publication, "requesting");
      publication.state = "publishing";
      work.push(again(async () => {
        await this.#publish(publication, peer);
        this.#tellPublisher(publication, "publishing");
      }, (code) => this.#unpublish(publication, code)));
    }
    for (const player of this.#players.values()) {
      if (player.roomID !== room.id || !player.playing || player.stopping || live.has(player.id)) continue;
      work.push(again(() => this.#play(player, peer), (code) => this.#unplay(player, code)));
    }
    await Promise.all(work);
  }
};
function muting({ audio, video }) {
  return { ...audio !== void 0 && { audioMuted: audio }, ...video !== void 0 && { videoMuted: video } };
}
function inRoom(welcome, roomID) {
  return welcome.rooms?.find((r) => r.roomId === roomID);
}
function own(room, streamID) {
  return room?.streams?.find((s) => s.own && s.streamId === streamID);
}
function answer(kind, what) {
  return what && { id: 0, [kind]: what };
}

// src/engine.ts
var mode = "single";
var engines = 0;
function setRoomMode(next) {
  if (engines > 0) throw new SwitchyardError(ErrorCode.RoomModeFixed, "ROOM_MODE_FIXED", "setRoomMode comes before createEngine");
  if (next !== "single" && next !== "multi") throw invalid(`there is no room mode ${String(next)}`);
  mode = next;
}
function createEngine(config) {
  const { token, spareSlots = {} } = config ?? {};
  if (!token || typeof token !== "string" && typeof token !== "function") throw invalid("a token is needed, or a function that gets one");
  for (const slots of Object.values(spareSlots)) {
    if (!(Number.isInteger(slots) && slots >= 0 && slots <= 64)) throw invalid("spareSlots are 0 to 64");
  }
  for (const time of [config.qualityInterval ?? 0, config.reconnectFor ?? 0]) {
    if (!(time >= 0)) throw invalid("times are 0 or more milliseconds");
  }
  const client = new Client(config, socketURL(config.url), mode, () => {
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
  if (!/^wss?:$/.test(url.protocol)) throw invalid(`${text} is no address of a WebSocket`);
  return url.href;
}
function invalid(message) {
  return new SwitchyardError(1000017, "INVALID_ARGUMENT", message);
}
export {
  ErrorCode,
  SwitchyardError,
  createEngine,
  setRoomMode
};
