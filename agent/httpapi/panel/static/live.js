// What is known now, by the event stream. A connection that is lost is made again, later and later, and begins with a snapshot. Where as many windows are
// open as may be there is none to be had, and it is tried again slowly: nobody knows when one is closed.
import * as api from './api.js';

/** state is what the stream has told; rows are by employee and in the policy's order. */
export const state = { link: 'off', again: 0, lost: 0, me: null, rows: new Map(), supervisions: new Map(), intercepts: new Map(), incoming: new Map(), supervised: new Map() };

const listeners = new Map();
export const on = (what, f) => listeners.set(what, [...(listeners.get(what) ?? []), f]);
const tell = (what, ...about) => { for (const f of listeners.get(what) ?? []) f(...about); };

let socket = null;
let timer = 0;
let tries = 0;
let seq = 0;

const crowdedWait = 20000;
/** spread is a time that is not the same in all windows, so that they do not come back all at once. */
const spread = (ms) => ms * (0.75 + Math.random() / 2);

function link(to) {
  if (to === 'lost' && state.link !== 'lost') state.lost = Date.now();
  state.link = to;
  tell('link');
}

export function start() {
  stop();
  tries = 0;
  connect();
}

export function stop() {
  clearTimeout(timer);
  timer = 0;
  const old = socket;
  socket = null;
  old?.close();
  state.link = 'off';
}

function connect() {
  clearTimeout(timer);
  if (state.link !== 'lost' && state.link !== 'crowded') link('connecting');
  let opened = false;
  const mine = api.stream();
  socket = mine;
  seq = 0;
  mine.onmessage = (e) => { if (socket === mine) take(JSON.parse(e.data)); };
  mine.onopen = () => { opened = true; };
  mine.onclose = (e) => { if (socket === mine) closed(e.code, opened); };
}

function later(wait) {
  clearTimeout(timer);
  state.again = Date.now() + wait;
  timer = setTimeout(connect, wait);
  return timer;
}

async function closed(code, opened = true) {
  socket = null;
  const mine = later(spread(Math.min(15000, 500 * 2 ** tries++)));
  const refused = !opened && (state.link === 'connecting' || state.link === 'crowded'); // perhaps: it is not said before it is known
  if (!refused) link('lost');
  if (opened && code !== 1008 && tries < 2) return;
  const why = await reason();
  if (why === 'unknown_subject') api.signOut();
  if (timer !== mine || socket) return; // it goes on already, or is over
  if (why === 'too_many_streams') {
    later(spread(crowdedWait));
    link('crowded');
  } else if (refused) link('lost');
}

/** reason is why the stream is refused. A browser does not tell what a WebSocket was answered with, and so the same is asked without one. */
async function reason() {
  try {
    await api.ask('GET', 'v1/events');
  } catch (e) {
    if (e instanceof api.Refusal) return e.code;
  }
  return '';
}

// What the machine knows of its network is sooner there than what a dead connection shows.
addEventListener('offline', () => { if (socket) { const old = socket; closed(1006); old.close(); } });
addEventListener('online', () => { if (state.link === 'lost' && !socket) connect(); });

function take(m) {
  if (m.seq !== ++seq) { // never seen; whoever has missed something begins anew
    const old = socket;
    closed(1006);
    old.close();
    return;
  }
  tries = 0;
  switch (m.type) {
    case 'snapshot': return snapshot(m.board);
    case 'unknown':
      dark();
      for (const map of [state.incoming, state.intercepts]) map.clear();
      link('unknown');
      tell('all');
      return undefined;
    case 'employee':
      state.rows.set(m.employee.id, m.employee);
      return tell('row', m.employee.id);
    case 'supervision': return put('supervisions', m.supervision);
    case 'intercept': return put('intercepts', m.intercept);
    case 'incoming': return put('incoming', m.incoming);
    case 'supervised': return put('supervised', m.supervised);
    default: return undefined; // a later version tells more
  }
}

/** dark takes back what was said of everybody: while the PBX is out of reach nobody is known to be free. */
function dark() {
  for (const row of state.rows.values()) Object.assign(row, { state: 'unknown', since: undefined, calls: [], can: [] });
}

function put(what, v) {
  state[what].set(v.id, v);
  if (v.state === 'ended' && what === 'incoming') state[what].delete(v.id);
  tell(what, v);
}

function snapshot(b) {
  state.me = b.me;
  state.rows = new Map(b.employees.map((r) => [r.id, r]));
  for (const what of ['supervisions', 'intercepts', 'incoming']) {
    const ended = [...state[what].values()].filter((v) => v.state === 'ended' && what !== 'incoming');
    state[what] = new Map([...ended, ...b[what]].map((v) => [v.id, v]));
  }
  if (!b.known) dark();
  link(b.known ? 'live' : 'unknown');
  tell('all');
}

export const nameOf = (id) => state.rows.get(id)?.name ?? id;
export const departmentOf = (row) => row?.department_name ?? row?.department ?? '';
