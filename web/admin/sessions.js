// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// The list of sessions, and one of them in full beside it.

import * as actions from './actions.js';
import { call } from './api.js';
import { button, cell, clock, el, num, plural, setClass, setText, show, since, sync, table, word } from './dom.js';
import { drawFacts } from './overview.js';
import { firstOf, roomHash } from './rooms.js';
import { bus, problem, repeat, soon, state } from './state.js';
import { makeSubscriptions } from './subscriptions.js';

const step = 100;

const stateKind = (s) => ({ SESSION_STATE_CONNECTED: 'ok', SESSION_STATE_DISCONNECTED: 'warn', SESSION_STATE_CLOSED: 'off' })[s] ?? '';

export function makeSessions() {
  const field = (name, placeholder, label) => el('input', { type: 'search', placeholder, 'aria-label': label, data: { filter: name }, autocomplete: 'off', spellcheck: 'false' });
  const app = field('app', 'any app', 'Only sessions of this app');
  const user = field('user', 'user id', 'Only sessions of this user');
  const list = el('ul', { class: 'list', data: { list: 'sessions' } });
  const none = el('p', { class: 'empty', hidden: true });
  const total = el('span', { class: 'muted', role: 'status' });
  const more = button('More', 'more-sessions', () => { want += step; load(); }, { hidden: true });
  const detail = el('div', { class: 'detail' });
  const placeholder = el('p', { class: 'empty', text: 'Choose a session to see its rooms and what its lines carry.' });
  const root = el('section', { class: 'view split', data: { view: 'sessions' }, 'aria-labelledby': 'sessions-title' },
    el('div', { class: 'master panel' },
      el('div', { class: 'head' }, el('h1', { id: 'sessions-title', text: 'Sessions' }), total), el('div', { class: 'filters' }, app, user), none, list, more),
    detail);
  let want = step;
  let opened = null;
  let key = '';
  let round = 0;

  async function load() {
    const mine = ++round;
    const filter = { ...(app.value.trim() && { appId: app.value.trim() }), ...(user.value.trim() && { userId: user.value.trim() }) };
    try {
      const { all, more: further } = await firstOf(state.node, 'SessionService/ListSessions', 'sessions', { filter }, want);
      if (mine !== round) return;
      sync(list, all, (s) => s.id, makeRow);
      mark();
      show(more, further);
      show(none, all.length === 0);
      setText(none, app.value || user.value ? 'No session is like that.' : 'Nobody is connected.');
      setText(total, further ? `first ${all.length}` : String(all.length));
      problem('sessions', null);
    } catch (error) {
      problem('sessions', error);
    }
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
  user.addEventListener('input', filtered);
  bus.addEventListener('event', changed);
  bus.addEventListener('node', () => { list.replaceChildren(); changed(); });

  return {
    root,
    open([id]) {
      const next = id ?? '';
      if (key !== next || !opened) {
        opened?.close();
        key = next;
        opened = next ? makeSession(next) : null;
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

function makeRow(s) {
  const name = el('span', { class: 'name', text: s.user?.name || s.user?.id });
  const sub = el('span', { class: 'muted' });
  const chip = el('span', { class: 'state' });
  const row = el('li', { data: { session: s.id, user: s.user?.id, app: s.appId } }, el('a', { href: `#/sessions/${encodeURIComponent(s.id)}` }, el('span', { class: 'grow' }, name, sub), chip));
  row.refresh = (now) => {
    setText(sub, `${now.appId} · ${now.user?.id} · ${plural((now.roomIds ?? []).length, 'room')} · ${since(now.createTime)}`);
    setText(chip, word(now.state, 'SESSION_STATE_'));
    setClass(chip, `state ${stateKind(now.state)}`);
    row.dataset.state = word(now.state, 'SESSION_STATE_');
  };
  return row;
}

function makeSession(id) {
  const ended = new AbortController();
  const { signal } = ended;
  let session = null;
  const title = el('h1', { id: 'session-title', text: '…' });
  const about = el('p', { class: 'muted', role: 'status', text: 'Loading…' });
  const close = button('Close session…', 'close-session', () => actions.closeSession(session), { class: 'danger', hidden: true });
  const facts = el('dl', { class: 'facts' });
  const rooms = el('ul', { class: 'chips', 'aria-label': 'Rooms' });
  const lines = el('tbody');
  const noLines = el('p', { class: 'empty', text: 'It has not negotiated yet.' });
  const grid = table('Lines', ['Mid', 'Kind', 'Direction', 'Carries'], lines);
  let gets = [];
  const subscriptions = makeSubscriptions({ more: () => subscriptions.draw(gets), signal, withRoom: true });
  const body = el('div', { class: 'stack', hidden: true },
    el('section', { class: 'panel' }, facts),
    el('section', { class: 'panel' }, el('h2', { text: 'Rooms' }), rooms),
    subscriptions.root,
    el('section', { class: 'panel' }, el('h2', { text: 'Lines' }), noLines, grid));
  const root = el('section', { class: 'stack', data: { part: 'session', session: id }, 'aria-labelledby': 'session-title' },
    el('a', { class: 'back', href: '#/sessions', text: '‹ All sessions' }), el('div', { class: 'head' }, el('div', {}, title, about), el('div', { class: 'row' }, close)), body);

  async function load() {
    try {
      ({ session } = await call(state.node, 'SessionService/GetSession', { sessionId: id }, signal));
      gets = (await firstOf(state.node, 'SubscriptionService/ListSubscriptions', 'subscriptions', { sessionId: id }, 1000)).all;
      draw();
      await subscriptions.ask();
    } catch (error) {
      if (error.http !== 404) throw error;
      session = null;
    }
    draw();
  }

  function draw() {
    show(body, Boolean(session));
    show(close, Boolean(session) && state.mutation);
    if (!session) {
      setText(title, id);
      setText(about, 'There is no such session any more.');
      return;
    }
    setText(title, session.user?.name || session.user?.id);
    setText(about, `${session.appId} · ${word(session.state, 'SESSION_STATE_')} · since ${clock(session.createTime)} (${since(session.createTime)})`);
    root.dataset.state = word(session.state, 'SESSION_STATE_');
    drawFacts(facts, [['User', session.user?.id], ['Session', session.id], ['Room mode', word(session.roomMode, 'ROOM_MODE_')], ['Epoch', String(session.epoch)], ['SRTP', session.srtpProfile],
      ['Data channel', session.dataChannel ? 'open' : 'none'], ['Offers', String(session.offerId ?? 0)], ['Labels', Object.entries(session.labels ?? {}).map(([k, v]) => `${k}=${v}`).join(', ')]]);
    sync(rooms, session.roomIds ?? [], (r) => r, (r) => el('li', {}, el('a', { class: 'chip', href: roomHash(session.appId, r), text: r })));
    subscriptions.draw(gets);
    show(noLines, !session.media?.length);
    show(grid, Boolean(session.media?.length));
    sync(lines, session.media ?? [], (l) => l.mid, lineRow);
  }

  repeat(2000, signal, 'session', load);
  return {
    root,
    close() {
      ended.abort();
      problem('session', null);
    },
  };
}

function lineRow(line) {
  const [kind, direction, carries] = ['Kind', 'Direction', 'Carries'].map((c) => cell(c));
  const row = el('tr', { data: { mid: line.mid } }, cell('Mid', line.mid, { class: 'lead' }), kind, direction, carries);
  row.refresh = (l) => {
    setText(kind, word(l.kind, 'MEDIA_KIND_'));
    const up = l.direction === 'MEDIA_DIRECTION_UP';
    setText(direction, up ? `sends${l.live ? '' : ', nothing arrives'}` : l.direction === 'MEDIA_DIRECTION_DOWN' ? 'receives' : 'inactive');
    const what = up ? (l.streams ?? []).map((s) => `${s.streamId} in ${s.roomId}`) : l.streamId ? [`${l.streamId} of ${l.roomId}`] : [];
    setText(carries, what.join(', ') || (l.direction === 'MEDIA_DIRECTION_DOWN' ? 'idle' : '–'));
    setClass(carries, what.length ? '' : 'muted');
    row.dataset.streams = String(num(what.length));
  };
  return row;
}
