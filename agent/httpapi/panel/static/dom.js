// Elements are made and changed here alone. What comes from outside becomes text: there is no other way to put it into the page.

/** h makes an element: props that begin with "on" are listeners, the rest attributes; true is an empty one, false and null are none. */
export function h(tag, props, ...kids) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith('on')) el.addEventListener(name.slice(2), value);
    else attr(el, name, value);
  }
  el.append(...kids.flat().filter((k) => k != null && k !== false));
  return el;
}

export function attr(el, name, value) {
  if (value == null || value === false) {
    if (el.hasAttribute(name)) el.removeAttribute(name);
  } else {
    const s = value === true ? '' : String(value);
    if (el.getAttribute(name) !== s) el.setAttribute(name, s);
  }
}

/** text writes only what differs, so that nothing is laid out anew for nothing. */
export function text(el, s) {
  if (el.textContent !== s) el.textContent = s;
}

export const $ = (id) => document.getElementById(id);

/** keyed makes the children of an element those of items, one for each key, and keeps the elements that stay. */
export function keyed(parent, items, key, make, update) {
  const had = parent.kept ?? (parent.kept = new Map());
  const gone = new Set(had.keys());
  let before = parent.firstElementChild;
  for (const item of items) {
    const k = key(item);
    let el = had.get(k);
    if (!el) {
      el = make(item);
      had.set(k, el);
    }
    gone.delete(k);
    update?.(el, item);
    if (el === before) before = before.nextElementSibling;
    else parent.insertBefore(el, before);
  }
  for (const k of gone) {
    const el = had.get(k);
    had.delete(k);
    if (el.contains(document.activeElement)) el.parentElement.closest('[tabindex]')?.focus();
    el.remove();
  }
}
