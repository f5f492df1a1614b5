// The receiver of WeCom's events: whether there is one, when WeCom has sent something
// last, and a token and a key for WeCom's console. Those are shown once, when they are
// made.

import { at, call } from './api.js';
import { button, copyable } from './controls.js';
import { confirmThen } from './dialogs.js';
import { t } from './texts.js';
import { el, notice, time, toast } from './ui.js';

// receiverPart shows the receiver of an authenticator. changed(updated) is told of the
// authenticator as it is after a change.
export function receiverPart(authenticator, changed) {
  const path = at('authenticators', authenticator.name);
  const made = el('div', {});
  const status = el('div', { className: 'stack' });

  const reread = async () => {
    const updated = await call('GET', path);
    show(updated);
    changed(updated);
  };
  const make = async () => {
    const shown = once(await call('POST', `${path}/events`));
    made.replaceChildren(shown.node);
    shown.focus();
    await reread();
  };
  const makeAgain = () =>
    confirmThen(
      { title: t('events.again.title'), text: t('events.again.text'), action: t('events.again'), danger: true },
      make,
    );
  const switchOff = () =>
    confirmThen(
      { title: t('events.off.title'), text: t('events.off.text'), action: t('events.off'), danger: true },
      async () => {
        await call('DELETE', `${path}/events`);
        made.replaceChildren();
        await reread();
        toast(t('events.off.done'));
      },
    );

  function show({ events }) {
    const again = button(t('events.again'), makeAgain);
    const off = button(t('events.off'), switchOff, 'danger');
    const first = button(t('events.make'), make, 'main');
    first.dataset.focus = again.dataset.focus = off.dataset.focus = 'events';
    status.replaceChildren(
      el('p', {}, events.enabled ? lastEvent(events) : t('events.none')),
      el('div', { className: 'actions' }, events.enabled ? [again, off] : first),
    );
  }
  show(authenticator);
  return el('div', { className: 'stack' }, made, status);
}

const lastEvent = ({ lastEventAt }) => (lastEventAt ? [t('events.last'), ' ', time(lastEventAt)] : t('events.waiting'));

// once shows what was just made, under the names of WeCom's console.
function once({ url, token, encodingAesKey }) {
  const title = el('p', { tabIndex: -1 }, el('strong', {}, t('events.once')));
  const node = notice(
    'warn',
    title,
    [
      ['URL', url],
      ['Token', token],
      ['EncodingAESKey', encodingAesKey],
    ].map(([name, value]) => el('div', {}, el('h3', {}, name), copyable(value, name))),
  );
  return { node, focus: () => title.focus() };
}
