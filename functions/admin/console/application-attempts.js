// Recent sign-ins to an application, and why those that were refused were.

import { at, call, problemText } from './api.js';
import { button } from './controls.js';
import { has, t } from './texts.js';
import { badge, el, notice, section, table, tableRow, time, waiting } from './ui.js';
import { userNames } from './user-names.js';

const most = 100;

// causeText says to an administrator why a sign-in was refused.
export const causeText = (cause) => t(has(`cause.${cause}`) ? `cause.${cause}` : 'cause.other', { cause });

// resultText says what was tried, too: signing in, or telling the software of a sign-out.
function resultText(cause, good) {
  if (cause.startsWith('backchannel_')) return t(good ? 'application.attempts.told' : 'application.attempts.untold');
  return t(good ? 'attempts.signedin' : 'attempts.refused');
}

export function applicationAttempts(application) {
  const place = el('div', {}, waiting());
  const heads = [t('attempts.when'), t('attempts.who'), t('attempts.result')];
  const names = userNames((link, name) => {
    link.textContent = name;
    link.className = '';
  });
  const row = (attempt) => {
    const good = attempt.result === 'ok';
    return tableRow([
      [heads[0], time(attempt.at)],
      [heads[1], attempt.userId ? names.link(attempt.userId) : t('attempts.nobody')],
      [
        heads[2],
        badge(resultText(attempt.cause, good), good ? 'good' : 'bad'),
        !good && el('p', { className: 'part' }, causeText(attempt.cause)),
        !good &&
          el(
            'p',
            { className: 'part hint' },
            [attempt.result, attempt.cause, t('attempts.request', { id: attempt.requestId })]
              .filter(Boolean)
              .join(' · '),
          ),
      ],
    ]);
  };
  async function load() {
    try {
      const { items } = await call('GET', `${at('applications', application.id, 'attempts')}?limit=${most}`);
      place.replaceChildren(
        items.length
          ? table(t('attempts.title'), heads, items.map(row)).node
          : el('p', { className: 'soft' }, t('application.attempts.none')),
      );
      names.load();
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
      button(t('attempts.reload'), load, 'small'),
    ),
    place,
  );
}
