// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// The admin page. It shows what the admin API shows, and changes what that lets it change.
//
// Hooks for tests, which stay as they are:
//
//   [data-view=overview|rooms|sessions|events]   a view; the one that is shown has no "hidden"
//   [data-stat=cpu|memory|bits-in|bits-out|sessions|rooms|streams|subscriptions] .value   numbers of the overview
//   [data-drop=REASON], [data-shard=N], [data-limit=WHY], [data-address=PURPOSE], [data-part=draining]
//   [data-list=rooms] > [data-app][data-room]    the list of rooms;  [data-list=sessions] > [data-session][data-user][data-state]
//   [data-list=events] > [data-event=KIND]       the tail of events
//   [data-part=room] [data-part=users|streams|subscriptions]        the room that is open, and its tables:
//       [data-user][data-session][data-state]    a member;  [data-grant] in it
//       [data-stream][data-publisher][data-state][data-audio-muted][data-video-muted]   a stream;  [data-layer][data-live][data-wanted] in it
//       [data-subscription][data-user][data-of][data-state][data-limit]   a subscription, data-of its stream
//   [data-part=session], and in it [data-mid]    the session that is open, and its lines
//   [data-filter=app|room|user|session|kinds|room-text]             inputs that narrow lists
//   [data-action=NAME]   buttons: close-room, kick, grants, mute-audio, mute-video, keyframe, close-session, drain, undrain, message,
//                        room-audio, pause-events, clear-events, more-…, token, and in dialogs confirm and cancel
//   dialog[data-dialog=NAME]                     the dialog of an action, fields by name; and of token, the field token
//   [data-notice=ok|error], body[data-connection=live|waiting]
//
// window.admin has {state, ready}: the page's state, and whether the nodes are known.

import { explain, nodes, onRefused, token } from './api.js';
import { askForToken } from './dialogs.js';
import { el, setText, show } from './dom.js';
import { makeEvents } from './events.js';
import { makeOverview } from './overview.js';
import { makeRooms } from './rooms.js';
import { makeSessions } from './sessions.js';
import { bus, choose, problem, state } from './state.js';

const at = (id) => document.getElementById(id);

window.admin = { state, ready: false };

const views = { overview: makeOverview(), rooms: makeRooms(), sessions: makeSessions(), events: makeEvents() };
let current = null;

function route() {
  const [name, ...rest] = location.hash.replace(/^#\/?/, '').split('/').map(decode);
  const next = views[name] ? name : 'overview';
  const moved = current !== next;
  if (moved && current) {
    views[current].close?.();
    views[current].root.hidden = true;
  }
  current = next;
  views[next].root.hidden = false;
  views[next].open(rest.filter(Boolean));
  for (const link of at('views').querySelectorAll('a')) {
    if (link.dataset.to === next) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${name || 'overview'}${rest.length ? ` ${rest.at(-1)}` : ''} – Switchyard admin`;
  if (moved) scrollTo(0, 0);
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

function drawConnection() {
  document.body.dataset.connection = state.connection;
  setText(at('connection'), state.connection === 'live' ? 'live' : 'connecting…');
}

bus.addEventListener('connection', drawConnection);
bus.addEventListener('problem', ({ detail }) => {
  show(at('problem'), Boolean(detail));
  setText(at('problem'), detail ? explain(detail) : '');
});

async function begin() {
  const answer = await nodes();
  Object.assign(state, { nodes: answer.nodes, mutation: Boolean(answer.mutation) });
  const select = at('node');
  select.replaceChildren(...state.nodes.map((id) => el('option', { value: id, text: id })));
  show(select.parentElement, state.nodes.length > 1);
  show(at('read-only'), !state.mutation);
  choose(state.nodes[0]);
  for (const view of Object.values(views)) {
    view.root.hidden = true;
    at('main').append(view.root);
  }
  route();
  addEventListener('hashchange', route);
  window.admin.ready = true;
}

onRefused(async (error) => {
  await askForToken(error);
  show(at('forget'), token.get() !== '');
});
at('forget').addEventListener('click', () => {
  token.set('');
  location.reload();
});
at('node').addEventListener('change', (event) => {
  choose(event.target.value);
  location.hash = '#/overview';
  route();
});
show(at('forget'), token.get() !== '');
drawConnection();

for (let tries = 0; !window.admin.ready; tries++) {
  try {
    await begin();
    problem('page', null);
  } catch (error) {
    problem('page', error);
    await new Promise((resolve) => setTimeout(resolve, Math.min(10_000, 500 * 2 ** tries)));
  }
}
