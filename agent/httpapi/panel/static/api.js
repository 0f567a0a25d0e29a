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

/** Unreachable is that no server was reached, or none whose answer came whole. */
export class Unreachable extends Error {
  constructor(cause) {
    super('unreachable', { cause });
  }
}

/** read is the body of an answer, which may break off. */
export const read = (body) => body.catch((e) => { throw e instanceof SyntaxError ? e : new Unreachable(e); });

export const now = () => Date.now() + skew;
export const url = (path) => new URL(path.replace(/^\//, ''), document.baseURI);
export const signedIn = () => token !== null;
export const onSignedOut = (f) => { out = f; };

function keep(value) {
  token = value;
  if (value === null) sessionStorage.removeItem(place);
  else sessionStorage.setItem(place, value);
}

/** send makes a request and returns the response, or throws a Refusal or that it is Unreachable. */
export async function send(method, path, body, headers) {
  const asked = token;
  const response = await fetch(url(path), {
    method,
    headers: { Authorization: `Bearer ${asked}`, ...(body ? { 'Content-Type': 'application/json' } : {}), ...headers },
    body: body && JSON.stringify(body),
    credentials: 'omit',
    cache: 'no-store',
  }).catch((e) => { throw new Unreachable(e); });
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
  return response.status === 204 ? undefined : read(response.json());
}

/** signIn proves who one is. A session takes the token's place, so that the token itself is not kept; where none is made, nobody is signed in. */
export async function signIn(given) {
  token = given;
  try {
    const me = await ask('GET', 'v1/me');
    const made = await ask('POST', 'v1/sessions', { ttl: 12 * 3600 }).catch((e) => {
      if (e.code === 'is_session') return { token: given };
      throw e;
    });
    keep(made.token);
    return me;
  } catch (e) {
    keep(null);
    throw e;
  }
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
