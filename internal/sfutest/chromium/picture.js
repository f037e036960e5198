// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0
//
// A moving picture that tells its own number at any size, and whether a decoder has spoilt it: whoever has read the number
// knows what the picture has to look like. On the left are bands of waves that move at different speeds, like the hands of a
// clock, since encoders render what moves smoothly better than what jumps; on the right is noise that moves, which is what
// costs bits.
'use strict';

const picture = {
  count: 4096, // numbers
  periods: [4096, 512, 64, 16], // of the bands from the top, in pictures; encoders let the slow ones fall behind
  waves: 3, // across the width
  share: 2 / 3, // of the width that is waves: a whole number of them
  swing: 70, // of luma around its middle

  luma(number, period, u) {
    return 128 + this.swing * Math.sin(2 * Math.PI * (this.waves * u + number / period));
  },

  // painter answers a function that paints picture after picture into one buffer of I420. roughness: of the noise, 0 to 1.
  painter(width, height, roughness) {
    const buffer = new Uint8Array((width * height * 3) / 2).fill(128);
    const edge = Math.round(width * this.share);
    const noise = new Uint8Array(4 * width);
    let seed = 1;
    for (let x = 0; x < noise.length; x += 8) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      noise.fill(128 + roughness * ((seed >>> 25) - 64), x, x + 8);
    }
    const bands = this.periods.map(() => new Uint8Array(edge));
    return (number) => {
      this.periods.forEach((period, i) => {
        for (let x = 0; x < edge; x++) bands[i][x] = this.luma(number, period, (x + 0.5) / width);
      });
      for (let y = 0; y < height; y++) {
        buffer.set(bands[Math.floor((y * bands.length) / height)], y * width);
        const from = (((y >> 3) * 97) % (2 * width) + number * 4) % (3 * width);
        buffer.set(noise.subarray(from, from + width - edge), y * width + edge);
      }
      return buffer;
    };
  },

  // read answers the number that a frame seems to have, and how far the picture is from what it has to be then: the mean
  // difference of luma in the worst of the bands.
  async read(frame) {
    const {codedWidth: width, codedHeight: height} = frame;
    if (frame.format !== 'I420' && frame.format !== 'NV12') throw new Error(`format ${frame.format}`);
    const buffer = new Uint8Array(frame.allocationSize());
    const [plane] = await frame.copyTo(buffer);
    const points = 48, rows = [0.25, 0.4, 0.5, 0.6, 0.75];
    const samples = this.periods.map((_, band) => {
      const row = [];
      for (let i = 0; i < points; i++) {
        const x = Math.floor((((i + 0.5) * this.share) / points) * width);
        for (const v of rows) {
          const y = Math.floor(((band + v) / this.periods.length) * height);
          row.push({u: (x + 0.5) / width, luma: buffer[plane.offset + y * plane.stride + x]});
        }
      }
      return row;
    });
    let number = 0;
    this.periods.forEach((period, i) => {
      let re = 0, im = 0;
      for (const {u, luma} of samples[i]) {
        re += (luma - 128) * Math.sin(2 * Math.PI * this.waves * u);
        im += (luma - 128) * Math.cos(2 * Math.PI * this.waves * u);
      }
      const hand = (Math.atan2(im, re) / (2 * Math.PI)) * period; // the number, but for turns of this hand
      number = hand + Math.round((number - hand) / period) * period;
    });
    number = ((Math.round(number) % this.count) + this.count) % this.count;
    const errors = this.periods.map((period, i) => {
      const sum = samples[i].reduce((all, {u, luma}) => all + Math.abs(luma - this.luma(number, period, u)), 0);
      return sum / samples[i].length;
    });
    return {number, error: Math.max(...errors)};
  },
};
