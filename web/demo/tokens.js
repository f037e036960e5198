// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Where tokens come from: the node, when it hands them out to this page, else whoever sits in front of it.

/** loadConfig gets what the node says to the page. */
export async function loadConfig() {
  const answer = await fetch(new URL('./config.json', import.meta.url), {cache: 'no-store'});
  if (!answer.ok) throw new Error(`config.json: ${answer.status}`);
  const config = await answer.json();
  return {signal: new URL(config.signal ?? '/signal', location.href).href, app: config.app ?? '', tokens: config.tokens};
}

/** claimsOf reads what a token says, without checking anything: the node does that. Undefined: it is no token. */
export function claimsOf(token) {
  try {
    const part = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** mayManage says whether a token grants to manage any room. */
export function mayManage(claims) {
  return (claims?.rooms ?? []).some(({grants}) => (Array.isArray(grants) ? grants.includes('manage') : Boolean(grants?.manage)));
}

/** fetchToken asks the node for a token. */
export async function fetchToken(config, user, manage) {
  const answer = await fetch(new URL(config.tokens, location.href), {
    method: 'POST',
    headers: {'content-type': 'application/json'},
    body: JSON.stringify({user_id: user.userID, user_name: user.userName, manage}),
  });
  if (!answer.ok) throw new Error(`The node gave no token (${answer.status}): ${(await answer.text()).slice(0, 200).trim()}`);
  return (await answer.json()).token;
}

/** askForToken shows the dialog in which a token is pasted, and answers with it; empty when it was closed. */
export function askForToken(why) {
  const dialog = document.querySelector('#token-dialog');
  const field = dialog.querySelector('textarea');
  dialog.querySelector('[data-part=why]').textContent = why;
  field.value = '';
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'use' ? field.value.trim() : ''), {once: true});
  });
}
