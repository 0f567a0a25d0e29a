// What is one's own: calls, supervisions that run, calls of one's clients that ring elsewhere, and who listens to oneself.
import { $, attr, h, keyed, text } from './dom.js';
import { nameOf, on, state } from './live.js';
import { onLanguage, said, t, when } from './i18n.js';
import { ask } from './api.js';
import { note } from './notes.js';
import * as acts from './acts.js';
import * as board from './board.js';
import * as clock from './clock.js';

const lingers = 6000; // ms that is told of what has ended

function part(el, name, make) {
  el.parts ??= {};
  return el.parts[name] ??= make();
}

/** supervisions shows those that run, each with its mode and its end. */
function supervisions() {
  const forget = (kind, v) => { state[kind].delete(v.id); draw(); };
  const all = [...state.supervisions.values()].map((v) => ['supervisions', v]).concat([...state.intercepts.values()].map((v) => ['intercepts', v]));
  keyed($('mine'), all, ([, v]) => v.id, ([kind, v]) => {
    const words = h('p', { role: 'status' });
    const group = h('span', { class: 'group', role: 'group' });
    const el = h('div', { class: 'run' }, words, h('span', { class: 'clock' }), group, h('button', {
      type: 'button', class: 'end', onclick: () => (state[kind].get(v.id)?.state === 'ended' ? forget(kind, v) : acts.end(v)),
    }));
    if (kind === 'supervisions') {
      for (const mode of acts.modes) group.append(h('button', { type: 'button', 'data-mode': mode, onclick: () => acts.change(state.supervisions.get(v.id), mode) }));
    }
    return el;
  }, (el, [kind, v]) => {
    const [words, time, group, end] = el.children;
    const name = nameOf(v.target);
    const ended = v.state === 'ended' || v.state === 'taken';
    const what = kind === 'intercepts' ? `${v.target ? 'intercept' : 'waiting'}.${v.state}` : v.state === 'active' ? `run.${v.mode}` : `run.${v.state}`;
    text(words, [t(what, { name, phone: v.phone }), v.text && said(v.reason, v.text), v.peer_silent && t('run.silent')].filter(Boolean).join(' '));
    clock.run(time, v.state === 'active' ? v.since : undefined);
    attr(group, 'aria-label', t('run.mode'));
    group.hidden = ended || kind === 'intercepts';
    for (const b of group.children) {
      text(b, t(`do.${b.dataset.mode}`));
      attr(b, 'aria-pressed', String(b.dataset.mode === v.mode));
      b.hidden = !acts.may(b.dataset.mode);
    }
    text(end, t(ended ? 'close' : 'run.end'));
    attr(end, 'aria-label', ended ? null : t('run.end.of', { name }));
    end.hidden = kind === 'intercepts' && !ended;
    if (ended && !el.leaves) {
      el.leaves = true;
      if (!v.text) setTimeout(() => forget(kind, v), lingers);
    }
  });
}

export const caller = (o) => [o.client.name, o.client.number].filter(Boolean).join(' · ');

/** offers shows the banners. The focus stays where it is: somebody may be typing. */
function offers() {
  keyed($('alerts'), [...state.incoming.values()], (o) => o.id, (o) => h('div', { class: 'banner', role: 'alert', 'data-offer': o.id }), (el, o) => {
    const words = part(el, 'words', () => el.appendChild(h('p')));
    const name = caller(o);
    text(words, o.state === 'waiting' ? t('offer.waiting', { client: name }) : o.target ? t('offer.at', { client: name, name: nameOf(o.target) }) : t('offer', { client: name }));
    clock.run(part(el, 'time', () => el.appendChild(h('span', { class: 'clock', 'aria-hidden': 'true' }))), o.since);
    const accept = part(el, 'accept', () => el.appendChild(h('button', { type: 'button', class: 'main', 'data-act': 'accept', onclick: () => acts.take(state.incoming.get(o.id)) })));
    accept.hidden = !o.can_accept;
    text(accept, t('offer.accept'));
    attr(accept, 'aria-label', t('offer.accept.of', { client: name }));
  });
}

function own() {
  const me = state.rows.get(state.me?.id);
  if (!me) return;
  board.calls($('own-calls'), me, (flags, c) => {
    board.flags(flags, [c.supervision && 'flag.own', c.supervised && 'flag.supervised', c.locked && 'flag.locked', board.taped(c)]);
    const line = flags.parentElement;
    const may = acts.may('lock') && ['talking', 'held', 'dialling'].includes(c.state);
    let b = line.querySelector('button');
    if (!may) b?.remove();
    if (may && !b) line.append(b = h('button', { type: 'button', 'data-act': 'lock', onclick: () => acts.lock(state.rows.get(state.me.id).calls.find((x) => x.id === c.id)) }));
    if (may) text(b, t(c.locked ? 'do.unlock' : 'do.lock'));
  });
}

async function heard() {
  if (!state.me) return;
  const { supervised } = await ask('GET', 'v1/me/supervised');
  state.supervised = new Map(supervised.map((v) => [v.id, v]));
  heardList();
}

function heardList() {
  const all = [...state.supervised.values()].sort((a, b) => (a.since < b.since ? 1 : -1)).slice(0, 50);
  $('heard').hidden = all.length === 0;
  keyed($('heard-list'), all, (v) => v.id, () => h('li'), (el, v) => {
    const times = v.until ? `${when(v.since)} – ${when(v.until)}` : t('heard.now', { since: when(v.since) });
    text(el, `${t(`heard.${v.mode}`, { name: nameOf(v.by) })} · ${times}`);
  });
}

function told(v) {
  note(t(`told.${v.state}.${v.mode === 'join' ? 'join' : 'heard'}`, { name: nameOf(v.by) }), v.state === 'active', v.id);
  heardList();
}

function draw() {
  supervisions();
  offers();
  own();
}

export function start() {
  on('all', () => { draw(); heard().catch(() => {}); });
  for (const what of ['supervisions', 'intercepts', 'incoming']) on(what, draw);
  on('row', (id) => { if (id === state.me?.id) own(); });
  on('supervised', told);
  onLanguage(() => { draw(); heardList(); });
}
