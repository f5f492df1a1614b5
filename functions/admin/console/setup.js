// "Add – WeCom": the guided set-up of an authenticator, in the order of WeCom's own
// admin console, which the administrator has open beside this page.
//
// This module shows the frame and walks the steps. Each step is a function of the state
// and of show(step), which opens another step; it returns what is shown and is called
// anew whenever the step is opened.

import { at, call, everything, publicUrl } from './api.js';
import { button } from './controls.js';
import { confirmThen, guardUnsaved } from './dialogs.js';
import { trustedAddress } from './setup-address.js';
import { check } from './setup-check.js';
import { credentials } from './setup-credentials.js';
import { trustedDomain } from './setup-domain.js';
import { end } from './setup-end.js';
import { events } from './setup-events.js';
import { homepage } from './setup-homepage.js';
import { callbackDomain, createApp, phoneNumber } from './setup-instructions.js';
import { paragraph } from './setup-layout.js';
import { forgetDraft, SetupState, titleOf, titles } from './setup-state.js';
import { t } from './texts.js';
import { el, notice } from './ui.js';

const views = [
  createApp,
  callbackDomain,
  trustedDomain,
  trustedAddress,
  credentials,
  phoneNumber,
  check,
  homepage,
  events,
  end, // behind the last step
];

// setupView shows the set-up of a new authenticator, or, with its name, of an existing
// one.
export async function setupView(name) {
  const [address, all, saved] = await Promise.all([
    publicUrl(),
    everything('/authenticators'),
    name ? call('GET', at('authenticators', name)) : null,
  ]);
  const state = new SetupState({ address, saved, others: all.filter((other) => other.name !== name) });
  const progress = progressOf(state, (step) => show(step));
  const panel = el('section', { className: 'card setup-step', 'aria-labelledby': 'setup-title' });
  const root = el('div', { className: 'setup' }, introduction(state, name), progress.node, panel);
  state.onProgress = progress.update;

  // show opens a step. Back in the browser leads to the step before.
  function show(step, { focus = true, remember = true } = {}) {
    if (remember && step !== state.step) history.pushState({ setupStep: step }, '');
    state.step = step;
    state.keep();
    progress.update();
    panel.replaceChildren(...[views[step - 1](state, show)].flat(Infinity).filter(Boolean));
    if (!focus) return;
    panel.querySelector('h2').focus({ preventScroll: true });
    (matchMedia('(min-width: 900px)').matches ? root : progress.node).scrollIntoView({ block: 'start' });
  }
  const home = location.hash;
  const returned = (event) => {
    if (!root.isConnected) window.removeEventListener('popstate', returned);
    else if (location.hash === home && event.state?.setupStep) show(event.state.setupStep, { remember: false });
  };
  window.addEventListener('popstate', returned);
  history.replaceState({ setupStep: state.step }, '');
  guardUnsaved(() => root.isConnected && state.isDirty());
  show(state.step, { focus: false });
  return [root];
}

function introduction(state, name) {
  const { saved } = state;
  const wecom = {
    href: 'https://work.weixin.qq.com/wework_admin/frame#apps',
    target: '_blank',
    rel: 'noopener noreferrer',
  };
  const startOver = button(t('setup.over'), () => askToStartOver(name), 'small');
  return el(
    'div',
    { className: 'setup-intro' },
    el('h1', {}, saved ? t('setup.title.again', { title: saved.title }) : t('setup.title')),
    paragraph('setup.intro', { link: el('a', wecom, t('setup.intro.link')) }),
    saved && !saved.enabled && notice('warn', t('setup.disabled')),
    state.resumed && notice('info', el('p', {}, t('setup.draft')), el('div', { className: 'actions' }, startOver)),
  );
}

async function askToStartOver(name) {
  const startOver = () => {
    forgetDraft(name);
    document.dispatchEvent(new CustomEvent('outdated')); // shows the view anew
  };
  await confirmThen(
    { title: t('setup.over'), text: t('setup.over.text'), action: t('setup.over'), danger: true },
    async () => {
      setTimeout(startOver); // when the question is closed
    },
  );
}

// progressOf is the list of steps. Every one can be opened at any time.
function progressOf(state, show) {
  const buttons = titles.map((title, i) =>
    el(
      'button',
      { type: 'button', onclick: () => show(i + 1) },
      el('span', { className: 'place', 'aria-hidden': 'true' }),
      el('span', { className: 'name' }, t(title)),
    ),
  );
  const items = buttons.map((control) => el('li', {}, control));
  const node = el('nav', { className: 'setup-progress', 'aria-label': t('setup.steps') }, el('ol', {}, items));
  const update = () =>
    buttons.forEach((control, i) => {
      const step = i + 1;
      const isDone = state.done.has(step);
      const label = t(isDone ? 'setup.step.done' : 'setup.step.name', { n: step, title: titleOf(step) });
      control.firstChild.textContent = isDone ? '✓' : String(step);
      control.setAttribute('aria-label', label);
      items[i].classList.toggle('done', isDone);
      if (state.step === step) control.setAttribute('aria-current', 'step');
      else control.removeAttribute('aria-current');
    });
  return { node, update };
}
