// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// What one publishes: camera, screen and test pattern, each in any of the rooms. A source is sent once, however many rooms it is in.
import {devicesThere, whyNoDevices} from './devices.js';
import {boxesFor, button, el, fillSelect, setHidden, setText, slug} from './dom.js';
import {explain, failed, log, toast} from './notices.js';
import {makePattern} from './pattern.js';

const titles = {camera: 'Camera', screen: 'Screen', pattern: 'Test pattern'};

/** Publisher is the panel of one's sources. */
export class Publisher {
  constructor(call, simulcast) {
    Object.assign(this, {call, sources: new Map(), chosen: new Map()});
    this.rooms = el('fieldset', {class: 'into', data: {part: 'publish-rooms'}}, el('legend', {text: 'Into'}));
    this.starters = Object.entries(titles).map(([kind, title]) =>
      button('publish', title, () => this.add(kind, this.chosenRooms()), {data: {kind}, class: kind === 'camera' ? 'primary' : ''}));
    this.simulcast = el('input', {type: 'checkbox', checked: simulcast, data: {action: 'simulcast'}});
    this.cards = el('div', {class: 'cards'});
    const why = whyNoDevices();
    this.summary = el('span', {class: 'hint', data: {part: 'on-air'}});
    this.node = el('details', {class: 'publisher', open: matchMedia('(min-width: 640px)').matches},
      el('summary', {}, el('h2', {text: 'Publish'}), this.summary),
      el('div', {class: 'more'}, this.cards, el('div', {class: 'actions'}, ...this.starters), this.rooms,
        el('label', {class: 'switch'}, this.simulcast, el('span', {text: 'Several qualities at once (simulcast)'})),
        why && el('p', {class: 'hint', text: `${why} The test pattern works everywhere.`})));
    for (const starter of this.starters) if (why && starter.dataset.kind !== 'pattern') starter.disabled = true;
    this.show({});
  }

  /** roomsChanged shows the rooms that there are to publish into. */
  roomsChanged() {
    const rooms = this.call.joinedRooms();
    boxesFor(this.rooms, rooms, (roomID) => {
      const box = el('input', {type: 'checkbox', checked: this.chosen.get(roomID) ?? true, data: {action: 'publish-into', room: roomID}, on: {
        change: () => this.chosen.set(roomID, box.checked)}});
      return box;
    });
    for (const source of this.sources.values()) this.show(source);
  }

  chosenRooms() {
    return this.call.joinedRooms().filter((roomID) => this.chosen.get(roomID) ?? true);
  }

  /** add begins to publish a source into rooms. What cannot be captured is told, with the test pattern as a way on. */
  async add(kind, rooms) {
    if (this.sources.has(kind)) return;
    if (rooms.length === 0) {
      toast('info', 'Choose a room to publish into first.');
      return;
    }
    const source = {kind, title: titles[kind], streamID: `${slug(this.call.user.userID)}-${kind}`, rooms: new Set(), muted: {audio: false, video: false}};
    this.sources.set(kind, source);
    this.lock(kind, true);
    try {
      await this.capture(source);
    } catch (error) {
      this.sources.delete(kind);
      this.lock(kind, false);
      this.refused(kind, rooms, error);
      return;
    }
    source.card = this.card(source);
    this.cards.append(source.card);
    await Promise.all(rooms.map((roomID) => this.setRoom(source, roomID, true)));
    this.offerDevices();
  }

  async capture(source) {
    const {engine, user} = this.call;
    if (source.kind === 'pattern') {
      const pattern = makePattern(user.userName, window.top !== window);
      source.stream = pattern.stream;
      source.end = pattern.stop;
      return;
    }
    const options = source.kind === 'screen' ? {screen: true} : await devicesThere();
    source.stream = await engine.createStream(options);
    source.end = () => engine.destroyStream(source.stream);
    for (const track of source.stream.getVideoTracks()) track.addEventListener('ended', () => this.sources.get(source.kind) === source && this.stop(source));
  }

  refused(kind, rooms, error) {
    const denied = /denied|notallowed|permission/i.test(`${error.name} ${error.reason} ${error.message}`);
    const words = denied ? `${titles[kind]}: the browser was not allowed to use it.` : `${titles[kind]} could not be used: ${explain(error)}`;
    log('error', words);
    toast('error', words, kind === 'pattern' ? [] : [['Use the test pattern', () => this.add('pattern', rooms)]]);
  }

  lock(kind, on) {
    for (const starter of this.starters) if (starter.dataset.kind === kind) starter.disabled = on || (kind !== 'pattern' && whyNoDevices() !== '');
  }

  card(source) {
    const {kind} = source, hooks = {data: {kind}};
    source.boxes = el('div', {class: 'into'});
    source.audio = button('mute', 'Mute', () => this.mute(source, 'audio'), hooks);
    source.video = button('mute-video', 'Picture off', () => this.mute(source, 'video'), hooks);
    source.devices = kind === 'camera' ? ['video', 'audio'].map((what) => el('select', {
      'aria-label': what === 'video' ? 'Camera' : 'Microphone', data: {action: 'device', kind: what},
      on: {change: (event) => this.useDevice(source, what, event.target.value)}})) : [];
    return el('article', {class: 'card', data: {source: kind}, 'aria-label': source.title}, el('h3', {text: source.title}), source.boxes,
      ...source.devices, el('div', {class: 'actions'}, source.audio, source.video,
        button('stop-publish', 'Stop', () => this.stop(source), {...hooks, class: 'danger'})));
  }

  /** show brings a source's card and tiles up to date. */
  show(source) {
    const on = [...this.sources.values()].filter(({rooms}) => rooms.size > 0);
    setText(this.summary, on.map(({title, rooms}) => `${title} in ${[...rooms].join(', ')}`).join('; ') || 'nothing yet');
    if (!source.card) return;
    this.showBoxes(source);
    setText(source.audio, source.muted.audio ? 'Unmute' : 'Mute');
    setText(source.video, source.muted.video ? 'Picture on' : 'Picture off');
    source.audio.setAttribute('aria-pressed', String(source.muted.audio));
    source.video.setAttribute('aria-pressed', String(source.muted.video));
    setHidden(source.audio, source.stream.getAudioTracks().length === 0);
  }

  showBoxes(source) {
    boxesFor(source.boxes, this.call.joinedRooms(), (roomID) => {
      const box = el('input', {type: 'checkbox', data: {action: 'publish-room', room: roomID, kind: source.kind}, on: {change: () => this.setRoom(source, roomID, box.checked)}});
      return box;
    });
    for (const box of source.boxes.querySelectorAll('input')) box.checked = source.rooms.has(box.dataset.room);
  }

  /** setRoom publishes a source in a room, or no longer. */
  async setRoom(source, roomID, on) {
    const {engine} = this.call, panel = this.call.panel(roomID);
    if (!panel || source.rooms.has(roomID) === on) return;
    if (on) source.rooms.add(roomID);
    else source.rooms.delete(roomID);
    panel.setOwn(source, on);
    this.show(source);
    try {
      if (on) await engine.startPublishingStream(source.streamID, this.publication(source, roomID));
      else await engine.stopPublishingStream(source.streamID, {roomID});
      if (!on && source.rooms.size === 0) this.end(source);
    } catch (error) {
      this.left(source, roomID);
      failed(`${source.title} into ${roomID}`, error);
    }
  }

  publication(source, roomID) {
    const screen = source.kind === 'screen';
    return {roomID, stream: source.stream, simulcast: this.simulcast.checked && !screen, contentHint: screen ? 'detail' : 'motion', extraInfo: screen ? 'screen' : ''};
  }

  /** left forgets that a source is published in a room: it has ended there. */
  left(source, roomID) {
    if (!source.rooms.delete(roomID)) return;
    this.call.panel(roomID)?.setOwn(source, false);
    this.show(source);
    if (source.rooms.size === 0 && source.card) this.end(source);
  }

  /** roomLeft does so for all sources. */
  roomLeft(roomID) {
    for (const source of [...this.sources.values()]) this.left(source, roomID);
  }

  async mute(source, what) {
    source.muted[what] = !source.muted[what];
    this.show(source);
    try {
      await this.call.engine.mutePublishStream(source.streamID, {[what]: source.muted[what]});
    } catch (error) {
      source.muted[what] = !source.muted[what];
      this.show(source);
      failed(`Muting ${source.title}`, error);
    }
    for (const roomID of source.rooms) this.call.panel(roomID)?.setOwn(source, true);
  }

  /** stop ends a source in all its rooms. */
  async stop(source) {
    const rooms = [...source.rooms];
    source.rooms.clear();
    for (const roomID of rooms) this.call.panel(roomID)?.setOwn(source, false);
    this.end(source);
    await this.call.engine.stopPublishingStream(source.streamID).catch((error) => failed(`Stopping ${source.title}`, error));
  }

  end(source) {
    if (this.sources.get(source.kind) !== source) return;
    this.sources.delete(source.kind);
    source.card?.remove();
    source.end?.();
    this.lock(source.kind, false);
    this.show({});
  }

  endAll() {
    for (const source of [...this.sources.values()]) this.end(source);
  }

  async useDevice(source, what, deviceID) {
    try {
      await this.call.engine.useDevice(source.stream, what, deviceID);
      for (const roomID of source.rooms) this.call.panel(roomID)?.setOwn(source, true);
    } catch (error) {
      failed(`Changing the ${what === 'video' ? 'camera' : 'microphone'}`, error);
    }
  }

  /** offerDevices lists cameras and microphones; browsers name them once one was allowed. */
  async offerDevices() {
    const source = this.sources.get('camera');
    if (!source?.devices) return;
    const all = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    for (const select of source.devices) {
      const kind = select.dataset.kind, found = all.filter((device) => device.kind === `${kind}input` && device.deviceId);
      fillSelect(select, found.map((device, i) => [device.deviceId, device.label || `${kind === 'video' ? 'Camera' : 'Microphone'} ${i + 1}`]));
      const now = source.stream.getTracks().find((track) => track.kind === kind)?.getSettings().deviceId;
      if (now) select.value = now;
      setHidden(select, found.length < 2);
    }
  }
}
