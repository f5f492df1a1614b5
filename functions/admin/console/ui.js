// Elements that every view is made of. Text goes in as text, never as markup.

import { dateTime, exactTime, t } from './texts.js';

// el builds an element. Properties: on… are listeners, dataset is an object, what the
// element has as a property is set, anything else is an attribute. Children that are
// null or false are left out.
export function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'dataset') Object.assign(node.dataset, value);
    else if (name in node && !['list', 'form', 'width', 'height'].includes(name)) node[name] = value;
    else if (value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const shapes = {
  copy: 'M8 8V4h12v12h-4M4 8h12v12H4z',
  close: 'M6 6l12 12M18 6L6 18',
  back: 'M15 5l-7 7 7 7',
  search: 'M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM15.5 15.5L20 20',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4',
  plus: 'M12 5v14M5 12h14',
};

// icon draws one of a few small pictures. It says nothing to a screen reader.
export function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const picture = document.createElementNS(space, 'svg');
  for (const [attribute, value] of [
    ['viewBox', '0 0 24 24'],
    ['class', 'icon'],
    ['aria-hidden', 'true'],
  ])
    picture.setAttribute(attribute, value);
  const path = document.createElementNS(space, 'path');
  path.setAttribute('d', shapes[name]);
  picture.append(path);
  return picture;
}

let ids = 0;
// newId returns an id for an element that another one refers to.
export const newId = (name) => `${name}-${++ids}`;

// notice is a message in its place. kind: good, bad, warn or info.
export function notice(kind, ...content) {
  const role = kind === 'bad' ? 'alert' : kind === 'good' ? 'status' : null;
  return el('div', { className: `notice ${kind}`, role }, content);
}

// badge is a word about a thing. kind: '', good, bad, warn or info.
export const badge = (text, kind = '') => el('span', { className: `badge ${kind}` }, text);

// time shows a moment of an answer, exactly in its title. write is how it is written.
export const time = (text, write = dateTime) => el('time', { dateTime: text, title: exactTime(text) }, write(text));

// hourly shows a time that is noted once an hour at most.
export const hourly = (text) => [time(text), ' ', el('span', { className: 'soft' }, t('noted.hourly'))];

// waiting is shown while something is on its way.
export const waiting = (text = t('loading')) => el('p', { className: 'waiting', role: 'status' }, text);

// pairs shows what something has: [name, content] each; empty ones are left out.
export const pairs = (entries) =>
  el(
    'dl',
    { className: 'pairs' },
    entries.filter(Boolean).map(([name, ...content]) => el('div', {}, el('dt', {}, name), el('dd', {}, content))),
  );

// section is a part of a view with its own heading.
export const section = (title, ...content) => {
  const id = newId('section');
  return el('section', { className: 'card', 'aria-labelledby': id }, el('h2', { id, tabIndex: -1 }, title), content);
};

// table has a header and reads as cards on a narrow screen, where every cell says
// what it is. rows are rows made by tableRow. The roles are said, because a browser
// forgets them where the style makes cards of the rows.
export function table(caption, heads, rows) {
  const body = el('tbody', { role: 'rowgroup' }, rows);
  const node = el(
    'table',
    { role: 'table' },
    el('caption', { className: 'away' }, caption),
    el(
      'thead',
      { role: 'rowgroup' },
      el(
        'tr',
        { role: 'row' },
        heads.map((head) => el('th', { scope: 'col', role: 'columnheader' }, head)),
      ),
    ),
    body,
  );
  return { node, body };
}

// tableRow makes a row of [head, content] pairs; the first cell is its heading. A cell
// without content takes no place on a narrow screen.
export const tableRow = (cells, props) =>
  el(
    'tr',
    { role: 'row', ...props },
    cells.map(([head, ...content], i) =>
      i === 0
        ? el('th', { scope: 'row', role: 'rowheader', dataset: { head } }, content)
        : el(
            'td',
            { role: 'cell', dataset: { head }, className: content[0] === null ? 'none' : '' },
            el('div', {}, content[0] === null ? '–' : content),
          ),
    ),
  );

// openDialogs returns the open dialogs; nothing covers the last one.
export const openDialogs = () => [...document.querySelectorAll('dialog[open]')];

let passing = 0;

// toastPlace is where a message is seen: nothing under an open dialog is.
export const toastPlace = () => openDialogs().at(-1)?.querySelector('.toasts') || document.getElementById('toasts');

export function clearToasts() {
  clearTimeout(passing);
  for (const old of document.querySelectorAll('.toasts > .toast')) old.remove();
}

// toast says something in passing. There is one at a time; a problem stays until it
// is dismissed or something else is said.
export function toast(text, kind = 'good') {
  clearToasts();
  const message = el(
    'div',
    { className: `toast ${kind}` },
    el('span', {}, text),
    el(
      'button',
      { type: 'button', className: 'plain', 'aria-label': t('dismiss'), onclick: () => message.remove() },
      icon('close'),
    ),
  );
  toastPlace().append(message);
  if (kind !== 'bad') passing = setTimeout(() => message.remove(), 5000);
}

// announce tells a screen reader what everybody else sees where it happened.
export function announce(text) {
  const words = el('span', { className: 'away' }, text);
  toastPlace().append(words);
  setTimeout(() => words.remove(), 2000);
}
