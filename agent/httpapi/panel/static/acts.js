// What the buttons do. Each is a request of the public API; whether it is carried out the server says.
import { ask, Refusal } from './api.js';
import { nameOf, state } from './live.js';
import { choose, note, refused, tried } from './notes.js';
import { t } from './i18n.js';
import { $ } from './dom.js';

export const modes = ['spy', 'whisper', 'barge'];
const phone = () => $('phone').value || undefined;

/** reasoned does what may need a reason. Where one may be needed it is asked for, and once more when the server says that it has to be. */
export async function reasoned(title, does, needed, f) {
  const why = (required) => choose(title, does, [{ name: 'reason', label: t('reason'), required }]);
  let given = needed ? await why(false) : {};
  for (let must = false; given; must = true) {
    try {
      return await f(given.reason || undefined);
    } catch (e) {
      if (!(e instanceof Refusal) || e.code !== 'reason_required' || must) {
        refused(e);
        return undefined;
      }
    }
    given = await why(true);
  }
  return undefined;
}

/** which is the call that an act is about: the only one that fits, or the one that is chosen; undefined where the server is to find it, null for none. */
async function which(row, fits, title, does) {
  const calls = row.calls.filter(fits);
  if (calls.length < 2) return calls[0]?.id;
  const label = (c) => [t(`state.${c.state}`), t(`direction.${c.direction}`), peer(c)].filter(Boolean).join(' · ');
  const given = await choose(title, does, [{ name: 'call', label: t('which'), options: calls.map((c) => ({ value: c.id, label: label(c) })) }]);
  return given ? given.call : null;
}

/** peer is the other side in words. */
export function peer(c) {
  if (c.peer) return [c.peer.employee ? nameOf(c.peer.employee) : c.peer.name, c.peer.number].filter(Boolean).join(' · ');
  if (c.kind) return t(`kind.${c.kind}`);
  return c.hidden ? t('hidden') : '';
}

export async function supervise(row, mode) {
  const title = t(`do.${mode}.to`, { name: row.name });
  const call = await which(row, (c) => c.state === 'talking', title, t(`do.${mode}`));
  if (call === null) return;
  await reasoned(title, t(`do.${mode}`), row.reason_required, (reason) => ask('POST', 'v1/supervisions', { target: row.id, mode, call, phone: phone(), reason }));
}

export async function intercept(row) {
  const call = await which(row, (c) => c.state === 'ringing', t('do.intercept.to', { name: row.name }), t('do.intercept'));
  if (call !== null) await take({ target: row.id, call });
}

/** take takes a call that rings; of an offer it sends what the offer names. */
export const take = (of) => tried(() => ask('POST', 'v1/intercepts', { target: of.target, call: of.call, phone: phone() }));

export const dial = (row) => tried(async () => {
  await ask('POST', 'v1/calls', { employee: row.id, phone: phone() });
  note(t('pickup'));
});

export const change = (v, mode) => reasoned(t(`do.${mode}.to`, { name: nameOf(v.target) }), t(`do.${mode}`), false,
  (reason) => ask('PATCH', `v1/supervisions/${encodeURIComponent(v.id)}`, { mode, reason }));

export const tape = (id, to) => tried(() => ask('PATCH', `v1/recordings/${encodeURIComponent(id)}`, { state: to }));

export const end = (v) => tried(() => ask('DELETE', `v1/supervisions/${encodeURIComponent(v.id)}`));

export const lock = (call) => tried(async () => {
  if (!call.locked) {
    await ask('POST', 'v1/locks', { call: call.id });
    return;
  }
  const { locks } = await ask('GET', 'v1/locks');
  const mine = locks.find((l) => l.call === call.id);
  if (mine) await ask('DELETE', `v1/locks/${encodeURIComponent(mine.id)}`);
  else note(t('locked.other'), true);
});

export const may = (action) => state.me?.actions.includes(action);
