// The list of applications.

import { everything } from './api.js';
import { address, whoMayUse } from './application-fields.js';
import { withoutCopies } from './application-test.js';
import { searchableList } from './controls.js';
import { t } from './texts.js';
import { badge, el, icon, time } from './ui.js';

export const badges = (a) => [
  a.enabled ? badge(t('enabled'), 'good') : badge(t('disabled'), 'bad'),
  badge(t(`application.kind.${a.kind}`)),
];

const addLink = () =>
  el('a', { className: 'button main', href: '#add-application' }, icon('plus'), t('applications.add'));

export async function applicationsView() {
  const all = withoutCopies(await everything('/applications'));
  const head = el('div', { className: 'head' }, el('h1', {}, t('tab.applications')), all.length > 0 && addLink());
  const lead = el('p', { className: 'lead' }, t('applications.lead'));
  if (!all.length) {
    return [
      head,
      el(
        'div',
        { className: 'card empty stack' },
        el('h2', {}, t('applications.none.title')),
        el('p', {}, t('applications.none')),
        el('div', { className: 'actions' }, addLink()),
      ),
    ];
  }
  const item = (a) =>
    el(
      'li',
      { className: 'card item' },
      el('div', { className: 'title' }, el('h2', {}, el('a', { href: address(a) }, a.title)), badges(a)),
      el(
        'div',
        { className: 'facts' },
        el('span', {}, `${t('application.id')} `, el('code', {}, a.id)),
        el(
          'span',
          {},
          a.lastUsedAt ? [`${t('application.lastUsedAt')} `, time(a.lastUsedAt)] : t('application.unused'),
        ),
        el('span', {}, whoMayUse(a.allow)),
      ),
      el(
        'div',
        { className: 'actions' },
        el('a', { className: 'button', href: address(a), 'aria-label': t('open.what', { what: a.title }) }, t('open')),
      ),
    );

  return [
    head,
    lead,
    ...searchableList({
      all,
      item,
      words: (a) => [a.title, a.id, a.homepage, ...a.redirectUris],
      label: t('applications.search'),
    }),
  ];
}
