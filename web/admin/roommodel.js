// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// A room as its events tell it: a snapshot, and every change after it.

import { num } from './dom.js';

export class RoomModel {
  constructor() {
    this.clear();
  }

  clear() {
    this.known = false; // a snapshot has come
    this.room = null; // null: there is no such room
    this.end = null; // why it closed
    this.members = new Map(); // by session
    this.streams = new Map(); // by id
    this.subscriptions = new Map(); // by id
    this.sessions = new Map(); // by id
    this.metadata = new Map(); // by key
    this.speakers = new Map(); // level by stream
  }

  /** Takes an item of the event stream; says whether anything is other than before. */
  take(item) {
    if (item.snapshot) return this.#snapshot(item.snapshot);
    if (item.event) return this.#event(item.event);
    return Boolean(item.resync);
  }

  #snapshot(s) {
    if (this.snapshotAt !== s.revision) this.clear(); // the first part
    this.snapshotAt = s.last ? undefined : s.revision;
    for (const r of s.rooms ?? []) this.#whole(r);
    for (const sub of s.subscriptions ?? []) this.subscriptions.set(sub.id, sub);
    for (const session of s.sessions ?? []) this.sessions.set(session.id, session);
    this.known = Boolean(s.last);
    return this.known;
  }

  #whole(r) {
    this.room = r.room;
    for (const m of r.members ?? []) this.members.set(m.sessionId, m);
    for (const s of r.streams ?? []) this.streams.set(s.id, s);
    for (const d of r.metadata ?? []) this.metadata.set(d.key, d);
  }

  #event(e) {
    if (e.roomOpened) {
      this.clear();
      this.known = true;
      this.room = e.roomOpened.room;
    } else if (e.roomClosed) {
      this.clear();
      this.known = true;
      this.end = e.roomClosed;
    } else if (e.memberJoined ?? e.memberUpdated ?? e.memberExpiring) {
      const { member } = e.memberJoined ?? e.memberUpdated ?? e.memberExpiring;
      this.members.set(member.sessionId, member);
    } else if (e.memberLeft) this.members.delete(e.memberLeft.member.sessionId);
    else if (e.streamAdded ?? e.streamChanged ?? e.streamMuted) {
      const { stream } = e.streamAdded ?? e.streamChanged ?? e.streamMuted;
      this.streams.set(stream.id, stream);
    } else if (e.streamRemoved) this.streams.delete(e.streamRemoved.stream.id);
    else if (e.subscriptionState) this.#subscription(e.subscriptionState.subscription);
    else if (e.layers) this.#layers(e.layers);
    else if (e.publisherLayers) this.#replace(this.streams, e.publisherLayers.streamId, { layers: e.publisherLayers.layers ?? [] });
    else if (e.roomMetadata) {
      if (e.roomMetadata.removed) this.metadata.delete(e.roomMetadata.metadata.key);
      else this.metadata.set(e.roomMetadata.metadata.key, e.roomMetadata.metadata);
    } else if (e.roomAudio) this.room &&= { ...this.room, loudestAudio: e.roomAudio.loudestAudio };
    else if (e.activeSpeakers) this.speakers = new Map((e.activeSpeakers.speakers ?? []).map((s) => [s.streamId, num(s.level)]));
    else return false;
    return true;
  }

  #subscription(s) {
    if (s.state === 'SUBSCRIPTION_STATE_ENDED') this.subscriptions.delete(s.id);
    else this.subscriptions.set(s.id, s);
  }

  #layers(l) {
    this.#replace(this.subscriptions, l.subscriptionId, {
      spatialLayer: l.noLayer ? undefined : num(l.spatial), temporalLayer: l.noLayer ? undefined : num(l.temporal), targetSpatialLayer: l.noTarget ? undefined : num(l.targetSpatial),
    });
  }

  #replace(map, id, change) {
    const old = map.get(id);
    if (old) map.set(id, { ...old, ...change });
  }

  /** Takes what the whole node's events say of the members' sessions, which are of no room. */
  session(session) {
    if (this.members.has(session.id)) this.sessions.set(session.id, session);
  }
}
