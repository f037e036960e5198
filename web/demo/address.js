// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// What the address of the page says: everything after the #, so that it stays in the browser.
import {isRoomID} from './dom.js';

/** Most rooms that the page offers at once; nodes allow five unless they are told otherwise. */
export const mostRooms = 5;

/** readAddress takes the page's own address apart. */
export function readAddress(hash = location.hash) {
  const words = new URLSearchParams(hash.replace(/^#/, ''));
  const rooms = (name) => [...new Set((words.get(name) ?? '').split(',').map((room) => room.trim()).filter(isRoomID))];
  const flag = (name, otherwise) => (words.has(name) ? !['0', 'false', 'no', 'off'].includes(words.get(name)) : otherwise);
  return {
    name: (words.get('name') ?? '').slice(0, 60),
    id: words.get('id') ?? '',
    rooms: rooms('rooms').slice(0, mostRooms),
    to: words.has('to') ? rooms('to') : undefined,
    publish: words.get('publish') ?? '',
    simulcast: flag('simulcast', true),
    play: flag('play', true),
    sound: flag('sound', true),
    manage: flag('manage', false),
    join: flag('join', words.has('name') && words.has('rooms')),
    role: words.get('role') ?? '',
    peer: rooms('peer')[0] ?? '',
    token: words.get('token') ?? '',
  };
}

/** addressOf makes the address of a demo page; what is undefined is left out. */
export function addressOf(values) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === '') continue;
    words.set(name, Array.isArray(value) ? value.join(',') : value === true ? '1' : value === false ? '0' : value);
  }
  const page = new URL('./', location.href);
  page.search = '';
  page.hash = words.toString().replaceAll('%2C', ',');
  return page.href;
}

const adjectives = ['Calm', 'Bright', 'Swift', 'Quiet', 'Merry', 'Brave', 'Clever', 'Gentle', 'Lucky', 'Sunny'];
const animals = ['Otter', 'Heron', 'Fox', 'Badger', 'Finch', 'Lynx', 'Hare', 'Owl', 'Seal', 'Wren'];

/** friendlyName makes a name up. */
export function friendlyName() {
  const pick = (words) => words[Math.floor(Math.random() * words.length)];
  return `${pick(adjectives)} ${pick(animals)}`;
}

/** shortID makes a few characters up, so that two of the same name are two users. */
export function shortID() {
  return [...crypto.getRandomValues(new Uint8Array(5))].map((byte) => (byte % 36).toString(36)).join('');
}
