// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// One stream shown large. Escape closes it: it is a dialog.
import {setText} from './dom.js';
import {attach} from './sound.js';

let tile;
const dialog = () => document.querySelector('#large');

/** enlarge shows the stream of a tile large. */
export function enlarge(which) {
  tile = which;
  const box = dialog(), video = box.querySelector('video');
  setText(box.querySelector('h2'), `${which.label} in ${which.roomID}`);
  box.dataset.stream = which.streamID;
  box.dataset.room = which.roomID;
  attach(video, which.parts.video.srcObject, true); // the tile goes on with the sound
  box.showModal();
  which.sizeChanged?.();
}

/** shownLarge is the large picture of a tile while there is one. */
export function shownLarge(which) {
  return tile === which && dialog().open ? dialog().querySelector('video') : undefined;
}

/** paintLarge shows the newest numbers, and follows the tile's stream. */
export function paintLarge() {
  if (!tile || !dialog().open) return;
  if (tile.dropped) {
    dialog().close();
    return;
  }
  const video = dialog().querySelector('video');
  if (video.srcObject !== tile.parts.video.srcObject) attach(video, tile.parts.video.srcObject, true);
  const words = [tile.state, ...Object.values(tile.parts.numbers).map((number) => number.textContent)].filter(Boolean);
  setText(dialog().querySelector('[data-part=numbers]'), words.join(' · '));
}

/** prepareLarge makes the dialog ready. */
export function prepareLarge() {
  const box = dialog();
  box.addEventListener('close', () => {
    const closed = tile;
    tile = undefined;
    box.querySelector('video').srcObject = null;
    closed?.sizeChanged?.();
  });
  box.addEventListener('click', (event) => event.target === box && box.close());
  new ResizeObserver(() => tile?.sizeChanged?.()).observe(box.querySelector('video'));
}
