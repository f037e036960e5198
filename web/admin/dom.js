// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// What the page is made of: elements, lists that change in place, small charts, numbers in words. Everything that comes from
// outside is put in as text, never as markup.

/** Makes an element. props: "class", "text", "on" (listeners by event), "data" (data-* by name), anything else an attribute. */
export function el(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'class') e.className = value;
    else if (name === 'text') e.textContent = value;
    else if (name === 'on') for (const [type, listener] of Object.entries(value)) e.addEventListener(type, listener);
    else if (name === 'data') setData(e, value);
    else if (name === 'value') e.value = value;
    else e.setAttribute(name, value === true ? '' : value);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

export function setData(e, data) {
  for (const [name, value] of Object.entries(data)) {
    if (value === undefined || value === null) delete e.dataset[name];
    else if (e.dataset[name] !== String(value)) e.dataset[name] = value;
  }
}

/** Changes a text only when it is another one: what did not change is not drawn again, and a selection stays. */
export function setText(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

export function setClass(e, name) {
  if (e.className !== name) e.className = name;
}

export function show(e, visible) {
  if (e.hidden === visible) e.hidden = !visible;
}

/**
 * Makes the children of parent those of items, in their order. An item that was there keeps its element: focus, scrolling and open
 * details survive. make(item) gives an element, and may set element.refresh, which is called with the item each time.
 */
export function sync(parent, items, keyOf, make) {
  const old = new Map();
  for (const child of parent.children) old.set(child.dataset.key, child);
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let e = old.get(key);
    if (e) old.delete(key);
    else {
      e = make(item);
      e.dataset.key = key;
    }
    e.refresh?.(item);
    if (e === at) at = at.nextElementSibling;
    else parent.insertBefore(e, at);
  }
  for (const e of old.values()) e.remove();
}

/** A table whose rows stack where there is little room: each cell knows the name of its column. wide: it needs more room than most. */
export function table(caption, columns, body, wide = false) {
  return el('div', { class: wide ? 'scroll roomy' : 'scroll' },
    el('table', {},
      el('caption', { class: 'sr', text: caption }),
      el('thead', {}, el('tr', {}, ...columns.map((c) => el('th', { scope: 'col', text: c.replace(/^#/, ''), class: c.startsWith('#') ? 'num' : '' })))),
      body));
}

export function cell(label, content, props = {}) {
  const td = el('td', { 'data-label': label, ...props });
  if (content instanceof Node) td.append(content);
  else if (content !== undefined) td.textContent = content;
  return td;
}

/** A button; its label says what for, where the text alone would not. */
export function button(text, action, listener, props = {}) {
  const { data, ...rest } = props;
  return el('button', { type: 'button', text, data: { action, ...data }, on: { click: listener }, ...rest });
}

const svgSpace = 'http://www.w3.org/2000/svg';

function svg(tag, attributes = {}) {
  const e = document.createElementNS(svgSpace, tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  return e;
}

/** A small chart of the last values, newest on the right; its scale begins at 0. A few values leave room on the left. Returns an element with draw(values). */
export function sparkline(label, points = 90, fewest = 15) {
  const width = 180;
  const height = 36;
  const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, class: 'spark', preserveAspectRatio: 'none', role: 'img', 'aria-label': label });
  const area = svg('path', { class: 'area' });
  const line = svg('path', { class: 'line' });
  root.append(area, line);
  root.draw = (values) => {
    const kept = values.slice(-points);
    const top = Math.max(...kept, 0) || 1;
    const x = (i) => width - ((kept.length - 1 - i) * width) / (Math.max(kept.length, fewest) - 1);
    const y = (v) => height - 2 - (v / top) * (height - 5);
    const path = kept.map((v, i) => `${i ? 'L' : 'M'}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join('');
    line.setAttribute('d', path);
    area.setAttribute('d', kept.length > 1 ? `${path}L${width} ${height}L${x(0).toFixed(1)} ${height}Z` : '');
  };
  return root;
}

/** A bar of parts: draw([{share, kind}]) with shares of 1. */
export function bar(label) {
  const width = 100;
  const root = svg('svg', { viewBox: `0 0 ${width} 8`, class: 'bar', preserveAspectRatio: 'none', role: 'img', 'aria-label': label });
  root.draw = (parts) => {
    root.replaceChildren();
    let x = 0;
    for (const p of parts) {
      root.append(svg('rect', { x, y: 0, width: Math.max(0, p.share * width), height: 8, class: `part ${p.kind}` }));
      x += p.share * width;
    }
  };
  return root;
}

// Numbers. uint64 comes as text in protobuf JSON, durations as "1.5s".

export const num = (v) => Number(v ?? 0);
export const seconds = (v) => (v ? parseFloat(v) : 0);

export function count(n) {
  if (n >= 1e6) return `${(n / 1e6).toFixed(n >= 1e7 ? 0 : 1)} M`;
  if (n >= 1e4) return `${(n / 1e3).toFixed(n >= 1e5 ? 0 : 1)} k`;
  return n >= 100 || Number.isInteger(n) ? String(Math.round(n)) : n.toFixed(1);
}

export function bits(n) {
  if (n >= 1e9) return `${(n / 1e9).toFixed(2)} Gb/s`;
  if (n >= 1e6) return `${(n / 1e6).toFixed(n >= 1e8 ? 0 : 1)} Mb/s`;
  if (n >= 1e3) return `${Math.round(n / 1e3)} kb/s`;
  return `${Math.round(n)} b/s`;
}

export function bytes(n) {
  if (n >= 2 ** 30) return `${(n / 2 ** 30).toFixed(2)} GiB`;
  if (n >= 2 ** 20) return `${Math.round(n / 2 ** 20)} MiB`;
  return `${Math.round(n / 2 ** 10)} KiB`;
}

export function span(s) {
  if (s < 0 || !Number.isFinite(s)) return '–';
  const text = s < 60 ? `${Math.floor(s)} s`
    : s < 3600 ? `${Math.floor(s / 60)} min`
      : s < 86400 ? `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`
        : `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
  return text.replaceAll(' ', '\u00a0');
}

/** "1 room", "2 rooms". */
export const plural = (n, name) => `${n}\u00a0${name}${n === 1 ? '' : 's'}`;

export const since = (time) => span((Date.now() - Date.parse(time)) / 1000);
export const clock = (time) => new Date(time).toLocaleTimeString([], { hour12: false });
export const percent = (share) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
export const milliseconds = (d) => `${Math.round(seconds(d) * 1000)} ms`;

/** The last word of an enum's value: SESSION_STATE_CONNECTED, of "SESSION_STATE_", is "connected". */
export const word = (value, prefix) => (value ?? '').replace(prefix, '').toLowerCase().replaceAll('_', ' ');
