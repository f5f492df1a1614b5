// The page of the demo application: asks the service who is signed in.
'use strict';

const service = document.documentElement.dataset.service;
const chinese = (navigator.language || '').toLowerCase().startsWith('zh');
const texts = chinese
  ? {
      title: '示例应用',
      kind: '示例应用',
      signin: '使用企业微信登录',
      signout: '退出登录',
      token: '在后端校验令牌',
      claims: '后端从令牌中读到的内容',
      hello: (name) => `你好，${name}`,
      stranger: '你还没有登录',
      page: (path) => `当前页面：${path}`,
      unreachable: '暂时连不上登录服务',
      failed: '操作没有成功，请重试。',
      phone: '手机号',
      roles: '角色',
      authenticator: '登录方式',
      member: '企业微信账号',
      since: '登录时间',
      until: '有效期至',
      cookieWay: '用会话 Cookie',
      cookieAbout: '页面带着 Cookie 跨源询问登录服务：当前是谁。应用与登录服务要有共同的上级域名。',
      oidcWay: '用 OpenID Connect',
      oidcAbout:
        '后端用通用的 OpenID Connect 库：以授权码换 ID 令牌和刷新令牌，域名不限。GitLab、Grafana 等也是这样接入的。',
      oidcSignin: '用 OpenID Connect 登录',
      oidcSignout: '退出应用和登录服务',
      oidcClaims: '应用得到的信息',
      refresh: '刷新令牌',
      pageWay: '用 OpenID Connect，没有后端',
      pageAbout: '另一个源上的静态页面：PKCE，不需要密钥，首次登录会征求你的同意。',
      pageOpen: '打开该页面',
      refused: (code) => `登录没有完成：${code}`,
    }
  : {
      title: 'Demo application',
      kind: 'Demo application',
      signin: 'Sign in with WeCom',
      signout: 'Sign out',
      token: 'Check a token in the backend',
      claims: 'What the backend read from the token',
      hello: (name) => `Hello, ${name}`,
      stranger: 'You are not signed in',
      page: (path) => `This page: ${path}`,
      unreachable: 'The sign-in service cannot be reached',
      failed: 'That did not work. Please try again.',
      phone: 'Phone',
      roles: 'Roles',
      authenticator: 'Signed in with',
      member: 'WeCom account',
      since: 'Since',
      until: 'Until',
      cookieWay: 'By the session cookie',
      cookieAbout:
        'The page asks the service who is signed in, across origins. Service and application need a common parent domain.',
      oidcWay: 'By OpenID Connect',
      oidcAbout:
        'The backend uses a stock library and gets an ID token and a refresh token, on any domain. GitLab, Grafana and others connect like this.',
      oidcSignin: 'Sign in with OpenID Connect',
      oidcSignout: 'Sign out here and at the service',
      oidcClaims: 'What the application was told',
      refresh: 'Refresh the tokens',
      pageWay: 'By OpenID Connect, without a backend',
      pageAbout: 'A static page on another origin: PKCE and no secret. It asks for your consent the first time.',
      pageOpen: 'Open the page',
      refused: (code) => `The sign-in was not completed: ${code}`,
    };

const find = (id) => document.getElementById(id);
const here = () => location.pathname + location.search;

function call(path, method = 'GET') {
  return fetch(service + path, { method, credentials: 'include', cache: 'no-store' });
}

function showFacts(session) {
  const time = (text) => new Date(text).toLocaleString(chinese ? 'zh-CN' : 'en');
  const facts = [
    [texts.phone, session.user.phone],
    [texts.roles, (session.user.roles || []).join(', ')],
    [texts.authenticator, session.authenticator],
    [texts.member, session.wecomUserId],
    [texts.since, time(session.signedInAt)],
    [texts.until, time(session.expiresAt)],
  ];
  find('facts').replaceChildren(
    ...facts
      .filter(([, value]) => value)
      .flatMap(([name, value]) => {
        const term = document.createElement('dt');
        const description = document.createElement('dd');
        term.textContent = name;
        description.textContent = value;
        return [term, description];
      }),
  );
}

// Who is signed in, by either way.
const names = {};

function greet(way, name) {
  names[way] = name;
  const known = names.cookie || names.oidc;
  find('greeting').textContent = known ? texts.hello(known) : texts.stranger;
}

function show(session) {
  const signedIn = Boolean(session);
  find('signin').hidden = signedIn;
  for (const id of ['token', 'signout', 'facts']) find(id).hidden = !signedIn;
  greet('cookie', session?.user.name);
  find('detail').textContent = texts.page(here());
  if (signedIn) showFacts(session);
  else find('claims').hidden = true;
}

function showOpenID(session) {
  find('oidc-signin').hidden = Boolean(session);
  for (const id of ['oidc-refresh', 'oidc-signout', 'oidc-claims']) find(id).hidden = !session;
  find('oidc-text').textContent = session ? JSON.stringify(session, null, 2) : '';
  greet('oidc', session?.id_token.name);
}

async function askOpenID(path, method) {
  try {
    const answer = await fetch(path, { method, cache: 'no-store' });
    if (!answer.ok) throw new Error(String(answer.status));
    showOpenID(await answer.json());
  } catch {
    find('oidc-error').hidden = false;
    find('oidc-error').textContent = texts.failed;
  }
}

async function load() {
  // First: whoever signs in by OpenID Connect has the service's session as well.
  if (find('oidc')) await askOpenID('/oidc/session');
  try {
    const answer = await call('/api/session');
    if (!answer.ok && answer.status !== 401) throw new Error(String(answer.status));
    show(answer.ok ? await answer.json() : null);
  } catch {
    if (!names.oidc) find('greeting').textContent = texts.unreachable;
    find('detail').textContent = service;
  }
}

async function checkToken() {
  try {
    const answer = await call('/api/token', 'POST');
    if (answer.status === 401) return show(null);
    if (!answer.ok) throw new Error(String(answer.status));
    const { access_token: token } = await answer.json();
    const checked = await fetch('/demo/verify', { method: 'POST', headers: { authorization: `Bearer ${token}` } });
    find('claims').hidden = false;
    find('claims-text').textContent = await checked.text();
  } catch {
    find('detail').textContent = texts.failed;
  }
}

async function signOut() {
  try {
    const answer = await call('/api/signout', 'POST');
    if (!answer.ok && answer.status !== 401) throw new Error(String(answer.status));
    show(null);
  } catch {
    find('detail').textContent = texts.failed;
  }
}

document.documentElement.lang = chinese ? 'zh-CN' : 'en';
document.title = texts.title;
for (const element of document.querySelectorAll('[data-text]')) element.textContent = texts[element.dataset.text];
find('signin').href = `${service}/signin?redirect=${encodeURIComponent(here())}`;
find('token').addEventListener('click', checkToken);
find('signout').addEventListener('click', signOut);
if (find('oidc')) {
  const refused = new URLSearchParams(location.search).get('error');
  find('oidc-error').hidden = !refused;
  find('oidc-error').textContent = refused ? texts.refused(refused) : '';
  find('oidc-refresh').addEventListener('click', () => askOpenID('/oidc/refresh', 'POST'));
}
// A page from the browser's history may show who was here before.
addEventListener('pageshow', load);
