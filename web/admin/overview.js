// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// The first view: what the node is and how busy.

import * as actions from './actions.js';
import { bar, bits, button, bytes, cell, clock, count, el, num, percent, plural, setText, show, since, sparkline, sync, table } from './dom.js';
import { bus, state } from './state.js';

/** What is told in big numbers. history names the chart's values, of "Rate" per second. */
const tiles = [
  { stat: 'cpu', label: 'CPU', history: 'cpuRate', value: () => percent(state.rates.cpu ?? 0), note: () => 'of one core' },
  { stat: 'memory', label: 'Memory', history: 'rss', value: () => bytes(num(state.load.rss)), note: () => `${bytes(num(state.load.heap))} on the heap` },
  { stat: 'bits-in', label: 'In', history: 'bytesInRate', value: () => bits((state.rates.bytesIn ?? 0) * 8), note: () => `${count(state.rates.packetsIn ?? 0)} packets/s` },
  { stat: 'bits-out', label: 'Out', history: 'bytesOutRate', value: () => bits((state.rates.bytesOut ?? 0) * 8), note: () => `${count(state.rates.packetsOut ?? 0)} packets/s` },
  { stat: 'sessions', label: 'Sessions', history: 'sessions', value: () => count(num(state.load.sessions)), note: () => plural(num(state.load.members), 'membership') },
  { stat: 'rooms', label: 'Rooms', history: 'rooms', value: () => count(num(state.load.rooms)), note: () => `${num(state.load.watchers)} watching events` },
  { stat: 'streams', label: 'Streams', history: 'streams', value: () => count(num(state.load.streams)), note: () => `${count(state.rates.plisOut ?? 0)} keyframe requests/s` },
  { stat: 'subscriptions', label: 'Subscriptions', history: 'subscriptions', value: () => count(num(state.load.subscriptions)), note: () => `${count(state.rates.retransmits ?? 0)} retransmissions/s` },
];

function makeTile(t) {
  const value = el('span', { class: 'value', text: '–' });
  const note = el('span', { class: 'note', text: ' ' });
  const chart = sparkline(`${t.label} over the last 3 minutes`);
  const tile = el('div', { class: 'tile', role: 'group', 'aria-label': t.label, data: { stat: t.stat } }, el('span', { class: 'label', text: t.label }), value, note, chart);
  tile.refresh = () => {
    setText(value, t.value());
    setText(note, t.note());
    chart.draw(state.history[t.history] ?? []);
  };
  return tile;
}

const limits = [['none', 'highest layer', 'ok'], ['publisher', 'publisher sends no more', 'plain'], ['preference', 'own preference', 'soft'], ['bandwidth', 'link', 'warn'], ['paused', 'paused', 'off']];

export function makeOverview() {
  const facts = el('dl', { class: 'facts' });
  const addresses = el('ul', { class: 'chips', 'aria-label': 'Addresses' });
  const draining = el('p', { class: 'banner warn', hidden: true, data: { part: 'draining' } });
  const drain = button('Drain…', 'drain', () => actions.drain(), { class: 'danger' });
  const undrain = button('End draining…', 'undrain', () => actions.undrain(), { hidden: true });
  const grid = el('div', { class: 'tiles' }, ...tiles.map(makeTile));
  const drops = el('tbody');
  const noDrops = el('p', { class: 'hint', text: 'Nothing has been dropped.' });
  const shards = el('tbody');
  const mix = bar('Video slots by what limits their layer');
  const mixWords = el('ul', { class: 'legend' });
  const links = el('dl', { class: 'facts' });
  const root = el('section', { class: 'view', data: { view: 'overview' }, 'aria-labelledby': 'overview-title' },
    el('div', { class: 'head' }, el('h1', { id: 'overview-title', text: 'Node' }), el('div', { class: 'row' }, drain, undrain)),
    draining,
    el('div', { class: 'panel node' }, facts, addresses),
    grid,
    el('div', { class: 'columns' },
      el('section', { class: 'panel', 'aria-labelledby': 'drops-title' },
        el('h2', { id: 'drops-title', text: 'Packets not forwarded' }),
        el('p', { class: 'hint', text: 'Layers and pauses are left out on purpose; the rest is worth a look when its rate stays up.' }),
        noDrops, table('Packets not forwarded, by reason', ['Reason', '#Per second', '#Total'], drops)),
      el('div', { class: 'stack' },
        el('section', { class: 'panel', 'aria-labelledby': 'links-title' },
          el('h2', { id: 'links-title', text: 'Video and links' }), mix, mixWords, links),
        el('section', { class: 'panel', 'aria-labelledby': 'shards-title' },
          el('h2', { id: 'shards-title', text: 'Egress workers' }),
          table('Egress workers', ['Shard', 'Queue', '#Packets/s', '#Sinks', '#Drops'], shards)))));

  function drawInfo() {
    const n = state.info;
    if (!n) return;
    setText(root.querySelector('h1'), n.id || 'Node');
    const pairs = [['Version', [n.version, n.buildRevision && `(${n.buildRevision.slice(0, 12)})`].filter(Boolean).join(' ')], ['Up', since(n.startTime)],
      ['Event revision', String(n.revision ?? 0)], ['Codecs', (n.capabilities ?? []).filter((c) => c.startsWith('codec:')).map((c) => c.split('/')[1]).join(', ')],
      ['Can', (n.capabilities ?? []).filter((c) => !c.startsWith('codec:')).map((c) => c.replaceAll('_', ' ')).join(', ')]];
    drawFacts(facts, pairs);
    sync(addresses, n.addresses ?? [], (a) => `${a.purpose} ${a.network} ${a.address}`, (a) =>
      el('li', { class: 'chip', data: { address: a.purpose } }, el('b', { text: a.purpose }), ` ${a.address} `, el('span', { class: 'muted', text: a.network })));
    const on = Boolean(n.state?.draining);
    show(draining, on);
    setText(draining, on ? `Draining: no new sessions and rooms. ${n.state.deadline ? `What is left is closed at ${clock(n.state.deadline)}.` : 'There is no deadline.'}` : '');
    show(drain, state.mutation && !on);
    show(undrain, state.mutation && on);
  }

  function drawLoad() {
    for (const tile of grid.children) tile.refresh();
    const reasons = Object.keys(state.drops).sort((a, b) => state.drops[b].total - state.drops[a].total || a.localeCompare(b));
    show(noDrops, reasons.length === 0);
    show(drops.closest('.scroll'), reasons.length > 0);
    sync(drops, reasons, (r) => r, makeDrop);
    sync(shards, state.shards ?? [], (s) => String(s.id), makeShard);
    drawLinks(state.load.adaptive ?? {});
    if (state.info) setText(facts.querySelector('[data-fact=Up]'), since(state.info.startTime));
  }

  function drawLinks(a) {
    const total = Object.values(a.videoSlots ?? {}).reduce((s, n) => s + num(n), 0);
    mix.draw(limits.map(([name, , kind]) => ({ share: total ? num(a.videoSlots?.[name]) / total : 0, kind })));
    sync(mixWords, limits, ([name]) => name, ([name, text, kind]) => {
      const n = el('b');
      const e = el('li', { data: { limit: name } }, el('span', { class: `dot ${kind}` }), n, ` ${text}`);
      e.refresh = () => setText(n, String(num(state.load.adaptive?.videoSlots?.[name])));
      return e;
    });
    drawFacts(links, [['Estimated links', String(num(a.controlledSessions))], ['Paused by bandwidth', String(num(a.pausedByBandwidth))], ['Layer switches', `${count(num(a.layerSwitches))}, ${count(state.rates.layerSwitches ?? 0)}/s`],
      ['Freezes', count(num(a.freezes))], ['Probes', `${count(num(a.probes))}, ${bytes(num(a.probeBytes))}`], ['Packets waiting', count(num(a.backlog))]]);
  }

  bus.addEventListener('info', drawInfo);
  bus.addEventListener('load', () => root.hidden || drawLoad());
  return {
    root,
    open() {
      drawInfo();
      if (state.load) drawLoad();
    },
  };
}

function makeDrop(reason) {
  const [rate, total] = [cell('Per second', '', { class: 'num' }), cell('Total', '', { class: 'num' })];
  const row = el('tr', { data: { drop: reason } }, cell('Reason', reason.replaceAll('_', ' '), { class: 'lead' }), rate, total);
  row.refresh = () => {
    setText(rate, count(state.drops[reason].rate));
    setText(total, count(state.drops[reason].total));
    row.classList.toggle('quiet', state.drops[reason].rate === 0);
  };
  return row;
}

function makeShard() {
  const queue = bar('Queue');
  const words = el('span');
  const cells = ['Packets/s', 'Sinks', 'Drops'].map((c) => cell(c, '', { class: 'num' }));
  const head = cell('Shard', '', { class: 'lead' });
  const row = el('tr', {}, head, cell('Queue', el('span', { class: 'queue' }, queue, words)), ...cells);
  row.refresh = (s) => {
    row.dataset.shard = s.id;
    setText(head, String(s.id));
    const share = num(s.queueCapacity) ? num(s.queueDepth) / num(s.queueCapacity) : 0;
    queue.draw([{ share, kind: share > 0.5 ? 'warn' : 'ok' }]);
    setText(words, `${num(s.queueDepth)} of ${num(s.queueCapacity)}`);
    setText(cells[0], count(s.rate));
    setText(cells[1], count(num(s.sinks)));
    setText(cells[2], count(Object.values(s.drops ?? {}).reduce((a, n) => a + num(n), 0)));
  };
  return row;
}

export function drawFacts(list, pairs) {
  sync(list, pairs.filter(([, v]) => v), ([name]) => name, ([name]) => {
    const value = el('dd', { data: { fact: name } });
    const e = el('div', {}, el('dt', { text: name }), value);
    e.refresh = ([, v]) => setText(value, v);
    return e;
  });
}
