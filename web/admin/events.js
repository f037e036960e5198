// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// The tail of the node's events, as they come. The node filters; what was told meanwhile is not asked for again.

import { follow } from './api.js';
import { button, clock, el, num, setText, show, word } from './dom.js';
import { roomHash } from './rooms.js';
import { bus, problem, soon, state } from './state.js';

const kept = 300;
const back = 200; // how many revisions before now the tail begins

const kinds = ['session_state', 'negotiation_needed', 'room_opened', 'room_closed', 'member_joined', 'member_left', 'member_kicked', 'member_expiring', 'member_updated', 'stream_added', 'stream_removed', 'stream_changed',
  'stream_muted', 'publisher_layers', 'subscription_state', 'layers', 'active_speakers', 'message', 'room_metadata', 'room_audio', 'limits', 'node_state'];

/** What is watched at first: layers and speakers of a busy node come by the hundred. */
const groups = [
  ['Rooms and users', kinds.filter((k) => /^(session|room|member|limits|node)/.test(k))],
  ['All but layers and speakers', kinds.filter((k) => !['layers', 'publisher_layers', 'active_speakers'].includes(k))],
  ['Everything', []],
];

const camel = (name) => name.replace(/_(.)/g, (_, c) => c.toUpperCase());
const byCamel = new Map(kinds.map((k) => [camel(k), k]));

/** Says what happened in a few words. */
function tellEvent(kind, p) {
  const because = (e) => [e.reason && word(e.reason, 'END_REASON_'), e.detail && `“${e.detail}”`].filter(Boolean).join(', ');
  const with_ = (text, more) => (more ? `${text} (${more})` : text);
  switch (kind) {
    case 'session_state': return with_(`${p.session.user?.id} is ${word(p.session.state, 'SESSION_STATE_')}`, because(p));
    case 'negotiation_needed': return `lacks ${p.audio ?? 0} audio and ${p.video ?? 0} video lines`;
    case 'member_joined': return `${p.member.user?.id} joined`;
    case 'member_left': return with_(`${p.member.user?.id} left`, because(p));
    case 'member_kicked': return with_(`${p.member.user?.id} is kicked`, because({ detail: p.detail }));
    case 'member_expiring': return `${p.member.user?.id} may stay until ${clock(p.member.expireTime)}`;
    case 'member_updated': return `${p.member.user?.id} changed`;
    case 'stream_added': return `${p.stream.user?.id} publishes ${p.stream.id}`;
    case 'stream_removed': return with_(`${p.stream.id} is gone`, because(p));
    case 'stream_changed': return `${p.stream.id} is ${word(p.stream.state, 'STREAM_STATE_')}`;
    case 'stream_muted': return `${p.stream.id}: audio ${p.stream.audioMuted ? 'muted' : 'on'}, video ${p.stream.videoMuted ? 'muted' : 'on'}`;
    case 'publisher_layers': return `${p.streamId} sends ${(p.layers ?? []).filter((l) => l.live).length} of ${(p.layers ?? []).length} layers`;
    case 'subscription_state': return with_(`${p.subscription.user?.id} ← ${p.subscription.streamId}: ${word(p.subscription.state, 'SUBSCRIPTION_STATE_')}`, because(p));
    case 'layers': return `${p.streamId}: ${p.noLayer ? 'no layer' : `layer ${p.spatial ?? 0}/${p.temporal ?? 0}`}${p.noTarget ? '' : `, aims at ${p.targetSpatial ?? 0}`}`;
    case 'active_speakers': return p.speakers?.length ? `${p.speakers.map((s) => s.userId).join(', ')}` : 'silence';
    case 'message': return `${p.from?.id}: ${word(p.kind, 'MESSAGE_KIND_')}, ${Math.floor(((p.payload ?? '').replace(/=+$/, '').length * 3) / 4)} bytes`;
    case 'room_metadata': return `${p.metadata?.key} ${p.removed ? 'removed' : 'set'}`;
    case 'room_audio': return p.loudestAudio ? `${p.loudestAudio} loudest voices` : 'all voices';
    case 'room_closed': return because(p);
    case 'limits': return `limits of ${p.appId}`;
    case 'node_state': return p.draining ? 'draining' : 'not draining';
    default: return '';
  }
}

export function makeEvents() {
  const kind = el('select', { 'aria-label': 'Kinds of events', data: { filter: 'kinds' } }, ...groups.map(([name], i) => el('option', { value: `g${i}`, text: name })),
    el('optgroup', { label: 'One kind' }, ...kinds.map((k) => el('option', { value: k, text: k.replaceAll('_', ' ') }))));
  const field = (name, placeholder) => el('input', { type: 'search', placeholder, 'aria-label': `Only ${placeholder}`, data: { filter: name }, autocomplete: 'off', spellcheck: 'false' });
  const [app, room, session] = [field('app', 'app'), field('room', 'room'), field('session', 'session')];
  const pauseButton = button('Pause', 'pause-events', () => setPaused(!paused), { 'aria-pressed': 'false' });
  const status = el('span', { class: 'muted', role: 'status' });
  const list = el('ol', { class: 'events', reversed: true, 'aria-label': 'Events, newest first', data: { list: 'events' } });
  const none = el('p', { class: 'empty', text: 'Nothing like that has happened lately.' });
  const root = el('section', { class: 'view', data: { view: 'events' }, 'aria-labelledby': 'events-title' },
    el('div', { class: 'head' }, el('h1', { id: 'events-title', text: 'Events' }), status),
    el('div', { class: 'filters wide' }, kind, app, room, session, pauseButton, button('Clear', 'clear-events', () => { list.replaceChildren(); waiting = []; missed = 0; draw(); })),
    el('div', { class: 'panel' }, none, list));
  let paused = false;
  let waiting = []; // not drawn yet, oldest first
  let missed = 0; // of waiting, that were thrown away
  let watching = null;

  function setPaused(on) {
    paused = on;
    setText(pauseButton, on ? 'Go on' : 'Pause');
    pauseButton.setAttribute('aria-pressed', String(on));
    draw();
  }

  function draw() {
    if (!paused) {
      for (const item of waiting) list.prepend(makeRow(item));
      while (list.children.length > kept) list.lastElementChild.remove();
      waiting = [];
      missed = 0;
    }
    show(none, list.children.length === 0);
    setText(status, paused ? `paused, ${waiting.length + missed} more came` : list.children.length >= kept ? `the last ${kept}` : '');
  }
  const changed = soon(100, draw);

  function watch() {
    watching?.abort();
    watching = new AbortController();
    const chosen = kind.value.startsWith('g') ? groups[Number(kind.value.slice(1))][1] : [kind.value];
    const query = { snapshot: 'none', ...(chosen.length && { kinds: chosen.join(',') }) };
    const revision = state.revision || num(state.info?.revision);
    if (state.info) query.after = `${state.info.epoch}:${Math.max(0, revision - back)}`;
    list.replaceChildren();
    waiting = [];
    missed = 0;
    draw();
    let first = true;
    for (const [name, input] of [['app', app], ['room', room], ['session', session]]) if (input.value.trim()) query[name] = input.value.trim();
    follow(state.node, query, {
      signal: watching.signal,
      onItem: (item) => {
        const known = first && item.resync; // so far back the node does not remember: nothing that was shown is missing
        first = false;
        if (known || (!item.event && !item.resync)) return;
        waiting.push(item);
        if (waiting.length > kept) {
          waiting.shift();
          missed++;
        }
        changed();
      },
      onState: (now, error) => problem('tail', error),
    });
  }

  const again = soon(300, () => root.hidden || watch());
  kind.addEventListener('change', again);
  for (const input of [app, room, session]) input.addEventListener('input', again);
  bus.addEventListener('node', again);

  return {
    root,
    open: () => watch(),
    close() {
      watching?.abort();
      problem('tail', null);
    },
  };
}

function makeRow({ event, resync }) {
  if (resync) return el('li', { class: 'gap', data: { event: 'resync' }, text: `Events are missing here (${word(resync.reason, 'RESYNC_REASON_')}).` });
  const name = Object.keys(event).find((k) => byCamel.has(k)) ?? '';
  const kind = byCamel.get(name) ?? 'unknown';
  const pre = el('pre');
  const where = event.roomId ? el('a', { href: roomHash(event.appId, event.roomId), text: event.roomId }) : el('span', { text: event.appId ?? '' });
  return el('li', { data: { event: kind, room: event.roomId, revision: event.revision } },
    el('details', { on: { toggle: (e) => { if (e.target.open && !pre.textContent) pre.textContent = JSON.stringify(event, null, 1); } } },
      el('summary', {}, el('time', { datetime: event.time, text: clock(event.time) }), el('b', { text: kind.replaceAll('_', ' ') }), el('span', { class: 'where' }, where), el('span', { class: 'what', text: tellEvent(kind, event[name] ?? {}) })),
      pre));
}
