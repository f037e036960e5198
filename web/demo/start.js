// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// The form that one starts with.
import {friendlyName, mostRooms} from './address.js';
import {whyNoDevices} from './devices.js';
import {el, isRoomID} from './dom.js';
import {toast} from './notices.js';

const find = (selector) => document.querySelector(selector);
const start = find('#start');

/** fillStart writes into the form what the address says, or something friendly, and makes its controls work. */
export function fillStart(address) {
  start.elements.name.value = address.name || friendlyName();
  const rooms = address.rooms.length > 0 ? address.rooms : ['lobby', 'stage'];
  for (const roomID of rooms) addRoomChip(roomID);
  const why = whyNoDevices();
  for (const kind of ['camera', 'screen']) if (why) start.querySelector(`[value=${kind}]`).disabled = true;
  find('[data-part=no-devices]').hidden = !why;
  find('[data-part=no-devices]').textContent = why;
  const choice = [...start.elements.publish].find((radio) => radio.value === address.publish && !radio.disabled);
  if (choice) choice.checked = true;
  start.elements.manage.checked = address.manage;
  find('#add-room').addEventListener('click', () => {
    const roomID = takeRoom(start.elements.room);
    if (roomID) addRoomChip(roomID);
    start.elements.room.focus();
  });
  start.elements.room.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    find('#add-room').click();
  });
}

function addRoomChip(roomID) {
  const list = find('#room-chips');
  if ([...list.children].some((chip) => chip.dataset.name === roomID)) return;
  if (list.children.length >= mostRooms) {
    toast('info', `Five rooms at once are the most.`);
    return;
  }
  const chip = el('li', {class: 'chip-box', data: {name: roomID}}, el('span', {text: roomID}),
    el('button', {type: 'button', class: 'quiet', text: '×', 'aria-label': `Remove ${roomID}`, on: {click: () => chip.remove()}}));
  list.append(chip);
}

/** takeRoom takes the name of a room out of a field; empty when there is none, or none that can be. */
export function takeRoom(field) {
  const roomID = field.value.trim();
  if (!roomID) return '';
  if (!isRoomID(roomID)) {
    toast('error', 'Names of rooms are letters, digits and punctuation, without spaces.');
    return '';
  }
  field.value = '';
  return roomID;
}

/** wishes are what the form says. */
export function wishes() {
  const pending = takeRoom(start.elements.room);
  if (pending) addRoomChip(pending);
  return {
    name: start.elements.name.value.trim() || friendlyName(),
    rooms: [...find('#room-chips').children].map((chip) => chip.dataset.name),
    publish: start.elements.publish.value,
    manage: start.elements.manage.checked,
  };
}
