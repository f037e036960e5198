// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Tables that show the first rows of what there is, and the one of subscriptions, which rooms and sessions both have.

import { call } from './api.js';
import { bits, button, cell, el, milliseconds, num, percent, seconds, setClass, setText, show, sync, table, word } from './dom.js';
import { each, state } from './state.js';

const step = 25; // rows, and how many more at a time

/** A part of a view: a heading, how many there are, and a table of the first. more() is called after the user asked for more. */
export function makePart({ name, label, columns, keyOf, makeRow, more }) {
  const rows = el('tbody');
  const number = el('span', { class: 'muted' });
  const none = el('p', { class: 'empty' });
  const next = button('More', `more-${name}`, () => { want += step; more(); }, { hidden: true, 'aria-label': `More ${name}` });
  const grid = table(label, columns, rows, true);
  let want = step;
  const part = {
    root: el('section', { class: 'panel', data: { part: name }, 'aria-label': label }, el('div', { class: 'head' }, el('h2', { text: label }), number), none, grid, next),
    shown: [], // items that have a row
    draw(items, filtered) {
      part.shown = items.slice(0, want);
      sync(rows, part.shown, keyOf, makeRow);
      setText(number, items.length > want ? `${want} of ${items.length}` : String(items.length));
      show(next, items.length > want);
      show(grid, items.length > 0);
      show(none, items.length === 0);
      setText(none, filtered ? 'Nothing has this text in it.' : `No ${name}.`);
    },
  };
  return part;
}

/** The part of subscriptions. Its ask() gets the numbers of what is shown. withRoom: say which room a stream is of. */
export function makeSubscriptions({ more, signal, withRoom = false }) {
  const stats = new Map(); // answers of GetSubscriptionStats, by id
  const part = makePart({
    name: 'subscriptions', label: 'Subscriptions', columns: [withRoom ? 'Gets' : 'Who gets what', 'State', 'Layer', 'Limited by', '#Rate', '#Loss', 'Link'], keyOf: (s) => s.id, makeRow, more,
  });

  function makeRow(s) {
    const head = el('b');
    const sub = el('span', { class: 'muted' });
    const stateChip = el('span', { class: 'state' });
    const layer = cell('Layer');
    const limit = el('span', { class: 'state' });
    const [rate, loss] = ['Rate', 'Loss'].map((c) => cell(c, '–', { class: 'num' }));
    const link = cell('Link', '–', { class: 'wide' });
    const row = el('tr', { data: { subscription: s.id } }, cell('Who gets what', el('span', { class: 'two' }, head, sub), { class: 'lead' }), cell('State', stateChip), layer, cell('Limited by', limit), rate, loss, link);
    row.refresh = (now) => {
      const known = stats.get(now.id);
      Object.assign(row.dataset, { user: now.user?.id ?? '', of: now.streamId, state: word(now.state, 'SUBSCRIPTION_STATE_') });
      const kinds = now.audio && now.video ? '' : now.audio ? ', audio only' : ', video only';
      setText(head, withRoom ? now.streamId : now.user?.name || now.user?.id || now.sessionId);
      setText(sub, withRoom ? `of ${now.roomId}${kinds}` : `← ${now.streamId}${kinds}`);
      const [text, kind] = subscriptionState(now);
      setText(stateChip, text);
      setClass(stateChip, `state ${kind}`);
      setText(layer, layerText(now));
      drawLimit(limit, now, known);
      row.dataset.limit = limit.textContent;
      if (!known) return;
      setText(rate, bits(num(known.audio?.bitrate) + num(known.video?.bitrate)));
      setText(loss, known.lossShare === undefined ? '–' : percent(known.lossShare));
      setText(link, linkText(known));
    };
    return row;
  }

  part.ask = () => askEach(stats, part.shown, signal, 'SubscriptionService/GetSubscriptionStats', (s) => ({ subscriptionId: s.id }));
  return part;
}

/** Asks for the numbers of each item, and keeps the answers by id; those of what is not shown any more are forgotten. */
export async function askEach(answers, items, signal, method, bodyOf) {
  await each(items, async (item) => {
    try {
      answers.set(item.id, withLoss((await call(state.node, method, bodyOf(item), signal)).stats, answers.get(item.id)));
    } catch (error) {
      if (error.http !== 404) throw error; // it went away meanwhile
      answers.delete(item.id);
    }
  });
  const shown = new Set(items.map((i) => i.id));
  for (const id of answers.keys()) if (!shown.has(id)) answers.delete(id);
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

/** Adds the share of packets lost between two answers; of the first, over all. */
function withLoss(now, before) {
  const lost = (s) => num(s?.audio?.lost) + num(s?.video?.lost);
  const packets = (s) => num(s?.audio?.packets) + num(s?.video?.packets);
  const sent = packets(now) - packets(before);
  if (sent > 0) now.lossShare = Math.min(1, Math.max(0, lost(now) - lost(before)) / sent);
  else now.lossShare = before?.lossShare;
  return now;
}
