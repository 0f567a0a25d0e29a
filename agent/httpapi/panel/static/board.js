// The employees and their calls. A row is changed where it differs, and all that came since the last frame at once.
import { $, attr, h, keyed, text } from './dom.js';
import { departmentOf, on, state } from './live.js';
import { onLanguage, t } from './i18n.js';
import * as acts from './acts.js';
import * as clock from './clock.js';

const list = $('board');
const shown = new Map(); // employee id: { el, … }
let dirty = new Set();
let whole = false;
let waiting = false;
let current = null; // the id of the row that the keys are at

function later() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(draw);
}

function draw() {
  waiting = false;
  const rows = [...state.rows.values()].filter((r) => r.id !== state.me?.id);
  if (whole) {
    keyed(list, rows, (r) => r.id, make);
    for (const id of shown.keys()) if (!state.rows.has(id) || id === state.me?.id) shown.delete(id);
    departments(rows);
  }
  for (const r of whole ? rows : [...dirty].map((id) => state.rows.get(id)).filter((r) => r && shown.has(r.id))) update(r);
  whole = false;
  dirty = new Set();
  sift(rows);
}

function departments(rows) {
  const select = $('department');
  const names = new Map(rows.filter((r) => r.department).map((r) => [r.department, departmentOf(r)]));
  const all = [...names].sort((a, b) => a[1].localeCompare(b[1]));
  keyed(select, [['', t('board.all')], ...all], ([id]) => id, ([id]) => h('option', { value: id }), (el, [, name]) => text(el, name));
}

function make(r) {
  const name = h('span', { class: 'name', id: `name-${r.id}` });
  const dept = h('span', { class: 'dept' });
  const calls = h('div', { class: 'calls', id: `calls-${r.id}` });
  const buttons = h('div', { class: 'acts', role: 'group', 'aria-labelledby': `name-${r.id}` });
  const el = h('li', { tabindex: -1, 'data-id': r.id, 'aria-labelledby': `name-${r.id} calls-${r.id}` }, h('div', { class: 'who' }, name, dept), calls, buttons);
  shown.set(r.id, { el, name, dept, calls, buttons });
  if (current === null) {
    current = r.id;
    el.tabIndex = 0;
  }
  return el;
}

/** calls shows the calls of a row, or that there are none, or that nobody knows whether there are. */
export function calls(el, row, extra) {
  const all = row.calls.length ? row.calls : [{ id: '', state: row.state, since: row.state === 'idle' ? undefined : row.since, away: row.unknown }];
  keyed(el, all, (c) => c.id, () => {
    const parts = { badge: h('span', { class: 'badge' }), dir: h('span', { class: 'muted' }), peer: h('span', { class: 'peer' }), flags: h('span', { class: 'flags' }), clock: h('span', { class: 'clock' }) };
    const line = h('div', { class: 'call' }, parts.badge, parts.clock, parts.dir, parts.peer, parts.flags);
    line.parts = parts;
    return line;
  }, (line, c) => {
    const { badge, dir, peer, flags, clock: time } = line.parts;
    attr(badge, 'data-state', c.state);
    text(badge, t(`state.${c.state}`));
    text(dir, c.direction ? t(`direction.${c.direction}`) : '');
    const who = c.away ? t('away') : acts.peer(c);
    text(peer, who);
    attr(peer, 'class', c.peer ? 'peer' : 'peer muted');
    clock.run(time, c.since);
    extra?.(flags, c);
  });
}

/** flags are words beside a call. */
export function flags(el, keys) {
  keyed(el, keys.filter(Boolean), (k) => k, () => h('span', { class: 'flag' }), (flag, k) => text(flag, t(k)));
}

/** taped is the word for a recording of a call that Earshot makes. */
export const taped = (c) => c.recording && (c.recording.state === 'paused' ? 'flag.paused' : 'flag.recording');

/** tapes has the recording of a colleague's call paused, gone on with and ended: his row tells of it to whoever may do that. */
function tapes(line, r, c) {
  const to = { recording: ['paused', 'stopped'], paused: ['recording', 'stopped'] }[c.recording?.state] ?? [];
  if (!to.length && !line.tapes) return;
  const group = line.tapes ??= line.appendChild(h('span', { class: 'group' }));
  group.of = c.recording?.id;
  keyed(group, to, (s) => s, (s) => h('button', { type: 'button', 'data-tape': s, onclick: () => acts.tape(group.of, s) }), (b, s) => {
    text(b, t(`tape.${s}`));
    attr(b, 'aria-label', t(`tape.${s}.of`, { name: r.name }));
    b.tabIndex = r.id === current ? 0 : -1;
  });
}

const does = {
  spy: (r) => acts.supervise(r, 'spy'), whisper: (r) => acts.supervise(r, 'whisper'), barge: (r) => acts.supervise(r, 'barge'), intercept: acts.intercept, dial: acts.dial,
};

function update(r) {
  const at = shown.get(r.id);
  text(at.name, r.name);
  text(at.dept, departmentOf(r));
  attr(at.el, 'data-state', r.state);
  const mine = new Set([...state.supervisions.values()].filter((v) => v.state !== 'ended').map((v) => v.call));
  calls(at.calls, r, (el, c) => {
    flags(el, [c.id && r.unknown && 'flag.more', mine.has(c.id) && 'flag.mine', c.locked && 'flag.locked', taped(c)]);
    tapes(el.parentElement, r, c);
  });
  keyed(at.buttons, r.can.filter((a) => a in does), (a) => a, (a) => h('button', { type: 'button', 'data-act': a, onclick: () => does[a](state.rows.get(r.id)) }), (b, a) => {
    text(b, t(`do.${a}`));
    attr(b, 'aria-label', t(`do.${a}.to`, { name: r.name }));
    b.tabIndex = r.id === current ? 0 : -1;
  });
}

/** sift hides what does not fit what is searched for. */
function sift(rows) {
  const words = $('search').value.trim().toLowerCase().split(/\s+/);
  const department = $('department').value;
  const calling = (r) => r.state !== 'idle' && r.state !== 'unknown';
  let busy = 0;
  let fit = 0;
  for (const r of rows) {
    if (calling(r)) busy++;
    const name = `${r.name} ${departmentOf(r)}`.toLowerCase();
    const fits = words.every((w) => name.includes(w)) && (!department || r.department === department) && (!$('busy').checked || calling(r));
    const el = shown.get(r.id)?.el;
    if (el && el.hidden === fits) el.hidden = !fits;
    if (fits) fit++;
  }
  text($('count'), rows.every((r) => r.state === 'unknown') ? '' : t('board.count', { all: rows.length, busy }));
  $('none').hidden = fit > 0 || rows.length === 0;
  if (shown.get(current)?.el.hidden ?? true) move(list.querySelector('li:not([hidden])'), false);
}

/** move makes a row the one that the keys are at; its buttons alone are in the order of the tab key, or there would be thousands of stops. */
function move(el, focus = true) {
  const tab = (id, n) => {
    const at = shown.get(id);
    if (!at) return;
    at.el.tabIndex = n;
    for (const b of at.el.querySelectorAll('button')) b.tabIndex = n;
  };
  if (!el) return;
  if (el.dataset.id !== current) {
    tab(current, -1);
    current = el.dataset.id;
    tab(current, 0);
  }
  if (focus) el.focus();
}

function keys(e) {
  const li = e.target.closest('li');
  if (!li || e.altKey || e.ctrlKey || e.metaKey) return;
  const rows = () => [...list.querySelectorAll('li:not([hidden])')];
  const step = (by) => { const all = rows(); return all[Math.max(0, Math.min(all.length - 1, all.indexOf(li) + by))]; };
  const buttons = [...li.querySelectorAll('button')];
  const beside = (by) => buttons[buttons.indexOf(e.target) + by] ?? (by < 0 ? li : undefined);
  const to = {
    ArrowDown: () => step(1), ArrowUp: () => step(-1), PageDown: () => step(10), PageUp: () => step(-10), Home: () => rows()[0], End: () => rows().at(-1),
    ArrowRight: () => beside(1), ArrowLeft: () => (e.target === li ? undefined : beside(-1)),
    Enter: () => (e.target === li ? buttons[0] : undefined), Escape: () => (e.target === li ? $('search') : li),
  }[e.key]?.();
  if (!to) return;
  e.preventDefault();
  if (to.matches('li')) move(to);
  else to.focus();
}

export function start() {
  on('all', () => { whole = true; later(); });
  on('row', (id) => { dirty.add(id); later(); });
  on('supervisions', (v) => { dirty.add(v.target); later(); });
  on('link', () => attr(list, 'class', state.link === 'live' ? 'board' : 'board stale'));
  onLanguage(() => { $('department').kept?.clear(); $('department').replaceChildren(); whole = true; later(); });
  list.addEventListener('keydown', keys);
  list.addEventListener('focusin', (e) => move(e.target.closest('li'), false));
  for (const id of ['search', 'department', 'busy']) $(id).addEventListener('input', later);
  $('search').addEventListener('keydown', (e) => {
    if (e.key === 'Escape') { $('search').value = ''; later(); }
    if (e.key === 'ArrowDown') { e.preventDefault(); move(list.querySelector('li:not([hidden])')); }
  });
  addEventListener('keydown', (e) => {
    if (e.key !== '/' || e.target.matches('input, select, textarea') || $('view-board').hidden || $('dialog').open) return;
    e.preventDefault();
    $('search').focus();
  });
}
