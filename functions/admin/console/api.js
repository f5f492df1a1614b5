// Calls of the admin API: what authorises them, how access is renewed, and what a
// refusal means in a sentence.

import { has, language, t } from './texts.js';

const keyName = 'wecom-signin-admin-key';
// A gateway gives up after 30 s; a little more, so that its own answer is seen.
const patience = 35_000;
// A token is renewed when less than this is left of it, in milliseconds.
const margin = 60_000;

// Problem is a refused or failed call. Code "offline" and "timeout" are ours: no
// answer came, with status 0.
export class Problem extends Error {
  constructor(status, { code = '', field = '', detail = '', requestId = '' } = {}, about = '') {
    super(code || String(status));
    Object.assign(this, { status, code, field, detail, requestId, about });
  }
}

// problemText says in the page's language what went wrong. The detail of an answer
// is English, so it is never shown.
export function problemText(error) {
  if (!(error instanceof Problem)) {
    console.error(error);
    return t('problem.internal');
  }
  const known = [
    `problem.${error.code}.${error.field}.${error.about}`,
    `problem.${error.code}.${error.field}`,
    `problem.${error.code}`,
  ].find(has);
  // The gateway's own answers have no code.
  const plain = {
    401: 'problem.access_ended',
    403: 'problem.forbidden',
    413: 'problem.payload_too_large',
    429: 'problem.busy',
    503: 'problem.busy',
    504: 'problem.timeout',
  };
  const text = t(known || plain[error.status] || (error.status >= 500 ? 'problem.internal' : 'problem.other'));
  return error.status >= 500 && error.requestId ? `${text} ${t('problem.request', { id: error.requestId })}` : text;
}

// access is what authorises calls: {kind: 'key', value} or {kind: 'session', value,
// until, person}; null before signing in.
let access = null;
let ended = () => Promise.resolve(false);

// accessKind returns 'key', 'session' or ''.
export const accessKind = () => (access ? access.kind : '');

// onAccessEnded sets what asks the administrator to sign in again. It resolves to
// whether access is there again.
export function onAccessEnded(ask) {
  ended = ask;
}

// request waits for an answer as long as patience has it, the reading of it included.
// WeCom's window on a computer is an older browser, without AbortSignal.timeout and
// AbortSignal.any.
async function request(address, { signal, ...options } = {}) {
  const control = new AbortController();
  let late = false;
  setTimeout(() => {
    late = true;
    control.abort();
  }, patience);
  if (signal?.aborted) control.abort();
  signal?.addEventListener('abort', () => control.abort());
  try {
    return await fetch(address, { cache: 'no-store', redirect: 'error', ...options, signal: control.signal });
  } catch (error) {
    if (signal?.aborted) throw error; // somebody here did not want it any more
    throw new Problem(0, { code: late ? 'timeout' : 'offline' });
  }
}

const readJSON = (response) => response.json().catch(() => ({}));

const authorised = (candidate, headers = {}) => ({
  Authorization: `Bearer ${candidate.value}`,
  'Accept-Language': language,
  ...headers,
});

// permitted tries what might authorise calls, and keeps it when it does.
async function permitted(candidate) {
  const response = await request('/api/admin/authenticators?limit=1', {
    headers: authorised(candidate),
    credentials: 'omit',
  });
  if (response.status === 401 || response.status === 403) return false;
  if (!response.ok) throw new Problem(response.status, await readJSON(response));
  access = candidate;
  return true;
}

// enterWithKey reports whether the administrator's key is right, and then keeps it
// for this tab. Without a value it tries the one kept.
export async function enterWithKey(value = sessionStorage.getItem(keyName)) {
  if (!value) return false;
  // What cannot stand in a header is no key.
  if (!/^[\x21-\x7e]+$/.test(value) || !(await permitted({ kind: 'key', value }))) {
    sessionStorage.removeItem(keyName);
    return false;
  }
  sessionStorage.setItem(keyName, value);
  return true;
}

// personOf is whose token it is. The service checks the token; here it only tells one
// person from another.
function personOf(token) {
  try {
    return JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))).sub;
  } catch {
    return '';
  }
}

let renewal = null;

// renew fetches a token of the session; null when there is no session.
function renew() {
  renewal ??= (async () => {
    const response = await request('/api/token', { method: 'POST' });
    const answer = await readJSON(response);
    if (response.status === 401 || response.status === 403) return null;
    if (!response.ok || !answer.access_token) throw new Problem(response.status, answer);
    return {
      kind: 'session',
      value: answer.access_token,
      until: Date.now() + answer.expires_in * 1000,
      person: personOf(answer.access_token),
    };
  })().finally(() => {
    renewal = null;
  });
  return renewal;
}

// enterWithSession answers 'entered', 'none' without a live session, and 'refused'
// for a session of somebody who is no administrator. With samePerson it answers
// 'other' for somebody else than who was in: what one has typed is not the next one's.
export async function enterWithSession({ samePerson = false } = {}) {
  const token = await renew();
  if (!token) return 'none';
  if (samePerson && access?.kind === 'session' && access.person !== token.person) return 'other';
  return (await permitted(token)) ? 'entered' : 'refused';
}

// person is who the live session belongs to, or null.
export async function person() {
  const response = await request('/api/session');
  return response.ok ? (await readJSON(response)).user || null : null;
}

// leave forgets the key, or ends the session.
export async function leave() {
  if (accessKind() === 'session') {
    const response = await request('/api/signout', { method: 'POST' });
    if (!response.ok && response.status !== 401) throw new Problem(response.status, await readJSON(response));
  }
  // The key, and what was typed in the set-up.
  for (const name of Object.keys(sessionStorage)) if (name.startsWith('wecom-signin-')) sessionStorage.removeItem(name);
  access = null;
}

let asking = null;

// again resolves to whether access is there again; many calls ask once.
function again() {
  asking ??= ended().finally(() => {
    asking = null;
  });
  return asking;
}

async function renewed(force) {
  if (access?.kind !== 'session' || (!force && Date.now() < access.until - margin)) return;
  const token = await renew();
  // Somebody else who signed in meanwhile, in another tab, must not go on here unseen.
  if (token && token.person === access.person) access = token;
}

// call sends a request to a path below /api/admin and returns the answer, or null
// for none. json and body are alternatives; type is the media type of body; version
// is what the change is based on; signal aborts; keepalive lets the request outlive the
// page. With accept, another media type than JSON, the answer is {text, more}, where more
// says that there is a next part. When access ended it asks for it, and goes on.
export async function call(method, path, { json, body, type, version, signal, keepalive, accept } = {}) {
  const headers = {};
  if (json !== undefined) {
    body = JSON.stringify(json);
    type = 'application/json';
  }
  if (type) headers['Content-Type'] = type;
  if (accept) headers.Accept = accept;
  if (version !== undefined) headers['If-Match'] = `"${version}"`;
  let fresh = false; // the token is as new as can be
  for (;;) {
    await renewed(false);
    const used = access;
    let response = null;
    if (used) {
      response = await request(`/api/admin${path}`, {
        method,
        body,
        headers: authorised(used, headers),
        credentials: 'omit',
        signal,
        keepalive,
      });
      if (response.status === 204) return null;
      if (response.status !== 401 && response.status !== 403) {
        if (accept && response.ok) return { text: await response.text(), more: response.headers.has('Link') };
        const answer = await readJSON(response);
        if (!response.ok) throw new Problem(response.status, answer, path.split(/[/?]/)[1]);
        return answer;
      }
    }
    if (used?.kind === 'session' && !fresh) {
      fresh = true;
      await renewed(true);
      continue;
    }
    if (access === used && !(await again())) throw new Problem(response?.status ?? 401, { code: 'access_ended' });
    fresh = false;
  }
}

// at joins names to a path.
export const at = (...names) => `/${names.map(encodeURIComponent).join('/')}`;

// everything reads a list to its end. It is for lists that are short by nature.
export async function everything(path) {
  const items = [];
  let cursor = '';
  do {
    const page = await call('GET', `${path}?limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor);
  return items;
}

let issuer = null;

// publicUrl is the address the service is known by.
export function publicUrl() {
  issuer ??= (async () => {
    const response = await request('/.well-known/openid-configuration', { cache: 'default' });
    const answer = await readJSON(response);
    if (!response.ok || !answer.issuer) throw new Problem(response.status, answer);
    return answer.issuer;
  })().catch((error) => {
    issuer = null;
    throw error;
  });
  return issuer;
}
