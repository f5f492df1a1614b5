// Adding an application: first what it is, then which software, then where it is. What
// that software needs is filled in.

import { call, everything } from './api.js';
import { cleanBase, linesOf } from './application-addresses.js';
import { created } from './application-created.js';
import { fieldsOf, nest, proxiedExample, redirectHint } from './application-fields.js';
import { fill, fittingOf, nameOf, snippets } from './application-snippets.js';
import { testButton } from './application-test.js';
import { choices } from './choices.js';
import { field, form } from './controls.js';
import { guardUnsaved } from './dialogs.js';
import { firstWrong, reveal, watchFields } from './field-checks.js';
import { showProblem } from './form.js';
import { t } from './texts.js';
import { el, icon, section } from './ui.js';

const idForm = /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/;
const kinds = ['web', 'browser', 'native', 'proxy'];

export async function addApplicationView() {
  const [all, authenticators, there] = await Promise.all([
    snippets(),
    everything('/authenticators'),
    everything('/applications'),
  ]);
  const ids = new Set(there.map((a) => a.id));
  const whole = el('div', { className: 'adding' });
  const software = el('div', {});
  const details = el('div', {});
  const kindsThere = kinds.filter((value) => fittingOf(all, value).length > 0);
  let begun = false;
  guardUnsaved(() => begun && whole.isConnected);

  const kind = choices({
    name: 'kind',
    label: t('application.new.kind'),
    type: 'radio',
    className: 'tiles',
    options: kindsThere.map((value) => ({
      value,
      label: t(`application.kind.${value}`),
      hint: t(`application.kind.${value}.hint`),
    })),
  });
  kind.input.addEventListener('change', () => chooseSoftware(kind.input.value));

  function chooseSoftware(chosenKind) {
    const fitting = fittingOf(all, chosenKind);
    const show = (id) =>
      details.replaceChildren(
        detailsForm(
          chosenKind,
          fitting.find((snippet) => snippet.id === id),
        ),
      );
    if (fitting.length === 1) {
      software.replaceChildren();
      return show(fitting[0].id);
    }
    details.replaceChildren();
    const choice = choices({
      name: 'software',
      label: t(chosenKind === 'proxy' ? 'application.new.proxy' : 'application.new.software'),
      type: 'radio',
      className: 'tiles small',
      options: fitting.map((snippet) => ({ value: snippet.id, label: nameOf(snippet) })),
    });
    choice.input.addEventListener('change', () => show(choice.input.value));
    return software.replaceChildren(el('div', { className: 'card' }, choice.node));
  }

  function detailsForm(chosenKind, snippet) {
    const made = newForm({ kind: chosenKind, snippet, authenticators, ids }, async (application) => {
      begun = false;
      await created(whole, application, snippet);
    });
    made.node.addEventListener('input', () => {
      begun = true;
    });
    return section(t('application.new.details'), made.node);
  }

  whole.append(
    el('a', { className: 'back', href: '#applications' }, icon('back'), t('tab.applications')),
    el('h1', { tabIndex: -1 }, t('applications.add')),
    el('div', { className: 'card' }, kind.node),
    software,
    details,
  );
  return whole;
}

// domainOf is the domain of a company as far as the host of its software tells.
function domainOf(base) {
  const labels = new URL(base).hostname.split('.');
  return labels.length > 2 && /[a-z]/.test(labels.at(-1)) ? labels.slice(1).join('.') : labels.join('.');
}

const allowed = ['allow.roles', 'allow.departments', 'allow.tags'];

// freeId is an id that no application has.
function freeId(wanted, ids) {
  for (let n = 1; ; n++) {
    const id = n === 1 ? wanted : `${wanted}-${n}`;
    if (!ids.has(id)) return id;
  }
}

// newForm is the form of one kind and software. done is told of the new application.
function newForm({ kind, snippet, authenticators, ids }, done) {
  const known = fieldsOf(kind, authenticators);
  const proxied = kind === 'proxy'; // the snippet is of the proxy, and not of what it protects
  const fixed = snippet.redirect && !snippet.redirect.includes('{{base}}'); // the same everywhere
  const local = kind === 'native' && !fixed;
  const asksBase = proxied || (snippet.redirect && !fixed && !local);
  const named = !proxied && snippet.id !== 'plain';
  const example = proxied ? proxiedExample : snippet.base;
  const specs = [
    asksBase && {
      name: 'base',
      label: proxied ? t('application.proxy.base') : t('application.new.base', { software: nameOf(snippet) }),
      hint: t('application.new.base.hint', { example }),
      type: 'url',
      required: true,
      check: (text) => (cleanBase(text) ? '' : t('application.new.base.wrong', { example })),
    },
    !proxied && {
      ...known.redirectUris,
      hint: redirectHint(kind, snippet.redirect ? 'application.new.redirect' : 'application.redirectUris.hint'),
      check: (text) => (text ? known.redirectUris.check(text) : t('application.redirectUris.none')),
      value: fixed
        ? snippet.redirect
        : local && snippet.redirect
          ? fill(snippet.redirect, { base: 'http://127.0.0.1' })
          : '',
    },
    {
      ...known.title,
      value: named ? snippet.name : '',
      check: (text) => (text ? '' : t('application.title.none')),
    },
    {
      name: 'id',
      label: t('application.id'),
      hint: t(proxied ? 'application.proxy.id' : 'application.id.hint'),
      value: named ? freeId(snippet.id, ids) : '',
      check: (text) => (!text || idForm.test(text) ? '' : t('problem.invalid_request.id')),
    },
    ...allowed.map((name) => known[name]),
    authenticators.length > 1 && known.authenticators,
    !proxied && { ...known['claims.email'], value: snippet.email ? 'template' : 'none' },
    !proxied && {
      ...known['claims.emailTemplate'],
      // Not seen, and not sent, for another source.
      check: (text, other) =>
        other('claims.email') === 'template' ? known['claims.emailTemplate'].check(text, other) : '',
    },
  ].filter(Boolean);
  const entries = specs.map((spec) => ({ spec, ...(spec.make || field)(spec) }));
  const of = (name) => entries.find(({ spec }) => spec.name === name);

  // What nobody typed follows from the address of the software.
  const follow = (name, value) => {
    const entry = of(name);
    if (!entry || entry.touched) return;
    entry.input.value = value;
    entry.invalid('');
  };
  const node = form(
    { className: 'stack' },
    async () => {
      const wrong = firstWrong(entries);
      if (wrong) return reveal(wrong);
      let application;
      try {
        application = await call('POST', '/applications', { json: body() });
      } catch (error) {
        return showProblem(entries, error);
      }
      return done(application);
    },
    entries.map((entry) => entry.node),
    el(
      'div',
      { className: 'savebar' },
      el('button', { className: 'main' }, t('application.new.create')),
      testButton(tried),
    ),
  );
  // Before the checks look at what follows.
  node.addEventListener('input', (event) => {
    const entry = entries.find((candidate) => candidate.node.contains(event.target));
    entry.touched = true;
    const base = entry === of('base') ? cleanBase(entry.input.value) : '';
    if (proxied) {
      const [host] = base ? new URL(base).hostname.split('.') : [''];
      if (idForm.test(host)) follow('id', freeId(host, ids));
      return;
    }
    if (base) {
      follow('redirectUris', fill(snippet.redirect, { base }));
      follow('claims.emailTemplate', `{wecom_userid}@${domainOf(base)}`);
    }
    of('claims.emailTemplate').node.hidden = of('claims.email').input.value !== 'template';
  });
  if (!proxied) of('claims.emailTemplate').node.hidden = !snippet.email;
  watchFields(node, entries);

  // What can be tried before the application exists: the sign-in does not need its addresses.
  function tried() {
    const wrong = firstWrong(
      entries.filter(({ spec }) => !['base', 'redirectUris', 'id', 'title'].includes(spec.name)),
    );
    if (wrong) return reveal(wrong);
    return { ...body(), title: body().title || (proxied ? body().homepage : nameOf(snippet)) };
  }

  function body() {
    const value = (name) => of(name)?.input.value.trim() || '';
    const base = cleanBase(value('base'));
    return {
      kind,
      title: value('title'),
      ...(value('id') && { id: value('id') }),
      ...(base && { homepage: `${base}/` }),
      ...(!proxied && { redirectUris: linesOf(value('redirectUris')) }),
      ...nest({
        ...Object.fromEntries(allowed.map((name) => [name, known[name].to(value(name))])),
        ...(!proxied && { 'claims.email': value('claims.email') }),
        ...(value('claims.email') === 'template' && { 'claims.emailTemplate': value('claims.emailTemplate') }),
      }),
      authenticators: known.authenticators.to(value('authenticators')),
    };
  }
  return { node };
}
