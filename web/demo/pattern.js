// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// A test pattern: a moving picture with a name and a clock, and a soft tune. It needs no device and no permission.

import {painter} from './picture.js';

// Browsers send three layers of pictures from 960 × 540 on, fewer of smaller ones.
const full = {width: 960, height: 540, every: 50}, small = {width: 480, height: 270, every: 100};

/** makePattern begins one, full or of a size for many on one page. The caller ends it with stop. */
export function makePattern(name, many = false) {
  const seed = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) >>> 0, 7);
  const worker = new Worker(new URL('./film.js', import.meta.url), {type: 'module'});
  const track = film(worker, {name, hue: seed % 360, ...(many ? small : full)});
  const tune = makeTune(seed);
  const stream = new MediaStream([track, ...tune.tracks]);
  return {
    stream,
    stop() {
      worker.terminate();
      tune.stop();
      for (const one of stream.getTracks()) one.stop();
    },
  };
}

// film has a track filled by the worker. Where there is no MediaStreamTrackGenerator it is the picture of a canvas in the page,
// which browsers do not capture while the page is in the background.
function film(worker, picture) {
  const {name, hue, width, height, every} = picture;
  if (typeof MediaStreamTrackGenerator === 'function' && typeof VideoFrame === 'function') {
    const track = new MediaStreamTrackGenerator({kind: 'video'}), {writable} = track;
    worker.postMessage({...picture, writable}, [writable]);
    return track;
  }
  const canvas = Object.assign(document.createElement('canvas'), {width, height});
  const paint = painter(canvas.getContext('2d', {alpha: false}), name, hue), began = performance.now();
  paint(0);
  worker.addEventListener('message', () => paint(performance.now() - began));
  worker.postMessage({every});
  return canvas.captureStream(1000 / every).getVideoTracks()[0];
}

// makeTune plays four soft notes and rests, over and over. Browsers keep it silent until somebody has used the page.
function makeTune(seed) {
  if (typeof AudioContext !== 'function') return {tracks: [], stop() {}};
  const audio = new AudioContext();
  const output = audio.createMediaStreamDestination();
  const voice = audio.createOscillator(), volume = audio.createGain();
  voice.type = 'triangle';
  volume.gain.value = 0;
  voice.connect(volume).connect(output);
  voice.start();
  const base = 220 * 2 ** ((seed % 12) / 12), steps = [1, 1.25, 1.5, 2];
  let note = 0;
  const play = () => {
    const at = audio.currentTime + 0.02, step = note++ % 8;
    if (step >= steps.length) return;
    voice.frequency.setValueAtTime(base * steps[step], at);
    volume.gain.setTargetAtTime(0.16, at, 0.03);
    volume.gain.setTargetAtTime(0, at + 0.3, 0.08);
  };
  const timer = setInterval(play, 500);
  const wake = () => audio.resume().catch(() => undefined);
  wake();
  const gestures = ['click', 'keydown'];
  for (const gesture of gestures) addEventListener(gesture, wake);
  return {
    tracks: output.stream.getAudioTracks(),
    stop() {
      clearInterval(timer);
      for (const gesture of gestures) removeEventListener(gesture, wake);
      audio.close().catch(() => undefined);
    },
  };
}
