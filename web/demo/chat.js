// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// The messages of a room: broadcast, barrage that flies over the pictures, and commands.
import {clock, el, fillSelect} from './dom.js';
import {failed} from './notices.js';

const mostLines = 100, mostFlying = 12;
const still = matchMedia('(prefers-reduced-motion: reduce)');

/** Chat is the messages of one room. */
export class Chat {
  constructor(call, roomID, sky) {
    Object.assign(this, {call, roomID, sky, known: new Set()});
    this.list = el('ol', {class: 'messages', role: 'log', 'aria-live': 'polite', 'aria-label': `Messages in ${roomID}`, data: {part: 'messages'}, tabIndex: 0});
    this.empty = el('li', {class: 'hint', text: 'No messages yet.'});
    this.list.append(this.empty);
    this.kind = el('select', {'aria-label': 'Kind of message', data: {action: 'message-kind'}, on: {change: () => this.kindChanged()}},
      el('option', {value: 'broadcast', text: 'Message'}), el('option', {value: 'barrage', text: 'Barrage'}), el('option', {value: 'command', text: 'Command'}));
    this.to = el('select', {'aria-label': 'Who gets the command', hidden: true, data: {action: 'message-to'}});
    this.text = el('input', {type: 'text', maxLength: 500, required: true, autocomplete: 'off', placeholder: 'Say something', 'aria-label': `Message to ${roomID}`, data: {action: 'message-text'}});
    this.node = el('section', {class: 'chat', 'aria-label': `Messages in ${roomID}`}, this.list,
      el('form', {on: {submit: (event) => { event.preventDefault(); this.send(); }}}, this.kind, this.to, this.text,
        el('button', {type: 'submit', text: 'Send', data: {action: 'message-send'}})));
    this.offerUsers();
  }

  kindChanged() {
    this.to.hidden = this.kind.value !== 'command';
    this.offerUsers();
  }

  offerUsers() {
    const others = this.call.engine.users(this.roomID);
    fillSelect(this.to, [['', 'everybody'], ...others.map((user) => [user.userID, user.userName || user.userID])]);
  }

  async send() {
    const text = this.text.value.trim(), {roomID} = this, kind = this.kind.value, {engine, user} = this.call;
    if (!text) return;
    try {
      this.text.value = '';
      const messageID = kind === 'broadcast' ? await engine.sendBroadcastMessage(roomID, text)
        : kind === 'barrage' ? await engine.sendBarrageMessage(roomID, text)
          : await engine.sendCustomCommand(roomID, text, this.to.value ? [this.to.value] : []);
      this.show(kind, {roomID, messageID, from: user, text, sentAt: Date.now()});
    } catch (error) {
      if (!this.text.value) this.text.value = text;
      failed(`Message to ${roomID}`, error);
    }
  }

  /** show lists a message, once, and lets barrage fly. */
  show(kind, message) {
    if (message.messageID && this.known.has(message.messageID)) return;
    this.known.add(message.messageID);
    if (this.known.size > 500) this.known.delete(this.known.values().next().value);
    const {from, sentAt} = message;
    const text = message.data ? `${message.data.length} bytes` : message.text;
    const near = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40;
    this.empty.remove();
    this.list.append(el('li', {data: {message: kind}},
      el('time', {text: clock(sentAt)}), el('b', {text: from.userName || from.userID}),
      kind !== 'broadcast' && el('i', {text: kind}), el('span', {text})));
    while (this.list.children.length > mostLines) this.list.firstElementChild.remove();
    if (near) this.list.scrollTop = this.list.scrollHeight;
    if (kind === 'barrage') this.fly(text);
  }

  fly(text) {
    if (still.matches || this.sky.children.length >= mostFlying) return;
    const line = el('span', {class: 'flying', text, 'aria-hidden': 'true'});
    line.style.top = `${(this.sky.children.length * 34) % 136 + 8}px`;
    line.addEventListener('animationend', () => line.remove());
    this.sky.append(line);
  }
}
