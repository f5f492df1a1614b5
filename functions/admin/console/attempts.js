// Recent sign-ins and refusals, of an authenticator or of a user.

import { call, problemText } from './api.js';
import { button, searchField, worthSearching } from './controls.js';
import { has, t } from './texts.js';
import { badge, el, notice, section, table, tableRow, time, waiting } from './ui.js';

// The service keeps attempts for 30 days and tells at most this many.
const most = 100;

// refusalText says why an attempt was refused, to an administrator.
export const refusalText = (code) => t(has(`refused.${code}`) ? `refused.${code}` : 'refused.other', { code });

// attemptsSection shows the attempts that path answers. of is 'authenticator' or
// 'user': what the page is about needs no column.
export function attemptsSection(path, of) {
  const place = el('div', {}, waiting());
  const again = button(t('attempts.reload'), load, 'small');
  let attempts = [];

  const row = (attempt) => {
    const refused = attempt.result === 'refused';
    const who = attempt.wecomUserId || t('attempts.nobody');
    const whole = (href, text) => el(href ? 'a' : 'span', { className: 'whole', href: href || null }, text);
    const place =
      of === 'authenticator'
        ? [t('attempts.who'), whole(attempt.userId && `#users/${encodeURIComponent(attempt.userId)}`, who)]
        : [
            t('attempts.through'),
            whole(`#authenticators/${encodeURIComponent(attempt.authenticator)}`, attempt.authenticator),
          ];
    return tableRow([
      [t('attempts.when'), time(attempt.at)],
      place,
      [
        t('attempts.where'),
        el(
          'span',
          { className: 'unbroken' },
          t(attempt.client === 'wecom' ? 'attempts.inwecom' : 'attempts.inbrowser'),
        ),
      ],
      [
        t('attempts.result'),
        badge(t(refused ? 'attempts.refused' : 'attempts.signedin'), refused ? 'bad' : 'good'),
        refused && el('p', { className: 'part' }, refusalText(attempt.code)),
        Boolean(refused || attempt.wecomCode) &&
          el(
            'p',
            { className: 'part hint' },
            [
              refused && attempt.code,
              attempt.wecomCode && t('attempts.wecomcode', { code: attempt.wecomCode }),
              t('attempts.request', { id: attempt.requestId }),
            ]
              .filter(Boolean)
              .join(' · '),
          ),
      ],
    ]);
  };

  function show() {
    if (!attempts.length) {
      place.replaceChildren(el('p', { className: 'soft' }, t(of === 'user' ? 'attempts.none.user' : 'attempts.none')));
      return;
    }
    const heads = [
      t('attempts.when'),
      t(of === 'authenticator' ? 'attempts.who' : 'attempts.through'),
      t('attempts.where'),
      t('attempts.result'),
    ];
    const list = table(t('attempts.title'), heads, []);
    const none = el('p', { className: 'soft', role: 'status' });
    const filter = (wanted) => {
      const found = attempts.filter((attempt) => words(attempt).includes(wanted));
      list.body.replaceChildren(...found.map(row));
      list.node.hidden = !found.length;
      none.textContent = found.length ? '' : t('search.none');
    };
    const search = searchField({
      label: t('attempts.search'),
      oninput: () => filter(search.input.value.trim().toLowerCase()),
    });
    filter('');
    place.replaceChildren(
      el('div', { className: 'stack' }, attempts.length >= worthSearching && search.node, none, list.node),
    );
  }

  async function load() {
    try {
      attempts = (await call('GET', `${path}/attempts?limit=${most}`)).items;
      show();
    } catch (error) {
      place.replaceChildren(notice('bad', el('p', {}, problemText(error))));
    }
  }
  load();
  return section(
    t('attempts.title'),
    el(
      'div',
      { className: 'tools' },
      el('p', { className: 'hint' }, t('attempts.about')),
      again,
      el('a', { href: `#audit/${of}=${path.split('/')[2]}` }, t('audit.all')),
    ),
    place,
  );
}

const words = (attempt) =>
  [
    attempt.wecomUserId,
    attempt.corpId,
    attempt.authenticator,
    attempt.code,
    attempt.wecomCode || '',
    attempt.requestId,
    attempt.result === 'refused' ? `${t('attempts.refused')} ${refusalText(attempt.code)}` : t('attempts.signedin'),
  ]
    .join(' ')
    .toLowerCase();
