// The secrets of an application: two at most, so that it can change to a new one without
// a gap. A secret is shown once, when it is made.

import { at, call } from './api.js';
import { button, copyable } from './controls.js';
import { confirmThen, guardUnsaved } from './dialogs.js';
import { t } from './texts.js';
import { el, notice, time, toast } from './ui.js';

const most = 2;

// newSecret shows a secret that was just made. Until it is said to be kept, leaving the
// page asks first. kept is called then.
export function newSecret(secret, kept) {
  const title = el('p', { tabIndex: -1 }, el('strong', {}, t('secret.once.title')));
  const release = guardUnsaved(() => node.isConnected, { title: t('secret.leave.title'), text: t('secret.leave') });
  const node = notice(
    'warn',
    title,
    el('p', {}, t('secret.once')),
    copyable(secret, t('secret.name')),
    el(
      'div',
      { className: 'actions end' },
      button(t('secret.kept'), () => {
        release();
        kept();
      }),
    ),
  );
  return { node, focus: () => title.focus() };
}

// secretsPart shows the secrets of an application. made(secret) is told of a new one, and
// changed() reads the application anew.
export function secretsPart(application, { made, changed }) {
  const path = at('applications', application.id, 'secrets');
  const place = el('div', {});
  const list = el('div', { className: 'stack' });
  let secrets = [];

  const remove = (secret) => {
    const control = button(
      t('delete'),
      () =>
        confirmThen(
          {
            title: t('secret.delete.title', { prefix: secret.prefix }),
            text: t(secrets.length > 1 ? 'secret.delete.text' : 'secret.delete.last'),
            action: t('delete'),
            danger: true,
          },
          async () => {
            await call('DELETE', `${path}/${encodeURIComponent(secret.id)}`);
            toast(t('deleted'));
            await changed();
          },
        ),
      'small',
    );
    control.setAttribute('aria-label', t('secret.delete.title', { prefix: secret.prefix }));
    return control;
  };
  const item = (secret) =>
    el(
      'li',
      { className: 'identity' },
      el(
        'div',
        {},
        el('code', {}, `${secret.prefix}…`),
        el('p', { className: 'hint' }, t('secret.made'), ' ', time(secret.createdAt)),
        el(
          'p',
          { className: 'hint' },
          secret.lastUsedAt ? [t('secret.used'), ' ', time(secret.lastUsedAt)] : t('application.unused'),
        ),
      ),
      remove(secret),
    );
  const make = button(t('secret.make'), async () => {
    const answer = await call('POST', path);
    const shown = newSecret(answer.secret, () => {
      place.replaceChildren();
      (make.isConnected ? make : place.closest('section').querySelector('h2')).focus();
      made(undefined);
    });
    place.replaceChildren(shown.node);
    shown.focus();
    made(answer.secret);
    await changed();
  });
  make.dataset.focus = 'make secret';

  function show(updated) {
    secrets = updated.secrets;
    list.replaceChildren(
      ...[
        secrets.length
          ? el('ul', { className: 'plainlist' }, secrets.map(item))
          : el('p', { className: 'soft' }, t('secret.none')),
        el('p', { className: 'hint' }, t(secrets.length >= most ? 'secret.two' : 'secret.hint')),
        secrets.length < most && el('div', { className: 'actions' }, make),
      ].filter(Boolean),
    );
  }
  show(application);
  return { node: el('div', { className: 'stack' }, place, list), show };
}
