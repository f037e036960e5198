// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Elements, and how numbers are shown. What others wrote only ever becomes text.

/**
 * el makes an element. Attributes: `class`, `text`, `data` (hooks), `on` (listeners), any other is a property where the element
 * has one, else an attribute; undefined and false leave it out.
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'class') node.className = value;
    else if (name === 'text') node.textContent = value;
    else if (name === 'data') Object.assign(node.dataset, value);
    else if (name === 'on') for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name in node && !name.includes('-')) node[name] = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

/** button makes a button; `action` is its data-action. */
export function button(action, text, click, attributes = {}) {
  return el('button', {type: 'button', text, on: {click}, ...attributes, data: {action, ...attributes.data}});
}

/** setText writes a text only where it differs, so that nothing is laid out or read out for nothing. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** setHidden shows or hides. */
export function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

/** fillSelect gives a select these choices ([value, text] each) and keeps what is chosen where it still exists. */
export function fillSelect(select, choices) {
  const wanted = JSON.stringify(choices);
  if (select.dataset.choices === wanted) return;
  const chosen = select.value;
  select.replaceChildren(...choices.map(([value, text]) => el('option', {value, text})));
  if (choices.some(([value]) => value === chosen)) select.value = chosen;
  select.dataset.choices = wanted;
}

/**
 * boxesFor has one check box per room in a parent, in the order of the rooms, made by a function; those that stay are kept, and the
 * focus with them.
 */
export function boxesFor(parent, rooms, make) {
  const labels = new Map([...parent.querySelectorAll('label')].map((label) => [label.dataset.room, label]));
  for (const [roomID, label] of labels) if (!rooms.includes(roomID)) label.remove();
  let before = null;
  for (const roomID of [...rooms].reverse()) {
    const label = labels.get(roomID) ?? el('label', {class: 'chip-box', data: {room: roomID}}, make(roomID), el('span', {text: roomID}));
    if (label.parentElement !== parent) parent.insertBefore(label, before);
    before = label;
  }
}

/** bitrate says bit/s with two or three digits. */
export function bitrate(bitsPerSecond) {
  if (!(bitsPerSecond > 0)) return '0 kbit/s';
  if (bitsPerSecond < 1e6) return `${Math.round(bitsPerSecond / 1000)} kbit/s`;
  return `${(bitsPerSecond / 1e6).toFixed(2)} Mbit/s`;
}

/** clock says the time of day. */
export function clock(at = Date.now()) {
  return new Date(at).toLocaleTimeString([], {hour12: false});
}

/** slug makes of a name what may be part of user and stream ids. */
export function slug(name) {
  return name.toLowerCase().normalize('NFKD').replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 24) || 'guest';
}

/** roomID says whether a text can be the id of a room: sfu/v1/types.proto has the rule. */
export function isRoomID(text) {
  return typeof text === 'string' && /^[A-Za-z0-9~!@#$%^&*()_+=\-`;',.<>\\]{1,127}$/.test(text);
}
