// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// What the whole page knows: the node looked at, its load over the last minutes, and what just happened on it.

import { call, follow } from './api.js';
import { num, seconds } from './dom.js';

/** Shared state; window.admin shows it to tests. */
export const state = {
  node: '', // id of the node looked at
  nodes: [],
  mutation: false, // calls that change something are offered
  connection: 'waiting', // of the event stream: live or waiting
  info: null, // GetNode
  load: null, // GetLoad, the last
  revision: 0, // of the last event heard of
  rates: {}, // per second, by name
  history: {}, // of rates and of what is counted now, by name, oldest first
  drops: {}, // by reason: {rate, total}
  shards: [], // of load, with their rate
};

/**
 * Tells views what changed: "node" (another one was chosen), "info", "load", "connection", and "event" for each structural event of
 * the node, with the event as detail. "problem" has the error of what goes on by itself, or null when all goes well.
 */
export const bus = new EventTarget();
export const tell = (type, detail) => bus.dispatchEvent(new CustomEvent(type, { detail }));

const problems = new Map(); // by where they are

/** Says what is wrong somewhere, or with null that nothing is any more. */
export function problem(where, error) {
  if (error) problems.set(where, error);
  else if (!problems.delete(where)) return;
  tell('problem', problems.values().next().value ?? null);
}

const kept = 90; // values of each history: 3 minutes
const every = 2000; // ms

/** Counters of Load that are shown as rates. */
const counters = { packetsIn: 'packetsIn', packetsOut: 'packetsOut', bytesIn: 'bytesIn', bytesOut: 'bytesOut', retransmits: 'retransmits', nacksIn: 'nacksIn', nacksOut: 'nacksOut', plisIn: 'plisIn', plisOut: 'plisOut' };
const gauges = ['rss', 'heap', 'goroutines', 'sessions', 'rooms', 'members', 'streams', 'subscriptions', 'watchers'];

const cpuOf = (load) => seconds(load.cpuTime?.user) + seconds(load.cpuTime?.system);
const sum = (map) => Object.values(map ?? {}).reduce((a, n) => a + num(n), 0);

function keep(name, value) {
  const list = (state.history[name] ??= []);
  list.push(value);
  if (list.length > kept) list.shift();
}

/** Takes an answer of GetLoad in. Rates need two answers of one process. */
export function takeLoad(load) {
  const before = state.load;
  state.load = load;
  for (const name of gauges) keep(name, num(load[name]));
  const time = before ? (Date.parse(load.time) - Date.parse(before.time)) / 1000 : 0;
  if (time <= 0) return;
  const rate = (now, then) => Math.max(0, num(now) - num(then)) / time;
  for (const name of Object.keys(counters)) {
    state.rates[name] = rate(load[name], before[name]);
    keep(name + 'Rate', state.rates[name]);
  }
  state.rates.cpu = Math.max(0, cpuOf(load) - cpuOf(before)) / time;
  state.rates.drops = rate(sum(load.drops), sum(before.drops));
  state.rates.layerSwitches = rate(load.adaptive?.layerSwitches, before.adaptive?.layerSwitches);
  keep('cpuRate', state.rates.cpu);
  keep('dropsRate', state.rates.drops);
  state.drops = {};
  for (const [reason, total] of Object.entries(load.drops ?? {})) {
    state.drops[reason] = { total: num(total), rate: rate(total, before.drops?.[reason]) };
  }
  state.shards = (load.shards ?? []).map((s, i) => ({ ...s, id: num(s.id), rate: rate(s.packets, before.shards?.[i]?.packets) }));
}

let watching = new AbortController();

const structural = 'room_opened,room_closed,member_joined,member_left,stream_added,stream_removed,session_state,node_state,limits';

/** Begins to look at a node, and leaves the one before. */
export function choose(node) {
  watching.abort();
  watching = new AbortController();
  const { signal } = watching;
  Object.assign(state, { node, info: null, load: null, revision: 0, rates: {}, history: {}, drops: {}, shards: [] });
  tell('node', node);
  readInfo(signal);
  poll(signal);
  follow(node, { snapshot: 'none', kinds: structural }, {
    signal,
    onItem: (item) => {
      state.revision = num((item.event ?? item.heartbeat ?? item.resync ?? {}).revision);
      if (item.event) tell('event', item.event);
      if (item.event?.nodeState || item.resync) readInfo(signal);
      if (item.resync) tell('event', {}); // something happened, unknown what
    },
    onState: (now, error) => {
      problem('events', error);
      if (state.connection === now) return;
      state.connection = now;
      tell('connection', now);
    },
  });
}

async function readInfo(signal) {
  try {
    const { node } = await call(state.node, 'NodeService/GetNode', {}, signal);
    if (state.info && state.info.epoch !== node.epoch) Object.assign(state, { load: null, history: {} }); // another process: counters begin anew
    state.info = node;
    tell('info', node);
    problem('node', null);
  } catch (error) {
    if (!signal.aborted) problem('node', error);
  }
}

export const reread = () => readInfo(watching.signal);

async function poll(signal) {
  let rounds = 0;
  while (!signal.aborted) {
    const started = Date.now();
    if (!document.hidden) {
      try {
        takeLoad((await call(state.node, 'NodeService/GetLoad', {}, signal)).load);
        if (signal.aborted) return;
        tell('load', state.load);
        problem('load', null);
        if (++rounds % 15 === 0) readInfo(signal);
      } catch (error) {
        if (signal.aborted) return;
        problem('load', error);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(200, every - (Date.now() - started))));
  }
}

/** Calls task now and every so often until the signal is aborted, never twice at once, and not while the page is hidden. */
export async function repeat(ms, signal, where, task) {
  while (!signal.aborted) {
    if (!document.hidden) {
      const error = await task().then(() => null, (e) => e);
      if (!signal.aborted) problem(where, error);
    }
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
}

/** Makes a function that calls task soon after it is called, however often, and not more often than every ms. */
export function soon(ms, task) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      task();
    }, ms);
  };
}

/** Runs task for each item, a few at once. */
export async function each(items, task, atOnce = 4) {
  const queue = [...items];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await task(item);
  }));
}
