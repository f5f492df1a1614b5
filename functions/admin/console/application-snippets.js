// How software is told about this service: the configurations of snippets.json, with the
// values of an application filled in.

import { copyable } from './controls.js';
import { t } from './texts.js';
import { badge, el, newId, notice } from './ui.js';

let known = null;

// snippets returns the configurations in the order of snippets.json.
export function snippets() {
  known ??= fetch(new URL('snippets.json', import.meta.url), { credentials: 'omit' })
    .then((response) => {
      if (!response.ok) throw new Error(`snippets.json: ${response.status}`);
      return response.json();
    })
    .catch((error) => {
      known = null;
      throw error;
    });
  return known;
}

// fill puts values into the places of a text. A place without a value stays as it is.
export const fill = (text, values) =>
  text.replace(/\{\{(\w+)\}\}/g, (place, name) => (Object.hasOwn(values, name) ? values[name] : place));

// render returns the whole text of a snippet. A line about a secret is left out for an
// application that has none, which is one whose values have no secret.
export const render = (snippet, values) => {
  const all = snippet.kinds.includes('proxy') ? { ...derived(values), ...values } : values;
  return snippet.lines
    .filter((line) => values.secret !== undefined || !line.includes('{{secret}}'))
    .map((line) => fill(line, all))
    .join('\n');
};

// derived are the values that proxies want in another form. nginx's names of variables have no hyphen.
const derived = ({ issuer, id, base }) => ({
  service: new URL(issuer).hostname,
  host: new URL(base).hostname,
  variable: id.replaceAll('-', '_'),
});

// baseOf is the part of a redirect address before what the software adds to it, or ''
// when the address is not one of that software. Many have one of the commonest kind.
export function baseOf(snippet, address) {
  const rest = snippet.redirect.replace('{{base}}', '');
  return rest && rest !== '/callback' && address.endsWith(rest) ? address.slice(0, -rest.length) : '';
}

// valuesOf are the values of an application. secret is the one just made.
export function valuesOf(application, issuer, secret) {
  const proxied = application.kind === 'proxy';
  const redirect = application.redirectUris[0] || 'https://app.example.com/callback';
  return {
    issuer,
    id: application.id,
    redirect,
    base: new URL(proxied ? application.homepage : redirect).origin,
    groups: application.claims.groups.name,
    email: application.claims.email,
    ...(application.kind === 'web' && { secret: secret || t('application.snippet.secret') }),
  };
}

// snippetPart shows one configuration. values are those of valuesOf.
export function snippetPart(snippet, values) {
  const filled = { ...values, base: baseOf(snippet, values.redirect) || values.base };
  const text = render(snippet, filled);
  const block = copyable(text, snippet.name);
  block.classList.add('block');
  block.querySelector('code').tabIndex = 0; // a long one scrolls
  return el(
    'div',
    { className: 'stack' },
    el(
      'div',
      { className: 'badges tried' },
      snippet.tried
        ? badge(
            t(snippet.library ? 'application.snippet.library' : 'application.snippet.tried', {
              version: snippet.tried,
            }),
            'good',
          )
        : badge(t('application.snippet.untried')),
      snippet.file && el('code', {}, fill(snippet.file, filled)),
    ),
    block,
    snippet.email && values.email === 'none' && notice('warn', el('p', {}, t('application.snippet.email'))),
  );
}

// fittingOf returns the configurations for applications of a kind.
export const fittingOf = (all, kind) => all.filter((snippet) => snippet.kinds.includes(kind));

// snippetPicker offers the configurations for the kind of an application. chosen is the
// id of the one shown first.
export function snippetPicker(all, application, values, chosen) {
  const fitting = fittingOf(all, application.kind);
  const first =
    fitting.find((snippet) => snippet.id === chosen) ||
    fitting.find((snippet) => application.redirectUris.some((address) => baseOf(snippet, address))) ||
    fitting[0];
  const place = el('div', {});
  const show = (id) =>
    place.replaceChildren(snippetPart(fitting.find((snippet) => snippet.id === id) || first, values));
  const id = newId('software');
  const select = el(
    'select',
    { id, name: 'software', onchange: () => show(select.value) },
    fitting.map((snippet) => el('option', { value: snippet.id, selected: snippet === first }, nameOf(snippet))),
  );
  show(first.id);
  return el(
    'div',
    { className: 'stack' },
    el(
      'div',
      { className: 'field' },
      el('label', { htmlFor: id }, t(application.kind === 'proxy' ? 'application.proxy' : 'application.software')),
      select,
    ),
    place,
  );
}

// nameOf is what people call the software.
export const nameOf = (snippet) => (snippet.id === 'plain' ? t('application.software.other') : snippet.name);
