// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Sends a tick as often as it is told to, in milliseconds; 0: never. A worker, since timers of pages in the background are slowed down.
let timer;
addEventListener('message', ({data}) => {
  clearInterval(timer);
  if (data > 0) timer = setInterval(() => postMessage(0), data);
});
