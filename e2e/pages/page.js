// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0
//
// A page that does what the test says, by the SDK and nothing else. The test calls the methods of `page`.
import {createEngine, setRoomMode, SwitchyardError} from '/sdk/switchyard.js';

const events = [
  'roomStateChanged', 'roomUserUpdate', 'roomStreamUpdate', 'roomStreamChanged', 'roomExtraInfoUpdate', 'broadcastMessage',
  'barrageMessage', 'customCommand', 'activeSpeakers', 'kickedOut', 'tokenWillExpire', 'publisherStateUpdate',
  'playerStateUpdate', 'publisherQualityUpdate', 'playerQualityUpdate', 'signalingStateChanged', 'mediaStateChanged', 'error',
];

const plain = (value) => (value instanceof Error ? {name: value.name, code: value.code, reason: value.reason, message: value.message} : value);

const page = {
  engine: null,
  log: [], // events of the engine: {at, name, args}
  media: {}, // MediaStreams that can be published, by name
  players: {}, // by room and stream: {room, streamID, stream, element, seen}
  asked: [], // why tokens were wanted
  tokens: [], // to be given next; the last one is given again and again

  // attempt calls an engine's method, or a function here, and answers what came of it.
  async attempt(method, ...args) {
    try {
      const value = await (this[method] ? this[method](...args) : this.engine[method](...args));
      return {ok: true, value: typeof value === 'string' ? value : ''};
    } catch (e) {
      return {ok: false, ours: e instanceof SwitchyardError, ...plain(e)};
    }
  },

  // must is attempt of what has to work.
  async must(method, ...args) {
    const result = await this.attempt(method, ...args);
    if (!result.ok) throw new Error(`${method}(${args.map((a) => JSON.stringify(a)).join(', ')}): ${result.name} ${result.code} ${result.reason}: ${result.message}`);
    return result.value;
  },

  mode(mode) {
    setRoomMode(mode);
  },

  // create makes the engine. tokens: one is text, several are given by a function.
  create(url, tokens, config) {
    this.tokens = tokens;
    const next = (why) => {
      this.asked.push(why.reason);
      return this.tokens.length > 1 ? this.tokens.shift() : this.tokens[0];
    };
    this.engine = createEngine({url, token: tokens.length > 1 ? next : tokens[0], qualityInterval: 500, ...config});
    for (const name of events) {
      this.engine.on(name, (...args) => this.log.push({at: this.now(), name, args: args.map(plain)}));
    }
  },

  // now is in milliseconds, the same in all pages.
  now() {
    return performance.timeOrigin + performance.now();
  },

  // camera captures the browser's own camera and microphone by the SDK.
  async camera(name) {
    this.media[name] = await this.engine.createStream({camera: {width: 320, height: 180, frameRate: 15}, microphone: true});
  },

  // paint makes a camera of numbered pictures that are one publisher's own: their numbers are first to first+count-1.
  async paint(name, width, height, rate, first, count) {
    const sound = await this.engine.createStream({microphone: true});
    const camera = new MediaStreamTrackGenerator({kind: 'video'});
    const writer = camera.writable.getWriter();
    const paint = picture.painter(width, height, 0);
    let painted = 0;
    setInterval(() => {
      const frame = new VideoFrame(paint(first + (painted++ % count)), {format: 'I420', codedWidth: width, codedHeight: height, timestamp: performance.now() * 1000});
      writer.write(frame).catch(() => frame.close()); // the page is being closed
    }, 1000 / rate);
    this.media[name] = new MediaStream([camera, ...sound.getAudioTracks()]);
  },

  // repaint puts other numbered pictures in place of what a stream shows.
  async repaint(name, width, height, rate, first, count) {
    await this.paint('other', width, height, rate, first, count);
    await this.engine.replaceTrack(this.media[name], this.media.other.getVideoTracks()[0]);
  },

  // screen captures the screen by the SDK.
  async screen(name) {
    this.media[name] = await this.engine.createStream({screen: true});
  },

  // lastCamera uses the browser's last camera for a stream. Of Chromium's fake ones, the second shows nothing to WebRTC.
  async lastCamera(name) {
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((d) => d.kind === 'videoinput');
    const used = () => this.media[name].getVideoTracks()[0].getSettings().deviceId;
    const other = cameras.at(-1);
    if (used() === other.deviceId) throw new Error('there is one camera only');
    await this.engine.useDevice(this.media[name], 'video', other.deviceId);
    if (used() !== other.deviceId) throw new Error(`still at camera ${used()}`);
  },

  publish(streamID, name, config) {
    return this.engine.startPublishingStream(streamID, {stream: this.media[name], ...config});
  },

  async play(streamID, config) {
    const stream = await this.engine.startPlayingStream(streamID, config);
    const key = `${config?.roomID ?? ''}/${streamID}`;
    const known = this.players[key];
    if (known?.stream === stream) return;
    this.attach((this.players[key] = {roomID: config?.roomID ?? '', streamID, stream, seen: []}));
  },

  attach(player) {
    // Chromium decodes the sound of what is played only.
    player.element = document.createElement('video');
    player.element.srcObject = player.stream;
    document.body.append(player.element);
    player.element.play().catch(() => {}); // there may be nothing yet
    this.watch(player);
  },

  async stop(streamID, ref) {
    await this.engine.stopPlayingStream(streamID, ref);
    const key = `${ref?.roomID ?? ''}/${streamID}`;
    this.players[key]?.element.remove();
    delete this.players[key];
  },

  async switchTo(from, to) {
    const player = this.players[`${from.roomID}/${from.streamID}`];
    const stream = await this.engine.switchPlayingStream(from, to);
    if (stream !== player.stream) throw new Error('another MediaStream after a switch');
    delete this.players[`${from.roomID}/${from.streamID}`];
    Object.assign(player, to);
    this.players[`${to.roomID}/${to.streamID}`] = player;
  },

  // watch reads every frame of a player from now on, also while nobody looks at the page.
  async watch(player) {
    for (;;) {
      const track = player.stream.getVideoTracks().find((t) => t.readyState === 'live');
      if (!track) {
        await new Promise((done) => setTimeout(done, 50));
        continue;
      }
      const reader = new MediaStreamTrackProcessor({track, maxBufferSize: 60}).readable.getReader();
      const replaced = setInterval(() => player.stream.getVideoTracks().includes(track) || reader.cancel(), 100);
      for (;;) {
        const {value: frame, done} = await reader.read();
        if (done) break;
        const what = {at: this.now(), width: frame.codedWidth, height: frame.codedHeight};
        try {
          player.seen.push({...what, ...(await picture.read(frame))});
        } catch (e) {
          player.seen.push({...what, number: -1, error: 255, trouble: String(e)});
        }
        frame.close();
      }
      clearInterval(replaced);
    }
  },

  seen(key, from) {
    return this.players[key].seen.slice(from);
  },

  count(key) {
    return this.players[key].seen.length;
  },

  events(from) {
    return this.log.slice(from);
  },

  // follow has the page do what a host tells its audience in their room: {"visit": room, "play": stream} logs in there and plays,
  // {"leave": room}.
  follow(user, home) {
    const obey = async ({roomID, text}) => {
      if (roomID !== home) return; // of another host
      const told = JSON.parse(text);
      if (told.leave) await this.must('logoutRoom', told.leave);
      if (told.visit) {
        await this.must('loginRoom', told.visit, user);
        await this.must('play', told.play, {roomID: told.visit});
      }
    };
    this.engine.on('broadcastMessage', (m) => obey(m));
  },

  // lines is the mids that a player gets its sound and picture on.
  lines(player) {
    const mid = (track) => this.engine.peerConnection.getTransceivers().find((line) => line.receiver.track.id === track?.id)?.mid ?? '';
    return {audio: mid(player.stream.getAudioTracks()[0]), video: mid(player.stream.getVideoTracks()[0])};
  },

  // report is what getStats and the engine say; received is by mid.
  async report() {
    const {engine} = this, pc = engine.peerConnection;
    const out = {
      at: this.now(), state: pc?.connectionState ?? '', ice: pc?.iceConnectionState ?? '', peers: peers.all.length, needed: peers.needed,
      connections: engine.connections, negotiations: engine.negotiations, rooms: [...engine.rooms], transport: {}, received: {}, sent: [], players: {},
    };
    for (const [key, player] of Object.entries(this.players)) out.players[key] = pc ? this.lines(player) : {audio: '', video: ''};
    if (!pc) return out;
    const stats = await pc.getStats();
    for (const s of stats.values()) {
      switch (s.type) {
        case 'transport': out.transport = s; break;
        case 'inbound-rtp': out.received[s.mid] = s; break;
        case 'outbound-rtp': out.sent.push(s); break;
      }
    }
    return out;
  },

  // known is what the engine says of a room now.
  known(room) {
    const ids = (list, id) => list.map((x) => x[id]).sort();
    return {users: ids(this.engine.users(room), 'userID'), streams: ids(this.engine.streams(room), 'streamID'), extraInfo: this.engine.extraInfo(room)};
  },
};

window.page = page;
