// What the page has to say beside what it shows, and what it has to ask.
import { $, h } from './dom.js';
import { said, t } from './i18n.js';
import { Refusal, Unreachable } from './api.js';

/** note says something. A bad one is an alert and stays until it is closed; one that is about the same takes the place of the one before. */
export function note(words, bad, about) {
  const close = () => el.remove();
  if (about) for (const old of $('notes').children) if (old.dataset.about === about) old.remove();
  const el = h('div', { class: 'note', role: bad ? 'alert' : 'status', 'data-kind': bad ? 'bad' : 'good', 'data-about': about });
  $('notes').append(el);
  el.append(h('p', null, words), h('button', { type: 'button', onclick: close }, t('close'))); // after it is there, so that it is read out
  while ($('notes').children.length > 3) $('notes').firstElementChild.remove();
  if (!bad) setTimeout(close, 8000);
}

/** why is in words why nothing was done. What is neither a refusal nor the network is a fault of the page's own, and thrown on. */
export function why(e) {
  if (e instanceof Refusal) return said(e.code, e.message);
  if (e instanceof Unreachable) return t('unreachable');
  throw e;
}

export function refused(e) {
  if (e.status !== 401) note(why(e), true);
}

/** tried does something and says why it was not done. */
export async function tried(f) {
  try {
    return await f();
  } catch (e) {
    refused(e);
    return undefined;
  }
}

export function dialog(title, ...content) {
  const d = $('dialog');
  d.replaceChildren(h('div', { class: 'stack' }, h('h2', { id: 'dialog-title' }, title), ...content));
  if (!d.open) d.showModal();
  return d;
}

/** choose asks for values: fields are {name, label, value, options | required}. It returns them, or null. */
export function choose(title, does, fields) {
  return new Promise((done) => {
    const inputs = fields.map((f) => (f.options
      ? h('select', { name: f.name }, f.options.map((o) => h('option', { value: o.value, selected: o.value === f.value }, o.label)))
      : h('input', { type: 'text', name: f.name, value: f.value, maxlength: 500, required: f.required, autocomplete: 'off' })));
    const finish = (value) => { $('dialog').close(); done(value); };
    const form = h('form', {
      onsubmit: (e) => {
        e.preventDefault();
        finish(Object.fromEntries(fields.map((f, i) => [f.name, inputs[i].value.trim()])));
      },
    }, fields.map((f, i) => h('label', null, f.label, inputs[i])), h('div', { class: 'foot' },
      h('button', { type: 'button', onclick: () => finish(null) }, t('cancel')), h('button', { type: 'submit', class: 'main' }, does)));
    dialog(title, form).addEventListener('cancel', () => done(null), { once: true });
    inputs[0].focus();
  });
}
