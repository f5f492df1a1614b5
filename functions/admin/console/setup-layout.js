// What the steps of the set-up are made of: the frame that all of them share, lists of
// what to do, and the buttons that lead from one step to another.

import { button } from './controls.js';
import { lastStep, steps, titleOf } from './setup-state.js';
import { isLoopback } from './setup-validation.js';
import { t } from './texts.js';
import { el, notice } from './ui.js';

// rich is a text as nodes: **strong** parts, and places filled with nodes.
export function rich(key, places = {}) {
  return t(key)
    .split(/(\*\*.+?\*\*|\{\w+\})/)
    .filter(Boolean)
    .map((part) => {
      if (part.startsWith('**')) return el('b', {}, part.slice(2, -2));
      const name = /^\{(\w+)\}$/.exec(part)?.[1];
      return name && Object.hasOwn(places, name) ? places[name] : part;
    });
}

export const paragraph = (key, places) => el('p', {}, rich(key, places));

export const soft = (key) => el('p', { className: 'soft' }, t(key));

// todo is the numbered list of what to do in WeCom's console.
export function todo(...items) {
  const lines = items.map((item) => el('li', {}, item));
  return el('ol', { className: 'setup-do' }, lines);
}

// heading is the title of what is shown; it takes the focus.
export const heading = (...content) => el('h2', { id: 'setup-title', tabIndex: -1 }, content);

// frame lays out a step: its heading, what to do (first), the picture beside it, what
// else there is to know (rest), the way on. On a narrow screen they follow in this order.
// lead, path and know are keys of texts; foot takes the place of the usual buttons.
export function frame(state, show, step, { lead, path, picture, know, foot }, first, ...rest) {
  return [
    heading(el('span', { className: 'setup-count' }, t('setup.step.of', { n: step, count: lastStep })), titleOf(step)),
    el(
      'div',
      { className: 'setup-columns' },
      el('div', { className: 'setup-words' }, paragraph(lead), path && setupPath(path), first),
      el('div', { className: 'setup-drawing' }, picture),
      el('div', { className: 'setup-words' }, rest, know && knowing(state, know)),
    ),
    foot ?? onward(state, show, step),
  ];
}

const setupPath = (key) => el('p', { className: 'setup-path' }, rich(key));

// knowing says how to tell that a step worked.
export function knowing(state, key) {
  const text = paragraph(key, { domain: el('code', {}, state.domain) });
  return el('div', { className: 'setup-know' }, el('b', {}, t('setup.know')), text);
}

// onward are the buttons below a step. Only what is pressed as done counts as done;
// without marks, nothing is.
export function onward(state, show, step, { marks = true } = {}) {
  const marking = marks && !state.done.has(step);
  const next = () => {
    if (marking) state.mark(step);
    show(state.next(step));
  };
  return el(
    'div',
    { className: 'setup-foot' },
    step > 1 && button(t('setup.back'), () => show(step - 1)),
    marking && button(t('setup.later'), () => show(step + 1)),
    button(t(step === lastStep ? 'setup.finish' : marking ? 'setup.next' : 'setup.onward'), next, 'main'),
  );
}

// toStep is a button to another step.
export const toStep = (show, step) =>
  button(t('setup.step.name', { n: step, title: titleOf(step) }), () => show(step), 'small');

// notYet stands in for what needs the authenticator.
export const notYet = (show) => [
  notice('warn', t('setup.notyet')),
  button(
    t('setup.7.repair', { n: steps.credentials, title: titleOf(steps.credentials) }),
    () => show(steps.credentials),
    'main',
  ),
];

// localNotice says what WeCom cannot reach when the service runs on this computer.
export const localNotice = (state) =>
  isLoopback(state.domain) && notice('info', rich('setup.local', { domain: el('code', {}, state.domain) }));
