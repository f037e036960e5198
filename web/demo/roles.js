// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// The roles of the cross-room call. A host asks its audience to come to the other host's room, by a command to its own room; the
// pages of the audience log in there as well, and play what is there. Ending the call brings everybody back.
import {button, el, isRoomID, setText} from './dom.js';
import {failed, log, toast} from './notices.js';

const visit = 'demo.visit', comeBack = 'demo.return';

/** rolePanel makes the panel of a role; undefined when it has none. */
export function rolePanel(call, {role, home, peer}) {
  if (role === 'host' && peer) return hostPanel(call, home, peer);
  if (role === 'audience') return audiencePanel(call, home);
  const words = {
    teacher: 'You are the teacher: you publish in the class, and everybody in it sees you.',
    student: 'You are a student: you see the teacher in the class, and talk with your group in its own room, at once.',
    assistant: 'You are the assistant: you are in the rooms of both groups, and may mute and put out.',
  }[role];
  return words && panel(words);
}

function panel(words, ...more) {
  return el('section', {class: 'role', 'aria-label': 'Your part'}, el('p', {text: words}), ...more);
}

function hostPanel(call, home, peer) {
  const status = el('p', {class: 'hint', role: 'status', text: 'Your audience sees your own room only.'});
  const tell = async (what, words) => {
    try {
      await call.engine.sendCustomCommand(home, JSON.stringify({do: what, room: peer}));
      if (what === visit) await call.join(peer);
      else await call.leave(peer);
      setText(status, words);
      bring.disabled = what === visit;
      finish.disabled = what === comeBack;
    } catch (error) {
      failed('Telling your audience', error);
    }
  };
  const bring = button('bring-audience', 'Bring my audience', () => tell(visit, `You and your audience are in ${peer} too.`), {class: 'primary'});
  const finish = button('end-call', 'End the call', () => tell(comeBack, `Everybody is back in ${home} alone.`), {disabled: true});
  return panel(`You host ${home}. ${peer} is another host’s room.`, el('div', {class: 'actions'}, bring, finish), status);
}

function audiencePanel(call, home) {
  const status = el('p', {class: 'hint', role: 'status', text: 'When your host calls another one, this page goes there too.'});
  call.commands.add(async ({roomID, from, text}) => {
    const order = parse(text);
    const host = call.engine.streams(home).some((stream) => stream.user.userID === from.userID); // who publishes here may lead
    if (roomID !== home || !order || !host || order.room === home) return;
    log('role', `${from.userName || from.userID}: ${order.do} ${order.room}`);
    if (order.do === visit) {
      toast('info', `${from.userName || from.userID} takes you along to ${order.room}.`);
      if (await call.join(order.room)) setText(status, `You are in ${order.room} too.`);
    } else if (order.do === comeBack) {
      await call.leave(order.room);
      setText(status, `You are back in ${home} alone.`);
    }
  });
  return panel(`You are in the audience of ${home}.`, status);
}

function parse(text) {
  try {
    const order = JSON.parse(text);
    return [visit, comeBack].includes(order?.do) && isRoomID(order.room) ? order : undefined;
  } catch {
    return undefined;
  }
}
