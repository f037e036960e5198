// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// A test pattern: a moving picture with a name and a clock, and a soft tune. It needs no device and no permission.

// Browsers send three layers of pictures from 960 × 540 on, fewer of smaller ones.
const width = 960, height = 540, framesPerSecond = 20;
const unit = height / 360; // of what is drawn

/** makePattern begins one. The caller ends it with stop. */
export function makePattern(name) {
  const seed = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) >>> 0, 7);
  const canvas = Object.assign(document.createElement('canvas'), {width, height});
  const paint = painter(canvas.getContext('2d', {alpha: false, willReadFrequently: true}), name, seed % 360);
  const film = filmOf(canvas);
  const tune = makeTune(seed);
  const began = performance.now();
  const draw = () => film.show(paint, performance.now() - began);
  const ticker = new Worker(new URL('./ticker.js', import.meta.url));
  ticker.addEventListener('message', draw);
  ticker.postMessage(1000 / framesPerSecond);
  draw();
  const stream = new MediaStream([film.track, ...tune.tracks]);
  return {
    stream,
    stop() {
      ticker.terminate();
      tune.stop();
      for (const track of stream.getTracks()) track.stop();
    },
  };
}

// filmOf makes a track of what is on a canvas. Where there is MediaStreamTrackGenerator it goes on in the background, where
// canvases are not captured.
function filmOf(canvas) {
  if (typeof MediaStreamTrackGenerator !== 'function' || typeof VideoFrame !== 'function') {
    const [track] = canvas.captureStream(framesPerSecond).getVideoTracks();
    return {track, show: (paint, at) => paint(at)};
  }
  const track = new MediaStreamTrackGenerator({kind: 'video'});
  const writer = track.writable.getWriter();
  writer.closed.catch(() => undefined); // stopped
  return {
    track,
    show(paint, at) {
      if (track.readyState !== 'live' || writer.desiredSize <= 0) return;
      paint(at);
      const frame = new VideoFrame(canvas, {timestamp: Math.round(at * 1000)});
      writer.write(frame).catch(() => frame.close());
    },
  };
}

// painter answers a function that paints the picture of a time, in milliseconds.
function painter(pen, name, hue) {
  const font = 'system-ui, sans-serif';
  return (at) => {
    const seconds = at / 1000;
    const sky = pen.createLinearGradient(0, 0, width, height);
    sky.addColorStop(0, `hsl(${hue} 55% 24%)`);
    sky.addColorStop(1, `hsl(${(hue + 60) % 360} 60% 42%)`);
    pen.fillStyle = sky;
    pen.fillRect(0, 0, width, height);
    for (let i = 0; i < 5; i++) {
      const turn = seconds * (0.35 + i * 0.08) + i * 1.3;
      pen.fillStyle = `hsl(${(hue + 30 * i) % 360} 80% 62% / 0.35)`;
      pen.beginPath();
      pen.arc(width * (0.5 + 0.42 * Math.sin(turn)), height * (0.5 + 0.36 * Math.sin(turn * 1.7 + i)), (34 + 8 * i) * unit, 0, 2 * Math.PI);
      pen.fill();
    }
    pen.fillStyle = 'rgb(0 0 0 / 0.38)';
    pen.fillRect(0, height - 112 * unit, width, 112 * unit);
    pen.fillStyle = '#fff';
    pen.textBaseline = 'alphabetic';
    pen.font = `600 ${44 * unit}px ${font}`;
    pen.fillText(name, 24 * unit, height - 58 * unit, width - 140 * unit);
    const now = new Date();
    pen.font = `${28 * unit}px ui-monospace, monospace`;
    pen.fillText(`${now.toTimeString().slice(0, 8)}.${String(now.getMilliseconds()).padStart(3, '0')}`, 24 * unit, height - 20 * unit);
    hand(pen, seconds);
  };
}

// hand paints a clock's hand that goes round once in four seconds.
function hand(pen, seconds) {
  const x = width - 62 * unit, y = height - 56 * unit, angle = (seconds / 4) * 2 * Math.PI - Math.PI / 2;
  pen.strokeStyle = '#fff';
  pen.lineWidth = 4 * unit;
  pen.beginPath();
  pen.arc(x, y, 36 * unit, 0, 2 * Math.PI);
  pen.moveTo(x, y);
  pen.lineTo(x + 30 * unit * Math.cos(angle), y + 30 * unit * Math.sin(angle));
  pen.stroke();
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
