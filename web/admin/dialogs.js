// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

// Dialogs and notices: what is asked before something is changed, the token, and what went wrong.

import { explain, token } from './api.js';
import { button, el, setText } from './dom.js';

const notices = document.getElementById('notices');

/** Says something that goes away by itself; errors stay longer. */
export function notify(text, kind = 'ok') {
  const n = el('div', { class: `notice ${kind}`, data: { notice: kind } }, el('span', { text }),
    button('×', 'dismiss', () => n.remove(), { 'aria-label': 'Dismiss', class: 'quiet' }));
  notices.append(n);
  while (notices.children.length > 4) notices.firstElementChild.remove();
  setTimeout(() => n.remove(), kind === 'error' ? 15_000 : 5_000);
}

function control(f) {
  const name = `field-${f.name}`;
  const shared = { id: name, name: f.name, required: f.required, maxlength: f.maxlength, 'aria-describedby': f.hint && `${name}-hint` };
  let input;
  if (f.options) input = el('select', shared, ...f.options.map(([value, text]) => el('option', { value, text })));
  else if (f.lines) input = el('textarea', { ...shared, rows: f.lines, spellcheck: 'false' });
  else input = el('input', { ...shared, type: f.type ?? 'text', min: f.min, max: f.max, autocomplete: 'off', spellcheck: 'false' });
  if (f.value !== undefined) input.value = f.value;
  return el('div', { class: 'field' }, el('label', { for: name, text: f.label }), input, f.hint && el('span', { id: `${name}-hint`, class: 'hint', text: f.hint }));
}

/**
 * Asks before something is done. fields are {name, label, type, options, value, required, hint, …}; run(values) does it, and what it
 * throws is shown in the dialog, which stays open. Resolves to whether it was done.
 */
export function confirm({ action, title, text, fields = [], yes, danger = false, run, cancel = true }) {
  return new Promise((resolve) => {
    const problem = el('p', { class: 'problem', role: 'alert', hidden: true });
    const ok = el('button', { type: 'submit', text: yes, class: danger ? 'primary danger' : 'primary', data: { action: 'confirm' } });
    const form = el('form', { method: 'dialog' },
      el('h2', { id: 'dialog-title', text: title }), text && el('p', { text }), ...fields.map(control), problem,
      el('div', { class: 'row end' }, cancel && button('Cancel', 'cancel', () => dialog.close()), ok));
    const dialog = el('dialog', { 'aria-labelledby': 'dialog-title', data: { dialog: action } }, form);
    let done = false;
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      ok.disabled = true;
      problem.hidden = true;
      try {
        await run(Object.fromEntries(new FormData(form)));
        done = true;
        dialog.close();
      } catch (error) {
        setText(problem, explain(error));
        problem.hidden = false;
      } finally {
        ok.disabled = false;
      }
    });
    dialog.addEventListener('cancel', (event) => cancel || event.preventDefault()); // by Escape
    dialog.addEventListener('close', () => { dialog.remove(); resolve(done); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Asks for a token until there is one; whether it is good, the next call says. */
export function askForToken(error) {
  return confirm({
    action: 'token', title: 'Admin token', yes: 'Go on', cancel: false,
    text: `${explain(error)}. Make one with “sfu token”; it is kept in this tab only.`,
    fields: [{ name: 'token', label: 'Token', type: 'password', required: true }],
    run: async (values) => token.set(values.token.trim()),
  });
}
