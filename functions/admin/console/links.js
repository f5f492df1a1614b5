// The addresses of an authenticator that WeCom's console asks for.

import { copyable } from './controls.js';
import { t } from './texts.js';
import { el, newId } from './ui.js';

// homepageLink is what opens a page of the application from WeCom's workbench. With
// automatic login any address of the service is a way in, but for a page with a fragment,
// which no browser sends. base is the service's address.
export const homepageLink = (base, { name, autoLogin }, page) =>
  autoLogin && !page.includes('#')
    ? new URL(base + page).href
    : `${base}/authorize/${name}?redirect=${encodeURIComponent(page)}`;

// links are what WeCom's console asks for. A phone and a computer may open different
// pages: two fields change the links, and nothing else.
export function links(a) {
  const base = a.callbackUrl.slice(0, a.callbackUrl.lastIndexOf('/callback/'));
  const homepage = (text) => {
    const page = text.trim().startsWith('/') ? text.trim() : `/${text.trim()}`;
    return homepageLink(base, a, page);
  };
  const one = (title, hint, text) =>
    el('div', {}, el('h3', {}, title), el('p', { className: 'hint' }, hint), copyable(text, title));
  const device = (name, title) => {
    const place = el('div', {});
    const id = newId(name);
    const show = () => place.replaceChildren(copyable(homepage(input.value), title));
    const input = el('input', {
      id,
      name,
      value: a.workbenchRedirectPath,
      autocomplete: 'off',
      spellcheck: false,
      oninput: show,
      'aria-labelledby': `${id}-title ${id}-label`,
    });
    show();
    return el(
      'div',
      { className: 'field' },
      el('h3', { id: `${id}-title` }, title),
      el('label', { id: `${id}-label`, htmlFor: id, className: 'hint' }, t('links.page')),
      input,
      el('div', { className: 'part' }, place),
    );
  };
  return el(
    'div',
    { className: 'links' },
    el('p', { className: 'hint' }, t(a.autoLogin ? 'links.homepage.auto' : 'links.homepage.hint')),
    device('desktop', t('links.desktop')),
    device('phone', t('links.phone')),
    one(t('links.domain'), t('links.domain.hint'), a.callbackDomain),
    one(t('links.callback'), t('links.callback.hint'), a.callbackUrl),
  );
}
