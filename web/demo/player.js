// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Tiles of one's own streams, and of those of others: players.
import {button, el, fillSelect, setHidden, setText} from './dom.js';
import {failed, log} from './notices.js';
import {shownLarge} from './large.js';
import {attach} from './sound.js';
import {Tile} from './tile.js';

const sizes = {small: {width: 160, height: 90, maxSpatial: 0}, large: {width: 1920, height: 1080}};
const settled = 400; // milliseconds without a change of size before the node is told

/** OwnTile shows what one publishes in a room. */
export class OwnTile extends Tile {
  constructor(call, roomID, source) {
    super(call, roomID, source.streamID, true);
    this.source = source;
    this.setName(`You · ${source.title}`);
    this.parts.video.classList.toggle('mirrored', source.kind === 'camera');
    this.parts.actions.append(button('stop-publish', 'Stop here', () => call.publisher.setRoom(source, roomID, false), {data: {room: roomID, stream: source.streamID}}));
    attach(this.parts.video, source.stream, true);
    this.setState('requesting');
    this.refresh();
  }

  refresh() {
    const {stream, muted} = this.source;
    attach(this.parts.video, stream, true);
    this.setFlags({audio: stream.getAudioTracks().length > 0, video: stream.getVideoTracks().length > 0, audioMuted: muted.audio, videoMuted: muted.video});
  }

  words() {
    if (this.state === 'requesting') return ['', 'starting …'];
    return this.videoShown === false ? ['picture off', ''] : ['', ''];
  }
}

/** PlayerTile shows a stream of somebody else, played or not. */
export class PlayerTile extends Tile {
  constructor(call, info) {
    super(call, info.roomID, info.streamID, false);
    this.wish = 'fit';
    this.buildActions();
    this.update(info);
    this.watchSize();
  }

  buildActions() {
    const hooks = {data: {stream: this.streamID, room: this.roomID}};
    this.play = button('play', 'Play', () => this.start(), hooks);
    this.halt = button('stop-play', 'Stop', () => this.stop(), hooks);
    this.size = el('select', {'aria-label': 'Preferred size', data: {action: 'prefer'}, on: {change: () => this.prefer(this.size.value)}},
      el('option', {value: 'fit', text: 'Size: fits'}), el('option', {value: 'small', text: 'Size: small'}), el('option', {value: 'large', text: 'Size: large'}));
    this.target = el('select', {'aria-label': 'Switch this player to another stream', data: {action: 'switch'}, on: {change: () => this.switchTo(this.target.value)}},
      el('option', {value: '', text: 'Switch to …'}));
    this.parts.actions.append(this.play, this.halt, this.size, this.target);
    if (!this.call.manage) return;
    this.hush = button('mute-stream', 'Mute', () => this.muteForAll(), hooks);
    this.blind = button('hide-stream', 'Picture off', () => this.muteForAll('video'), hooks);
    this.kick = button('kick', 'Kick', () => this.call.kick(this.roomID, this.info.user), hooks);
    this.parts.actions.append(this.hush, this.blind, this.kick);
  }

  /** update shows what is known of the stream. */
  update(info) {
    this.info = info;
    this.setName(info.extraInfo ? `${info.user.userName || info.user.userID} · ${info.extraInfo}` : info.user.userName || info.user.userID);
    this.setFlags(info);
    if (this.hush) setText(this.hush, info.audioMuted ? 'Unmute' : 'Mute');
    if (this.blind) setText(this.blind, info.videoMuted ? 'Picture on' : 'Picture off');
  }

  words() {
    switch (this.state) {
      case 'idle': case 'stopped': return ['not playing', ''];
      case 'requesting': return ['starting …', ''];
      case 'pending': return ['waiting for media', 'pending'];
      case 'paused': return ['', 'paused: the link is too slow'];
      default:
        if (this.info && !this.info.live) return ['waiting for media', ''];
        return this.videoShown === false ? [this.info?.video ? 'picture off' : 'sound only', ''] : ['', ''];
    }
  }

  setState(state) {
    super.setState(state);
    if (!this.play) return;
    const on = this.active(), [shown, gone] = on ? [this.halt, this.play] : [this.play, this.halt];
    const focused = document.activeElement === gone;
    setHidden(shown, false);
    setHidden(gone, true);
    if (focused) shown.focus();
    this.size.disabled = !on;
    if (!on) this.target.disabled = true;
  }

  active() {
    return !['idle', 'stopped'].includes(this.state);
  }

  /** start plays the stream, or shows what is played already. */
  async start(stream) {
    this.left = false;
    if (!stream) this.setState('requesting');
    try {
      const {roomID, streamID} = this;
      const media = stream ?? await this.call.engine.startPlayingStream(streamID, {roomID, preference: this.preference()});
      if (this.dropped) return;
      this.media = media;
      attach(this.parts.video, media);
      if (stream) this.sendPreference();
    } catch (error) {
      if (this.dropped) return;
      this.setState('stopped');
      failed(`Playing ${this.label}`, error);
    }
  }

  /** stop stops playing; the stream stays on offer and is not played by itself again. */
  async stop() {
    this.left = true;
    try {
      await this.call.engine.stopPlayingStream(this.streamID, {roomID: this.roomID});
    } catch (error) {
      failed(`Stopping ${this.label}`, error);
    }
    this.rest();
  }

  rest() {
    this.parts.video.srcObject = null;
    this.media = undefined;
    this.quality = undefined;
    this.sent = undefined;
    this.setState('stopped');
  }

  offerTargets() {
    const others = this.call.players().filter((tile) => tile !== this);
    fillSelect(this.target, [['', 'Switch to …'], ...others.map((tile) => [tile.key, `${tile.label} in ${tile.roomID}`])]);
    this.target.disabled = !this.active() || others.length === 0;
  }

  paint() {
    super.paint();
    this.offerTargets();
  }

  get key() {
    return JSON.stringify([this.roomID, this.streamID]);
  }

  /** switchTo gives this player to another stream: same lines, no negotiation. What played that stream is stopped. */
  async switchTo(key) {
    const other = this.call.players().find((tile) => tile.key === key);
    this.target.value = '';
    if (!other || !this.active()) return;
    const negotiations = this.call.engine.negotiations;
    try {
      if (other.active()) await other.stop();
      other.setState('requesting');
      const media = await this.call.engine.switchPlayingStream({streamID: this.streamID, roomID: this.roomID}, {streamID: other.streamID, roomID: other.roomID});
      this.left = true;
      this.rest();
      await other.start(media);
      log('switch', `${this.label} in ${this.roomID} → ${other.label} in ${other.roomID}, with ${this.call.engine.negotiations - negotiations} negotiations`);
    } catch (error) {
      other.setState('stopped');
      failed(`Switching to ${other.label}`, error);
    }
  }

  muteForAll(kind = 'audio') {
    const {roomID, streamID, info} = this;
    const mute = kind === 'audio' ? {audio: !info.audioMuted} : {video: !info.videoMuted};
    this.call.engine.muteStreamOf(roomID, streamID, mute).catch((error) => failed(`Muting ${this.label}`, error));
  }

  prefer(wish) {
    this.wish = wish;
    this.sendPreference();
  }

  /** preference is what can be used of the video where it is shown now. */
  preference() {
    if (this.wish !== 'fit') return sizes[this.wish];
    const box = (shownLarge(this) ?? this.parts.video).getBoundingClientRect();
    const scale = window.devicePixelRatio || 1;
    const pixels = (length) => Math.max(16, Math.round((length * scale) / 16) * 16);
    return box.width > 0 ? {width: pixels(box.width), height: pixels(box.height)} : {width: 320, height: 180};
  }

  watchSize() {
    this.observer = new ResizeObserver(() => this.sizeChanged());
    this.observer.observe(this.parts.video);
  }

  /** sizeChanged tells the node in a moment. */
  sizeChanged() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.sendPreference(), settled);
  }

  sendPreference() {
    if (!this.media || this.dropped) return;
    const preference = this.preference(), words = JSON.stringify(preference);
    if (this.sent === words) return;
    this.sent = words;
    this.call.engine.updatePlayingStream(this.streamID, preference, {roomID: this.roomID}).catch((error) => {
      this.sent = undefined;
      log('error', `preference of ${this.label}: ${error.message}`);
    });
  }

  drop() {
    clearTimeout(this.timer);
    this.observer.disconnect();
    super.drop();
  }
}
