// The end of the set-up: which steps are still open, or that all are done, and where to
// go from here.

import { button, copyable } from './controls.js';
import { heading, rich, toStep } from './setup-layout.js';
import { lastStep, titles } from './setup-state.js';
import { t } from './texts.js';
import { el, notice } from './ui.js';

export function end(state, show) {
  const open = titles.map((_, i) => i + 1).filter((step) => !state.done.has(step));
  const startAgain = () => {
    state.step = 1;
    state.keep();
  };
  return [
    heading(t(open.length ? 'setup.end.nearly' : 'setup.end.title')),
    open.length ? openSteps(show, open) : allDone(),
    el('h3', {}, t('setup.end.next')),
    whatNext(state),
    el(
      'div',
      { className: 'setup-foot' },
      button(t('setup.back'), () => show(lastStep)),
      el('a', { className: 'button main', href: '#authenticators', onclick: startAgain }, t('setup.end.close')),
    ),
  ];
}

const openSteps = (show, open) => [
  notice('warn', t('setup.end.missing')),
  el(
    'div',
    { className: 'actions' },
    open.map((step) => toStep(show, step)),
  ),
];

const allDone = () => [
  notice('good', t('setup.end.text')),
  el(
    'ul',
    { className: 'setup-results' },
    titles.map((key) => el('li', {}, t(key))),
  ),
];

function whatNext({ address, saved }) {
  const signIn = `${address}/signin`;
  const link = (href, label, props) => el('a', { href, ...props }, label);
  const toSignIn = link(signIn, t('setup.end.button.link'), { target: '_blank', rel: 'noopener' });
  const add = link('#users', t('setup.end.people.add'));
  const bring = link('#import', t('setup.end.people.import'));
  const users = link('#users', t('setup.end.admin.users'));
  return el(
    'ul',
    { className: 'setup-plain' },
    el('li', {}, rich('setup.end.button', { link: toSignIn }), copyable(signIn, t('setup.end.button.link'))),
    el('li', {}, rich('setup.end.people', { add, bring })),
    el('li', {}, rich('setup.end.admin', { users })),
    saved && el('li', {}, rich('setup.end.look', { link: link(`#authenticators/${saved.name}`, saved.title) })),
  );
}
