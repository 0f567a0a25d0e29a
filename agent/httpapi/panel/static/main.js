// Who is signed in, and what of the page is shown.
import * as api from './api.js';
import * as board from './board.js';
import * as i18n from './i18n.js';
import * as journal from './journal.js';
import * as live from './live.js';
import * as mine from './mine.js';
import * as policy from './policy.js';
import { $, attr, h, keyed, text } from './dom.js';
import { why } from './notes.js';

const { t } = i18n;
const views = { board: { open() {} }, journal, policy };
const kept = { view: 'earshot.view', phone: 'earshot.phone' }; // in the tab's own storage, so that it survives that the page is loaded anew
let back = null; // the view that one was at before

function show(view) {
  for (const name of Object.keys(views)) {
    $(`view-${name}`).hidden = name !== view;
    attr($(`tab-${name}`), 'aria-current', name === view ? 'page' : null);
  }
  if (view) sessionStorage.setItem(kept.view, view);
  views[view]?.open();
}

function signedOut(because) {
  live.stop();
  for (const what of ['supervisions', 'intercepts', 'incoming', 'supervised', 'rows']) live.state[what].clear();
  live.state.me = null;
  for (const id of ['alerts', 'mine', 'board', 'own-calls', 'heard-list', 'phone', 'department']) keyed($(id), [], String);
  $('notes').replaceChildren();
  for (const place of Object.values(kept)) sessionStorage.removeItem(place);
  title();
  for (const v of [journal, policy]) v.forget();
  if ($('dialog').open) $('dialog').close();
  $('dialog').replaceChildren();
  show(null);
  for (const id of ['tabs', 'signout', 'phone-choice']) $(id).hidden = true;
  $('signin').hidden = false;
  text($('myself'), '');
  text($('link'), '');
  text($('signin-error'), because ? t(because) : '');
  $('token').focus();
}

function signedIn() {
  $('signin').hidden = true;
  $('token').value = '';
  text($('signin-error'), '');
  for (const id of ['tabs', 'signout']) $(id).hidden = false;
  back = sessionStorage.getItem(kept.view);
  show('board');
  live.start();
}

async function signIn(e) {
  e.preventDefault();
  text($('signin-error'), '');
  try {
    await api.signIn($('token').value.trim());
    signedIn();
    $('search').focus();
  } catch (error) {
    text($('signin-error'), error.status === 401 ? t('signin.wrong') : why(error));
    $('token').select();
  }
}

function link() {
  const { state } = live;
  attr($('link'), 'data-state', state.link);
  text($('link'), state.link === 'off' ? '' : t(`link.${state.link}`, { since: i18n.when(state.lost || Date.now(), true) }));
}

function me() {
  const { me: who } = live.state;
  if (!who) return;
  text($('myself'), who.name);
  $('tab-policy').hidden = !who.actions.includes('settings.permissions');
  $('phone-choice').hidden = who.phones.length < 2;
  keyed($('phone'), who.phones, String, (p) => h('option', { value: p }, p));
  const phone = sessionStorage.getItem(kept.phone);
  if (who.phones.includes(phone)) $('phone').value = phone;
  const to = back; // the names that a view shows are known now
  back = null;
  if (to in views && to !== 'board' && !$(`tab-${to}`).hidden) show(to);
}

/** title tells in a tab that is behind others that a client calls. */
function title() {
  const [offer] = document.hidden ? live.state.incoming.values() : [];
  document.title = offer ? `${t('offer', { client: mine.caller(offer) })} – Earshot` : 'Earshot';
}

async function start() {
  await i18n.start();
  for (const part of [board, mine, journal, policy]) part.start();
  live.on('all', me);
  live.on('link', link);
  i18n.onLanguage(link);
  api.onSignedOut(() => signedOut(live.state.link === 'off' ? '' : 'signin.ended'));
  $('signin-form').addEventListener('submit', signIn);
  $('signout').addEventListener('click', () => { live.stop(); api.signOut(); });
  for (const b of $('tabs').children) b.addEventListener('click', () => { back = null; show(b.dataset.view); });
  $('phone').addEventListener('change', () => sessionStorage.setItem(kept.phone, $('phone').value));
  for (const what of ['all', 'incoming']) live.on(what, title);
  document.addEventListener('visibilitychange', title);
  if (api.signedIn()) signedIn();
  else signedOut('');
  document.documentElement.dataset.ready = '';
}
start();
