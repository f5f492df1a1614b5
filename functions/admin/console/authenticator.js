// One authenticator: its options, what WeCom's console asks for, and the sign-ins.

import { allowFields } from './allow-fields.js';
import { at, call, everything } from './api.js';
import { nest } from './application-fields.js';
import { attemptsSection } from './attempts.js';
import { address, badges } from './authenticators.js';
import { checkButton } from './check.js';
import { button } from './controls.js';
import { confirmThen, dialog, go } from './dialogs.js';
import { receiverPart } from './events.js';
import { recordForm } from './form.js';
import { links } from './links.js';
import {
  isNumbered,
  readRules,
  rulesField,
  sayFormerNumbers,
  sayRules,
  writeRules,
  wrongRules,
} from './rules-field.js';
import { rulesPreview } from './rules-preview.js';
import { t } from './texts.js';
import { el, icon, section, toast } from './ui.js';

const isRuled = (allow) => Object.values(allow).some((list) => list.length > 0);

// directoryFields are the fields of roles and access. read() is the authenticator as it is.
function directoryFields(read) {
  return [
    {
      name: 'roleRules',
      label: t('rules.title'),
      hint: t('rules.hint'),
      make: rulesField,
      authenticators: () => [read()],
      from: (record) => writeRules(record.roleRules),
      to: readRules,
      say: sayRules,
      check: wrongRules,
      late: true,
    },
    ...allowFields({
      authenticators: () => [read()],
      label: t('allow.roles'),
      hint: t('allow.roles.hint'),
      says: (allow) => t(isRuled(allow) ? 'allow.some' : 'allow.everybody'),
    }),
  ];
}

// optionFields are the other fields.
function optionFields() {
  return [
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
    {
      name: 'linkByPhone',
      label: t('authenticator.linkByPhone'),
      hint: t('authenticator.linkByPhone.hint'),
      type: 'checkbox',
    },
  ];
}

// actionsOf are what there is to do with an authenticator.
const actionsOf = (a) => [
  checkButton(a, 'main'),
  el('a', { className: 'button', href: `#setup/${encodeURIComponent(a.name)}` }, t('authenticator.setup')),
  el('a', { className: 'button', href: `#lookup/${encodeURIComponent(a.name)}` }, t('lookup.title')),
  el(
    'a',
    { className: 'button', href: `/authorize/${encodeURIComponent(a.name)}`, target: '_blank', rel: 'noopener' },
    t('authenticator.try'),
  ),
];

// toggle switches the authenticator off, or on. enable(enabled) does it.
function toggle(a, enable) {
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
}

// remove deletes the authenticator.
const remove = (a) =>
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
            await call('DELETE', at('authenticators', a.name), { version: a.version });
            go('#authenticators', t('deleted'));
          },
        ),
      'danger',
    ),
  );

export async function authenticatorView(name) {
  const path = at('authenticators', name);
  let a = await call('GET', path);
  const head = el('div', { className: 'head named' });
  const actions = el('div', { className: 'actions' });
  const linksPlace = el('div', {});
  const directory = directoryFields(() => a);
  const specs = optionFields();

  const options = recordForm({
    record: a,
    specs: [...specs, ...directory],
    arrange: (nodeOf) => [
      specs.map(({ name }) => nodeOf(name)),
      el(
        'details',
        { className: 'fold', open: a.roleRules.length > 0 || isRuled(a.allow) },
        el('summary', {}, t('rules.part')),
        directory.map(({ name }) => nodeOf(name)),
      ),
    ],
    read: () => call('GET', path),
    send: (changes, version) => call('PATCH', path, { json: nest(changes), version }),
    saved: (updated) => {
      const switchedOff = a.events.enabled && !updated.events.enabled;
      changed(updated);
      if (switchedOff) showReceiver();
    },
    explain: (error) => {
      if (error.code === 'auto_login_taken') return holderOfAutoLogin(a);
      const moves = error.code === 'invalid_request' && options.typed('corpId') !== a.corpId;
      return moves && isNumbered(error.field) ? el('p', {}, sayFormerNumbers()) : null;
    },
  });

  function changed(updated) {
    a = updated;
    head.replaceChildren(el('h1', { tabIndex: -1 }, a.title), el('div', { className: 'badges' }, badges(a)));
    actions.replaceChildren(...actionsOf(a));
    linksPlace.replaceChildren(links(a));
    switches.replaceChildren(toggle(a, enable), remove(a));
  }

  const enable = async (enabled) => {
    const updated = await call('PATCH', path, { json: { enabled } });
    options.rebase(updated);
    changed(updated);
    toast(t(enabled ? 'authenticator.enabled' : 'authenticator.disabled'));
  };
  const switches = el('div', { className: 'stack' });
  const receiver = el('div', {});
  const showReceiver = () =>
    receiver.replaceChildren(
      receiverPart(a, (updated) => {
        options.rebase(updated);
        changed(updated);
      }),
    );
  showReceiver();
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
      el(
        'div',
        {},
        section(t('links.title'), linksPlace),
        section(t('events.title'), el('p', { className: 'hint' }, t('events.hint')), receiver),
        section(t('authenticator.switch'), switches),
      ),
    ),
    rulesPreview(name, () => nest(Object.fromEntries(directory.map((spec) => [spec.name, options.typed(spec.name)])))),
    attemptsSection(path, 'authenticator'),
  ];
}

// holderOfAutoLogin says which other one has automatic login, and leads there.
async function holderOfAutoLogin(a) {
  const holder = (await everything('/authenticators')).find(
    (other) => other.autoLogin && other.enabled && other.name !== a.name,
  );
  if (!holder) return null; // given up meanwhile: the plain sentence is enough
  return [
    el('p', {}, t('autoLogin.taken', { title: holder.title })),
    el('a', { className: 'button', href: address(holder) }, t('open.what', { what: holder.title })),
  ];
}
