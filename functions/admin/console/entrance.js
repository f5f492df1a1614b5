// The way in: by a session of WeCom, or by the administrator's key.

import * as api from './api.js';
import { button, field, form } from './controls.js';
import { t } from './texts.js';
import { el, notice } from './ui.js';

// entrance is the way in: by WeCom or by the key. In place of a view it fills the
// page; over a view, from which nothing may be lost, WeCom opens beside it.
export function entrance({ over, message, entered }) {
  const said = el('div', { 'aria-live': 'polite' }, message);
  const say = (...content) => said.replaceChildren(notice('bad', content));
  const key = field({
    name: 'key',
    label: t('enter.key'),
    hint: t('enter.key.hint'),
    type: 'password',
    required: true,
  });
  const useSession = async () => {
    const result = await api.enterWithSession();
    if (result === 'entered') return entered();
    if (result === 'none') return say(el('p', {}, t('enter.none')));
    return say(await noRole());
  };
  return el(
    'div',
    { className: 'entrance' },
    said,
    el('p', { className: 'soft' }, t(over ? 'enter.again.text' : 'enter.text')),
    el(
      'a',
      {
        className: 'button main wide',
        href: '/signin?return=console',
        target: over ? '_blank' : null,
        rel: over ? 'noopener' : null,
      },
      t('enter.wecom'),
    ),
    over && el('p', { className: 'hint' }, t('enter.wecom.beside')),
    button(t('enter.session'), useSession, 'wide'),
    el('p', { className: 'or' }, t('enter.or')),
    form(
      { className: 'stack' },
      async () => {
        const value = key.input.value.trim();
        if (!value) {
          key.invalid(t('enter.key.missing'));
          return key.input.focus();
        }
        if (await api.enterWithKey(value)) return entered();
        key.invalid(t('enter.key.wrong'));
        return key.input.focus();
      },
      key.node,
      el('button', { className: 'wide' }, t('enter.with.key')),
    ),
  );
}

// noRole says with whom somebody without the role is signed in, and what to do.
export async function noRole() {
  const who = await api.person();
  return [
    el('p', {}, el('strong', {}, t('enter.norole', { name: who?.name || who?.phone || '' }))),
    el('p', {}, t('enter.norole.todo')),
  ];
}
