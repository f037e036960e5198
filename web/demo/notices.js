// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// What the page says beside the rooms: toasts, the banner and the event log.
import {button, clock, el} from './dom.js';

const mostToasts = 4, mostEntries = 200;

/** toast shows something for a while. kind: info, ok or error; actions are [text, function] each. */
export function toast(kind, text, actions = []) {
  const box = document.querySelector('#toasts');
  const note = el('div', {class: `toast ${kind}`, role: kind === 'error' && 'alert', data: {toast: kind}});
  const close = () => note.remove();
  note.append(
    el('p', {text}),
    ...actions.map(([label, act]) => button('toast-action', label, () => { close(); act(); })),
    button('toast-close', '×', close, {'aria-label': 'Dismiss', class: 'quiet'}),
  );
  box.append(note);
  while (box.children.length > mostToasts) box.firstElementChild.remove();
  setTimeout(close, kind === 'error' ? 15000 : 7000);
}

/** explain says an error in words, with code and reason where it has them. */
export function explain(error) {
  const tags = [error?.code || '', error?.reason || ''].filter(Boolean).join(' ');
  const text = error?.message || String(error);
  return tags ? `${text} (${tags})` : text;
}

/** failed tells of a call that failed: as a toast and in the log. */
export function failed(what, error, actions = []) {
  toast('error', `${what}: ${explain(error)}`, actions);
  log('error', `${what}: ${explain(error)}`);
}

const banners = new Map();

/** banner shows a line at the top until it is called with an empty text. Banners of different names do not disturb each other. */
export function banner(name, text, action) {
  banners.get(name)?.remove();
  banners.delete(name);
  if (!text) return;
  const line = el('div', {class: 'banner', data: {banner: name}}, el('span', {text}), action && button(action.action, action.text, action.click));
  banners.set(name, line);
  document.querySelector('#banners').append(line);
}

/** log adds a line to the event log. */
export function log(kind, text) {
  const list = document.querySelector('#log');
  list.prepend(el('li', {data: {log: kind}}, el('time', {text: clock()}), el('b', {text: kind}), el('span', {text})));
  while (list.children.length > mostEntries) list.lastElementChild.remove();
}
