// An application without a backend: OpenID Connect with PKCE (RFC 7636) in plain script.
// Its tokens live as long as the page; with a session at the service, signing in again
// asks nothing.
'use strict';

const { service, client } = document.documentElement.dataset;
const here = `${location.origin}/`;
const chinese = (navigator.language || '').toLowerCase().startsWith('zh');
const texts = chinese
  ? {
      title: '示例页面',
      kind: '没有后端的示例页面',
      about: '静态页面自己完成 OpenID Connect：PKCE，不需要密钥，直接向登录服务换取令牌。',
      signin: '使用企业微信登录',
      refresh: '刷新令牌',
      signout: '退出页面和登录服务',
      hello: (name) => `你好，${name}`,
      nobody: '你还没有登录',
      refused: (code) => `登录没有完成：${code}`,
    }
  : {
      title: 'Demo page',
      kind: 'Demo page without a backend',
      about: 'A static page does OpenID Connect by itself: PKCE, no secret, tokens straight from the service.',
      signin: 'Sign in with WeCom',
      refresh: 'Refresh the tokens',
      signout: 'Sign out here and at the service',
      hello: (name) => `Hello, ${name}`,
      nobody: 'You are not signed in',
      refused: (code) => `The sign-in was not completed: ${code}`,
    };

const find = (id) => document.getElementById(id);
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=/g, '');
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

let tokens; // of the last answer

async function askJSON(address, options) {
  const answer = await fetch(address, options);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error || String(answer.status));
  return body;
}

const metadata = () => askJSON(`${service}/.well-known/openid-configuration`);

async function signIn() {
  const { authorization_endpoint: endpoint } = await metadata();
  const request = { verifier: random(), nonce: random() };
  const state = random();
  sessionStorage.setItem(state, JSON.stringify(request));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(request.verifier));
  location.assign(
    `${endpoint}?${new URLSearchParams({
      response_type: 'code',
      client_id: client,
      redirect_uri: here,
      scope: 'openid profile phone',
      state,
      nonce: request.nonce,
      code_challenge: base64url(new Uint8Array(digest)),
      code_challenge_method: 'S256',
    })}`,
  );
}

// askTokens needs no check of the ID token's signature: it comes from the service itself,
// over TLS (OpenID Connect Core 1.0 §3.1.3.7).
async function askTokens(fields) {
  const { token_endpoint: endpoint } = await metadata();
  tokens = await askJSON(endpoint, { method: 'POST', body: new URLSearchParams({ client_id: client, ...fields }) });
  const payload = tokens.id_token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(payload), (c) => c.charCodeAt(0))));
}

function show(told) {
  find('signin').hidden = Boolean(told);
  for (const id of ['refresh', 'signout', 'claims']) find(id).hidden = !told;
  find('greeting').textContent = told ? texts.hello(told.id_token.name) : texts.nobody;
  find('claims').textContent = told ? JSON.stringify(told, null, 2) : '';
}

// comeBack finishes the sign-in that this tab began.
async function comeBack(query) {
  history.replaceState(null, '', here);
  const kept = sessionStorage.getItem(query.get('state'));
  sessionStorage.removeItem(query.get('state'));
  if (!kept || query.get('iss') !== service) throw new Error('lost_request'); // RFC 9207
  if (query.has('error')) throw new Error(query.get('error'));
  const { verifier, nonce } = JSON.parse(kept);
  const claims = await askTokens({
    grant_type: 'authorization_code',
    code: query.get('code'),
    redirect_uri: here,
    code_verifier: verifier,
  });
  if (claims.nonce !== nonce || claims.iss !== service || claims.aud !== client) throw new Error('wrong_token');
  show({ id_token: claims });
}

async function refresh() {
  const claims = await askTokens({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token });
  const { userinfo_endpoint: endpoint } = await metadata();
  const userinfo = await askJSON(endpoint, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  show({ id_token: claims, userinfo });
}

async function signOut() {
  const { end_session_endpoint: endpoint } = await metadata();
  location.assign(
    `${endpoint}?${new URLSearchParams({ id_token_hint: tokens.id_token, post_logout_redirect_uri: here })}`,
  );
}

// attempt shows why something failed, and that nobody is signed in then.
const attempt = (work) => async () => {
  find('error').hidden = true;
  try {
    await work();
  } catch (error) {
    show(null);
    find('error').hidden = false;
    find('error').textContent = texts.refused(error.message);
  }
};

document.documentElement.lang = chinese ? 'zh-CN' : 'en';
document.title = texts.title;
for (const element of document.querySelectorAll('[data-text]')) element.textContent = texts[element.dataset.text];
for (const [id, work] of Object.entries({ signin: signIn, refresh, signout: signOut }))
  find(id).addEventListener('click', attempt(work));
const query = new URLSearchParams(location.search);
if (query.has('state')) attempt(() => comeBack(query))();
else show(null);
