// The list of authenticators.

import { everything } from './api.js';
import { checkButton } from './check.js';
import { searchableList } from './controls.js';
import { becomeButton, firstSteps, withoutAdministrator } from './first-steps.js';
import { t } from './texts.js';
import { badge, el, icon, notice } from './ui.js';

export const badges = (a) => [
  a.enabled ? badge(t('enabled'), 'good') : badge(t('disabled'), 'bad'),
  a.autoLogin && badge(t('authenticator.autoLogin'), 'info'),
];

export const address = (a) => `#authenticators/${encodeURIComponent(a.name)}`;

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
    ...searchableList({
      all,
      item,
      words: (a) => [a.title, a.name, a.corpId, a.agentId, a.origin],
      label: t('authenticators.search'),
    }),
  ];
}
