// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// The demo page. It is told what to do by its form, or by its address:
//
//   #name=Ada&rooms=lobby,stage   who and where; both together: joins by itself (join=0: does not)
//   publish=pattern|camera|screen|none   what to begin with; to=lobby: in these rooms only
//   simulcast=0  play=0  sound=0  manage=1  id=ada-1  token=…  role=host|audience|teacher|student|assistant  peer=room
//
// What tests may hold on to:
//
//   window.demo          {engine, call, ready}: ready resolves when what the form or address asked for is done: rooms entered (or
//                        refused), and the first source published (or refused)
//   data-view            of body: start, call
//   data-room            room panels (section.room), with data-state: logging-in, logged-in, reconnecting, login-failed,
//                        kicked-out; [data-part=notice] says why not, with data-code
//   data-stream          tiles (article.tile), with data-room, data-own (true, false) and data-state: requesting, publishing;
//                        idle, requesting, pending, playing, paused, stopped; [data-number=size|fps|bitrate|layer|loss|rtt|delay]
//   data-action          join-all, join-room, leave, leave-all, rejoin, restart, close-room; publish (data-kind=camera|screen|pattern),
//                        publish-into, publish-room (check boxes, with data-room), stop-publish, mute, mute-video, device,
//                        simulcast; play, stop-play, switch, prefer, enlarge, mute-stream, hide-stream, kick; message-kind,
//                        message-to, message-text, message-send; autoplay, sound, sound-on, copy-link, open-participant;
//                        bring-audience, end-call
//   data-engine          connections, negotiations, rooms, signaling, media
//   data-message         lines of messages: broadcast, barrage, command; data-user: people; data-source: cards of what one publishes;
//                        data-toast: info, error; data-banner: signaling, media, sound; data-log: lines of the event log
import {setRoomMode} from '/sdk/switchyard.js';
import {addressOf, friendlyName, readAddress, shortID} from './address.js';
import {Call} from './call.js';
import {slug} from './dom.js';
import {prepareLarge} from './large.js';
import {banner, explain, failed, toast} from './notices.js';
import {rolePanel} from './roles.js';
import {setSound} from './sound.js';
import {fillStart, takeRoom, wishes} from './start.js';
import {askForToken, claimsOf, fetchToken, loadConfig, mayManage} from './tokens.js';

const find = (selector) => document.querySelector(selector);
const start = find('#start');
let address = readAddress();
let config, call, ready = Promise.resolve();

window.demo = {
  get engine() { return call?.engine; },
  get call() { return call; },
  get ready() { return ready; },
};

// identity is who the token says, or who the form says.
async function identity(wish) {
  const wanted = {userID: address.id || `${slug(wish.name)}-${shortID()}`, userName: wish.name};
  let token = address.token, why = 'This node hands out no tokens to pages.';
  if (!token && config.tokens) {
    try {
      token = await fetchToken(config, wanted, wish.manage);
    } catch (error) {
      why = error.message;
    }
  }
  const pasted = !token;
  if (pasted) token = await askForToken(why);
  if (!token) return undefined;
  const claims = claimsOf(token);
  const user = claims?.sub ? {userID: claims.sub, userName: claims.name || claims.sub} : wanted;
  return {user, manage: mayManage(claims), token: tokenSource(token, user, wish.manage, pasted)};
}

// tokenSource gets tokens as the engine wants them.
function tokenSource(given, user, manage, pasted) {
  let shown = false;
  return async ({reason}) => {
    if (!shown) {
      shown = true;
      return given;
    }
    if (config.tokens && !pasted) return fetchToken(config, user, manage);
    return askForToken(reason === 'expiring' ? 'The token expires soon.' : 'The token was refused, or has expired.');
  };
}

async function begin(wish) {
  if (call) return;
  if (wish.rooms.length === 0) {
    toast('info', 'Add a room first.');
    return;
  }
  find('[data-action=join-all]').disabled = true;
  try {
    const who = await identity(wish);
    if (!who) return;
    setRoomMode('multi');
    const settings = {play: find('[data-action=autoplay]').checked, simulcast: address.simulcast};
    call = new Call({config, ...who, settings, restart, box: find('#rooms')});
  } catch (error) {
    failed('The call could not begin', error);
    return;
  } finally {
    find('[data-action=join-all]').disabled = false;
  }
  showCall(wish);
  const joined = await Promise.all(wish.rooms.map((roomID) => call?.join(roomID)));
  if (call && joined.some(Boolean)) await publishFirst(wish);
}

async function publishFirst({publish, rooms}) {
  const into = (address.to ?? rooms).filter((roomID) => call.joinedRooms().includes(roomID));
  if (['camera', 'screen', 'pattern'].includes(publish) && into.length > 0) await call.publisher.add(publish, into);
}

function showCall(wish) {
  document.body.dataset.view = 'call';
  find('#who').textContent = call.user.userName;
  find('#engine').replaceChildren(call.line.node);
  find('#side').replaceChildren(...[rolePanel(call, {role: address.role, home: wish.rooms[0], peer: address.peer})].filter(Boolean), call.publisher.node);
  find('#participant').replaceChildren(call.participantLink('Open another participant'));
  call.onRooms = (rooms) => rememberRooms(wish, rooms);
  find('#rooms').focus({preventScroll: true});
  document.title = `${call.user.userName} · Switchyard demo`;
}

// rememberRooms keeps the address up to date, so that loading the page again comes back as the same user. Tokens stay out of it.
function rememberRooms(wish, rooms) {
  if (!call || rooms.length === 0) return;
  address = {...address, id: call.user.userID, name: wish.name};
  const {to, simulcast, play, sound, role, peer} = address;
  const words = {name: wish.name, id: call.user.userID, rooms: role ? wish.rooms : rooms, publish: wish.publish, to, role, peer, manage: wish.manage || undefined};
  history.replaceState(null, '', addressOf({...words, simulcast: simulcast && undefined, play: play && undefined, sound: sound && undefined}));
}

async function end() {
  const ended = call;
  call = undefined;
  await ended?.end();
  address = {...address, role: '', peer: '', to: undefined};
  document.body.dataset.view = 'start';
  document.title = 'Switchyard demo';
  find('#rooms').replaceChildren();
  find('#side').replaceChildren();
  find('#engine').replaceChildren();
  history.replaceState(null, '', `${location.pathname}${location.search}`);
}

// restart goes back to the form, as somebody new.
async function restart() {
  await end();
  address = {...address, id: '', token: ''};
  start.elements.name.value = friendlyName();
  start.elements.name.focus();
}

async function copyLink() {
  const link = addressOf({rooms: call.joinedRooms()});
  try {
    await navigator.clipboard.writeText(link);
    toast('ok', 'Link copied: whoever opens it gets these rooms.');
  } catch {
    toast('info', link); // no clipboard here
  }
}

function connectControls() {
  prepareLarge();
  start.addEventListener('submit', (event) => {
    event.preventDefault();
    ready = begin(wishes());
  });
  find('#join-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const roomID = takeRoom(event.target.elements.room);
    if (roomID) call?.join(roomID);
  });
  find('[data-action=leave-all]').addEventListener('click', end);
  find('[data-action=copy-link]').addEventListener('click', copyLink);
  const autoplay = find('[data-action=autoplay]'), sound = find('[data-action=sound]');
  autoplay.addEventListener('change', () => {
    if (!call) return;
    call.settings.play = autoplay.checked;
    if (autoplay.checked) for (const panel of call.panels.values()) panel.playAll();
  });
  sound.addEventListener('change', () => setSound(sound.checked));
  autoplay.checked = address.play;
  sound.checked = address.sound;
  setSound(address.sound);
  find('.skip').addEventListener('click', (event) => {
    event.preventDefault(); // the address is not for places in the page
    find(call ? '#rooms' : '#start input').focus();
  });
  addEventListener('hashchange', () => readAddress().rooms.length > 0 && location.reload());
  addEventListener('pagehide', () => call?.engine.destroy().catch(() => undefined)); // others see it at once
}

async function open() {
  connectControls();
  fillStart(address);
  try {
    config = await loadConfig();
  } catch (error) {
    banner('config', `The node cannot be asked how to reach it: ${explain(error)}`);
    return;
  }
  find('[data-action=join-all]').disabled = false;
  if (address.join && address.rooms.length > 0) {
    const wish = wishes();
    await begin({...wish, publish: address.publish || 'none'});
  }
}

if (window.top !== window) document.body.classList.add('framed'); // one of several on the scenarios page
ready = open();
