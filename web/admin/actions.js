// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// What an administrator can do, each behind a dialog that says what it does.

import { call } from './api.js';
import { confirm, notify } from './dialogs.js';
import { num, plural } from './dom.js';
import { reread, state } from './state.js';

const reason = { name: 'reason', label: 'Reason', maxlength: 255, hint: 'Told to those who are affected; may be empty.' };

const change = (method, body) => call(state.node, method, { requestId: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, ...body });

const endedText = (e) => `${plural(e?.rooms ?? 0, 'membership')}, ${plural(e?.streams ?? 0, 'stream')} and ${plural(e?.subscriptions ?? 0, 'subscription')} ended`;

export function closeRoom(room) {
  return confirm({
    action: 'close-room', title: `Close room ${room.id}`, yes: 'Close room', danger: true, fields: [reason],
    text: 'Everybody is taken out of it at once. Their sessions and other rooms go on.',
    run: async (v) => {
      const { ended } = await change('RoomService/CloseRoom', { appId: room.appId, roomId: room.id, incarnation: room.incarnation, reason: v.reason });
      notify(`Room ${room.id} is closed: ${endedText(ended)}.`);
    },
  });
}

export function kick(member) {
  return confirm({
    action: 'kick', title: `Kick ${member.user.id} from ${member.roomId}`, yes: 'Kick', danger: true,
    text: 'The user leaves this room at once; other rooms go on.',
    fields: [reason, { name: 'ban', label: 'May come back', options: [['', 'at once'], ['60s', 'after a minute'], ['600s', 'after 10 minutes'], ['3600s', 'after an hour'], ['86400s', 'after a day'], ['2592000s', 'after 30 days']] }],
    run: async (v) => {
      const { ended } = await change('RoomService/KickUser', { appId: member.appId, roomId: member.roomId, userId: member.user.id, reason: v.reason, ...(v.ban && { banFor: v.ban }) });
      notify(`${member.user.id} is out of ${member.roomId}: ${endedText(ended)}.`);
    },
  });
}

export function mute(stream, kind) {
  const muted = !stream[`${kind}Muted`];
  return confirm({
    action: 'mute', title: `${muted ? 'Mute' : 'Unmute'} ${kind} of ${stream.id}`, yes: muted ? `Mute ${kind}` : `Unmute ${kind}`, danger: muted,
    text: muted ? `Nobody in ${stream.roomId} gets its ${kind} any more. The publisher keeps sending.` : `Subscribers in ${stream.roomId} get its ${kind} again.`,
    run: async () => {
      await change('StreamService/MuteStream', { appId: stream.appId, roomId: stream.roomId, incarnation: stream.incarnation, streamId: stream.id, [`${kind}Muted`]: muted });
      notify(`The ${kind} of ${stream.id} is ${muted ? 'muted' : 'forwarded again'}.`);
    },
  });
}

export function keyframe(stream) {
  return confirm({
    action: 'keyframe', title: `Ask ${stream.id} for a keyframe`, yes: 'Ask', text: 'The publisher is asked for a picture that can be decoded by itself.',
    run: async () => {
      await change('StreamService/RequestKeyframe', { appId: stream.appId, roomId: stream.roomId, incarnation: stream.incarnation, streamId: stream.id });
      notify(`${stream.id} was asked for a keyframe.`);
    },
  });
}

export function closeSession(session) {
  return confirm({
    action: 'close-session', title: `Close the session of ${session.user?.id ?? session.id}`, yes: 'Close session', danger: true, fields: [{ ...reason, hint: 'For logs and the signaling tier; may be empty.' }],
    text: 'The client leaves all its rooms and its connection ends. It may come back with a new session.',
    run: async (v) => {
      const { ended } = await change('SessionService/CloseSession', { sessionId: session.id, sessionEpoch: session.epoch, reason: v.reason });
      notify(`The session is closed: ${endedText(ended)}.`);
    },
  });
}

export function drain() {
  return confirm({
    action: 'drain', title: 'Drain this node', yes: 'Drain', danger: true,
    text: 'No new sessions and rooms from now on; what is there goes on until the deadline.',
    fields: [{ name: 'deadline', label: 'Close what is left', value: '600', options: [['', 'never'], ['60', 'in a minute'], ['600', 'in 10 minutes'], ['3600', 'in an hour'], ['21600', 'in 6 hours']] }],
    run: async (v) => {
      const deadline = v.deadline && new Date(Date.now() + Number(v.deadline) * 1000).toISOString();
      const { sessions } = await change('NodeService/Drain', deadline ? { deadline } : {});
      notify(`The node is draining; ${plural(num(sessions), 'session')} left.`);
      reread();
    },
  });
}

export function undrain() {
  return confirm({
    action: 'undrain', title: 'End draining', yes: 'End draining', text: 'The node takes new sessions and rooms again.',
    run: async () => {
      await change('NodeService/Undrain', {});
      notify('The node takes sessions and rooms again.');
      reread();
    },
  });
}

function base64(text) {
  return btoa(Array.from(new TextEncoder().encode(text), (b) => String.fromCharCode(b)).join(''));
}

export function message(room) {
  return confirm({
    action: 'message', title: `Message to ${room.id}`, yes: 'Send',
    fields: [
      { name: 'payload', label: 'Text', required: true, lines: 3, maxlength: 1024 },
      { name: 'kind', label: 'As', options: [['MESSAGE_KIND_BROADCAST', 'broadcast'], ['MESSAGE_KIND_BARRAGE', 'barrage'], ['MESSAGE_KIND_COMMAND', 'command']] },
      { name: 'to', label: 'Only to', hint: 'Commands only: user ids with commas between; empty is everybody.' },
      { name: 'from', label: 'From', value: 'admin', required: true, maxlength: 63, hint: 'Shown as the sender; need not be in the room.' },
    ],
    run: async (v) => {
      const toUsers = v.to.split(',').map((u) => u.trim()).filter(Boolean);
      const sent = await change('MessageService/SendRoomMessage', {
        appId: room.appId, roomId: room.id, incarnation: room.incarnation, fromUser: v.from, fromServer: true, kind: v.kind, payload: base64(v.payload), ...(toUsers.length && { toUsers }),
      });
      notify(`The message went to ${plural(sent.accepted ?? 0, 'member')}${sent.dropped ? `, and not to ${sent.dropped} who are not in the room` : ''}.`);
    },
  });
}

export function roomAudio(room) {
  return confirm({
    action: 'room-audio', title: `Audio of ${room.id}`, yes: 'Set',
    fields: [{ name: 'loudest', label: 'Loudest voices forwarded', type: 'number', min: 0, max: 64, value: room.loudestAudio ?? 0, required: true, hint: '0 forwards all of them.' }],
    run: async (v) => {
      await change('RoomService/SetRoomAudio', { appId: room.appId, roomId: room.id, incarnation: room.incarnation, loudestAudio: Number(v.loudest) });
      notify(Number(v.loudest) ? `The ${v.loudest} loudest voices of ${room.id} are forwarded.` : `All audio of ${room.id} is forwarded.`);
    },
  });
}

export function grants(member) {
  const g = member.grants ?? {};
  const options = [['true', 'yes'], ['false', 'no']];
  const names = [['publish', 'Publish'], ['subscribe', 'Subscribe'], ['message', 'Send messages'], ['manage', 'Manage the room']];
  return confirm({
    action: 'grants', title: `Grants of ${member.user.id} in ${member.roomId}`, yes: 'Set', text: 'A grant that is taken away ends what it allowed.',
    fields: names.map(([name, label]) => ({ name, label, options, value: String(Boolean(g[name])) })),
    run: async (v) => {
      const now = Object.fromEntries(names.map(([name]) => [name, v[name] === 'true']));
      await change('RoomService/UpdateMember', { sessionId: member.sessionId, roomId: member.roomId, incarnation: member.incarnation, grants: now });
      notify(`The grants of ${member.user.id} in ${member.roomId} are set.`);
    },
  });
}
