// What an application would be told of a member, where, and which scope each claim comes
// from.

import { at, call } from './api.js';
import { button, form, searchField } from './controls.js';
import { t } from './texts.js';
import { el, notice, section, table, tableRow } from './ui.js';
import { called, written } from './user-fields.js';

const placesOf = (kind) => (kind === 'proxy' ? ['headers'] : ['idToken', 'userinfo', 'accessToken']);
const most = 8;

const readable = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

// claimsTable shows each claim once, with the places where it is told. One that has
// another value elsewhere has a row for each value. What a proxy hands on has one place.
function claimsTable(title, told, kind) {
  const places = placesOf(kind);
  const rows = new Map();
  for (const place of places) {
    for (const [name, { value, scope }] of Object.entries(told[place])) {
      const key = JSON.stringify([name, value, scope]);
      if (!rows.has(key)) rows.set(key, { name, value, scope, where: [] });
      rows.get(key).where.push(t(`preview.${place}`));
    }
  }
  const first = kind === 'proxy' ? t('preview.headers') : t('preview.claim');
  const heads = [first, t('preview.value'), t('preview.scope'), places.length > 1 && t('preview.where')].filter(
    Boolean,
  );
  const sorted = [...rows.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const { node } = table(
    title,
    heads,
    sorted.map(({ name, value, scope, where }) =>
      tableRow(
        [
          [heads[0], el('code', {}, name)],
          [heads[1], value === '' ? null : el('code', {}, readable(value))],
          [heads[2], scope ? el('code', {}, scope) : null],
          places.length > 1 && [heads[3], where.join(' · ')],
        ].filter(Boolean),
      ),
    ),
  );
  node.classList.add('told');
  return node;
}

// notesOf says what an application, or the application of a preview, is not told, and why.
export const notesOf = ({ notes = [] }) => notes.map((note) => notice('warn', t(`application.note.${note}`)));

// previewSection offers to choose a member and shows the claims.
export function previewSection(application) {
  const found = el('div', { role: 'status' });
  const result = el('div', { className: 'stack' });
  const query = (wanted) => (/^[+\d\s()-]+$/.test(wanted) ? 'phone' : 'name');

  async function show(user) {
    const claims = await call('POST', at('applications', application.id, 'preview'), { json: { userId: user.id } });
    const title = el('p', { tabIndex: -1 }, el('strong', {}, t('preview.of', { name: called(user) })));
    result.replaceChildren(title, ...notesOf(claims), claimsTable(title.textContent, claims, application.kind));
    found.replaceChildren();
    title.focus();
  }
  const search = searchField({ label: t('users.search') });
  const asking = form(
    { className: 'tools' },
    async () => {
      const wanted = search.input.value.trim();
      const by = wanted ? `&${query(wanted)}=${encodeURIComponent(wanted)}` : '';
      const { items } = await call('GET', `/users?limit=${most}${by}`);
      if (items.length === 1) return show(items[0]);
      return found.replaceChildren(
        items.length
          ? el(
              'ul',
              { className: 'people' },
              items.map((user) =>
                el(
                  'li',
                  {},
                  button([called(user), ' ', el('span', { className: 'soft' }, written(user))], () => show(user)),
                ),
              ),
            )
          : el('p', { className: 'soft' }, t('preview.nobody')),
      );
    },
    search.node,
    el('button', {}, t('preview.find')),
  );
  const about = t(application.kind === 'proxy' ? 'preview.proxy' : 'preview.about');
  return section(t('preview.title'), el('p', { className: 'hint' }, about), asking, found, result);
}
