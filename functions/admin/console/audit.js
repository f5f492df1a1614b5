// The audit: who did what, with filters, and an export of what they select.

import { call } from './api.js';
import { codeText, fieldsText } from './audit-words.js';
import { button, field, form } from './controls.js';
import { save } from './csv.js';
import { count, dateTimeSeconds, t } from './texts.js';
import { badge, el, table, tableRow, time, toast } from './ui.js';
import { userNames } from './user-names.js';

const types = JSON.parse(document.getElementById('audit-types').textContent);

const bad = ['sign_in_refused', 'token_reused', 'member_gone', 'member_disabled', 'member_not_allowed', 'app_inactive'];

const pageSize = 50;

// One page of the service may be without a line though there are older ones: this many
// are read before somebody is asked whether to go on.
const patience = 10;

// An id of a user, and not a phone or a secret that somebody has pasted: it goes to the
// address.
const isId = (text) => /^[0-9a-hjkmnp-tv-z]{26}$/.test(text);
const isActor = (text) => text === 'key' || isId(text);
const isName = (text) => /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/.test(text);

const to = (view, id) => el('a', { href: `#${view}/${encodeURIComponent(id)}`, className: 'id' }, id);

function actor(line, names) {
  if (line.actor === 'key') return t('audit.key');
  return line.actor ? el('span', { className: 'whole' }, names.link(line.actor)) : null;
}

const roles = (list) => list.join(' ') || t('audit.roles.none');

// about is what a line is about, one thing below the other.
function about(line, names) {
  const things = [
    line.user && [t('audit.user'), names.link(line.user)],
    line.authenticator && [t('attempts.through'), to('authenticators', line.authenticator)],
    line.application && [t('audit.application'), to('applications', line.application)],
  ].filter(Boolean);
  if (!things.length) return null;
  return el(
    'div',
    { className: 'whole' },
    things.map(([name, link]) => el('p', { className: 'part' }, `${name} `, link)),
  );
}

function details(line) {
  const [meaning, fields] = [codeText(line), fieldsText(line)];
  return [
    badge(t(`audit.type.${line.type}`), line.type === 'signed_in' ? 'good' : bad.includes(line.type) ? 'bad' : ''),
    meaning && el('p', { className: 'part' }, meaning),
    fields && el('p', { className: 'part' }, fields),
    line.rolesBefore.length + line.rolesAfter.length > 0 &&
      el(
        'p',
        { className: 'part' },
        t('audit.roles', { before: roles(line.rolesBefore), after: roles(line.rolesAfter) }),
      ),
    el(
      'p',
      { className: 'part hint' },
      [line.code, line.requestId && t('attempts.request', { id: line.requestId })].filter(Boolean).join(' · '),
    ),
  ];
}

const row = (line, names) =>
  tableRow([
    [t('attempts.when'), time(line.at, dateTimeSeconds)],
    [t('audit.what'), details(line)],
    [t('audit.about'), about(line, names)],
    [t('audit.by'), actor(line, names)],
  ]);

// localTime writes a time of a query as a field has it.
function localTime(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return '';
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

// addressOf is the address of a query. A name of nothing but digits may be a phone in the
// wrong field.
const addressOf = (query) => (query && !/=\d{7,}(&|$)/.test(query) ? `#audit/${query}` : '#audit');

// filterFields are the filters. Their wanted() is the query of them, or null when one is wrong,
// which is said there. given is a query, too.
function filterFields(given) {
  const value = ({ name, type }) => {
    const text = given.get(name) || '';
    return type === 'datetime-local' ? localTime(text) : text;
  };
  const entries = [
    {
      name: 'type',
      label: t('audit.what'),
      type: 'select',
      options: [['', t('audit.any')], ...types.map((type) => [type, t(`audit.type.${type}`)])],
    },
    { name: 'user', label: t('audit.user'), right: isId },
    { name: 'authenticator', label: t('attempts.through'), right: isName },
    { name: 'application', label: t('audit.application'), right: isName },
    { name: 'actor', label: t('audit.by'), hint: t('audit.actor.hint'), right: isActor },
    { name: 'from', label: t('audit.from'), type: 'datetime-local' },
    { name: 'to', label: t('audit.to'), type: 'datetime-local' },
  ].map((spec) => ({ spec, ...field({ ...spec, value: value(spec) }) }));

  function wanted() {
    const query = new URLSearchParams();
    for (const { spec, input, invalid } of entries) {
      const text = input.value.trim();
      invalid('');
      if (!text) continue;
      if (spec.right && !spec.right(text)) {
        invalid(t('audit.wrong'));
        input.focus();
        return null;
      }
      query.set(spec.name, spec.type === 'datetime-local' ? new Date(text).toISOString() : text);
    }
    return query.toString();
  }
  return { nodes: entries.map(({ node }) => node), wanted };
}

// lineList is the list. Its show(query) shows the newest lines that a query selects.
function lineList() {
  const list = table(t('tab.audit'), [t('attempts.when'), t('audit.what'), t('audit.about'), t('audit.by')], []);
  const card = el('div', { className: 'card tablecard lines', hidden: true }, list.node);
  const more = el('div', { className: 'more' });
  const said = el('p', { className: 'soft', role: 'status' });
  const names = userNames((link, name, id) => link.replaceChildren(el('span', {}, name), ' ', el('small', {}, id)));
  let turn = 0;

  // append reads on until there is something to show.
  async function append(query, cursor, mine) {
    let items = [];
    for (let tries = 0; tries < patience && !items.length && cursor !== null; tries++) {
      const parts = [query, `limit=${pageSize}`, cursor && `cursor=${encodeURIComponent(cursor)}`].filter(Boolean);
      const page = await call('GET', `/audit?${parts.join('&')}`);
      if (mine !== turn) return;
      items = page.items;
      cursor = page.nextCursor;
    }
    list.body.append(...items.map((line) => row(line, names)));
    names.load();
    const some = list.body.childElementCount > 0;
    card.hidden = !some;
    said.textContent = some ? '' : t(cursor ? 'audit.onward' : 'audit.none');
    const onward = async () => {
      const last = list.body.lastElementChild;
      await append(query, cursor, mine);
      (last ? last.nextElementSibling : list.body.firstElementChild)?.querySelector('a')?.focus();
    };
    more.replaceChildren(...(cursor ? [button(t('more'), onward)] : []));
  }

  async function show(query) {
    card.setAttribute('aria-busy', 'true');
    try {
      const mine = ++turn;
      list.body.replaceChildren();
      await append(query, '', mine);
    } finally {
      card.removeAttribute('aria-busy');
    }
  }
  return { nodes: [said, card, more], show };
}

// exportLines hands over the lines of a query as a file.
async function exportLines(query) {
  const answer = await call('GET', `/audit?${query}`, { accept: 'text/csv' });
  save('audit.csv', answer.text);
  const lines = answer.text.split('\r\n').join('\n').trimEnd().split('\n').length - 1;
  toast(
    t(answer.more ? 'audit.exported.part' : 'audit.exported', { lines: count(lines) }),
    answer.more ? 'warn' : 'good',
  );
}

// auditView shows the lines. query has filters, such as user=ID, for a link to them, and
// readdress(hash) is told where those of other filters are.
export async function auditView(query, readdress) {
  const filters = filterFields(new URLSearchParams(query));
  const list = lineList();
  const withFilters = (work) => async () => {
    const wanted = filters.wanted();
    if (wanted !== null) await work(wanted);
  };
  const search = withFilters((wanted) => {
    readdress(addressOf(wanted));
    return list.show(wanted);
  });
  await withFilters(list.show)();
  return [
    el(
      'div',
      { className: 'head pair' },
      el('h1', {}, t('tab.audit')),
      button(t('audit.export'), withFilters(exportLines)),
    ),
    el('p', { className: 'lead' }, t('audit.lead')),
    form(
      { className: 'card filters', role: 'search', 'aria-label': t('audit.filters') },
      search,
      filters.nodes,
      el('div', { className: 'actions' }, el('button', { className: 'main' }, t('audit.show'))),
    ),
    list.nodes,
  ];
}
