// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// The call: one engine for all rooms, and who gets to hear of its events.
import {createEngine} from '/sdk/switchyard.js';
import {addressOf, friendlyName, mostRooms} from './address.js';
import {EngineLine} from './engineline.js';
import {el} from './dom.js';
import {banner, failed, log, toast} from './notices.js';
import {paintLarge} from './large.js';
import {Publisher} from './publish.js';
import {RoomPanel} from './room.js';

const signalingPatience = 1200; // milliseconds that signaling may be gone before the page says so

/** Call is the user's one connection to the node, and the panels of the rooms. */
export class Call {
  constructor({config, user, manage, token, settings, restart, box}) {
    Object.assign(this, {config, user, manage, token, settings, restart, box, panels: new Map(), commands: new Set()});
    this.engine = createEngine({url: config.signal, token, qualityInterval: window.top === window ? 1000 : 2000, spareSlots: {audio: 6, video: 6}});
    this.publisher = new Publisher(this, settings.simulcast);
    this.line = new EngineLine(this);
    this.listen();
    this.timer = setInterval(() => this.paint(), 1000);
  }

  /** panel finds the panel of a room. */
  panel(roomID) {
    return this.panels.get(roomID);
  }

  /** joinedRooms are the rooms that the user is in. */
  joinedRooms() {
    return [...this.panels.values()].filter((panel) => panel.joined()).map((panel) => panel.roomID);
  }

  /** players are the tiles of others' streams, in all rooms. */
  players() {
    return [...this.panels.values()].flatMap((panel) => [...panel.players.values()]);
  }

  /**
   * join enters a room; it says what goes wrong in the room's panel. Resolves with true when the user is in. anew: with a new
   * token, since the one there is was refused, has expired, or is older than the user's being put out.
   */
  async join(roomID, anew = false) {
    let panel = this.panels.get(roomID);
    if (panel?.joined()) return true;
    if (!panel && this.panels.size >= mostRooms) {
      toast('info', `The page shows ${mostRooms} rooms at once. Leave one first.`);
      return false;
    }
    if (!panel) {
      panel = new RoomPanel(this, roomID);
      this.panels.set(roomID, panel);
      this.box.append(panel.node);
    }
    panel.setState('logging-in');
    try {
      const token = anew ? await this.token({reason: 'refused', roomID}) : undefined;
      await this.engine.loginRoom(roomID, this.user, token ? {token} : {});
      if (!panel.joined()) panel.setState('logged-in');
    } catch (error) {
      log('error', `${roomID}: ${error.code} ${error.reason} ${error.message}`);
      panel.setState('login-failed', error.code, error.message);
    }
    this.roomsChanged();
    return panel.joined();
  }

  /** leave leaves a room and takes its panel away. */
  async leave(roomID) {
    try {
      await this.engine.logoutRoom(roomID);
    } catch (error) {
      failed(`Leaving ${roomID}`, error);
    }
    this.drop(roomID);
    this.box.focus({preventScroll: true}); // what had the focus is gone
  }

  /** drop takes the panel of a room away. */
  drop(roomID) {
    this.publisher.roomLeft(roomID);
    this.panels.get(roomID)?.drop();
    this.panels.delete(roomID);
    this.roomsChanged();
  }

  /** kick puts somebody out of a room. */
  async kick(roomID, user) {
    try {
      await this.engine.kickUser(roomID, user.userID, {reason: `by ${this.user.userName}`});
    } catch (error) {
      failed(`Kicking ${user.userName || user.userID}`, error);
    }
  }

  /** participantLink is a link that opens the page as somebody else in the same rooms, with another name each time. */
  participantLink(text, look = 'button') {
    const link = el('a', {class: look, text, target: '_blank', rel: 'noopener', data: {action: 'open-participant'}});
    const renew = () => {
      link.href = addressOf({name: friendlyName(), rooms: this.joinedRooms(), publish: 'pattern', token: this.config.tokens ? undefined : ''});
    };
    for (const event of ['pointerenter', 'pointerdown', 'focus', 'click']) link.addEventListener(event, renew);
    renew();
    link.renew = renew;
    return link;
  }

  roomsChanged() {
    this.publisher.roomsChanged();
    this.line.show();
    for (const link of document.querySelectorAll('[data-action=open-participant]')) link.renew?.();
    this.onRooms?.(this.joinedRooms());
  }

  listen() {
    const {engine} = this;
    const refresh = (roomID) => this.panels.get(roomID)?.refresh();
    engine.on('roomStateChanged', (roomID, state, code, detail) => this.roomState(roomID, state, code, detail));
    engine.on('roomUserUpdate', (roomID, type, users) => {
      log(type === 'ADD' ? 'user came' : 'user went', `${roomID}: ${users.map((user) => user.userName || user.userID).join(', ')}`);
      refresh(roomID);
    });
    engine.on('roomStreamUpdate', (roomID, type, streams) => {
      log(type === 'ADD' ? 'stream came' : 'stream went', `${roomID}: ${streams.map((info) => info.streamID + (info.reason ? ` (${info.reason})` : '')).join(', ')}`);
      refresh(roomID);
    });
    engine.on('roomStreamChanged', refresh);
    for (const [event, kind] of [['broadcastMessage', 'broadcast'], ['barrageMessage', 'barrage'], ['customCommand', 'command']]) {
      engine.on(event, (message) => this.message(kind, message));
    }
    engine.on('activeSpeakers', (roomID, speakers) => this.panels.get(roomID)?.setSpeakers(speakers));
    engine.on('tokenWillExpire', (roomID, left) => log('token', `${roomID}: expires in ${Math.round(left / 1000)} s`));
    engine.on('publisherStateUpdate', (streamID, roomID, state, code) => this.publisherState(streamID, roomID, state, code));
    engine.on('playerStateUpdate', (streamID, roomID, state, code) => this.playerState(streamID, roomID, state, code));
    engine.on('publisherQualityUpdate', (quality) => this.quality(quality, true));
    engine.on('playerQualityUpdate', (quality) => this.quality(quality, false));
    engine.on('signalingStateChanged', (state) => this.signaling(state));
    engine.on('mediaStateChanged', (state) => { log('media', state); this.media(state); });
    engine.on('error', (error) => failed('Something went wrong', error));
  }

  roomState(roomID, state, code, detail) {
    log('room', `${roomID}: ${state}${code ? ` (${code})` : ''}${detail ? `, ${detail}` : ''}`);
    const panel = this.panels.get(roomID);
    if (!panel) return;
    if (state === 'logged-out') return; // the page left it, and takes the panel away
    if (state === 'login-failed' && panel.state === 'login-failed') return;
    if (state === 'kicked-out') this.publisher.roomLeft(roomID);
    panel.setState(state, code, detail);
    this.roomsChanged();
  }

  message(kind, message) {
    this.panels.get(message.roomID)?.chat.show(kind, message);
    log(kind, `${message.roomID}: ${message.from.userName || message.from.userID}`);
    if (kind === 'command') for (const listener of this.commands) listener(message);
  }

  publisherState(streamID, roomID, state, code) {
    log('publisher', `${streamID} in ${roomID}: ${state}${code ? ` (${code})` : ''}`);
    const source = [...this.publisher.sources.values()].find((one) => one.streamID === streamID);
    if (!source) return;
    if (state === 'stopped' && code && source.rooms.has(roomID)) this.tellEnd(source.title, roomID, code);
    if (state === 'stopped') this.publisher.left(source, roomID);
    else this.panels.get(roomID)?.tile(streamID, true)?.setState(state);
  }

  // tellEnd says that something was ended by somebody else's hand; where the whole room was, its panel says so in a moment.
  tellEnd(title, roomID, code) {
    setTimeout(() => this.panels.get(roomID)?.joined() && toast('error', `${title} in ${roomID} was ended (${code}).`), 500);
  }

  playerState(streamID, roomID, state, code) {
    log('player', `${streamID} in ${roomID}: ${state}${code ? ` (${code})` : ''}`);
    const tile = this.panels.get(roomID)?.tile(streamID, false);
    if (!tile) return;
    if (state === 'stopped') tile.rest();
    else tile.setState(state);
  }

  quality(quality, own) {
    const tile = this.panels.get(quality.roomID)?.tile(quality.streamID, own);
    if (tile) tile.quality = quality;
  }

  signaling(state) {
    log('signaling', state);
    this.signalingState = state;
    clearTimeout(this.signalingTimer);
    if (state === 'connected') {
      banner('signaling', '');
    } else {
      const say = () => this.joinedRooms().length > 0 && banner('signaling', 'Signaling is down. Sound and pictures go on, and the page connects again by itself.');
      this.signalingTimer = setTimeout(say, signalingPatience);
    }
    this.line.show();
  }

  media(state) {
    const lost = ['disconnected', 'failed'].includes(state);
    banner('media', lost ? 'The connection to the node is lost. The page tries to get it back.' : '');
    this.line.show();
  }

  paint() {
    for (const panel of this.panels.values()) for (const tile of [...panel.own.values(), ...panel.players.values()]) tile.paint();
    paintLarge();
    this.line.show();
  }

  /** end leaves everything. The call is of no use afterwards. */
  async end() {
    clearInterval(this.timer);
    clearTimeout(this.signalingTimer);
    for (const name of ['signaling', 'media']) banner(name, '');
    this.publisher.endAll();
    for (const panel of this.panels.values()) panel.drop();
    this.panels.clear();
    await this.engine.destroy().catch(() => undefined);
  }
}

