// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// The scenarios: ready parts of a play, each a demo page with its role in its address. They are shown in frames of this page, or
// in tabs of their own.
//
// Tests may hold on to: data-scenario (call, class) of the articles; data-part-name of links and frames (host-a, audience-a, …);
// data-action show-frames, open-tabs, close-frames.
import {addressOf} from './address.js';
import {button, el, setText} from './dom.js';

const host = (name, home, peer) => ({name, rooms: [home], publish: 'pattern', role: 'host', peer});
const audience = (name, home) => ({name, rooms: [home], publish: 'none', role: 'audience'});
const student = (name, group) => ({name, rooms: ['class', group], publish: 'pattern', to: [group], role: 'student'});

const scenarios = {
  call: {
    title: 'Cross-room call',
    words: 'Ada and Ben host a room each, with an audience each. Press “Bring my audience” on Ada’s page: she and her audience are in Ben’s room too, '
      + 'and see both hosts. Do the same on Ben’s. “End the call” brings everybody back. Nobody makes a second connection for it.',
    parts: {
      'host-a': ['Host of call-a', host('Ada', 'call-a', 'call-b')],
      'audience-a': ['Audience of call-a', audience('Alice', 'call-a')],
      'host-b': ['Host of call-b', host('Ben', 'call-b', 'call-a')],
      'audience-b': ['Audience of call-b', audience('Bob', 'call-b')],
    },
  },
  class: {
    title: 'Super small class',
    words: 'One teacher for everybody, and small groups that talk among themselves: each student is in the class and in the room of its group at '
      + 'once, sees the teacher in the one and its group in the other. The assistant looks into both groups.',
    parts: {
      teacher: ['Teacher, in class', {name: 'Ms Moss', rooms: ['class'], publish: 'pattern', role: 'teacher', manage: true}],
      'student-1': ['Student, in class and group-1', student('Sam', 'group-1')],
      'student-2': ['Student, in class and group-1', student('Sue', 'group-1')],
      'student-3': ['Student, in class and group-2', student('Tim', 'group-2')],
      'student-4': ['Student, in class and group-2', student('Tina', 'group-2')],
      assistant: ['Assistant, in group-1 and group-2', {name: 'Mr Fern', rooms: ['group-1', 'group-2'], publish: 'none', role: 'assistant', manage: true}],
    },
  },
};

function article(id, {title, words, parts}) {
  const said = el('p', {class: 'hint', role: 'status'});
  const links = Object.entries(parts).map(([part, [label, address]]) => {
    const link = el('a', {text: address.name, href: addressOf(address), target: '_blank', rel: 'noopener', data: {partName: part}});
    return el('li', {}, link, el('span', {class: 'hint', text: label}));
  });
  const frames = el('div', {class: links.length > 4 ? 'frames many' : 'frames'});
  const close = button('close-frames', 'Close them', () => { frames.replaceChildren(); close.hidden = true; setText(said, ''); }, {hidden: true});
  const show = button('show-frames', 'Show all on this page', () => {
    frames.replaceChildren(...Object.entries(parts).map(([part, [label, address]]) => frame(part, label, address)));
    close.hidden = false;
    setText(said, 'They start without sound, since they are in one place.');
  }, {class: 'primary'});
  const tabs = button('open-tabs', 'Open each in a tab', () => {
    for (const [, address] of Object.values(parts)) window.open(addressOf(address), '_blank', 'noopener');
    setText(said, 'If the browser has held some back, open them by the names below.');
  });
  return el('article', {class: 'scenario panel', data: {scenario: id}}, el('h2', {text: title}), el('p', {text: words}),
    el('div', {class: 'actions'}, show, tabs, close), said, el('ul', {class: 'parts', 'aria-label': 'Parts'}, ...links), frames);
}

function frame(part, label, address) {
  const shown = el('iframe', {title: `${address.name}: ${label}`, src: addressOf({...address, sound: false, simulcast: false}), allow: 'camera; microphone; display-capture; autoplay; clipboard-write', data: {partName: part}});
  return el('figure', {}, el('figcaption', {text: `${address.name} · ${label}`}), shown);
}

document.querySelector('#scenarios').append(...Object.entries(scenarios).map(([id, scenario]) => article(id, scenario)));
