// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// The worker behind the test pattern. Told {writable, name, hue, width, height, every} it paints and writes pictures, one every so
// many milliseconds; told {every} alone it only says when one is due. A worker, since timers of pages in the background are slowed down.
import {painter} from './picture.js';

addEventListener('message', ({data}) => setInterval(data.writable ? filming(data) : () => postMessage(0), data.every), {once: true});

function filming({writable, name, hue, width, height}) {
  const canvas = new OffscreenCanvas(width, height);
  const paint = painter(canvas.getContext('2d', {alpha: false, willReadFrequently: true}), name, hue);
  const writer = writable.getWriter(), began = performance.now();
  writer.closed.catch(close); // the track was stopped
  return () => {
    if (writer.desiredSize <= 0) return; // behind: rather leave one out
    const at = performance.now() - began;
    paint(at);
    const frame = new VideoFrame(canvas, {timestamp: Math.round(at * 1000)});
    writer.write(frame).catch(() => frame.close());
  };
}
