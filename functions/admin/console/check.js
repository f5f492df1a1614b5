// The check of an authenticator: the service tries it against WeCom, step by step.

import { at, call } from './api.js';
import { button } from './controls.js';
import { dialog } from './dialogs.js';
import { t } from './texts.js';
import { el, notice, waiting } from './ui.js';

export const checkButton = (a, kind) => {
  const control = button(t('check'), () => checkDialog(a), kind);
  control.setAttribute('aria-label', t('check.what', { what: a.title }));
  return control;
};

// checkDialog tries an authenticator against WeCom, step by step as WeCom answers.
function checkDialog(a) {
  const place = el('div', { 'aria-live': 'polite' });
  const run = async () => {
    place.replaceChildren(waiting(t('check.running')));
    try {
      const result = await call('POST', at('authenticators', a.name, 'check'));
      place.replaceChildren(...checkResult(result));
    } catch (error) {
      place.replaceChildren();
      throw error;
    }
  };
  const again = button(t('check.again'), run);
  const box = dialog(t('check.what', { what: a.title }), [
    place,
    el(
      'div',
      { className: 'actions end' },
      again,
      button(t('close'), () => box.close(), 'main'),
    ),
  ]);
  again.click();
}

// checkResult shows the steps of a check.
export const checkResult = (result) => [
  notice(result.ok ? 'good' : 'bad', el('p', {}, el('strong', {}, t(result.ok ? 'check.good' : 'check.bad')))),
  el(
    'ol',
    { className: 'steps' },
    result.steps.map((step) =>
      el(
        'li',
        { className: step.ok ? '' : 'bad' },
        el('span', { className: 'away' }, t(step.ok ? 'check.step.good' : 'check.step.bad')),
        el('strong', {}, step.title),
        step.wecomCode
          ? el('span', { className: 'hint' }, ` ${t('attempts.wecomcode', { code: step.wecomCode })}`)
          : null,
        step.fix && el('p', {}, step.fix),
      ),
    ),
  ),
];
