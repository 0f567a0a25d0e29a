// The public API, as any other panel has it. The token is in memory and in the tab's own storage, never in an address.

const place = 'earshot.token';
let token = sessionStorage.getItem(place);
let skew = 0; // of this machine's clock against the server's, in ms
let out = () => {};

/** A Refusal is what the server answered instead: its text is for people, its code for programs. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? String(status));
    this.status = status;
    this.code = problem.code ?? '';
    this.rule = problem.rule;
    this.id = problem.id;
  }
}

export const now = () => Date.now() + skew;
export const url = (path) => new URL(path.replace(/^\//, ''), document.baseURI);
export const signedIn = () => token !== null;
export const onSignedOut = (f) => { out = f; };

function keep(value) {
  token = value;
  if (value === null) sessionStorage.removeItem(place);
  else sessionStorage.setItem(place, value);
}

/** send makes a request and returns the response, or throws a Refusal; a TypeError says that nobody was reached. */
export async function send(method, path, body, headers) {
  const asked = token;
  const response = await fetch(url(path), {
    method,
    headers: { Authorization: `Bearer ${asked}`, ...(body ? { 'Content-Type': 'application/json' } : {}), ...headers },
    body: body && JSON.stringify(body),
    credentials: 'omit',
    cache: 'no-store',
  });
  const date = Date.parse(response.headers.get('Date'));
  if (Math.abs(date - now()) > 1500) skew = date - Date.now();
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({ title: response.statusText }));
  if (response.status === 401 && asked === token && asked !== null) {
    keep(null);
    out();
  }
  throw new Refusal(response.status, problem);
}

/** ask makes a request and returns the answer's JSON. */
export async function ask(method, path, body, headers) {
  const response = await send(method, path, body, headers);
  return response.status === 204 ? undefined : response.json();
}

/** signIn proves who one is. Where the server has sessions, one of them takes the token's place, so that the token itself is not kept. */
export async function signIn(given) {
  token = given;
  let me;
  try {
    me = await ask('GET', 'v1/me');
  } catch (e) {
    token = null;
    throw e;
  }
  try {
    keep((await ask('POST', 'v1/sessions', { ttl: 12 * 3600 })).token);
  } catch (e) {
    if (!(e instanceof Refusal) || e.status === 401) throw e;
    keep(given); // no sessions here, or it is one
  }
  return me;
}

/** signOut ends the session, and with it what runs on its strength. A token that is none is only forgotten. */
export async function signOut() {
  const session = token?.startsWith('ears_');
  try {
    if (session) await send('DELETE', 'v1/sessions/current');
  } catch { /* it ends by itself */ }
  keep(null);
  out();
}

/** stream opens the event stream. A browser can send the token as a subprotocol alone. */
export function stream() {
  const address = url('v1/events');
  address.protocol = address.protocol.replace('http', 'ws');
  return new WebSocket(address, ['earshot.v1', `bearer.${token}`]);
}
