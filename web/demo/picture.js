// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// What the test pattern shows. It is painted in a worker where browsers let a worker make video, else in the page.

/** painter answers a function that paints the picture of a time, in milliseconds, on the canvas of a pen. */
export function painter(pen, name, hue) {
  const {width, height} = pen.canvas, unit = height / 360; // of what is drawn
  const sky = new OffscreenCanvas(width, height);
  paintSky(sky.getContext('2d', {alpha: false, willReadFrequently: true}), hue, width, height);
  return (at) => {
    const seconds = at / 1000;
    pen.drawImage(sky, 0, 0);
    for (let i = 0; i < 4; i++) {
      const turn = seconds * (0.35 + i * 0.08) + i * 1.3;
      pen.fillStyle = `hsl(${(hue + 30 * i) % 360} 80% 62% / 0.35)`;
      pen.beginPath();
      pen.arc(width * (0.5 + 0.42 * Math.sin(turn)), height * (0.5 + 0.36 * Math.sin(turn * 1.7 + i)), (34 + 8 * i) * unit, 0, 2 * Math.PI);
      pen.fill();
    }
    pen.fillStyle = 'rgb(0 0 0 / 0.38)';
    pen.fillRect(0, height - 112 * unit, width, 112 * unit);
    pen.fillStyle = '#fff';
    pen.font = `600 ${44 * unit}px system-ui, sans-serif`;
    pen.fillText(name, 24 * unit, height - 58 * unit, width - 140 * unit);
    const now = new Date();
    pen.font = `${28 * unit}px ui-monospace, monospace`;
    pen.fillText(`${now.toTimeString().slice(0, 8)}.${String(now.getMilliseconds()).padStart(3, '0')}`, 24 * unit, height - 20 * unit);
    paintHand(pen, seconds, width - 62 * unit, height - 56 * unit, unit);
  };
}

function paintSky(pen, hue, width, height) {
  const sky = pen.createLinearGradient(0, 0, width, height);
  sky.addColorStop(0, `hsl(${hue} 55% 24%)`);
  sky.addColorStop(1, `hsl(${(hue + 60) % 360} 60% 42%)`);
  pen.fillStyle = sky;
  pen.fillRect(0, 0, width, height);
}

// paintHand paints a clock's hand that goes round once in four seconds.
function paintHand(pen, seconds, x, y, unit) {
  const angle = (seconds / 4) * 2 * Math.PI - Math.PI / 2;
  pen.strokeStyle = '#fff';
  pen.lineWidth = 4 * unit;
  pen.beginPath();
  pen.arc(x, y, 36 * unit, 0, 2 * Math.PI);
  pen.moveTo(x, y);
  pen.lineTo(x + 30 * unit * Math.cos(angle), y + 30 * unit * Math.sin(angle));
  pen.stroke();
}
