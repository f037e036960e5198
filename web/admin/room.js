// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// One room, live: its users, streams and subscriptions. Events say what is there; numbers are asked for only of what is shown.

import * as actions from './actions.js';
import { call, follow } from './api.js';
import { bits, button, cell, clock, count, el, num, setClass, setData, setText, show, since, sync, word } from './dom.js';
import { RoomModel } from './roommodel.js';
import { bus, each, problem, repeat, soon, state } from './state.js';
import { askEach, makePart, makeSubscriptions } from './subscriptions.js';

export function makeRoom(appId, roomId) {
  const ended = new AbortController();
  const { signal } = ended;
  const model = new RoomModel();
  const stats = new Map(); // answers of GetStreamStats, by stream
  const title = el('h1', { id: 'room-title', text: roomId, tabindex: '-1' });
  const about = el('p', { class: 'muted', role: 'status', text: 'Loading…' });
  const acts = el('div', { class: 'row' },
    button('Message…', 'message', () => actions.message(model.room)),
    button('Audio…', 'room-audio', () => actions.roomAudio(model.room)),
    button('Close room…', 'close-room', () => actions.closeRoom(model.room), { class: 'danger' }));
  const search = el('input', { type: 'search', placeholder: 'user, stream or session…', 'aria-label': 'Only what has this text in its user, stream or session', data: { filter: 'room-text' }, autocomplete: 'off', spellcheck: 'false' });
  const more = () => { draw(); ask().catch((error) => problem('room', error)); };
  const users = makePart({ name: 'users', label: 'Users', columns: ['User', 'Session', 'Grants', 'Joined', '#Weight', ''], keyOf: (m) => m.sessionId, makeRow: userRow, more });
  const streams = makePart({ name: 'streams', label: 'Streams', columns: ['Stream', 'Audio', 'Video', 'Layers', ''], keyOf: (s) => s.id, makeRow: streamRow, more });
  const subscriptions = makeSubscriptions({ more, signal });
  const metadata = el('dl', { class: 'facts' });
  const metadataPart = el('section', { class: 'panel', hidden: true }, el('h2', { text: 'Metadata' }), metadata);
  const body = el('div', { class: 'stack', hidden: true }, search, users.root, streams.root, subscriptions.root, metadataPart);
  const root = el('section', { class: 'stack', data: { app: appId, room: roomId, part: 'room' }, 'aria-labelledby': 'room-title' },
    el('a', { class: 'back', href: '#/rooms', text: '‹ All rooms' }),
    el('div', { class: 'head' }, el('div', {}, title, about), acts), body);
  acts.hidden = true;

  function draw() {
    const there = Boolean(model.room);
    show(body, there);
    show(acts, there && state.mutation);
    if (!there) {
      setText(about, model.end ? `The room is closed (${word(model.end.reason, 'END_REASON_')}${model.end.detail ? `: ${model.end.detail}` : ''}).` : 'There is no such room now. It opens when somebody joins it.');
      return;
    }
    setText(about, `${appId} · open for ${since(model.room.createTime)} · ${model.room.loudestAudio ? `${model.room.loudestAudio} loudest voices` : 'all voices'} forwarded`);
    const text = search.value.trim().toLowerCase();
    const has = (...fields) => !text || fields.some((f) => f?.toLowerCase().includes(text));
    const byUser = (a, b) => (a.user?.id ?? '').localeCompare(b.user?.id ?? '') || (a.streamId ?? '').localeCompare(b.streamId ?? '');
    users.draw([...model.members.values()].filter((m) => has(m.user?.id, m.user?.name, m.sessionId)).sort(byUser), text);
    streams.draw([...model.streams.values()].filter((s) => has(s.id, s.user?.id, s.user?.name, s.sessionId)).sort((a, b) => a.id.localeCompare(b.id)), text);
    subscriptions.draw([...model.subscriptions.values()].filter((s) => has(s.user?.id, s.user?.name, s.streamId, s.sessionId)).sort(byUser), text);
    show(metadataPart, model.metadata.size > 0);
    sync(metadata, [...model.metadata.values()], (d) => d.key, (d) => {
      const value = el('dd');
      const e = el('div', { data: { metadata: d.key } }, el('dt', { text: d.key }), value);
      e.refresh = (now) => setText(value, now.value ?? '');
      return e;
    });
  }

  function userRow(m) {
    const name = el('b');
    const id = el('span', { class: 'muted' });
    const session = el('a', { href: `#/sessions/${encodeURIComponent(m.sessionId)}`, text: 'session' });
    const chips = el('span', { class: 'chips' });
    const [joined, until] = [el('span'), el('span', { class: 'muted' })];
    const weight = cell('Weight', '', { class: 'num' });
    let now = m;
    const row = el('tr', { data: { user: m.user.id, session: m.sessionId } },
      cell('User', el('span', { class: 'two' }, name, id), { class: 'lead' }), cell('Session', session), cell('Grants', chips, { class: 'wide' }), cell('Joined', el('span', { class: 'two track' }, joined, until)), weight,
      cell('', state.mutation && el('span', { class: 'row end' },
        button('Grants…', 'grants', () => actions.grants(now), { 'aria-label': `Grants of ${m.user.id}` }),
        button('Kick…', 'kick', () => actions.kick(now), { class: 'danger', 'aria-label': `Kick ${m.user.id}` })), { class: 'acts' }));
    row.refresh = (member) => {
      now = member;
      setText(name, member.user.name || member.user.id);
      setText(id, member.user.id);
      const s = model.sessions.get(member.sessionId)?.state;
      setText(session, s ? word(s, 'SESSION_STATE_') : 'session');
      setClass(session, `state ${s === 'SESSION_STATE_CONNECTED' ? 'ok' : s === 'SESSION_STATE_DISCONNECTED' ? 'warn' : ''}`);
      row.dataset.state = s ? word(s, 'SESSION_STATE_') : '';
      sync(chips, ['publish', 'subscribe', 'message', 'manage'].filter((g) => member.grants?.[g]), (g) => g, (g) => el('span', { class: 'chip', text: g, data: { grant: g } }));
      setText(joined, clock(member.joinTime));
      setText(until, member.expireTime ? `until ${clock(member.expireTime)}` : '');
      setText(weight, String(member.weight ?? 1));
    };
    return row;
  }

  function streamRow(s) {
    const live = el('span', { class: 'dot' });
    const name = el('b', { text: s.id });
    const who = el('span', { class: 'muted' });
    const [audio, video] = [el('span', { class: 'two track' }), el('span', { class: 'two track' })].map((e) => { e.append(el('span'), el('span', { class: 'muted' })); return e; });
    const layers = el('ul', { class: 'layers' });
    let now = s;
    const [muteAudio, muteVideo] = ['audio', 'video'].map((kind) => button('', `mute-${kind}`, () => actions.mute(now, kind)));
    const frame = button('Keyframe…', 'keyframe', () => actions.keyframe(now), { 'aria-label': `Ask ${s.id} for a keyframe` });
    const row = el('tr', { data: { stream: s.id, publisher: s.user.id } }, cell('Stream', el('span', { class: 'two' }, el('span', {}, live, name), who), { class: 'lead' }),
      cell('Audio', audio), cell('Video', video), cell('Layers', layers, { class: 'wide' }), cell('', state.mutation && el('span', { class: 'row end fold' }, muteAudio, muteVideo, frame), { class: 'acts' }));
    row.refresh = (stream) => {
      now = stream;
      const known = stats.get(stream.id);
      const speaking = model.speakers.has(stream.id);
      setClass(live, `dot ${stream.state === 'STREAM_STATE_LIVE' ? 'ok' : 'off'}`);
      live.title = word(stream.state, 'STREAM_STATE_');
      row.dataset.state = word(stream.state, 'STREAM_STATE_');
      setText(who, `${stream.user?.name || stream.user?.id || ''}${speaking ? ' · speaks' : ''}`);
      drawTrack(audio, stream.audioMid, stream.audioCodec, stream.audioMuted, known?.audio);
      drawTrack(video, stream.videoMid, stream.videoCodec, stream.videoMuted, known?.video?.[0]);
      setData(row, { audioMuted: Boolean(stream.audioMuted), videoMuted: Boolean(stream.videoMuted) });
      drawLayers(layers, known, stream);
      for (const [b, kind] of [[muteAudio, 'audio'], [muteVideo, 'video']]) {
        show(b, Boolean(stream[`${kind}Mid`]));
        const muted = stream[`${kind}Muted`];
        setText(b, `${muted ? 'Unmute' : 'Mute'} ${kind}…`);
        b.setAttribute('aria-label', `${muted ? 'Unmute' : 'Mute'} ${kind} of ${stream.id}`);
      }
      show(frame, Boolean(stream.videoMid));
    };
    return row;
  }

  const changed = soon(80, draw);
  search.addEventListener('input', changed);
  const onEvent = ({ detail }) => {
    if (detail.sessionState) {
      model.session(detail.sessionState.session);
      changed();
    }
  };
  bus.addEventListener('event', onEvent);

  let asked = false;
  follow(state.node, { app: appId, room: roomId, snapshot: 'gap' }, {
    signal,
    onItem: (item) => {
      if (!model.take(item) || !model.known) return;
      changed();
      if (asked || !model.room) return;
      asked = true; // numbers at once, and not only at the next turn
      draw();
      ask().catch((error) => signal.aborted || problem('room', error));
    },
    onState: (now, error) => problem('room', error),
  });

  /** Gets the numbers of the rows that are shown, and the state of sessions that no event has told of. */
  async function ask() {
    const unknown = users.shown.filter((m) => !model.sessions.has(m.sessionId));
    await each(unknown, async (m) => {
      try {
        model.session((await call(state.node, 'SessionService/GetSession', { sessionId: m.sessionId }, signal)).session);
      } catch (error) {
        if (error.http !== 404) throw error;
      }
    });
    await askEach(stats, streams.shown, signal, 'StreamService/GetStreamStats', (s) => ({ appId, roomId, streamId: s.id }));
    await subscriptions.ask();
    changed();
  }
  repeat(2000, signal, 'room', async () => { if (model.room) await ask(); });

  return {
    root,
    model,
    close() {
      ended.abort();
      problem('room', null);
      bus.removeEventListener('event', onEvent);
    },
  };
}

function drawTrack(e, mid, codec, muted, stats) {
  const [head, tail] = e.children;
  setText(head, mid ? `${(codec ?? '').split('/')[1] ?? 'unknown'}${muted ? ', muted' : ''}` : '–');
  setClass(head, muted ? 'warn-text' : '');
  setText(tail, mid && stats ? `${bits(num(stats.bitrate))}${stats.fps ? `, ${count(Math.round(stats.fps))} fps` : ''}` : '');
}

/** Layers with numbers where they were asked for, else as events told them. */
function drawLayers(list, known, stream) {
  const asked = known?.video?.slice(1) ?? [];
  const layers = asked.length ? asked.map((l) => ({ ...l, spatial: l.spatialLayer })) : stream.layers ?? [];
  sync(list, layers, (l) => String(l.spatial ?? 0), (l) => {
    const size = el('span');
    const flag = el('span', { class: 'muted' });
    const dot = el('span', { class: 'dot' });
    const e = el('li', { data: { layer: l.spatial ?? 0 } }, dot, size, flag);
    e.refresh = (now) => {
      setClass(dot, `dot ${now.live ? (now.wanted ? 'ok' : 'plain') : 'off'}`);
      const height = num(now.height);
      setText(size, `${num(now.spatial)}${now.rid ? ` “${now.rid}”` : ''}${height ? ` ${num(now.width)}×${height}` : ''}`);
      setText(flag, ` ${now.live ? bits(num(now.bitrate)) : 'stopped'}${now.wanted ? '' : ', not wanted'}`);
      Object.assign(e.dataset, { live: String(Boolean(now.live)), wanted: String(Boolean(now.wanted)) });
    };
    return e;
  });
}
