// Past and running calls as they are served, their recordings, grades and figures.
import * as api from './api.js';
import { $, attr, h } from './dom.js';
import { departmentOf, nameOf, on, state } from './live.js';
import { onLanguage, t, when } from './i18n.js';
import { choose, refused, tried, why } from './notes.js';
import { peer, reasoned } from './acts.js';
import { span } from './clock.js';

const outcomes = ['running', 'answered', 'missed', 'elsewhere', 'busy', 'failed', 'abandoned', 'cancelled', 'unanswered'];
const groups = ['employee', 'department', 'line', 'day', 'hour'];
const parts = {};
let opened = false;
let asked = 0; // these count, so that an answer that comes late is not shown
let reckoned = 0;

const option = (value, label) => h('option', { value }, label);
const field = (label, input) => h('label', null, h('span', { class: 'muted' }, label), ' ', input);

function build() {
  const select = (name, all) => h('select', { name }, all);
  const date = (name) => h('input', { type: 'date', name });
  parts.employee = select('employee');
  parts.form = h('form', { class: 'bar', onsubmit: (e) => { e.preventDefault(); load(); figures(); } },
    field(t('journal.from'), date('from')), field(t('journal.to'), date('to')), field(t('journal.employee'), parts.employee),
    field(t('journal.direction'), select('direction', [option('', t('all')), option('in', t('direction.in')), option('out', t('direction.out'))])),
    field(t('journal.outcome'), select('outcome', [option('', t('all')), ...outcomes.map((o) => option(o, t(`outcome.${o}`)))])),
    field(t('journal.number'), h('input', { type: 'search', name: 'number', size: 14, maxlength: 64 })),
    h('button', { type: 'submit', class: 'main' }, t('journal.show')),
    h('button', { type: 'button', id: 'csv', onclick: csv }, t('journal.csv')));
  parts.body = h('tbody');
  parts.more = h('button', { type: 'button', id: 'more', hidden: true, onclick: () => load(parts.next) }, t('journal.more'));
  parts.words = h('p', { class: 'muted', role: 'status', id: 'journal-words' });
  const heads = ['when', 'employee', 'direction', 'peer', 'outcome', 'wait', 'talk', 'recording', 'grade'];
  parts.group = select('by', groups.map((g) => option(g, t(`by.${g}`))));
  parts.group.addEventListener('change', figures);
  parts.figures = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-labelledby': 'figures-title' });
  $('journal').replaceChildren(parts.form,
    h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-labelledby': 'journal-title' }, h('table', { id: 'journal-rows' },
      h('thead', null, h('tr', null, heads.map((k) => h('th', { scope: 'col', class: k === 'wait' || k === 'talk' ? 'num' : null }, t(`journal.${k}`))))), parts.body)),
    h('div', { class: 'foot' }, parts.more, parts.words),
    h('h2', { class: 'gap', id: 'figures-title' }, t('figures.title')), h('div', { class: 'foot' }, field(t('figures.by'), parts.group)), parts.figures);
  employees();
}

function employees() {
  if (!parts.employee) return;
  const was = parts.employee.value;
  parts.employee.replaceChildren(option('', t('all')), ...[...state.rows.values()].map((r) => option(r.id, r.name)));
  parts.employee.value = was;
}

function filter() {
  const given = new FormData(parts.form);
  const q = new URLSearchParams();
  for (const [name, value] of given) {
    if (!value) continue;
    if (name === 'from' || name === 'to') {
      const at = new Date(`${value}T00:00:00`);
      if (name === 'to') at.setDate(at.getDate() + 1); // the day is meant whole
      q.set(name, at.toISOString());
    } else q.set(name, value);
  }
  return q;
}

/** load shows a page of the journal: the first, or what follows a cursor behind what is there. */
async function load(cursor) {
  const mine = ++asked;
  const q = filter();
  if (cursor) q.set('cursor', cursor);
  attr(parts.form, 'aria-busy', 'true');
  parts.words.textContent = '';
  try {
    const page = await api.ask('GET', `v1/journal?${q}`);
    if (mine !== asked) return;
    if (!cursor) parts.body.replaceChildren();
    parts.body.append(...page.rows.map(line));
    parts.next = page.next;
    parts.more.hidden = !page.next;
    parts.words.textContent = parts.body.children.length ? t('journal.rows', { n: parts.body.children.length }) : t(page.next ? 'journal.further' : 'journal.none');
  } catch (e) {
    if (mine !== asked) return;
    if (!(e instanceof api.Refusal)) return refused(e);
    if (!cursor) { // what is there stays, and may be followed by another try
      parts.body.replaceChildren();
      parts.more.hidden = true;
    }
    parts.words.textContent = why(e);
  } finally {
    attr(parts.form, 'aria-busy', null);
  }
  return undefined;
}

function line(row) {
  const others = (row.others ?? []).map((p) => peer({ peer: p })).join(', ');
  const el = h('tr', { 'data-row': row.id },
    h('td', { class: 'when' }, when(row.began)), h('td', null, nameOf(row.employee)), h('td', null, t(`direction.${row.direction}`)),
    h('td', { class: row.hidden ? 'muted' : null }, peer(row), others && h('span', { class: 'muted' }, `, ${others}`), row.line && h('div', { class: 'dept' }, row.line)),
    h('td', { class: row.outcome === 'missed' ? 'missed' : null }, t(`outcome.${row.outcome}`), row.supervised && h('div', { class: 'dept' }, row.supervised.map((s) => t(`heard.${s.mode}`, { name: nameOf(s.by) })).join(', '))),
    h('td', { class: 'num' }, span(row.wait)), h('td', { class: 'num' }, row.talk ? span(row.talk) : ''));
  el.append(h('td', { tabindex: -1 }, (row.recordings ?? []).map((r) => recording(row, r))), h('td', null, ...grades(row)));
  return el;
}

function recording(row, r) {
  if (r.state !== 'available' || !r.can) return h('span', { class: 'muted' }, t(r.reason === 'gap' ? 'recording.gap' : `recording.${r.state}`));
  const box = h('div', { class: 'player' });
  const path = `v1/recordings/${encodeURIComponent(r.id)}`;
  for (const does of r.can) if (does in recordingDoes) recordingDoes[does](box, row, path, t(`recording.${does}.of`, { name: nameOf(row.employee), when: when(row.began) }));
  return box;
}

// A header has bytes and no letters: those of UTF-8, as the server reads it.
const because = (reason) => (reason ? { 'X-Earshot-Reason': String.fromCharCode(...new TextEncoder().encode(reason)) } : {});

const recordingDoes = {
  play: (box, row, path, what) => box.append(h('button', {
    type: 'button', 'data-act': 'play', 'aria-label': what, onclick: () => reasoned(what, t('recording.play'), false, async (reason) => {
      const link = await api.ask('POST', `${path}/links`, { reason });
      const player = h('audio', { controls: true, src: api.url(link.url), 'aria-label': what });
      player.addEventListener('error', () => player.replaceWith(h('span', { class: 'error' }, t('recording.failed'))));
      box.querySelector('[data-act=play]').replaceWith(player);
      player.focus();
      await player.play().catch(() => {}); // where the browser wants another press, its own button is there
    }),
  }, `▶ ${t('recording.play')}`)),
  download: (box, row, path, what) => box.append(h('button', {
    type: 'button', 'data-act': 'download', 'aria-label': what, onclick: () => reasoned(what, t('recording.download'), false, async (reason) => {
      const answer = await api.send('GET', `${path}?download=1`, undefined, because(reason));
      file(await api.read(answer.blob()), answer.headers.get('Content-Disposition')?.match(/filename="?([^";]+)/)?.[1] ?? 'recording.wav');
    }),
  }, t('recording.download'))),
  // It is final, so it is asked for twice.
  delete: (box, row, path, what) => box.append(h('button', {
    type: 'button', class: 'end', 'data-act': 'delete', 'aria-label': what, onclick: () => reasoned(what, t('recording.delete'), true, async (reason) => {
      await api.send('DELETE', path, undefined, because(reason));
      await again(row, 'td:nth-last-child(2)');
    }),
  }, t('recording.delete'))),
};

/** again shows a row as it is now, with the focus where it was. */
async function again(row, cell) {
  const fresh = line(await api.ask('GET', `v1/journal/${encodeURIComponent(row.id)}`));
  [...parts.body.children].find((tr) => tr.dataset.row === row.id)?.replaceWith(fresh);
  const at = fresh.querySelector(cell);
  (at.querySelector('button') ?? at).focus();
}

/** file gives a file to whom looks at the page. */
function file(blob, name) {
  const a = h('a', { href: URL.createObjectURL(blob), download: name });
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 60000);
}

function grades(row) {
  const all = (row.grades ?? []).map((g) => {
    const given = [`${g.value}/5 `, h('span', { class: 'muted' }, nameOf(g.by))];
    return g.comment ? h('details', null, h('summary', null, given), g.comment) : h('div', null, given);
  });
  if (!row.can_grade) return all;
  const what = t('grade.of', { name: nameOf(row.employee), when: when(row.began) });
  return [...all, h('button', {
    type: 'button', 'aria-label': what, onclick: () => tried(async () => {
      const mine = (row.grades ?? []).find((g) => g.by === state.me.id);
      const given = await choose(what, t('grade.do'), [
        { name: 'value', label: t('grade.value'), value: mine?.value, options: [5, 4, 3, 2, 1].map((n) => ({ value: n, label: t(`grade.${n}`) })) },
        { name: 'comment', label: t('grade.comment'), value: mine?.comment },
      ]);
      if (!given) return;
      await api.ask('PUT', `v1/journal/${encodeURIComponent(row.id)}/grade`, { value: Number(given.value), comment: given.comment || undefined });
      await again(row, 'td:last-child');
    }),
  }, t('grade.do'))];
}

const csv = () => tried(async () => {
  file(await api.read((await api.send('GET', `v1/journal.csv?${filter()}`)).blob()), 'journal.csv');
});

async function figures() {
  const mine = ++reckoned;
  const q = filter();
  for (const name of ['direction', 'outcome', 'number']) q.delete(name);
  q.set('by', parts.group.value);
  const by = parts.group.value;
  if ((by === 'day' || by === 'hour') && !q.has('from')) q.set('from', new Date(api.now() - 7 * 24 * 3600 * 1000).toISOString());
  try {
    const { figures: all } = await api.ask('GET', `v1/statistics?${q}`);
    if (mine !== reckoned) return;
    const name = (f) => (f.began ? when(f.began) : f.employee ? nameOf(f.employee) : f.department ? departmentOf([...state.rows.values()].find((r) => r.department === f.department) ?? f) : f.line ?? t('figures.none'));
    const counts = ['calls', 'answered', 'missed', 'abandoned'];
    parts.figures.replaceChildren(h('table', { id: 'figures' },
      h('thead', null, h('tr', null, h('th', { scope: 'col' }, t(`by.${by}`)), [...counts, 'talk', 'wait'].map((k) => h('th', { scope: 'col', class: 'num' }, t(`figures.${k}`))))),
      h('tbody', null, all.map((f) => h('tr', null, h('th', { scope: 'row' }, name(f)), counts.map((k) => h('td', { class: 'num' }, String(f[k]))),
        h('td', { class: 'num' }, span(f.talk)), h('td', { class: 'num' }, span(f.wait)))))));
  } catch (e) {
    if (mine !== reckoned) return;
    if (!(e instanceof api.Refusal)) refused(e);
    else parts.figures.replaceChildren(h('p', { class: 'muted card' }, why(e)));
  }
}

export function open() {
  if (!opened) build();
  opened = true;
  load();
  figures();
}

export function forget() {
  opened = false;
  asked++;
  reckoned++;
  $('journal').replaceChildren();
}

export function start() {
  on('all', () => { if (opened && parts.employee.length !== state.rows.size + 1) employees(); });
  onLanguage(() => {
    if (!opened) return;
    opened = false;
    open();
  });
}
