// The list of users: search, pages of it, and the dialog for a new user.

import { call, problemText } from './api.js';
import { button, field, form, searchField } from './controls.js';
import { dialog, go } from './dialogs.js';
import { showProblem } from './form.js';
import { t } from './texts.js';
import { badge, el, icon, table, tableRow, time, toast } from './ui.js';
import { address, administrator, nameField, phoneField, readRoles, whereabouts, written } from './user-fields.js';

// How many are read at first and with each "Show more", and at most in one answer.
const pageSize = 50;
const largestPage = 200;

// What the list showed last, for coming back to it: what was searched for and how
// many users were read. It is kept here and not in the address, which has a history.
const kept = { wanted: '', read: 0, scroll: 0 };

// A search of nothing but digits and what people write between them, or copy along
// without seeing it, is for a phone. plain is a search in narrow letters and digits: input
// methods write wide ones.
const plain = (text) => text.normalize('NFKC').trim();
const isPhone = (text) =>
  /^[+\d\s().\-/]*\d[+\d\s().\-/]*$/.test(
    text.replace(/[\p{Cf}\p{Variation_Selector}]/gu, '').replace(/[\p{Pd}\u2212]/gu, '-'),
  );

// isWhole reports whether a number may have all of its digits; otherwise somebody is
// still typing it.
function isWhole(phone) {
  const digits = phone.replace(/\D/g, '').replace(/^00/, '');
  const international = /^\D*(\+|00)/.test(phone);
  return digits.length >= (digits.startsWith('86') ? 13 : international ? 7 : 11);
}

const userRow = (user) =>
  tableRow(
    [
      [t('user.name'), el('a', { href: address(user) }, user.name || t('user.noname')), ' ', whereabouts(user)],
      [t('user.phone'), el('span', { className: 'unbroken', title: user.phone }, written(user))],
      [
        t('user.roles'),
        user.roles.length + user.wecomRoles.length
          ? el(
              'div',
              { className: 'badges' },
              user.roles.map((role) => badge(role, role === administrator ? 'info' : '')),
              user.wecomRoles
                .filter((role) => !user.roles.includes(role))
                .map((role) => el('span', { title: t('user.wecomRoles') }, badge(role))),
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
    if (phone && !isWhole(wanted)) return el('p', { className: 'soft' }, t('users.partofphone'));
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
      throw error;
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
    el('div', { className: 'tools' }, box.node, el('a', { href: '#audit/type=member_gone' }, t('audit.left'))),
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
        return go(address(user), t('user.created'));
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
