// Who may do what to whom by the policy in force, what is wrong with its files, and why: for administrators.
import { ask, Refusal } from './api.js';
import { $, attr, h } from './dom.js';
import { departmentOf, nameOf, on, state } from './live.js';
import { onLanguage, t, when } from './i18n.js';
import { dialog, refused, why } from './notes.js';

const common = ['observe', 'spy', 'whisper', 'barge', 'intercept', 'dial', 'play', 'download', 'delete', 'journal', 'statistics', 'lock'];
const most = 100; // rows at once; who looks for somebody searches
let opened = false;
let asked = 0; // these count, so that an answer that comes late is not shown
let looked = 0;
let matrix = null;
const parts = {};

const named = (action) => t(`action.${action}`) === `action.${action}` ? action : t(`action.${action}`);
const q = (values) => new URLSearchParams(Object.entries(values).filter(([, v]) => v));

function build() {
  parts.status = h('div', { id: 'policy-status' });
  parts.search = h('input', { type: 'search', 'aria-label': t('board.search'), placeholder: t('board.search') });
  parts.search.addEventListener('input', () => requestAnimationFrame(draw));
  parts.table = h('div', { class: 'scroll', role: 'region', 'aria-labelledby': 'policy-title' });
  parts.words = h('p', { class: 'muted' });
  $('policy').replaceChildren(parts.status, h('div', { class: 'bar' }, h('label', { class: 'grow' }, parts.search), h('span', { class: 'muted' }, t('policy.hint'))), parts.table, parts.words);
}

async function load() {
  const mine = ++asked;
  try {
    const [status, all] = await Promise.all([ask('GET', 'v1/policy/status'), ask('GET', 'v1/policy/matrix')]);
    if (mine !== asked) return;
    matrix = { actions: [...common.filter((a) => all.actions.includes(a)), ...all.actions.filter((a) => !common.includes(a) && a !== 'observe.kind' && all.rows.some((r) => r.action === a))], of: new Map(all.rows.map((r) => [`${r.subject} ${r.action}`, r])) };
    show(status);
    draw();
  } catch (e) {
    if (mine !== asked) return;
    if (!(e instanceof Refusal)) {
      refused(e);
      return;
    }
    matrix = null;
    parts.table.replaceChildren();
    parts.status.replaceChildren(h('p', { class: 'card muted' }, why(e)));
  }
}

function show(s) {
  const list = (title, kind, all) => all.length > 0 && h('div', { class: `card ${kind}`, role: kind === 'mistakes' ? 'alert' : null }, h('h2', null, title),
    h('ul', { class: 'plainlist' }, all.map((m) => h('li', null, m.file && h('span', { class: 'mono' }, `${m.file}:${m.line}:${m.column} `), m.detail, m.hint && h('span', { class: 'muted' }, ` (${m.hint})`)))));
  parts.status.replaceChildren(...[
    h('p', { class: 'muted' }, t('policy.version', { n: s.generation, when: s.loaded ? when(s.loaded, true) : '' })),
    list(t('policy.broken'), 'mistakes', s.mistakes), list(t('policy.warnings'), 'warnings', s.warnings),
  ].filter(Boolean));
}

/** cell is what stands in a cell, in a word, with what kind of mark it is. */
function cell(row) {
  const grants = row?.grants.filter((g) => !(row.action === 'observe' && g.text === 'himself')) ?? [];
  const best = grants[0];
  if (!best || best.mark === 'no') return { mark: 'none', text: '–' };
  const total = state.rows.size - 1;
  const n = grants.reduce((sum, g) => sum + (g.count ?? 0), 0);
  if (!best.count) return { mark: best.mark, text: '✓' };
  return { mark: best.mark, text: n >= total && !row.action.startsWith('line.') ? t('policy.all') : String(n), rest: best.text };
}

function draw() {
  if (!matrix) return;
  const words = parts.search.value.trim().toLowerCase();
  const all = [...state.rows.values()].filter((r) => `${r.name} ${departmentOf(r)} ${r.id}`.toLowerCase().includes(words));
  const focused = document.activeElement?.dataset?.cell;
  const rows = all.slice(0, most).map((r) => h('tr', null, h('th', { scope: 'row' }, r.name), matrix.actions.map((a) => {
    const c = cell(matrix.of.get(`${r.id} ${a}`));
    return h('td', null, h('button', { type: 'button', tabindex: -1, 'data-cell': `${r.id} ${a}`, 'data-mark': c.mark, 'aria-label': `${r.name}, ${named(a)}: ${c.mark === 'none' ? t('mark.no') : c.rest ?? t(`mark.${c.mark}`)}`, onclick: () => look(r, a) }, c.text));
  })));
  const table = h('table', { class: 'grid', role: 'grid', 'aria-labelledby': 'policy-title' },
    h('thead', null, h('tr', null, h('th', { scope: 'col' }, t('journal.employee')), matrix.actions.map((a) => h('th', { scope: 'col' }, named(a))))), h('tbody', null, rows));
  table.addEventListener('keydown', keys);
  parts.table.replaceChildren(table);
  const buttons = [...table.querySelectorAll('tbody button')];
  const at = buttons.find((b) => b.dataset.cell === focused);
  if (buttons.length) (at ?? buttons[0]).tabIndex = 0;
  at?.focus();
  parts.words.textContent = all.length > most ? t('policy.more', { n: most, all: all.length }) : '';
}

/** keys moves within the grid, which is one stop of the tab key. */
function keys(e) {
  const td = e.target.closest('td');
  if (!td) return;
  const tr = td.parentElement;
  const to = {
    ArrowRight: () => td.nextElementSibling, ArrowLeft: () => td.previousElementSibling, Home: () => tr.children[1], End: () => tr.lastElementChild,
    ArrowDown: () => tr.nextElementSibling?.children[td.cellIndex], ArrowUp: () => tr.previousElementSibling?.children[td.cellIndex],
  }[e.key]?.()?.querySelector('button');
  if (!to) return;
  e.preventDefault();
  e.target.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}

const reached = (rows) => [...new Set(rows.flatMap((r) => r.grants).flatMap((g) => g.targets ?? []))];

/** look shows whom a right reaches, and explains it for whoever is chosen. Of dial there is no more to say than its rules: a number decides it. */
async function look(who, action) {
  const mine = ++looked;
  try {
    const about = ['dial', 'lock'].includes(action) || action.startsWith('settings.') && action !== 'settings.user' ? 'nobody' : action.startsWith('line.') ? 'line' : 'employee';
    const { rows } = await ask('GET', `v1/policy/matrix?${q({ subject: about === 'line' ? '' : who.id, action, targets: 1 })}`);
    const row = rows.find((r) => r.subject === who.id);
    if (mine !== looked) return;
    const answer = h('div', { id: 'explained', role: 'status', class: 'stack' });
    const grants = h('ul', { class: 'plainlist' }, (row?.grants ?? []).map((g) => h('li', null, h('strong', null, t(`mark.${g.mark}`)), g.text && ` · ${g.text}`, g.rule && h('div', { class: 'mono muted' }, g.rule))));
    if (!row) grants.append(h('li', null, t('mark.no')));
    const explain = async (target) => {
      const own = ++turn;
      try {
        const said = await ask('GET', `v1/policy/explain?${q({ subject: who.id, action, [about === 'line' ? 'line' : 'target']: target })}`);
        if (own === turn) answered(answer, said);
      } catch (e) {
        if (own === turn) answer.replaceChildren(h('p', { class: 'error' }, why(e))); // a note would be behind the dialog
      }
    };
    let turn = 0;
    let choice = null;
    let lines = null;
    if (about === 'employee') {
      choice = h('select', { id: 'explain-target', onchange: () => explain(choice.value) }, [...state.rows.values()].filter((r) => r.id !== who.id).map((r) => h('option', { value: r.id }, r.name)));
    } else if (about === 'line') {
      // Which lines there are nobody is told as a list: those that anybody reaches are offered, and every other may be written.
      lines = h('datalist', { id: 'explain-lines' }, reached(rows).sort().map((id) => h('option', { value: id })));
      choice = h('input', { id: 'explain-target', list: 'explain-lines', autocomplete: 'off', maxlength: 200, onchange: () => choice.value && explain(choice.value) });
    }
    const first = reached(row ? [row] : []).find((id) => id !== who.id) ?? (about === 'line' ? reached(rows)[0] : undefined);
    if (choice && first) choice.value = first;
    const d = dialog(`${who.name}: ${named(action)}`, grants, action === 'dial' && h('p', { class: 'muted' }, t('policy.dial')), choice && h('label', null, t('policy.why'), choice), lines, answer,
      h('div', { class: 'foot' }, h('button', { type: 'button', class: 'main', onclick: () => d.close() }, t('close'))));
    if (action !== 'dial' && (!choice || choice.value)) await explain(choice?.value);
  } catch (e) {
    if (mine === looked) refused(e);
  }
}

function answered(el, e) {
  el.replaceChildren(
    h('h3', { 'data-allowed': String(e.allowed) }, t(e.allowed ? 'explain.yes' : 'explain.no'), h('span', { class: 'mono muted' }, ` ${e.reason}`)),
    h('ul', { class: 'plainlist' }, e.statements.map((s) => h('li', null, s.effect !== 'none' && h('strong', null, t(`effect.${s.effect}`), ' '), s.text, s.rule && h('div', { class: 'mono muted' }, s.rule), s.via && h('div', { class: 'mono muted' }, s.via)))),
    ...(e.needs.length ? [h('h3', null, t(e.allowed ? 'explain.refuse' : 'explain.allow')),
      h('ul', { class: 'plainlist' }, e.needs.map((n) => h('li', null, n.text, n.ways.map((w, i) => h('div', null, (i ? `${t('or')} ` : '') + w)))))] : []));
}

export function open() {
  if (!opened) build();
  opened = true;
  load();
}

export function forget() {
  opened = false;
  matrix = null;
  asked++;
  looked++;
  $('policy').replaceChildren();
}

export function start() {
  on('all', () => { if (opened && !$('view-policy').hidden) load(); });
  onLanguage(() => {
    if (!opened) return;
    build();
    if (!$('view-policy').hidden) load();
  });
}
