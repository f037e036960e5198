// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// One room, live: its users, streams and subscriptions. Events say what is there; numbers are asked for only of what is shown.

import * as actions from './actions.js';
import { call, follow } from './api.js';
import { bits, button, cell, clock, count, el, milliseconds, num, percent, seconds, setClass, setData, setText, show, since, sync, table, word } from './dom.js';
import { RoomModel } from './roommodel.js';
import { bus, each, repeat, soon, state, tell } from './state.js';

const step = 25; // rows of each part, and how many more at a time

export function makeRoom(appId, roomId) {
  const ended = new AbortController();
  const { signal } = ended;
  const model = new RoomModel();
  const stats = { streams: new Map(), subscriptions: new Map() }; // answers, by id
  const title = el('h1', { id: 'room-title', text: roomId, tabindex: '-1' });
  const about = el('p', { class: 'muted', role: 'status', text: 'Loading…' });
  const acts = el('div', { class: 'row' },
    button('Message…', 'message', () => actions.message(model.room)),
    button('Audio…', 'room-audio', () => actions.roomAudio(model.room)),
    button('Close room…', 'close-room', () => actions.closeRoom(model.room), { class: 'danger' }));
  const search = el('input', { type: 'search', placeholder: 'user, stream or session…', 'aria-label': 'Only what has this text in its user, stream or session', data: { filter: 'room-text' }, autocomplete: 'off', spellcheck: 'false' });
  const parts = [
    makePart('users', 'Users', ['User', 'Session', 'Grants', 'Joined', '#Weight', ''], (m) => m.sessionId, userRow),
    makePart('streams', 'Streams', ['Stream', 'Audio', 'Video', 'Layers', ''], (s) => s.id, streamRow),
    makePart('subscriptions', 'Subscriptions', ['Who gets what', 'State', 'Layer', 'Limited by', '#Rate', '#Loss', 'Link'], (s) => s.id, subscriptionRow),
  ];
  const [users, streams, subscriptions] = parts;
  const metadata = el('dl', { class: 'facts' });
  const metadataPart = el('section', { class: 'panel', hidden: true }, el('h2', { text: 'Metadata' }), metadata);
  const body = el('div', { class: 'stack', hidden: true }, search, ...parts.map((p) => p.root), metadataPart);
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
    users.draw([...model.members.values()].filter((m) => has(m.user?.id, m.user?.name, m.sessionId)).sort(byUser));
    streams.draw([...model.streams.values()].filter((s) => has(s.id, s.user?.id, s.user?.name, s.sessionId)).sort((a, b) => a.id.localeCompare(b.id)));
    subscriptions.draw([...model.subscriptions.values()].filter((s) => has(s.user?.id, s.user?.name, s.streamId, s.sessionId)).sort(byUser));
    show(metadataPart, model.metadata.size > 0);
    sync(metadata, [...model.metadata.values()], (d) => d.key, (d) => {
      const value = el('dd');
      const e = el('div', { data: { metadata: d.key } }, el('dt', { text: d.key }), value);
      e.refresh = (now) => setText(value, now.value ?? '');
      return e;
    });
  }

  function makePart(name, label, columns, keyOf, makeRow) {
    const rows = el('tbody');
    const number = el('span', { class: 'muted' });
    const none = el('p', { class: 'empty' });
    let want = step;
    const more = button('More', `more-${name}`, () => { want += step; draw(); ask(); }, { hidden: true });
    const grid = table(label, columns, rows);
    const part = {
      root: el('section', { class: 'panel', data: { part: name }, 'aria-label': label }, el('div', { class: 'head' }, el('h2', { text: label }), number), none, grid, more),
      shown: [],
      draw(items) {
        part.shown = items.slice(0, want);
        sync(rows, part.shown, keyOf, makeRow);
        setText(number, items.length > want ? `${want} of ${items.length}` : String(items.length));
        show(more, items.length > want);
        show(grid, items.length > 0);
        show(none, items.length === 0);
        setText(none, search.value ? 'Nothing has this text in it.' : `No ${name}.`);
      },
    };
    return part;
  }

  function userRow(m) {
    const name = el('b');
    const id = el('span', { class: 'muted' });
    const session = el('a', { href: `#/sessions/${encodeURIComponent(m.sessionId)}`, text: 'session' });
    const chips = el('span', { class: 'chips' });
    const joined = cell('Joined');
    const weight = cell('Weight', '', { class: 'num' });
    let now = m;
    const row = el('tr', { data: { user: m.user.id, session: m.sessionId } },
      cell('User', el('span', { class: 'two' }, name, id), { class: 'lead' }), cell('Session', session), cell('Grants', chips), joined, weight,
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
      setText(joined, `${clock(member.joinTime)}${member.expireTime ? `, until ${clock(member.expireTime)}` : ''}`);
      setText(weight, String(member.weight ?? 1));
    };
    return row;
  }

  function streamRow(s) {
    const live = el('span', { class: 'dot' });
    const name = el('b', { text: s.id });
    const who = el('span', { class: 'muted' });
    const [audio, video] = [el('span', { class: 'two' }), el('span', { class: 'two' })].map((e) => { e.append(el('span'), el('span', { class: 'muted' })); return e; });
    const layers = el('ul', { class: 'layers' });
    let now = s;
    const [muteAudio, muteVideo] = ['audio', 'video'].map((kind) => button('', `mute-${kind}`, () => actions.mute(now, kind)));
    const frame = button('Keyframe…', 'keyframe', () => actions.keyframe(now), { 'aria-label': `Ask ${s.id} for a keyframe` });
    const row = el('tr', { data: { stream: s.id, publisher: s.user.id } }, cell('Stream', el('span', { class: 'two' }, el('span', {}, live, name), who), { class: 'lead' }),
      cell('Audio', audio), cell('Video', video), cell('Layers', layers), cell('', state.mutation && el('span', { class: 'row end' }, muteAudio, muteVideo, frame), { class: 'acts' }));
    row.refresh = (stream) => {
      now = stream;
      const known = stats.streams.get(stream.id);
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

  function subscriptionRow(s) {
    const who = el('b');
    const what = el('span', { class: 'muted' });
    const stateChip = el('span', { class: 'state' });
    const layer = cell('Layer');
    const limit = el('span', { class: 'state' });
    const [rate, loss] = ['Rate', 'Loss'].map((c) => cell(c, '–', { class: 'num' }));
    const link = cell('Link', '–');
    const row = el('tr', { data: { subscription: s.id } }, cell('Who gets what', el('span', { class: 'two' }, who, what), { class: 'lead' }), cell('State', stateChip), layer, cell('Limited by', limit), rate, loss, link);
    row.refresh = (sub) => {
      const known = stats.subscriptions.get(sub.id);
      Object.assign(row.dataset, { user: sub.user?.id ?? '', of: sub.streamId, state: word(sub.state, 'SUBSCRIPTION_STATE_') });
      setText(who, sub.user?.name || sub.user?.id || sub.sessionId);
      setText(what, `← ${sub.streamId}${sub.audio && sub.video ? '' : sub.audio ? ', audio only' : ', video only'}`);
      const [text, kind] = subscriptionState(sub);
      setText(stateChip, text);
      setClass(stateChip, `state ${kind}`);
      setText(layer, layerText(sub));
      drawLimit(limit, sub, known);
      row.dataset.limit = limit.textContent;
      if (!known) return;
      setText(rate, bits(num(known.audio?.bitrate) + num(known.video?.bitrate)));
      setText(loss, known.lossShare === undefined ? '–' : percent(known.lossShare));
      setText(link, linkText(known));
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

  follow(state.node, { app: appId, room: roomId, snapshot: 'gap' }, {
    signal,
    onItem: (item) => model.take(item) && model.known && changed(),
    onState: (now, error) => { if (error) tell('problem', error); },
  });

  async function ask() {
    const read = async (map, id, method, body) => {
      try {
        map.set(id, withLoss((await call(state.node, method, body, signal)).stats, map.get(id)));
      } catch (error) {
        if (error.http !== 404) throw error; // it went away meanwhile
        map.delete(id);
      }
    };
    await each(streams.shown, (s) => read(stats.streams, s.id, 'StreamService/GetStreamStats', { appId, roomId, streamId: s.id }));
    await each(subscriptions.shown, (s) => read(stats.subscriptions, s.id, 'SubscriptionService/GetSubscriptionStats', { subscriptionId: s.id }));
    for (const [map, part] of [[stats.streams, streams], [stats.subscriptions, subscriptions]]) {
      const shown = new Set(part.shown.map((x) => x.id));
      for (const id of map.keys()) if (!shown.has(id)) map.delete(id);
    }
    changed();
  }
  repeat(2000, signal, () => (model.room ? ask() : Promise.resolve()));

  return {
    root,
    model,
    close() {
      ended.abort();
      bus.removeEventListener('event', onEvent);
    },
  };
}

/** Adds the share of packets lost between two answers; of the first, over all. */
function withLoss(now, before) {
  const lost = (s) => num(s?.audio?.lost) + num(s?.video?.lost);
  const packets = (s) => num(s?.audio?.packets) + num(s?.video?.packets);
  const sent = packets(now) - packets(before);
  if (sent > 0) now.lossShare = Math.min(1, Math.max(0, lost(now) - lost(before)) / sent);
  else now.lossShare = before?.lossShare;
  return now;
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

function subscriptionState(sub) {
  if (sub.paused) return ['paused', 'off'];
  switch (sub.state) {
    case 'SUBSCRIPTION_STATE_ACTIVE': return ['active', 'ok'];
    case 'SUBSCRIPTION_STATE_PAUSED_BY_BANDWIDTH': return ['paused by bandwidth', 'bad'];
    case 'SUBSCRIPTION_STATE_NEEDS_NEGOTIATION': return ['needs negotiation', 'warn'];
    default: return [word(sub.state, 'SUBSCRIPTION_STATE_'), ''];
  }
}

function layerText(sub) {
  if (!sub.video) return '–';
  if (sub.spatialLayer === undefined) return sub.targetSpatialLayer === undefined ? 'none' : `none → ${sub.targetSpatialLayer}`;
  const now = `${sub.spatialLayer}${sub.temporalLayer === undefined ? '' : `/${sub.temporalLayer}`}`;
  return sub.targetSpatialLayer === undefined || sub.targetSpatialLayer === sub.spatialLayer ? now : `${now} → ${sub.targetSpatialLayer}`;
}

const limitKinds = { none: 'ok', bandwidth: 'bad', paused: 'off' };

function drawLimit(e, sub, known) {
  const limit = sub.video ? word(known?.limit, 'LAYER_LIMIT_') || '–' : '–';
  setText(e, limit === 'none' ? 'nothing' : limit);
  setClass(e, limit === '–' ? 'muted' : `state ${limitKinds[limit] ?? ''}`);
}

function linkText({ link }) {
  if (!link) return 'no connection';
  const parts = [link.controlled ? bits(num(link.targetBitrate)) : 'no estimate'];
  if (link.rtt) parts.push(milliseconds(link.rtt));
  if (seconds(link.queue) >= 0.001) parts.push(`queue ${milliseconds(link.queue)}`);
  if (link.loss >= 0.001) parts.push(`loss ${percent(link.loss)}`);
  return parts.join(' · ');
}
