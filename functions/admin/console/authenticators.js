// Authenticators: the list, and one with everything about it.

import { accessKind, at, call, everything } from './api.js';
import { attemptsSection } from './attempts.js';
import { recordForm, showProblem } from './form.js';
import { t } from './texts.js';
import {
  badge,
  button,
  confirmThen,
  copyable,
  dialog,
  el,
  field,
  form,
  go,
  icon,
  newId,
  notice,
  searchField,
  section,
  toast,
  waiting,
  worthSearching,
} from './ui.js';
import { administrator } from './users.js';

const badges = (a) => [
  a.enabled ? badge(t('enabled'), 'good') : badge(t('disabled'), 'bad'),
  a.autoLogin && badge(t('authenticator.autoLogin'), 'info'),
];

const address = (a) => `#authenticators/${encodeURIComponent(a.name)}`;
const path = (name, ...more) => at('authenticators', name, ...more);

export async function authenticatorsView() {
  const [all, alone] = await Promise.all([everything('/authenticators'), withoutAdministrator()]);
  if (!all.length) return firstSteps(alone);

  const item = (a) =>
    el(
      'li',
      { className: 'card item' },
      el('div', { className: 'title' }, el('h2', {}, el('a', { href: address(a) }, a.title)), badges(a)),
      el(
        'div',
        { className: 'facts' },
        el('span', {}, `${t('authenticator.name')} `, el('code', {}, a.name)),
        el('span', {}, `${t('authenticator.corpId')} `, el('code', {}, a.corpId)),
        el('span', {}, `${t('authenticator.agentId')} `, el('code', {}, a.agentId)),
        el('span', {}, el('code', {}, a.origin)),
      ),
      el(
        'div',
        { className: 'actions' },
        checkButton(a),
        el('a', { className: 'button', href: address(a), 'aria-label': t('open.what', { what: a.title }) }, t('open')),
      ),
    );

  const list = el('ul', { className: 'items' });
  const none = el('p', { className: 'soft', role: 'status' });
  const filter = (wanted) => {
    const found = all.filter((a) =>
      [a.title, a.name, a.corpId, a.agentId, a.origin].join(' ').toLowerCase().includes(wanted),
    );
    list.replaceChildren(...found.map(item));
    none.textContent = found.length ? '' : t('search.none');
  };
  filter('');
  const search = searchField({
    label: t('authenticators.search'),
    oninput: () => filter(search.input.value.trim().toLowerCase()),
  });
  return [
    el(
      'div',
      { className: 'head' },
      el('h1', {}, t('tab.authenticators')),
      el('a', { className: 'button main', href: '#setup' }, icon('plus'), t('authenticators.add')),
    ),
    el('p', { className: 'lead' }, t('authenticators.lead')),
    alone &&
      notice(
        'info',
        el('p', {}, el('strong', {}, t('first.admin.title'))),
        el('p', {}, t('first.admin.text')),
        becomeButton(),
      ),
    all.length >= worthSearching && el('div', { className: 'tools' }, search.node),
    none,
    list,
  ];
}

// withoutAdministrator reports whether nobody can sign in here but with the key. Of a
// long list it looks at those who came first.
async function withoutAdministrator() {
  if (accessKind() !== 'key') return false;
  const page = await call('GET', '/users?limit=200');
  return !page.items.some((user) => user.enabled && user.roles.includes(administrator));
}

// firstSteps is what a new service shows.
const firstSteps = (alone) => [
  el('h1', {}, t('first.title')),
  el('p', { className: 'lead' }, t('first.text')),
  el(
    'div',
    { className: 'card' },
    el(
      'ol',
      { className: 'steps' },
      el(
        'li',
        { className: 'numbered' },
        el(
          'div',
          { className: 'stack' },
          el('h2', {}, t('first.setup.title')),
          el('p', { className: 'soft' }, t('first.setup.text')),
          el('a', { className: 'button main', href: '#setup' }, t('first.setup.action')),
        ),
      ),
      alone &&
        el(
          'li',
          { className: 'numbered' },
          el(
            'div',
            { className: 'stack' },
            el('h2', {}, t('first.admin.title')),
            el('p', { className: 'soft' }, t('first.admin.text')),
            becomeButton(),
          ),
        ),
      el(
        'li',
        { className: 'numbered' },
        el(
          'div',
          { className: 'stack' },
          el('h2', {}, t('first.users.title')),
          el('p', { className: 'soft' }, t('first.users.text')),
          el('div', { className: 'actions' }, el('a', { className: 'button', href: '#import' }, t('import.title'))),
        ),
      ),
    ),
  ),
];

const becomeButton = () => button(t('first.admin.action'), () => become());

// become makes the holder of the key a user with the role.
function become() {
  const phone = field({
    name: 'phone',
    label: t('user.phone'),
    hint: t('user.phone.hint'),
    type: 'tel',
    required: true,
    autocomplete: 'tel',
  });
  const name = field({ name: 'name', label: t('user.name'), hint: t('user.name.hint'), autocomplete: 'name' });
  const box = dialog(
    t('first.admin.title'),
    form(
      { className: 'stack' },
      async () => {
        try {
          await makeAdministrator(phone.input.value.trim(), name.input.value.trim());
        } catch (error) {
          return showProblem([phone, name], error);
        }
        box.isDirty = null;
        box.close();
        toast(t('first.admin.done'));
        return document.dispatchEvent(new CustomEvent('outdated'));
      },
      el('p', { className: 'soft' }, t('first.admin.how')),
      phone.node,
      name.node,
      el(
        'div',
        { className: 'actions end' },
        button(t('cancel'), () => box.dismiss()),
        el('button', { className: 'main' }, t('first.admin.action')),
      ),
    ),
  );
  box.isDirty = () => Boolean(phone.input.value || name.input.value);
}

async function makeAdministrator(phone, name) {
  try {
    await call('POST', '/users', { json: { phone, ...(name && { name }), roles: [administrator] } });
  } catch (error) {
    if (error.code !== 'phone_taken') throw error;
    const [user] = (await call('GET', `/users?phone=${encodeURIComponent(phone)}`)).items;
    if (!user) throw error;
    await call('PATCH', at('users', user.id), {
      json: { roles: [...user.roles, administrator], enabled: true },
      version: user.version,
    });
  }
}

const checkButton = (a, kind) => {
  const control = button(t('check'), () => checkDialog(a), kind);
  control.setAttribute('aria-label', t('check.what', { what: a.title }));
  return control;
};

// checkDialog tries an authenticator against WeCom, step by step as WeCom answers.
function checkDialog(a) {
  const place = el('div', { 'aria-live': 'polite' });
  const run = async () => {
    place.replaceChildren(waiting(t('check.running')));
    try {
      const result = await call('POST', path(a.name, 'check'));
      place.replaceChildren(...checkResult(result));
    } catch (error) {
      place.replaceChildren();
      throw error;
    }
  };
  const again = button(t('check.again'), run);
  const box = dialog(t('check.what', { what: a.title }), [
    place,
    el(
      'div',
      { className: 'actions end' },
      again,
      button(t('close'), () => box.close(), 'main'),
    ),
  ]);
  again.click();
}

// checkResult shows the steps of a check.
export const checkResult = (result) => [
  notice(result.ok ? 'good' : 'bad', el('p', {}, el('strong', {}, t(result.ok ? 'check.good' : 'check.bad')))),
  el(
    'ol',
    { className: 'steps' },
    result.steps.map((step) =>
      el(
        'li',
        { className: step.ok ? '' : 'bad' },
        el('span', { className: 'away' }, t(step.ok ? 'check.step.good' : 'check.step.bad')),
        el('strong', {}, step.title),
        step.wecomCode
          ? el('span', { className: 'hint' }, ` ${t('attempts.wecomcode', { code: step.wecomCode })}`)
          : null,
        step.fix && el('p', {}, step.fix),
      ),
    ),
  ),
];

export async function authenticatorView(name) {
  let a = await call('GET', path(name));
  const head = el('div', { className: 'head named' });
  const actions = el('div', { className: 'actions' });
  const linksPlace = el('div', {});

  const options = recordForm({
    record: a,
    specs: [
      { name: 'title', label: t('authenticator.title'), hint: t('authenticator.title.hint'), required: true },
      {
        name: 'autoSignup',
        label: t('authenticator.autoSignup'),
        hint: t('authenticator.autoSignup.hint'),
        type: 'checkbox',
      },
      { name: 'corpId', label: t('authenticator.corpId'), hint: t('authenticator.corpId.hint'), required: true },
      { name: 'agentId', label: t('authenticator.agentId'), hint: t('authenticator.agentId.hint'), required: true },
      {
        name: 'secret',
        label: t('authenticator.secret'),
        hint: t('authenticator.secret.hint'),
        type: 'password',
        placeholder: t('authenticator.secret.kept'),
        autocomplete: 'new-password',
        from: () => '',
      },
      {
        name: 'origin',
        label: t('authenticator.origin'),
        hint: t('authenticator.origin.hint'),
        required: true,
        to: (text) => text.replace(/\/+$/, ''),
      },
      { name: 'workbenchRedirectPath', label: t('authenticator.path'), hint: t('authenticator.path.hint') },
      {
        name: 'autoLogin',
        label: t('authenticator.autoLogin'),
        hint: t('authenticator.autoLogin.hint'),
        type: 'checkbox',
      },
    ],
    read: () => call('GET', path(name)),
    send: (changes, version) => call('PATCH', path(name), { json: changes, version }),
    saved: changed,
    explain: (error) => (error.code === 'auto_login_taken' ? holderOfAutoLogin(a) : null),
  });

  function changed(updated) {
    a = updated;
    head.replaceChildren(el('h1', { tabIndex: -1 }, a.title), el('div', { className: 'badges' }, badges(a)));
    actions.replaceChildren(
      checkButton(a, 'main'),
      el('a', { className: 'button', href: `#setup/${encodeURIComponent(a.name)}` }, t('authenticator.setup')),
      el(
        'a',
        { className: 'button', href: `/authorize/${encodeURIComponent(a.name)}`, target: '_blank', rel: 'noopener' },
        t('authenticator.try'),
      ),
    );
    linksPlace.replaceChildren(links(a));
    switches.replaceChildren(toggle(), remove());
  }

  const enable = async (enabled) => {
    const updated = await call('PATCH', path(name), { json: { enabled } });
    options.rebase(updated);
    changed(updated);
    toast(t(enabled ? 'authenticator.enabled' : 'authenticator.disabled'));
  };
  const toggle = () => {
    const control = button(t(a.enabled ? 'disable' : 'enable'), async () => {
      if (a.enabled) {
        await confirmThen(
          {
            title: t('authenticator.disable.title', { title: a.title }),
            text: t('authenticator.disable.text'),
            action: t('disable'),
            danger: true,
          },
          () => enable(false),
        );
        return;
      }
      try {
        await enable(true);
      } catch (error) {
        if (error.code !== 'auto_login_taken') throw error;
        dialog(t('authenticator.autoLogin'), await holderOfAutoLogin(a));
      }
    });
    control.dataset.focus = 'toggle';
    return el(
      'div',
      { className: 'choice' },
      el('p', { className: 'hint' }, t(a.enabled ? 'authenticator.disable.text' : 'authenticator.enable.text')),
      control,
    );
  };
  const remove = () =>
    el(
      'div',
      { className: 'choice' },
      el('p', { className: 'hint' }, t('authenticator.delete.hint')),
      button(
        t('delete'),
        () =>
          confirmThen(
            {
              title: t('authenticator.delete.title', { title: a.title }),
              text: [t('authenticator.delete.text'), t('authenticator.delete.instead')],
              action: t('delete'),
              danger: true,
            },
            async () => {
              await call('DELETE', path(name), { version: a.version });
              go('#authenticators');
              toast(t('deleted'));
            },
          ),
        'danger',
      ),
    );
  const switches = el('div', { className: 'stack' });
  changed(a);

  return [
    el('a', { className: 'back', href: '#authenticators' }, icon('back'), t('tab.authenticators')),
    head,
    actions,
    el(
      'div',
      { className: 'columns' },
      el(
        'div',
        {},
        section(
          t('authenticator.options'),
          el(
            'p',
            { className: 'hint' },
            t('authenticator.name'),
            ' ',
            el('code', {}, a.name),
            ' · ',
            t('authenticator.name.fixed'),
          ),
          options.node,
        ),
      ),
      el('div', {}, section(t('links.title'), linksPlace), section(t('authenticator.switch'), switches)),
    ),
    attemptsSection(path(name), 'authenticator'),
  ];
}

// holderOfAutoLogin says which other one has automatic login, and leads there.
async function holderOfAutoLogin(a) {
  const holder = (await everything('/authenticators')).find(
    (other) => other.autoLogin && other.enabled && other.name !== a.name,
  );
  if (!holder) return null; // given up in this moment: the plain sentence is enough
  return [
    el('p', {}, t('autoLogin.taken', { title: holder.title })),
    el('a', { className: 'button', href: address(holder) }, t('open.what', { what: holder.title })),
  ];
}

// links are what WeCom's console asks for. A phone and a computer may open different
// pages: two fields change the links, and nothing else.
function links(a) {
  const base = a.callbackUrl.slice(0, a.callbackUrl.lastIndexOf('/callback/'));
  const homepage = (text) => {
    const page = text.trim().startsWith('/') ? text.trim() : `/${text.trim()}`;
    return a.autoLogin ? base + page : `${base}/authorize/${a.name}?redirect=${encodeURIComponent(page)}`;
  };
  const one = (title, hint, text) =>
    el('div', {}, el('h3', {}, title), el('p', { className: 'hint' }, hint), copyable(text, title));
  const device = (name, title) => {
    const place = el('div', {});
    const id = newId(name);
    const show = () => place.replaceChildren(copyable(homepage(input.value), title));
    const input = el('input', {
      id,
      name,
      value: a.workbenchRedirectPath,
      autocomplete: 'off',
      spellcheck: false,
      oninput: show,
      'aria-labelledby': `${id}-title ${id}-label`,
    });
    show();
    return el(
      'div',
      { className: 'field' },
      el('h3', { id: `${id}-title` }, title),
      el('label', { id: `${id}-label`, htmlFor: id, className: 'hint' }, t('links.page')),
      input,
      el('div', { className: 'part' }, place),
    );
  };
  return el(
    'div',
    { className: 'links' },
    el('p', { className: 'hint' }, t(a.autoLogin ? 'links.homepage.auto' : 'links.homepage.hint')),
    device('desktop', t('links.desktop')),
    device('phone', t('links.phone')),
    one(t('links.domain'), t('links.domain.hint'), a.callbackDomain),
    one(t('links.callback'), t('links.callback.hint'), a.callbackUrl),
  );
}
