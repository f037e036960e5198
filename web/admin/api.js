// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Calls and event streams of the admin API, and the token that they may need.

const root = new URL('api/', document.baseURI);
const tokenKey = 'switchyard-admin-token';

/** What the API refused: status, reason, message and code as it said them, http the status of HTTP. */
export class ApiError extends Error {
  constructor(http, body) {
    super(body.message || `HTTP ${http}`);
    this.http = http;
    this.status = body.status || '';
    this.reason = body.reason || '';
    this.code = body.code || 0;
  }

  /** Everything in one line. */
  toString() {
    const name = [this.status, this.reason !== this.status && this.reason, this.code && `(${this.code})`].filter(Boolean).join(' ');
    return name ? `${name}: ${this.message}` : this.message;
  }
}

/** Says what went wrong, of errors of any kind. */
export function explain(error) {
  if (error instanceof ApiError) return error.toString();
  return error?.name === 'TypeError' ? 'no answer: is the node running?' : String(error?.message ?? error);
}

// Only this tab has the token, and only while it is open.
export const token = {
  get: () => sessionStorage.getItem(tokenKey) ?? '',
  set: (text) => (text ? sessionStorage.setItem(tokenKey, text) : sessionStorage.removeItem(tokenKey)),
};

let ask = null; // asks the user for a token
let asking = null; // a promise, while the user is asked
let refusal = null; // of the token there was

/** Sets what is done when a token is needed: listener(error) resolves when there is another one. */
export function onRefused(listener) {
  ask = listener;
}

async function request(path, options) {
  for (;;) {
    if (asking) await asking;
    const headers = { ...options.headers };
    const sent = token.get();
    if (sent) headers.authorization = `Bearer ${sent}`;
    const response = await fetch(new URL(path, root), { ...options, headers, cache: 'no-store', credentials: 'omit', redirect: 'error' });
    if (response.ok) return response;
    const error = new ApiError(response.status, await response.json().catch(() => ({})));
    if (response.status !== 401 && error.reason !== 'ADMIN_REQUIRED') throw error;
    if (token.get() !== sent) continue; // there is another one by now
    if (sent) { // it is no good; perhaps none is needed
      refusal = error;
      token.set('');
      continue;
    }
    asking ??= ask(refusal ?? error).finally(() => { asking = refusal = null; });
  }
}

export async function nodes() {
  return (await request('nodes', {})).json();
}

const callTimeout = 15_000;

/** Calls a method, such as "RoomService/GetRoom", of a node. */
export async function call(node, method, body = {}, signal = undefined) {
  const limit = AbortSignal.timeout(callTimeout);
  const response = await request(`${encodeURIComponent(node)}/${method}`, {
    method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' },
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  });
  return response.json();
}

// A node says something every 5 seconds at least; a stream that says nothing for so long is dead.
const silence = 20_000;

/**
 * Follows the events of a node until signal is aborted, coming back by itself where it left off. query is of the API; onItem gets
 * each item, onState "live", or "waiting" with what is wrong.
 */
export async function follow(node, query, { signal, onItem, onState }) {
  let lastID = '';
  let failures = 0;
  while (!signal.aborted) {
    await visible(signal);
    const attempt = new AbortController();
    const end = () => attempt.abort();
    signal.addEventListener('abort', end);
    const rest = restWhenHidden(end);
    let watchdog = setTimeout(end, silence);
    try {
      const response = await request(`${encodeURIComponent(node)}/events?${new URLSearchParams(query)}`, {
        signal: attempt.signal, headers: lastID ? { 'last-event-id': lastID } : {},
      });
      for await (const message of messages(response.body)) {
        clearTimeout(watchdog);
        watchdog = setTimeout(end, silence);
        if (signal.aborted) return;
        if (message.event === 'failure') throw new ApiError(200, JSON.parse(message.data));
        failures = 0;
        onState('live');
        onItem(JSON.parse(message.data));
        if (message.id) lastID = message.id;
      }
      throw new Error('the event stream ended');
    } catch (error) {
      if (signal.aborted) return;
      onState('waiting', document.hidden ? null : attempt.signal.aborted ? new Error('the event stream fell silent') : error);
      failures++;
    } finally {
      clearTimeout(watchdog);
      rest();
      signal.removeEventListener('abort', end);
      end();
    }
    await pause(Math.min(10_000, 500 * 2 ** Math.min(failures, 5)) * (0.5 + Math.random() / 2), signal);
  }
}

// A browser opens six connections to one server at most, for all its tabs: those that nobody looks at must not hold any.
const hiddenFor = 30_000;

/** Calls end when the page has been hidden for a while; what it returns ends that. */
function restWhenHidden(end) {
  let timer = 0;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(end, hiddenFor);
  };
  document.addEventListener('visibilitychange', look);
  look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', look);
  };
}

/** Waits until somebody looks at the page, or the signal is aborted. */
async function visible(signal) {
  while (document.hidden && !signal.aborted) {
    await new Promise((resolve) => document.addEventListener('visibilitychange', resolve, { once: true }));
  }
}

/** Takes a stream of server-sent events apart. */
async function* messages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let message = {};
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (line === '') {
        if (message.data !== undefined) yield message;
        message = {};
        continue;
      }
      const colon = line.indexOf(': ');
      message[line.slice(0, colon)] = line.slice(colon + 2);
    }
  }
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
