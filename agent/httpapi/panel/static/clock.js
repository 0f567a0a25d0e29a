// One timer for all running times of the page.
import { now } from './api.js';
import { text } from './dom.js';

const running = new Map(); // element: since when, in ms

export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, '0');
  return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

const show = (el, since) => text(el, span((now() - since) / 1000));

/** run has an element show the time since a moment; without one it shows nothing. */
export function run(el, since) {
  if (!since) {
    running.delete(el);
    text(el, '');
    return;
  }
  const ms = Date.parse(since);
  if (running.get(el) === ms) return;
  running.set(el, ms);
  show(el, ms);
}

function tick() {
  for (const [el, since] of running) {
    if (el.isConnected) show(el, since);
    else running.delete(el);
  }
  setTimeout(tick, 1000 - (now() % 1000));
}
tick();
