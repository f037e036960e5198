// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Sound of what is played. Browsers may refuse to play sound before the page has been used: then the picture starts without,
// and the page says so.
import {banner} from './notices.js';

const silenced = new Set();
let wanted = true;

/** attach shows a stream in a video, with its sound unless it is one's own. */
export function attach(video, stream, own = false) {
  if (video.srcObject !== stream) video.srcObject = stream;
  if (own) {
    video.muted = true;
    video.play().catch(() => undefined);
    return;
  }
  video.dataset.sound = '';
  video.muted = !wanted;
  video.play().catch((error) => {
    if (error.name !== 'NotAllowedError') return; // replaced or removed meanwhile
    silenced.add(video);
    video.muted = true;
    video.play().catch(() => undefined);
    banner('sound', 'The browser plays no sound until you use the page.', {action: 'sound-on', text: 'Turn on sound', click: hear});
  });
}

/** setSound turns the sound of everything that is played on or off. */
export function setSound(on) {
  wanted = on;
  for (const video of document.querySelectorAll('video[data-sound]')) video.muted = !on;
  if (on) hear();
}

function hear() {
  banner('sound', '');
  for (const video of silenced) if (video.isConnected) video.muted = !wanted;
  silenced.clear();
}

for (const gesture of ['click', 'keydown']) addEventListener(gesture, () => silenced.size > 0 && hear());
