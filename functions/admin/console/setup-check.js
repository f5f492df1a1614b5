// Step 7 of the set-up: the service tries the configuration against WeCom, and every
// failure leads to the step that repairs it. Then the administrator tries to sign in.

import { at, call, problemText } from './api.js';
import { button, copyable } from './controls.js';
import { picture } from './pictures.js';
import { frame, notYet, onward, paragraph, rich, todo, toStep } from './setup-layout.js';
import { steps, titleOf } from './setup-state.js';
import { t } from './texts.js';
import { el, notice, waiting } from './ui.js';

// The step of the set-up that repairs a failure: by WeCom's number, or else by what was
// checked. What passes without help (WeCom is busy or unreachable) and what only WeCom
// can end has none.
const repairsOfCode = {
  40001: steps.credentials,
  40013: steps.credentials,
  40014: steps.credentials,
  40056: steps.credentials,
  40091: steps.credentials,
  41002: steps.credentials,
  41004: steps.credentials,
  42001: steps.credentials,
  45009: steps.credentials,
  48002: steps.credentials,
  50001: steps.credentials,
  301002: steps.credentials,
  50003: steps.app,
  60031: steps.app,
  60020: steps.trustedAddress,
};
const repairsOfCheck = {
  'trusted-domain': steps.trustedDomain,
  'visible-range': steps.app,
  'domain-file': steps.trustedDomain,
};
const repairOf = (checked) => repairsOfCode[checked.wecomCode] ?? repairsOfCheck[checked.step];

// The step of the set-up that is certainly done when a check succeeds.
const provenBy = {
  credentials: steps.credentials,
  'trusted-ip': steps.trustedAddress,
  'trusted-domain': steps.trustedDomain,
  'visible-range': steps.app,
};

export function check(state, show) {
  const drawn = el('div', {});
  const foot = onward(state, show, steps.check, { marks: false });
  const place = el('div', { className: 'setup-words', 'aria-live': 'polite' }, state.found.checkResults);
  // draw shows in the picture, and by the button that stands out, whether all is good.
  const draw = () => {
    const passed = state.done.has(steps.check);
    const addresses = state.found.egress?.addresses.join(';') || 'IP';
    drawn.replaceChildren(picture('check', { passed, domain: state.domain, addresses }));
    foot.lastElementChild.className = passed ? 'main' : '';
    control.className = passed ? '' : 'main';
  };
  const run = async () => {
    place.replaceChildren(waiting(t('setup.7.asking')));
    try {
      const results = await tryOut(state);
      for (const { ok, step } of results) if (ok && provenBy[step]) state.mark(provenBy[step]);
      const passed = results.every(({ ok }) => ok);
      state.mark(steps.check, passed);
      state.repairing = false;
      state.found.checkResults = resultList(state, show, results, passed);
    } catch (error) {
      state.found.checkResults = [notice('bad', problemText(error))];
    }
    control.textContent = t('setup.7.again');
    place.replaceChildren(...state.found.checkResults);
    draw();
  };
  const control = button(t(state.found.checkResults ? 'setup.7.again' : 'setup.7.check'), run);
  draw();

  const details = { lead: 'setup.7.lead', know: 'setup.7.know', picture: drawn, foot };
  if (!state.saved) return frame(state, show, steps.check, details, notYet(show));
  return frame(state, show, steps.check, details, [
    el('div', { className: 'actions' }, control),
    place,
    signInYourself(`${state.address}/authorize/${state.saved.name}`),
    cannotBeChecked(show),
  ]);
}

// tryOut has the service try the configuration, and fetch the domain file back.
async function tryOut(state) {
  const configuration = await call('POST', at('authenticators', state.saved.name, 'check'));
  if (!state.file) return configuration.steps;
  const file = await call('POST', at('domain-files', state.file, 'check'));
  return [...configuration.steps, ...file.steps];
}

function resultList(state, show, results, passed) {
  return [
    notice(passed ? 'good' : 'bad', t(passed ? 'setup.7.good' : 'setup.7.bad')),
    el(
      'ul',
      { className: 'setup-results' },
      results.map((checked) => resultItem(state, show, checked)),
      !state.file && el('li', { className: 'none' }, el('p', {}, t('setup.7.nofile'))),
    ),
  ];
}

function resultItem(state, show, checked) {
  const outcome = el('span', { className: 'away' }, `${t(checked.ok ? 'check.step.good' : 'check.step.bad')} `);
  const title = el('p', {}, outcome, el('b', {}, checked.title));
  if (checked.ok) return el('li', {}, title);
  const repair = repairOf(checked);
  const toRepair = () => {
    state.repairing = true;
    show(repair);
  };
  return el(
    'li',
    { className: 'bad' },
    title,
    checked.fix && el('p', {}, checked.fix),
    repair && button(t('setup.7.repair', { n: repair, title: titleOf(repair) }), toRepair, 'small'),
  );
}

const signInYourself = (link) => [
  el('h3', {}, t('setup.7.try')),
  todo(
    [paragraph('setup.7.try.first'), copyable(link, t('setup.7.try'))],
    [
      paragraph('setup.7.try.then'),
      el(
        'p',
        {},
        el('a', { className: 'button', href: link, target: '_blank', rel: 'noopener' }, t('setup.7.try.link')),
      ),
    ],
  ),
];

const cannotBeChecked = (show) => [
  el('h3', {}, t('setup.7.cannot')),
  el(
    'ul',
    { className: 'setup-plain' },
    el('li', {}, rich('setup.7.cannot.callback', { step: toStep(show, steps.callbackDomain) })),
    el('li', {}, rich('setup.7.cannot.phone', { step: toStep(show, steps.phoneNumber) })),
  ),
];
