// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Cameras and microphones, where there are any.

/** whyNoDevices says why there is no camera and no screen; empty: there may be. */
export function whyNoDevices() {
  if (navigator.mediaDevices?.getUserMedia) return '';
  return window.isSecureContext ? 'This browser offers no camera.'
    : 'Browsers give camera and screen to secure pages only: open this page by https, or on localhost.';
}

/** devicesThere is what to ask for: only what is there, since a machine without microphone still has a camera. */
export async function devicesThere() {
  const all = await navigator.mediaDevices.enumerateDevices();
  const has = (kind) => all.length === 0 || all.some((device) => device.kind === kind);
  const camera = {width: {ideal: 960}, height: {ideal: 540}, frameRate: {ideal: 30}}; // see pattern.js
  if (!has('videoinput') && !has('audioinput')) return {camera, microphone: true}; // let the browser say it
  return {camera: has('videoinput') && camera, microphone: has('audioinput')};
}
