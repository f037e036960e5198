// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// The panel of a room: its streams, people and messages, and where the user stands with it.
import {Chat} from './chat.js';
import {button, el, setHidden, setText} from './dom.js';
import {OwnTile, PlayerTile} from './player.js';

const words = {
  'logging-in': 'joining …', 'logged-in': 'joined', 'login-failed': 'not joined', reconnecting: 'reconnecting …',
  reconnected: 'joined', 'kicked-out': 'out', 'logged-out': 'left',
};

const needsToken = [1002033, 1002055, 1002056]; // refused, put out, expired: the token that there is does not help any more

/** RoomPanel is one room on the page. */
export class RoomPanel {
  constructor(call, roomID) {
    Object.assign(this, {call, roomID, players: new Map(), own: new Map(), speakers: new Set()});
    const hooks = {data: {room: roomID}};
    this.chip = el('span', {class: 'state', role: 'status'});
    this.count = el('span', {class: 'count'});
    this.leaving = button('leave', 'Leave', () => call.leave(roomID), {...hooks, 'aria-label': `Leave ${roomID}`});
    this.sky = el('div', {class: 'sky'});
    this.tiles = el('div', {class: 'tiles'});
    this.lonely = el('p', {class: 'lonely', hidden: true}, el('span', {text: 'Nobody else publishes here yet. '}), call.participantLink('Open another participant', 'button primary'));
    this.people = el('ul', {class: 'people', 'aria-label': `People in ${roomID}`});
    this.notice = el('div', {class: 'notice', role: 'alert', hidden: true, data: {part: 'notice'}});
    this.chat = new Chat(call, roomID, this.sky);
    this.node = el('section', {class: 'room', 'aria-label': `Room ${roomID}`, ...hooks},
      el('header', {}, el('h2', {text: roomID}), this.chip, this.count, this.leaving),
      this.notice, el('div', {class: 'stage'}, this.tiles, this.sky), this.lonely, this.people, this.chat.node);
    this.setState('logging-in');
  }

  /** setState shows where the user stands with the room. */
  setState(state, code = 0, detail = '') {
    this.state = state === 'reconnected' ? 'logged-in' : state;
    this.node.dataset.state = this.state;
    setText(this.chip, words[state] ?? state);
    const out = ['login-failed', 'kicked-out'].includes(state);
    if (out) this.showNotice(code, detail);
    setHidden(this.notice, !out);
    if (out) this.clear();
    if (['logged-in', 'reconnected'].includes(state)) this.refresh();
    this.showCounts();
  }

  joined() {
    return ['logged-in', 'reconnecting'].includes(this.state);
  }

  showNotice(code, detail) {
    this.notice.dataset.code = code;
    this.notice.replaceChildren(
      el('p', {text: outcome(code, this.state)}),
      detail && el('p', {class: 'hint', text: `${detail}${code ? ` (${code})` : ''}`}) || '',
      el('div', {class: 'actions'},
        button('rejoin', code === 1002050 ? 'Take it back' : 'Join again', () => this.call.join(this.roomID, needsToken.includes(code)), {data: {room: this.roomID}}),
        code === 1002050 && button('restart', 'Join under another name', () => this.call.restart()),
        button('close-room', 'Close', () => this.call.drop(this.roomID), {data: {room: this.roomID}})));
  }

  /** refresh shows the streams and people as the engine knows them now. */
  refresh() {
    if (!this.joined()) return;
    const streams = this.call.engine.streams(this.roomID);
    const there = new Set(streams.map((info) => info.streamID));
    for (const [streamID, tile] of this.players) if (!there.has(streamID)) this.removePlayer(streamID, tile);
    for (const info of streams) {
      const tile = this.players.get(info.streamID);
      if (tile) tile.update(info);
      else this.addPlayer(info);
    }
    this.showPeople();
    this.chat.offerUsers();
    this.showCounts();
  }

  addPlayer(info) {
    const tile = new PlayerTile(this.call, info);
    this.players.set(info.streamID, tile);
    this.tiles.append(tile.node);
    if (this.call.settings.play) tile.start();
  }

  removePlayer(streamID, tile) {
    if (tile.active()) this.call.engine.stopPlayingStream(streamID, {roomID: this.roomID}).catch(() => undefined); // gone anyway
    tile.drop();
    this.players.delete(streamID);
  }

  /** playAll plays what is not played, but for what somebody has stopped. */
  playAll() {
    for (const tile of this.players.values()) if (!tile.active() && !tile.left) tile.start();
  }

  /** setOwn shows, or no longer, what one publishes here. */
  setOwn(source, shown) {
    const tile = this.own.get(source.streamID);
    if (shown && !tile) {
      const fresh = new OwnTile(this.call, this.roomID, source);
      this.own.set(source.streamID, fresh);
      this.tiles.prepend(fresh.node);
    } else if (shown) {
      tile.refresh();
    } else if (tile) {
      tile.drop();
      this.own.delete(source.streamID);
    }
    this.showCounts();
  }

  /** tile finds the tile of a stream, or of one's own. */
  tile(streamID, own) {
    return (own ? this.own : this.players).get(streamID);
  }

  setSpeakers(speakers) {
    this.speakers = new Set(speakers.map(({userID}) => userID));
    const streams = new Set(speakers.map(({streamID}) => streamID));
    for (const tile of [...this.own.values(), ...this.players.values()]) tile.setSpeaking(streams.has(tile.streamID));
    for (const row of this.people.children) row.classList.toggle('speaking', this.speakers.has(row.dataset.user));
  }

  showPeople() {
    const {engine, user, manage} = this.call;
    const everybody = [user, ...engine.users(this.roomID)];
    const rows = new Map([...this.people.children].map((row) => [row.dataset.user, row]));
    for (const person of everybody) {
      if (rows.delete(person.userID)) continue;
      const mine = person.userID === user.userID;
      this.people.append(el('li', {data: {user: person.userID}}, el('span', {text: `${person.userName || person.userID}${mine ? ' (you)' : ''}`}),
        manage && !mine && button('kick', '×', () => this.call.kick(this.roomID, person), {class: 'quiet', 'aria-label': `Kick ${person.userName || person.userID}`, data: {user: person.userID}})));
    }
    for (const row of rows.values()) row.remove();
  }

  showCounts() {
    const people = this.joined() ? this.call.engine.users(this.roomID).length + 1 : 0;
    setText(this.count, people ? `${people} ${people === 1 ? 'person' : 'people'}` : '');
    setHidden(this.lonely, !this.joined() || this.players.size > 0);
    setHidden(this.leaving, !this.joined() && this.state !== 'logging-in');
  }

  /** clear takes everything away that was in the room. */
  clear() {
    for (const tile of [...this.players.values(), ...this.own.values()]) tile.drop();
    this.players.clear();
    this.own.clear();
    this.people.replaceChildren();
  }

  drop() {
    this.clear();
    this.node.remove();
  }
}

function outcome(code, state) {
  switch (code) {
    case 1002050: return 'You are logged in elsewhere, so this page was put out.';
    case 1002055: return 'You were put out of this room.';
    case 1002056: return 'Your token has expired.';
    case 1002033: return 'The token was refused.';
    case 1002034: return 'This room is full.';
    case 1002036: return 'The node does not let users of this app be in several rooms.';
    case 1002037: return 'You are in as many rooms as you may be in at once. Leave one first.';
    default: return state === 'kicked-out' ? 'You are no longer in this room.' : 'This room could not be joined.';
  }
}
