// The frame of the console: who is in, which view is shown, and the way in.

import * as api from './api.js';
import { applicationView } from './application.js';
import { addApplicationView } from './application-new.js';
import { answered } from './application-test.js';
import { applicationsView } from './applications.js';
import { auditView } from './audit.js';
import { authenticatorView } from './authenticator.js';
import { authenticatorsView } from './authenticators.js';
import { button } from './controls.js';
import { arrive, closeDialogs, dialog, mayLeave, releaseGuards, unsaved } from './dialogs.js';
import { entrance, noRole } from './entrance.js';
import { filesView } from './files.js';
import { importView } from './import.js';
import { lookupView } from './lookup.js';
import { setupView } from './setup.js';
import { has, t } from './texts.js';
import { el, notice, openDialogs, waiting } from './ui.js';
import { userView } from './user.js';
import { usersView } from './users.js';

const main = document.getElementById('main');
const tabs = document.getElementById('tabs');
const account = document.getElementById('account');
const languages = document.getElementById('languages');

// The views by the first part of the address behind "#", the tab each belongs to,
// and what shows it. The second part names one thing.
const views = {
  authenticators: { tab: 'authenticators', show: (name) => (name ? authenticatorView(name) : authenticatorsView()) },
  applications: { tab: 'applications', show: (id) => (id ? applicationView(id) : applicationsView()) },
  'add-application': { tab: 'applications', show: () => addApplicationView() },
  users: { tab: 'users', show: (id) => (id ? userView(id) : usersView()) },
  import: { tab: 'users', show: () => importView() },
  lookup: { tab: 'authenticators', show: (name) => (name ? lookupView(name) : authenticatorsView()) },
  files: { tab: 'files', show: () => filesView() },
  audit: { tab: 'audit', show: (filters) => auditView(filters, readdress) },
  setup: { tab: 'authenticators', show: (name) => setupView(name) },
};

function route() {
  const [first, ...rest] = location.hash.slice(1).split('/');
  const name = Object.hasOwn(views, first) ? first : 'authenticators';
  let argument;
  try {
    argument = rest.length && name === first ? decodeURIComponent(rest.join('/')) || undefined : undefined;
  } catch {
    // Not an address of ours: the list.
  }
  return { name, argument };
}

// failure stands in the place of a view that cannot be shown. argument is what the view is
// about; the audit knows what became of it.
function failure(error, tab, argument) {
  const gone = error.code === 'not_found' && argument && has(`gone.${tab}`);
  return [
    el('h1', { tabIndex: -1 }, t(gone ? `gone.${tab}` : 'view.failed')),
    notice(gone ? 'warn' : 'bad', el('p', {}, api.problemText(error))),
    el(
      'div',
      { className: 'actions' },
      !gone && button(t('retry'), () => render(), 'main'),
      argument && el('a', { className: 'button', href: `#${tab}` }, t(`tab.${tab}`)),
      gone && el('a', { href: `#audit/${tab.slice(0, -1)}=${encodeURIComponent(argument)}` }, t('audit.all')),
    ),
  ];
}

let turn = 0;
let shownHash = null;

// render shows the view of the address. With focus, its title takes the focus, as
// the title of a new page would.
async function render({ focus = true } = {}) {
  if (!api.accessKind()) return;
  const mine = ++turn;
  releaseGuards(); // those of the view before
  const { name, argument } = route();
  const view = views[name];
  if (shownHash !== null && shownHash !== location.hash) window.scrollTo(0, 0);
  shownHash = location.hash;
  tabs.replaceChildren(
    ...['authenticators', 'applications', 'users', 'files', 'audit'].map((tab) =>
      el('a', { href: `#${tab}`, 'aria-current': view.tab === tab ? 'page' : null }, t(`tab.${tab}`)),
    ),
  );
  // What is there stays until the new view is; only a slow one says that it waits.
  const slow = setTimeout(() => {
    if (mine === turn) main.replaceChildren(waiting());
  }, 300);
  let nodes;
  try {
    nodes = await view.show(argument);
  } catch (error) {
    nodes = failure(error, view.tab, argument);
  } finally {
    clearTimeout(slow);
  }
  if (mine !== turn) return; // a slower, earlier view must not replace a later one
  document.body.dataset.view = name;
  main.replaceChildren(...[nodes].flat(Infinity).filter(Boolean));
  const title = main.querySelector('h1');
  document.title = title ? `${title.textContent} · ${t('title')}` : t('title');
  if (!focus || openDialogs().length) return;
  if (title) title.tabIndex = -1;
  (title || main).focus({ preventScroll: true });
}

// readdress gives what is shown another address, to link to and to come back to.
function readdress(hash) {
  if (hash === location.hash) return;
  history.pushState(null, '', hash);
  shownHash = location.hash;
}

// Going elsewhere asks first when something typed would be lost.
async function moved() {
  if (location.hash === shownHash) return;
  const wanted = location.hash;
  if (shownHash !== null) history.replaceState(null, '', shownHash || location.pathname + location.search);
  if (!(await mayLeave())) return;
  history.replaceState(null, '', wanted || location.pathname + location.search);
  closeDialogs();
  arrive();
  await render();
}

// askAgain lets the administrator in again over the view, which stays as it is.
function askAgain() {
  return new Promise((resolve) => {
    let back = false;
    const box = dialog(
      t('enter.again'),
      entrance({
        over: true,
        entered: () => {
          back = true;
          box.close();
          frame();
        },
      }),
    );
    // Signed in by WeCom in another tab and come back: nothing more to press.
    const returned = async () => {
      if (document.visibilityState !== 'visible' || back) return;
      if ((await api.enterWithSession({ samePerson: true }).catch(() => '')) === 'entered' && box.open) {
        back = true;
        box.close();
        frame();
      }
    };
    document.addEventListener('visibilitychange', returned);
    box.addEventListener('close', () => {
      document.removeEventListener('visibilitychange', returned);
      resolve(back);
    });
  });
}

// frame shows the tabs and who is in.
async function frame() {
  tabs.hidden = account.hidden = false;
  const key = api.accessKind() === 'key';
  const name = key ? '' : (await api.person().catch(() => null))?.name || t('account.session');
  account.replaceChildren(
    key ? '' : el('span', { className: 'who', title: name }, name), // with the key, the button says it
    button(
      t(key ? 'account.forget' : 'account.signout'),
      async () => {
        if (!(await mayLeave())) return;
        await api.leave();
        closeDialogs();
        showEntrance();
      },
      'small',
    ),
  );
}

function showEntrance(message) {
  turn++;
  shownHash = null;
  tabs.hidden = account.hidden = true;
  delete document.body.dataset.view;
  document.title = t('title');
  main.replaceChildren(
    el(
      'div',
      { className: 'card narrow' },
      el('h1', { tabIndex: -1 }, t('enter.title')),
      entrance({ message, entered: enter }),
    ),
  );
  main.querySelector('h1').focus();
}

async function enter() {
  frame();
  await render();
}

async function start() {
  if (answered()) return main.replaceChildren(el('p', { className: 'lead' }, t('try.close')));
  api.onAccessEnded(askAgain);
  window.addEventListener('hashchange', moved);
  document.addEventListener('outdated', () => {
    if (!openDialogs().length && !unsaved()) render({ focus: false });
  });
  document.getElementById('skip').addEventListener('click', (event) => {
    event.preventDefault();
    (main.querySelector('h1') || main).focus();
  });
  languages.addEventListener('change', async () => {
    const wanted = languages.value;
    languages.value = document.documentElement.lang; // until it is so
    if (!(await mayLeave())) return;
    const address = new URL(location.href);
    address.searchParams.set('lang', wanted);
    location.assign(address);
  });
  try {
    if (await api.enterWithKey()) return await enter();
    const result = await api.enterWithSession();
    if (result === 'entered') return await enter();
    return showEntrance(result === 'refused' ? notice('warn', await noRole()) : null);
  } catch (error) {
    return showEntrance(notice('bad', el('p', {}, api.problemText(error))));
  }
}

start();
