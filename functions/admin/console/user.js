// One user: what is known of the person, what can be changed, and the sign-ins.

import { at, call } from './api.js';
import { attemptsSection } from './attempts.js';
import { button } from './controls.js';
import { confirmThen, go } from './dialogs.js';
import { recordForm } from './form.js';
import { t } from './texts.js';
import { badge, el, hourly, icon, notice, pairs, section, time, toast } from './ui.js';
import {
  address,
  administrator,
  called,
  nameField,
  phoneField,
  readRoles,
  whereabouts,
  written,
} from './user-fields.js';

const badges = (user) => [
  user.roles.map((role) => badge(role === administrator ? t('user.administrator') : role, 'info')),
  !user.enabled && badge(t('disabled'), 'bad'),
  whereabouts(user),
  user.phoneConflict && badge(t('user.conflict'), 'warn'),
];

export async function userView(id) {
  const path = at('users', id);
  let user = await call('GET', path);
  const head = el('div', { className: 'head named' });
  const conflict = el('div', {});
  const facts = el('div', {});
  const identities = el('div', {});
  const switches = el('div', { className: 'stack' });

  const details = recordForm({
    record: user,
    specs: [
      nameField(),
      phoneField(),
      {
        name: 'roles',
        label: t('user.roles'),
        hint: t('user.roles.hint'),
        from: (record) => record.roles.join(' '),
        to: readRoles,
      },
    ],
    read: () => call('GET', path),
    send: (changes, version) => call('PATCH', path, { json: changes, version }),
    saved: changed,
    explain: async (error) => {
      if (error.code !== 'phone_taken') return null;
      const wanted = details.node.querySelector('[name=phone]').value.trim();
      const [holder] = (await call('GET', `/users?phone=${encodeURIComponent(wanted)}`)).items;
      return (
        holder && [
          el('p', {}, t('user.phonetaken', { name: called(holder) })),
          el('a', { className: 'button', href: address(holder) }, t('open.what', { what: called(holder) })),
        ]
      );
    },
  });

  // changeTo shows the user as a call has left it; the form keeps what is typed in it.
  const changeTo = (updated) => {
    details.rebase(updated);
    changed(updated);
  };
  const again = async () => changeTo(await call('GET', path));
  const set = async (change) => changeTo(await call('PATCH', path, { json: change(user), version: user.version }));

  function changed(updated) {
    user = updated;
    head.replaceChildren(el('h1', { tabIndex: -1 }, called(user)), el('div', { className: 'badges' }, badges(user)));
    facts.replaceChildren(
      pairs([
        [t('user.phone'), written(user)],
        [t('user.lastSignIn'), user.lastSignInAt ? hourly(user.lastSignInAt) : t('never')],
        [t('user.createdAt'), time(user.createdAt)],
        user.updatedAt !== user.createdAt && [t('user.updatedAt'), time(user.updatedAt)],
        user.wecomRoles.length > 0 && [t('user.wecomRoles'), user.wecomRoles.map((role) => [badge(role), ' '])],
        [t('user.id'), el('code', {}, user.id)],
      ]),
    );
    identities.replaceChildren(...identityList());
    conflict.replaceChildren(...(user.phoneConflict ? [conflictNotice()] : []));
    switches.replaceChildren(...actions());
  }

  const unbind = (identity) => {
    const control = button(
      t('user.unbind'),
      () =>
        confirmThen(
          {
            title: t('user.unbind.title', { member: identity.wecomUserId }),
            text: t('user.unbind.text', { name: called(user) }),
            action: t('user.unbind'),
            danger: true,
          },
          async () => {
            await call('DELETE', at('users', id, 'identities', identity.corpId, identity.wecomUserId));
            toast(t('user.unbound'));
            await again();
          },
        ),
      'small',
    );
    control.setAttribute('aria-label', t('user.unbind.title', { member: identity.wecomUserId }));
    return control;
  };

  const identityList = () =>
    user.identities.length
      ? [
          el(
            'ul',
            { className: 'plainlist' },
            user.identities.map((identity) =>
              el(
                'li',
                { className: 'identity' },
                el(
                  'div',
                  {},
                  el('strong', {}, identity.wecomUserId),
                  el('p', { className: 'hint' }, t('authenticator.corpId'), ' ', el('code', {}, identity.corpId)),
                  identity.position && el('p', { className: 'hint' }, identity.position),
                  identity.departments.length > 0 &&
                    el(
                      'p',
                      { className: 'hint' },
                      t('user.departments'),
                      ' ',
                      el('code', {}, identity.departments.join(' ')),
                    ),
                  identity.goneAt
                    ? el('p', { className: 'hint' }, badge(t('user.gone'), 'warn'), ' ', time(identity.goneAt))
                    : identity.disabledAt
                      ? el(
                          'p',
                          { className: 'hint' },
                          badge(t('user.disabledSince'), 'warn'),
                          ' ',
                          time(identity.disabledAt),
                        )
                      : identity.checkedAt &&
                        el('p', { className: 'hint' }, t('user.checked'), ' ', time(identity.checkedAt)),
                  identity.email && el('p', { className: 'hint' }, el('code', {}, identity.email)),
                  el(
                    'p',
                    { className: 'hint' },
                    t('user.bound'),
                    ' ',
                    time(identity.boundAt),
                    ' · ',
                    el(
                      'a',
                      { href: `#authenticators/${encodeURIComponent(identity.authenticator)}` },
                      identity.authenticator,
                    ),
                  ),
                ),
                unbind(identity),
              ),
            ),
          ),
        ]
      : [el('p', { className: 'soft' }, t('user.identities.none'))];

  const conflictNotice = () => {
    const other = user.phoneConflict;
    const bound = user.identities.find((identity) => identity.corpId === other.corpId);
    const member = { other: other.wecomUserId, corp: other.corpId };
    // Another member of the same company, or a company that may not decide who is whom.
    const [text, ...ways] = bound
      ? [
          t('user.conflict.text', { ...member, bound: bound.wecomUserId }),
          t('user.conflict.moved'),
          t('user.conflict.same'),
        ]
      : [t('user.conflict.corp', member), t('user.conflict.stranger'), t('user.conflict.link')];
    return notice(
      'warn',
      el('p', {}, el('strong', {}, t('user.conflict.title'))),
      el('p', {}, text),
      el(
        'ul',
        { className: 'bullets' },
        ways.map((way) => el('li', {}, way)),
      ),
      bound
        ? unbind(bound)
        : el(
            'a',
            { className: 'button', href: `#authenticators/${encodeURIComponent(other.authenticator)}` },
            t('open.what', { what: other.authenticator }),
          ),
    );
  };

  const action = (hint, label, work, kind = '') => {
    const control = button(label, work, kind);
    control.dataset.focus = `user ${hint}`;
    return el('div', { className: 'choice' }, el('p', { className: 'hint' }, hint), control);
  };
  const asked = (key, label, work, danger) =>
    confirmThen(
      { title: t(`${key}.title`, { name: called(user) }), text: t(`${key}.text`), action: label, danger },
      work,
    );
  const isAdministrator = () => user.roles.includes(administrator);

  function actions() {
    return [
      isAdministrator()
        ? action(t('user.noadmin.hint'), t('user.noadmin'), () =>
            asked(
              'user.noadmin',
              t('user.noadmin'),
              () => set((now) => ({ roles: now.roles.filter((role) => role !== administrator) })),
              true,
            ),
          )
        : action(t('user.admin.hint'), t('user.admin'), () =>
            asked('user.admin', t('user.admin'), () => set((now) => ({ roles: [...now.roles, administrator] }))),
          ),
      action(t('user.sessions.hint'), t('user.sessions'), () =>
        asked(
          'user.sessions',
          t('user.sessions'),
          async () => {
            await call('DELETE', at('users', id, 'sessions'));
            toast(t('user.sessions.done'));
            await again();
          },
          true,
        ),
      ),
      user.enabled
        ? action(t('user.disable.hint'), t('disable'), () =>
            asked('user.disable', t('disable'), () => set(() => ({ enabled: false })), true),
          )
        : action(t('user.enable.hint'), t('enable'), () => set(() => ({ enabled: true }))),
      action(
        t('user.delete.hint'),
        t('delete'),
        () =>
          asked(
            'user.delete',
            t('delete'),
            async () => {
              await call('DELETE', path, { version: user.version });
              go('#users', t('deleted'));
            },
            true,
          ),
        'danger',
      ),
    ];
  }
  changed(user);

  return [
    el('a', { className: 'back', href: '#users' }, icon('back'), t('tab.users')),
    head,
    conflict,
    el(
      'div',
      { className: 'columns' },
      el('div', {}, section(t('user.details'), facts), section(t('user.change'), details.node)),
      el('div', {}, section(t('user.identities'), identities), section(t('user.access'), switches)),
    ),
    attemptsSection(path, 'user'),
  ];
}
