// Users: the list, and one with everything about the person.

import { at, call, problemText } from './api.js';
import { attemptsSection } from './attempts.js';
import { recordForm, showProblem } from './form.js';
import { t } from './texts.js';
import {
  badge,
  button,
  confirmThen,
  dialog,
  el,
  field,
  form,
  go,
  icon,
  notice,
  pairs,
  searchField,
  section,
  table,
  tableRow,
  time,
  toast,
} from './ui.js';

// administrator is the role that opens the console.
export const administrator = 'admin';
// How many are read at first and with each "Show more", and at most in one answer.
const pageSize = 50;
const largestPage = 200;

// What the list showed last, for coming back to it: what was searched for and how
// many users were read. It is kept here and not in the address, which has a history.
const kept = { wanted: '', read: 0, scroll: 0 };

const address = (user) => `#users/${encodeURIComponent(user.id)}`;
const written = (user) => user.phoneText || user.phone;
const called = (user) => user.name || written(user);
const readRoles = (text) => text.split(/[\s,，、]+/).filter(Boolean);

// A search of nothing but digits and what people write between them is for a phone.
// plain is a search in narrow letters and digits: input methods write wide ones.
const plain = (text) => text.normalize('NFKC').trim();
const isPhone = (text) => /^[+＋\d\s().\-/]*\d[+\d\s().\-/]*$/.test(text);

const badges = (user) => [
  user.roles.map((role) => badge(role === administrator ? t('user.administrator') : role, 'info')),
  !user.enabled && badge(t('disabled'), 'bad'),
  user.phoneConflict && badge(t('user.conflict'), 'warn'),
];

const userRow = (user) =>
  tableRow(
    [
      [t('user.name'), el('a', { href: address(user) }, user.name || t('user.noname'))],
      [t('user.phone'), el('span', { className: 'unbroken', title: user.phone }, written(user))],
      [
        t('user.roles'),
        user.roles.length
          ? el(
              'div',
              { className: 'badges' },
              user.roles.map((role) => badge(role, role === administrator ? 'info' : '')),
            )
          : null,
      ],
      [
        t('user.status'),
        el(
          'div',
          { className: 'badges' },
          user.enabled ? badge(t('enabled'), 'good') : badge(t('disabled'), 'bad'),
          user.phoneConflict && badge(t('user.conflict'), 'warn'),
        ),
      ],
      [
        t('user.lastSignIn'),
        user.lastSignInAt ? time(user.lastSignInAt) : el('span', { className: 'soft' }, t('never')),
      ],
    ],
    { className: user.enabled ? '' : 'quiet' },
  );

export async function usersView() {
  const list = table(
    t('tab.users'),
    [t('user.name'), t('user.phone'), t('user.roles'), t('user.status'), t('user.lastSignIn')],
    [],
  );
  const card = el('div', { className: 'card tablecard' }, list.node);
  const more = el('div', { className: 'more' });
  const said = el('div', { role: 'status' });
  let turn = 0;
  let reading = null; // the search under way; a newer one ends it

  const query = (wanted) =>
    !wanted ? '' : isPhone(wanted) ? `&phone=${encodeURIComponent(wanted)}` : `&name=${encodeURIComponent(wanted)}`;

  const read = (wanted, cursor, limit, signal) =>
    call('GET', `/users?limit=${limit}${query(wanted)}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`, {
      signal,
    });

  // append shows a page of the list, and the button for the next one.
  function append(page, wanted, mine) {
    list.body.append(...page.items.map(userRow));
    kept.read += page.items.length;
    more.replaceChildren(
      ...(page.nextCursor
        ? [
            button(t('more'), async () => {
              const next = await read(wanted, page.nextCursor, pageSize);
              if (mine !== turn) return;
              const before = list.body.lastElementChild;
              append(next, wanted, mine);
              before.nextElementSibling?.querySelector('a').focus(); // the first of the new ones
            }),
          ]
        : []),
    );
  }

  function nothing(wanted) {
    if (!wanted) {
      return el(
        'div',
        { className: 'card empty stack' },
        el('h2', {}, t('users.none.title')),
        el('p', {}, t('users.none')),
        el(
          'div',
          { className: 'actions' },
          el('a', { className: 'button main', href: '#import' }, t('import.title')),
          button(t('users.add'), add),
        ),
      );
    }
    const phone = isPhone(wanted);
    return el(
      'div',
      { className: 'card empty stack' },
      el('h2', {}, t(phone ? 'users.nophone' : 'users.noname', { wanted })),
      el('p', {}, t(phone ? 'users.nophone.todo' : 'users.noname.todo')),
    );
  }

  // search shows the first users of what is wanted.
  async function search(wanted, limit = pageSize) {
    const mine = ++turn;
    reading?.abort();
    reading = new AbortController();
    kept.wanted = wanted;
    card.setAttribute('aria-busy', 'true');
    let page;
    let empty;
    try {
      page = await read(wanted, '', limit, reading.signal);
      empty = page.items.length ? null : nothing(wanted);
    } catch (error) {
      if (mine !== turn || error.name === 'AbortError') return;
      // A number that is no number yet is nobody's: the search stays, to be completed.
      if (error.status !== 400 || !isPhone(wanted)) throw error;
      page = { items: [], nextCursor: null };
      empty = el('p', { className: 'soft' }, t('users.partofphone'));
    } finally {
      if (mine === turn) card.removeAttribute('aria-busy');
    }
    if (mine !== turn) return;
    list.body.replaceChildren();
    kept.read = 0;
    append(page, wanted, mine);
    card.hidden = Boolean(empty);
    tools.hidden = !wanted && Boolean(empty); // nobody to search for
    said.replaceChildren(...(empty ? [empty] : []));
  }

  let timer = 0;
  const attempt = () => {
    clearTimeout(timer);
    const wanted = plain(box.input.value);
    if (wanted !== kept.wanted) search(wanted).catch((error) => toast(problemText(error), 'bad'));
  };
  const box = searchField({
    label: t('users.search'),
    value: kept.wanted,
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(attempt, 300);
    },
  });
  box.input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') attempt();
  });

  const tools = el(
    'div',
    { className: 'stack' },
    el('div', { className: 'tools' }, box.node),
    el('p', { className: 'hint' }, t('users.search.hint')),
  );

  const scroll = kept.scroll;
  await search(kept.wanted, Math.min(Math.max(kept.read, pageSize), largestPage));
  if (scroll) requestAnimationFrame(() => window.scrollTo(0, scroll));
  list.body.addEventListener('click', (event) => {
    if (event.target.closest('a')) kept.scroll = window.scrollY;
  });
  kept.scroll = 0;
  return [
    el(
      'div',
      { className: 'head pair' },
      el('h1', {}, t('tab.users')),
      el('a', { className: 'button', href: '#import' }, t('import.title')),
      button([icon('plus'), t('users.add')], add, 'main'),
    ),
    tools,
    said,
    card,
    more,
  ];
}

const nameField = (user) => ({ name: 'name', label: t('user.name'), hint: t('user.name.hint'), value: user?.name });
const phoneField = (user) => ({
  name: 'phone',
  label: t('user.phone'),
  hint: t('user.phone.hint'),
  type: 'tel',
  required: true,
  value: user?.phone,
});

// add asks for a new user and shows it.
function add() {
  const entries = [
    phoneField(),
    nameField(),
    { name: 'roles', label: t('user.roles'), hint: t('user.roles.hint') },
  ].map(field);
  const [phone, name, roles] = entries;
  const box = dialog(
    t('users.add'),
    form(
      { className: 'stack' },
      async () => {
        for (const entry of entries) entry.invalid('');
        let user;
        try {
          user = await call('POST', '/users', {
            json: {
              phone: phone.input.value.trim(),
              ...(name.input.value.trim() && { name: name.input.value.trim() }),
              roles: readRoles(roles.input.value),
            },
          });
        } catch (error) {
          return showProblem(entries, error);
        }
        box.isDirty = null;
        box.close();
        toast(t('user.created'));
        return go(address(user));
      },
      entries.map((entry) => entry.node),
      el(
        'div',
        { className: 'actions end' },
        button(t('cancel'), () => box.dismiss()),
        el('button', { className: 'main' }, t('create')),
      ),
    ),
  );
  box.isDirty = () => entries.some((entry) => entry.input.value);
}

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
        [t('user.lastSignIn'), user.lastSignInAt ? time(user.lastSignInAt) : t('never')],
        [t('user.createdAt'), time(user.createdAt)],
        user.updatedAt !== user.createdAt && [t('user.updatedAt'), time(user.updatedAt)],
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
    return notice(
      'warn',
      el('p', {}, el('strong', {}, t('user.conflict.title'))),
      el(
        'p',
        {},
        t('user.conflict.text', { other: other.wecomUserId, corp: other.corpId, bound: bound?.wecomUserId || '–' }),
      ),
      el('ul', { className: 'bullets' }, el('li', {}, t('user.conflict.moved')), el('li', {}, t('user.conflict.same'))),
      bound && unbind(bound),
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
              go('#users');
              toast(t('deleted'));
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
