// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// A tile: the place of one stream in the panel of its room, with its picture, its numbers and what can be done with it.
import {bitrate, el, setHidden, setText} from './dom.js';
import {enlarge} from './large.js';

const history = 40; // bitrates that the little curve shows

/** Tile is what one's own streams and those of others have in common. */
export class Tile {
  constructor(call, roomID, streamID, own) {
    Object.assign(this, {call, roomID, streamID, own, quality: undefined, seen: undefined, curve: [], speaking: false});
    const title = el('strong', {class: 'name'}), flags = el('span', {class: 'flags'});
    const video = el('video', {playsInline: true, autoplay: true, muted: own, tabIndex: -1});
    const zoom = el('button', {type: 'button', class: 'zoom', data: {action: 'enlarge'}, on: {click: () => enlarge(this)}});
    const cover = el('div', {class: 'cover'}, el('span', {class: 'letter', 'aria-hidden': 'true'}), el('span', {class: 'word'}));
    const chip = el('span', {class: 'chip', hidden: true});
    const numbers = Object.fromEntries(['size', 'fps', 'bitrate', 'layer', 'loss', 'rtt', 'delay'].map((name) => [name, el('span', {data: {number: name}})]));
    const spark = el('canvas', {class: 'spark', width: 120, height: 28, 'aria-hidden': 'true'});
    const actions = el('div', {class: 'actions'});
    this.parts = {title, flags, video, zoom, cover, chip, numbers, spark, actions};
    this.node = el('article', {class: own ? 'tile own' : 'tile', data: {stream: streamID, room: roomID, own: String(own)}},
      el('div', {class: 'picture'}, video, cover, zoom, chip),
      el('header', {}, title, flags),
      el('div', {class: 'numbers', role: 'group', 'aria-label': 'Live numbers'}, ...Object.values(numbers), spark),
      actions);
    this.setState('idle');
  }

  /** setName says whose stream it is. */
  setName(name) {
    this.label = name;
    setText(this.parts.title, name);
    this.node.setAttribute('aria-label', `${name} in ${this.roomID}`);
    this.parts.zoom.setAttribute('aria-label', `Enlarge ${name}`);
    setText(this.parts.cover.firstElementChild, [...name][0]?.toUpperCase() ?? '?');
  }

  /** setState shows where the stream stands; the words are for people, data-state is for style and tests. */
  setState(state) {
    this.state = state;
    this.node.dataset.state = state;
    this.showState();
  }

  /** setFlags says what is muted. */
  setFlags({audio, video, audioMuted, videoMuted, live = true}) {
    this.videoShown = video && !videoMuted && live;
    const words = [];
    if (audioMuted) words.push('muted');
    if (videoMuted) words.push('picture off');
    if (live && !video) words.push('sound only');
    if (live && video && !audio) words.push('no sound');
    setText(this.parts.flags, words.join(' · '));
    this.showState();
  }

  /** setSpeaking marks who speaks. */
  setSpeaking(speaking) {
    if (this.speaking === speaking) return;
    this.speaking = speaking;
    this.node.classList.toggle('speaking', speaking);
  }

  showState() {
    const [cover, chip] = this.words();
    setText(this.parts.cover.lastElementChild, cover);
    setHidden(this.parts.cover, !cover);
    setText(this.parts.chip, chip);
    setHidden(this.parts.chip, !chip);
  }

  /** words are what covers the picture and what stands on it; empty: nothing. */
  words() {
    return ['', ''];
  }

  /** paint shows the newest numbers; called once a second. */
  paint() {
    const q = this.quality;
    if (q === this.seen) return;
    this.seen = q;
    const n = this.parts.numbers;
    const put = (name, text) => setText(n[name], q ? text : '');
    const rate = (q?.videoBitrate ?? 0) + (q?.audioBitrate ?? 0);
    put('size', q?.width ? `${q.width}×${q.height}` : 'no picture');
    put('fps', `${Math.round(q?.videoFPS ?? 0)} fps`);
    put('bitrate', bitrate(rate));
    put('layer', this.layerOf(q));
    put('loss', `loss ${((q?.packetLoss ?? 0) * 100).toFixed(1)} %`);
    put('rtt', `RTT ${Math.round(q?.rtt ?? 0)} ms`);
    put('delay', this.own ? codecOf(q) : `delay ${Math.round(q?.delay ?? 0)} ms`);
    this.curve.push(q ? rate : 0);
    if (this.curve.length > history) this.curve.shift();
    drawCurve(this.parts.spark, this.curve);
  }

  layerOf(q) {
    if (!q) return '';
    if (this.own) return q.layers ? `${q.layers} ${q.layers === 1 ? 'layer' : 'layers'}` : '';
    if (q.spatialLayer === undefined) return q.temporalLayer === undefined ? 'no layer' : `layer –/T${q.temporalLayer}`;
    return `layer S${q.spatialLayer}${q.temporalLayer === undefined ? '' : `/T${q.temporalLayer}`}`;
  }

  /** drop takes the tile away. */
  drop() {
    this.parts.video.srcObject = null;
    this.node.remove();
    this.dropped = true;
  }
}

function codecOf(q) {
  return (q?.videoCodec ?? '').replace(/^video\//, '');
}

function drawCurve(canvas, values) {
  const pen = canvas.getContext('2d'), most = Math.max(...values, 1);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.strokeStyle = getComputedStyle(canvas).color;
  pen.lineWidth = 2;
  pen.lineJoin = 'round';
  pen.beginPath();
  values.forEach((value, i) => pen.lineTo((i / (history - 1)) * canvas.width, canvas.height - 2 - (value / most) * (canvas.height - 4)));
  pen.stroke();
}
