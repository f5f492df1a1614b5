// A sign-in to try: the whole flow with a copy of an application, which exists for as long
// as it is tried. The console is the software, so neither redirect address nor secret of
// the real one is needed, and it may not be there yet.

import { at, call, publicUrl } from './api.js';
import { causeText } from './application-attempts.js';
import { button, copyable } from './controls.js';
import { dialog } from './dialogs.js';
import { t } from './texts.js';
import { el, notice, waiting } from './ui.js';

const path = (id) => at('applications', id);
// Ids of copies begin so, and states, by which the page that comes back knows itself.
const prefix = 'console-test-';
const channel = 'wecom-signin-console-test';
const copied = ['allow', 'authenticators', 'claims'];
const scope = 'openid profile phone email groups';

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=+$/, '');
const random = (length) => base64url(crypto.getRandomValues(new Uint8Array(length)));
const lowercase = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (n) => (n % 36).toString(36)).join('');

// answered passes the answer of a sign-in to the page that began it, when this page was
// opened by one, and reports whether it was.
export function answered() {
  const answer = new URLSearchParams(location.search);
  if (!answer.get('state')?.startsWith(prefix)) return false;
  history.replaceState(null, '', location.pathname);
  const line = new BroadcastChannel(channel);
  line.postMessage(Object.fromEntries(answer));
  line.close();
  window.close();
  return true;
}

// testButton tries what read() returns: an application's title, allow, authenticators and
// claims, or nothing when they cannot be tried yet.
export const testButton = (read) =>
  button(t('try.action'), () => {
    const application = read();
    if (application) tryDialog(application);
  });

function tryDialog(application) {
  const steps = el('ol', { className: 'steps' });
  const said = el('div', { role: 'status' });
  const add = (title, ...content) => steps.append(el('li', {}, el('strong', {}, title), content));
  const fail = (text, detail) => {
    steps.append(
      el('li', { className: 'bad' }, el('strong', {}, text), detail && el('p', { className: 'hint' }, detail)),
    );
    said.replaceChildren(notice('bad', el('p', {}, el('strong', {}, t('try.bad')))));
  };
  const box = dialog(t('try.title', { title: application.title }), [
    el('p', {}, t('try.about')),
    said,
    steps,
    el(
      'div',
      { className: 'actions end' },
      button(t('close'), () => box.close()),
      // The window opens in the same moment as the button is pressed, or the browser does not let it.
      button(
        t('try.begin'),
        () => run(application, window.open('', '_blank'), box, { add, fail, said, steps }),
        'main',
      ),
    ),
  ]);
}

async function run(application, page, box, { add, fail, said, steps }) {
  steps.replaceChildren();
  said.replaceChildren(waiting(t('try.waiting')));
  if (!page) return fail(t('try.blocked'));
  const issuer = await publicUrl();
  if (new URL(issuer).origin !== location.origin) {
    page.close();
    return fail(t('try.elsewhere', { address: `${issuer}/console` }));
  }
  const copy = await call('POST', '/applications', {
    json: {
      id: prefix + lowercase(),
      kind: 'browser',
      title: application.title,
      redirectUris: [`${issuer}/console`],
      refreshTokenLifetime: '1m',
      ...Object.fromEntries(copied.map((name) => [name, application[name]]).filter(([, value]) => value)),
    },
  });
  // When this page is closed in the middle, the request goes out all the same.
  const remove = () => call('DELETE', path(copy.id), { keepalive: true }).catch(() => {});
  addEventListener('pagehide', remove);
  const refused = async (text, detail) => {
    const { items } = await call('GET', `${path(copy.id)}/attempts?limit=1`).catch(() => ({ items: [] }));
    return fail(items[0]?.cause ? causeText(items[0].cause) : text, detail);
  };
  try {
    const flow = {
      issuer,
      client: copy.id,
      redirect: `${issuer}/console`,
      verifier: random(32),
      state: prefix + random(16),
      nonce: random(16),
    };
    const answer = await authorize(flow, page, box);
    if (!answer) return fail(t('try.closed'));
    if (answer.error) return await refused(t('try.refused'), `${answer.error}: ${answer.error_description || ''}`);
    if (answer.iss !== issuer) return fail(t('try.issuer'), answer.iss);
    add(t('try.code'));
    const tokens = await post(`${issuer}/oauth2/token`, {
      grant_type: 'authorization_code',
      client_id: flow.client,
      code: answer.code,
      redirect_uri: flow.redirect,
      code_verifier: flow.verifier,
    });
    if (tokens.error) return await refused(t('try.refused'), `${tokens.error}: ${tokens.error_description || ''}`);
    const idToken = decoded(tokens.id_token);
    if (idToken.nonce !== flow.nonce || idToken.iss !== issuer || idToken.aud !== flow.client)
      return fail(t('try.issuer'));
    if (application.kind === 'proxy') {
      const { headers } = await call('POST', `${path(copy.id)}/preview`, { json: { userId: idToken.sub } });
      const values = Object.fromEntries(Object.entries(headers).map(([name, { value }]) => [name, value]));
      add(t('preview.headers'), shown(values, t('preview.headers')));
      return said.replaceChildren(notice('good', el('p', {}, el('strong', {}, t('try.good')))));
    }
    add(t('preview.idToken'), shown(idToken, t('preview.idToken')));
    add(t('preview.accessToken'), shown(decoded(tokens.access_token), t('preview.accessToken')));
    const response = await fetch(`${issuer}/oauth2/userinfo`, {
      credentials: 'omit',
      headers: { Authorization: `Bearer ${tokens.access_token}` },
    });
    if (!response.ok) return await refused(t('try.refused'), `userinfo: ${response.status}`);
    add(t('preview.userinfo'), shown(await response.json(), t('preview.userinfo')));
    return said.replaceChildren(notice('good', el('p', {}, el('strong', {}, t('try.good')))));
  } finally {
    removeEventListener('pagehide', remove);
    page.close();
    await remove();
  }
}

// withoutCopies returns the applications that somebody has added, and deletes copies that
// were left: of a browser that crashed, or lost its network.
export function withoutCopies(all) {
  const copies = all.filter((a) => a.id.startsWith(prefix));
  const left = copies.filter((a) => Date.now() - new Date(a.createdAt) > 60 * 60_000); // no sign-in takes longer
  for (const a of left) call('DELETE', path(a.id)).catch(() => {});
  return all.filter((a) => !copies.includes(a));
}

// authorize sends the new window to sign in and returns the parameters it comes back with;
// null when the dialog is closed before.
async function authorize({ issuer, client, redirect, verifier, state, nonce }, page, box) {
  const challenge = base64url(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier)));
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: client,
    redirect_uri: redirect,
    scope,
    state,
    nonce,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    prompt: 'login',
  });
  const line = new BroadcastChannel(channel);
  const answer = new Promise((resolve) => {
    line.addEventListener('message', ({ data }) => {
      if (data.state === state) resolve(data);
    });
    box.addEventListener('close', () => resolve(null));
  });
  page.location.replace(`${issuer}/oauth2/authorize?${query}`);
  return answer.finally(() => line.close());
}

const post = (address, parameters) =>
  fetch(address, { method: 'POST', credentials: 'omit', body: new URLSearchParams(parameters) })
    .then((response) => response.json())
    .catch((error) => ({ error: 'network', error_description: String(error) }));

// decoded reads the claims of a token. They are only shown: the service checks its tokens.
function decoded(token) {
  const [, claims] = token.split('.');
  const bytes = Uint8Array.from(atob(claims.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

function shown(claims, label) {
  const block = copyable(JSON.stringify(claims, null, 2), label);
  block.classList.add('block');
  return block;
}
