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

function show(session) {
  const signedIn = Boolean(session);
  find('signin').hidden = signedIn;
  for (const id of ['token', 'signout', 'facts']) find(id).hidden = !signedIn;
  find('greeting').textContent = signedIn ? texts.hello(session.user.name) : texts.stranger;
  find('detail').textContent = texts.page(here());
  if (signedIn) showFacts(session);
  else find('claims').hidden = true;
}

async function load() {
  try {
    const answer = await call('/api/session');
    if (!answer.ok && answer.status !== 401) throw new Error(String(answer.status));
    show(answer.ok ? await answer.json() : null);
  } catch {
    find('greeting').textContent = texts.unreachable;
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
// A page from the browser's history may show who was here before.
addEventListener('pageshow', load);
