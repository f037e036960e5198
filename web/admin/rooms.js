// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// The list of rooms, beside the one that is open.

import { call } from './api.js';
import { button, el, num, plural, setText, show, since, sync } from './dom.js';
import { makeRoom } from './room.js';
import { bus, problem, soon, state } from './state.js';

const step = 100; // rooms shown, and how many more at a time
const pageMost = 1000; // of one call

export const roomHash = (app, id) => `#/rooms/${encodeURIComponent(app)}/${encodeURIComponent(id)}`;

/** Asks for the first so many of a list that comes in pages; answers them, and whether there are more. */
export async function firstOf(node, method, field, body, want) {
  const all = [];
  let token = '';
  do {
    const answer = await call(node, method, { ...body, page: { size: Math.min(pageMost, want - all.length), token } });
    all.push(...(answer[field] ?? []));
    token = answer.nextPageToken ?? '';
  } while (token && all.length < want);
  return { all, more: token !== '' };
}

export function makeRooms() {
  const app = el('input', { type: 'search', placeholder: 'any app', 'aria-label': 'Only rooms of this app', data: { filter: 'app' }, autocomplete: 'off', spellcheck: 'false' });
  const prefix = el('input', { type: 'search', placeholder: 'room begins with…', 'aria-label': 'Only rooms whose id begins so', data: { filter: 'room' }, autocomplete: 'off', spellcheck: 'false' });
  const list = el('ul', { class: 'list', data: { list: 'rooms' } });
  const none = el('p', { class: 'empty', hidden: true });
  const total = el('span', { class: 'muted', role: 'status' });
  const more = button('More', 'more-rooms', () => { want += step; load(); }, { hidden: true });
  const detail = el('div', { class: 'detail' });
  const placeholder = el('p', { class: 'empty', text: 'Choose a room to see who is in it, what they send and what they get.' });
  const root = el('section', { class: 'view split', data: { view: 'rooms' }, 'aria-labelledby': 'rooms-title' },
    el('div', { class: 'master panel' },
      el('div', { class: 'head' }, el('h1', { id: 'rooms-title', text: 'Rooms' }), total),
      el('div', { class: 'filters' }, app, prefix), none, list, more),
    detail);
  let want = step;
  let opened = null; // the room view that is open
  let key = '';
  let round = 0;

  async function load() {
    const mine = ++round;
    const filter = { ...(app.value.trim() && { appId: app.value.trim() }), ...(prefix.value && { prefix: prefix.value }) };
    try {
      const answer = await firstOf(state.node, 'RoomService/ListRooms', 'rooms', { filter }, want);
      if (mine !== round) return; // a later one was asked meanwhile
      draw(answer);
      problem('rooms', null);
    } catch (error) {
      problem('rooms', error);
    }
  }

  function draw({ all, more: further }) {
    sync(list, all, (r) => `${r.appId} ${r.id}`, makeRow);
    mark();
    show(more, further);
    show(none, all.length === 0);
    setText(none, app.value || prefix.value ? 'No room is called so.' : 'There is no room yet. One opens when the first user joins it.');
    setText(total, further ? `first ${all.length}` : String(all.length));
  }

  function mark() {
    for (const row of list.children) {
      if (row.dataset.key === key) row.firstElementChild.setAttribute('aria-current', 'true');
      else row.firstElementChild.removeAttribute('aria-current');
    }
  }

  const changed = soon(1000, () => root.hidden || load());
  const filtered = soon(200, () => { want = step; load(); });
  app.addEventListener('input', filtered);
  prefix.addEventListener('input', filtered);
  bus.addEventListener('event', changed);
  bus.addEventListener('node', () => { list.replaceChildren(); changed(); });
  setInterval(() => root.hidden || document.hidden || load(), 15_000); // ages, and whatever an event was missed of

  return {
    root,
    open([appId, roomId]) {
      const next = roomId === undefined ? '' : `${appId} ${roomId}`;
      if (key !== next || !opened) {
        opened?.close();
        key = next;
        opened = next ? makeRoom(appId, roomId) : null;
        detail.replaceChildren(opened ? opened.root : placeholder);
      }
      root.classList.toggle('has-detail', Boolean(opened));
      load();
    },
    close() {
      opened?.close();
      opened = null;
      key = '';
    },
  };
}

function makeRow(room) {
  const name = el('span', { class: 'name', text: room.id });
  const sub = el('span', { class: 'muted' });
  const members = el('span', { class: 'pill' });
  const streams = el('span', { class: 'pill' });
  const row = el('li', { data: { app: room.appId, room: room.id } },
    el('a', { href: roomHash(room.appId, room.id) }, el('span', { class: 'grow' }, name, sub), members, streams));
  row.refresh = (r) => {
    setText(sub, `${r.appId} · ${since(r.createTime)}`);
    setText(members, `${num(r.memberCount)} in`);
    setText(streams, plural(num(r.streamCount), 'stream'));
  };
  return row;
}
