// One application: its options, its secrets, what its software needs, what it is told,
// and the sign-ins.

import { at, call, everything, publicUrl } from './api.js';
import { applicationAttempts } from './application-attempts.js';
import { fieldsOf, nest, partsOf } from './application-fields.js';
import { notesOf, previewSection } from './application-preview.js';
import { secretsPart } from './application-secrets.js';
import { fittingOf, snippetPicker, snippets, valuesOf } from './application-snippets.js';
import { switches } from './application-switches.js';
import { testButton } from './application-test.js';
import { badges } from './applications.js';
import { recordForm } from './form.js';
import { t } from './texts.js';
import { el, hourly, icon, pairs, section, time } from './ui.js';

export async function applicationView(id) {
  const path = at('applications', id);
  const [first, authenticators, issuer, all] = await Promise.all([
    call('GET', path),
    everything('/authenticators'),
    publicUrl(),
    snippets(),
  ]);
  let a = first;
  let secret; // made just now, and not yet said to be kept
  const head = el('div', { className: 'head named' });
  const facts = el('div', {});
  const software = el('div', {});
  const actions = el('div', { className: 'stack' });
  const fields = fieldsOf(a.kind, authenticators);

  const options = recordForm({
    record: a,
    specs: Object.values(fields),
    arrange: (nodeOf) =>
      partsOf(a.kind).map(([part, names]) => {
        const nodes = names.map(nodeOf).filter(Boolean);
        return part === 'main'
          ? nodes
          : el('details', { className: 'fold' }, el('summary', {}, t(`application.part.${part}`)), nodes);
      }),
    read: () => call('GET', path),
    send: (changes, version) => call('PATCH', path, { json: nest(changes), version }),
    saved: changed,
  });

  // changeTo shows the application as a call has left it; the form keeps what is typed.
  const changeTo = (updated) => {
    options.rebase(updated);
    changed(updated);
  };
  const secrets =
    a.kind === 'web' &&
    secretsPart(a, {
      made: (value) => {
        secret = value;
        showSoftware();
      },
      changed: async () => changeTo(await call('GET', path)),
    });

  function showSoftware() {
    const chosen = software.querySelector('select')?.value;
    if (fittingOf(all, a.kind).length > 0)
      software.replaceChildren(snippetPicker(all, a, valuesOf(a, issuer, secret), chosen));
  }

  function changed(updated) {
    a = updated;
    head.replaceChildren(el('h1', { tabIndex: -1 }, a.title), el('div', { className: 'badges' }, badges(a)));
    facts.replaceChildren(
      ...notesOf(a),
      pairs([
        [t('application.id'), el('code', {}, a.id)],
        [t('application.lastUsedAt'), a.lastUsedAt ? hourly(a.lastUsedAt) : t('application.unused')],
        [t('user.createdAt'), time(a.createdAt)],
        a.updatedAt !== a.createdAt && [t('user.updatedAt'), time(a.updatedAt)],
      ]),
    );
    if (secrets) secrets.show(a);
    showSoftware();
    actions.replaceChildren(...switches(a, path, changeTo));
  }
  changed(a);

  return [
    el('a', { className: 'back', href: '#applications' }, icon('back'), t('tab.applications')),
    head,
    el(
      'div',
      { className: 'actions' },
      testButton(() => a),
    ),
    el(
      'div',
      { className: 'columns' },
      el('div', {}, section(t('user.details'), facts), section(t('authenticator.options'), options.node)),
      el(
        'div',
        {},
        secrets && section(t('secret.title'), secrets.node),
        fittingOf(all, a.kind).length > 0 &&
          section(
            t(a.kind === 'proxy' ? 'application.proxy.title' : 'application.snippet.title'),
            el(
              'p',
              { className: 'hint' },
              t(a.kind === 'proxy' ? 'application.proxy.about' : 'application.snippet.about'),
            ),
            software,
          ),
        section(t('application.switch'), actions),
      ),
    ),
    previewSection(a),
    applicationAttempts(a),
  ];
}
