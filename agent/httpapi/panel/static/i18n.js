// A language is one file in lang; which there are the server tells. A text that a language lacks is there in English.
import { attr, h, $ } from './dom.js';

let words = {};
let english = {};
let lang = 'en';
const listeners = [];

async function file(path) {
  const response = await fetch(new URL(path, import.meta.url));
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

/** t is a text of the page; {name} in it stands for a value. */
export function t(key, values) {
  const s = words[key] ?? english[key] ?? key;
  return values ? s.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all) : s;
}

/** said is what the server says, in the page's language where that has the code: the server speaks English, and so English needs no texts for it. */
export const said = (code, text) => words[`refusal.${code}`] ?? text;

/** onLanguage is told when another language was chosen. */
export const onLanguage = (f) => listeners.push(f);

/** when is a moment as the language writes it; exact has seconds. */
export function when(moment, exact) {
  return new Intl.DateTimeFormat(lang, { dateStyle: 'short', timeStyle: exact ? 'medium' : 'short' }).format(new Date(moment));
}

/** choose speaks another language; where its texts cannot be had, English. */
async function choose(which) {
  const select = $('language');
  const got = which === 'en' ? english : await file(`lang/${which}.json`).catch(() => english);
  if (select.value !== which) return; // another was chosen meanwhile
  words = got;
  lang = got === english ? 'en' : which;
  select.value = lang;
  document.documentElement.lang = lang;
  apply(document);
  for (const f of listeners) f();
}

/** apply writes the texts that stand in the page itself. */
function apply(root) {
  for (const el of root.querySelectorAll('[data-t]')) el.textContent = t(el.dataset.t);
  for (const el of root.querySelectorAll('[data-t-label]')) attr(el, 'aria-label', t(el.dataset.tLabel));
  for (const el of root.querySelectorAll('[data-t-placeholder]')) attr(el, 'placeholder', t(el.dataset.tPlaceholder));
}

export async function start() {
  english = await file('lang/en.json').catch(() => ({}));
  const all = await file('languages.json').catch(() => ({ en: t('language.name') }));
  const select = $('language');
  const wanted = [localStorage.getItem('earshot.language'), ...navigator.languages.map((l) => l.split('-')[0]), 'en'];
  for (const [id, name] of Object.entries(all)) select.append(h('option', { value: id, lang: id }, name));
  select.value = wanted.find((l) => l in all);
  select.addEventListener('change', () => {
    localStorage.setItem('earshot.language', select.value);
    choose(select.value);
  });
  await choose(select.value);
}
