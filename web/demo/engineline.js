// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// The line that tells of the engine: one connection, whatever the number of rooms.
import {el, setText} from './dom.js';

const names = ['connections', 'negotiations', 'rooms', 'signaling', 'media'];

/** EngineLine shows how the engine is. */
export class EngineLine {
  constructor(call) {
    this.call = call;
    this.values = Object.fromEntries(names.map((name) => [name, el('b', {data: {engine: name}})]));
    const {connections, negotiations, rooms, signaling, media} = this.values;
    this.node = el('div', {class: 'engine', role: 'group', 'aria-label': 'Engine'},
      el('span', {title: 'One PeerConnection carries all rooms'}, 'PeerConnections ', connections),
      el('span', {}, 'rooms ', rooms),
      el('span', {title: 'Offers made so far: joining, leaving and switching need none'}, 'negotiations ', negotiations),
      el('span', {}, 'signaling ', signaling), el('span', {}, 'media ', media));
    this.show();
  }

  /** show brings the line up to date. */
  show() {
    const {engine, signalingState} = this.call;
    const peer = engine.peerConnection;
    const put = (name, value) => setText(this.values[name], String(value));
    put('connections', engine.connections);
    put('rooms', engine.rooms.length);
    put('negotiations', engine.negotiations);
    put('signaling', signalingState ?? 'not yet');
    put('media', peer?.connectionState ?? 'not yet');
    this.values.signaling.dataset.good = String(signalingState === 'connected');
    this.values.media.dataset.good = String(peer?.connectionState === 'connected');
  }
}
