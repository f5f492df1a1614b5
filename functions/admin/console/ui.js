// Elements that every view is made of. Text goes in as text, never as markup.

import { problemText } from './api.js';
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

const working = new WeakSet();

// busy does work once, however often the control is pressed, and shows that it goes
// on. The control keeps the focus. What goes wrong is said in the dialog the control
// is in, or in a passing message.
export async function busy(control, work) {
  if (working.has(control)) return;
  working.add(control);
  control.setAttribute('aria-disabled', 'true');
  control.classList.add('busy');
  control.closest('dialog')?.querySelector('.problem')?.replaceChildren();
  try {
    await work();
  } catch (error) {
    if (error.name === 'AbortError') return;
    report(control, error);
  } finally {
    working.delete(control);
    control.removeAttribute('aria-disabled');
    control.classList.remove('busy');
  }
}

function report(control, error) {
  const place = control.isConnected && control.closest('dialog')?.querySelector('.problem');
  if (place) place.replaceChildren(notice('bad', problemText(error)));
  else toast(problemText(error), 'bad');
  // What is shown is not how it is any more.
  if (error.code === 'version_mismatch' || error.code === 'not_found')
    document.dispatchEvent(new CustomEvent('outdated'));
}

// button waits for its own work. kind: '', 'main', 'danger', 'small', or several.
export function button(label, work, kind = '') {
  return el(
    'button',
    { type: 'button', className: kind, onclick: (event) => busy(event.currentTarget, () => work(event)) },
    label,
  );
}

// form waits for its own work, too; Enter in a field submits it.
export function form(props, submit, ...content) {
  return el(
    'form',
    {
      noValidate: true,
      ...props,
      onsubmit: (event) => {
        event.preventDefault();
        const control =
          event.submitter || event.currentTarget.querySelector('button:not([type=button])') || event.currentTarget;
        busy(control, () => submit(event));
      },
    },
    content,
  );
}

const openDialogs = [];

// topDialog is the open dialog that nothing covers, or undefined. One that was closed
// a moment ago has not said so yet.
export const topDialog = () => openDialogs.filter((box) => box.open).at(-1);

// dialog opens a window over the page. Escape and its cross close it; when its
// property isDirty says so, they ask before, and so does dismiss(). The focus comes
// back to where it was.
export function dialog(title, content) {
  const name = newId('dialog');
  const opener = document.activeElement;
  const box = el(
    'dialog',
    { 'aria-labelledby': name },
    el(
      'div',
      { className: 'dialog-head' },
      el('h2', { id: name, tabIndex: -1 }, title),
      el(
        'button',
        { type: 'button', className: 'plain', 'aria-label': t('close'), title: t('close'), onclick: () => dismiss() },
        icon('close'),
      ),
    ),
    el('div', { className: 'dialog-body' }, content, el('div', { className: 'problem' })),
    el('div', { className: 'toasts', role: 'status' }),
  );
  async function dismiss() {
    if (!box.isDirty?.() || (await askToLeave())) box.close();
  }
  box.dismiss = dismiss;
  box.addEventListener('cancel', (event) => {
    if (event.target !== box) return; // a file chooser inside says "cancel" too
    event.preventDefault();
    dismiss();
  });
  box.addEventListener('close', (event) => {
    if (event.target !== box) return;
    openDialogs.splice(openDialogs.indexOf(box), 1);
    toastPlace().append(...box.querySelectorAll('.toast')); // what was just said stays
    box.remove();
    focusAgain(opener);
  });
  document.body.append(box);
  openDialogs.push(box);
  box.showModal();
  // The first thing to fill in; where there is none, the title, so that it is read.
  (
    box.querySelector('[autofocus]') ||
    box.querySelector('.dialog-body :is(input, select, textarea):not([type=file])') ||
    box.querySelector('h2')
  ).focus();
  return box;
}

// focusAgain puts the focus on a control, on the one that has taken its place, or on
// the page's title.
function focusAgain(control) {
  const key = control?.dataset?.focus;
  const target = control?.isConnected ? control : key && document.querySelector(`[data-focus="${CSS.escape(key)}"]`);
  if (target && target !== document.body) target.focus();
  else
    (topDialog()?.querySelector('h2') || document.querySelector('main h1') || document.getElementById('main'))?.focus();
}

// closeDialogs is for leaving the view they belong to.
export function closeDialogs() {
  for (const box of [...openDialogs].reverse()) box.close();
}

// confirmThen asks before something with consequences is done. It resolves to
// whether it was done.
export function confirmThen({ title, text, action, danger }, work = () => {}) {
  return new Promise((resolve) => {
    let done = false;
    const box = dialog(title, [
      el(
        'div',
        { className: 'prose' },
        [text].flat().map((part) => (typeof part === 'string' ? el('p', {}, part) : part)),
      ),
      el(
        'div',
        { className: 'actions end' },
        button(t('cancel'), () => box.close()),
        button(
          action,
          async () => {
            try {
              await work();
            } catch (error) {
              if (error.code !== 'version_mismatch' && error.code !== 'not_found') throw error;
              box.close(); // it cannot be done from here any more
              throw error;
            }
            done = true;
            box.close();
          },
          danger ? 'danger main' : 'main',
        ),
      ),
    ]);
    box.addEventListener('close', (event) => {
      if (event.target === box) resolve(done);
    });
  });
}

const guards = new Set();

// guardUnsaved keeps what was typed from being lost by leaving the view or the page.
// The guard stands until released.
export function guardUnsaved(isDirty) {
  guards.add(isDirty);
  return () => guards.delete(isDirty);
}

// unsaved reports whether something typed would be lost.
export const unsaved = () => [...guards].some((isDirty) => isDirty()) || openDialogs.some((box) => box.isDirty?.());

let leaving = null;

// askToLeave asks once, however often somebody tries to leave meanwhile.
function askToLeave() {
  leaving ??= confirmThen({
    title: t('leave.title'),
    text: t('leave.text'),
    action: t('leave.action'),
    danger: true,
  }).finally(() => {
    leaving = null;
  });
  return leaving;
}

// mayLeave resolves to whether the view may be left, and asks when something typed
// would be lost. The guards of a view that is left are released.
export async function mayLeave() {
  if (unsaved() && !(await askToLeave())) return false;
  releaseGuards();
  return true;
}

// releaseGuards is for a view that is over.
export const releaseGuards = () => guards.clear();

// go leaves for another view without asking: what was typed here is done with.
export function go(hash) {
  releaseGuards();
  location.hash = hash;
}

window.addEventListener('beforeunload', (event) => {
  if (!unsaved()) return;
  event.preventDefault();
  event.returnValue = true; // what older browsers ask for
});

let passing = 0;

// toastPlace is where a message is seen: nothing under an open dialog is.
const toastPlace = () => topDialog()?.querySelector('.toasts') || document.getElementById('toasts');

// toast says something in passing. There is one at a time; a problem stays until it
// is dismissed or something else is said.
export function toast(text, kind = 'good') {
  clearTimeout(passing);
  for (const old of document.querySelectorAll('.toasts > .toast')) old.remove();
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
function announce(text) {
  const words = el('span', { className: 'away' }, text);
  toastPlace().append(words);
  setTimeout(() => words.remove(), 2000);
}

// notice is a message in its place. kind: good, bad, warn or info.
export function notice(kind, ...content) {
  const role = kind === 'bad' ? 'alert' : kind === 'good' ? 'status' : null;
  return el('div', { className: `notice ${kind}`, role }, content);
}

// badge is a word about a thing. kind: '', good, bad, warn or info.
export const badge = (text, kind = '') => el('span', { className: `badge ${kind}` }, text);

// time shows a moment of an answer, exactly in its title.
export const time = (text) => el('time', { dateTime: text, title: exactTime(text) }, dateTime(text));

// field is a labelled control. type may be checkbox, textarea or any type of input.
// invalid('') takes its message away again.
export function field({ name, label, hint, type = 'text', value, required, placeholder, autocomplete = 'off' }) {
  const id = newId(name);
  const tick = type === 'checkbox';
  const input = el(type === 'textarea' ? 'textarea' : 'input', {
    id,
    name,
    type: type === 'textarea' ? null : type,
    required: Boolean(required),
    placeholder: placeholder || null,
    autocomplete: tick ? null : autocomplete,
    spellcheck: false,
    autocapitalize: 'off',
    'aria-describedby': [hint && `${id}-hint`, `${id}-wrong`].filter(Boolean).join(' '),
  });
  if (tick) input.checked = Boolean(value);
  else input.value = value ?? '';
  const wrong = el('p', { className: 'wrong', id: `${id}-wrong` });
  const about = hint && el('p', { className: 'hint', id: `${id}-hint` }, hint);
  const title = el('label', { htmlFor: id }, label);
  const node = tick
    ? el('div', { className: 'field tick' }, input, el('div', {}, title, about, wrong))
    : el('div', { className: 'field' }, title, about, input, wrong);
  const invalid = (message) => {
    wrong.textContent = message;
    if (message) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  };
  input.addEventListener('input', () => invalid(''));
  return { node, input, invalid };
}

// Fewer things than these are seen at a glance: there is nothing to search for.
export const worthSearching = 6;

// searchField is a field to search in, with its picture.
export function searchField({ label, value = '', oninput }) {
  const input = el('input', {
    type: 'search',
    name: 'search',
    value,
    placeholder: label,
    'aria-label': label,
    autocomplete: 'off',
    spellcheck: false,
    oninput,
  });
  return { node: el('div', { className: 'searchbox', role: 'search' }, icon('search'), input), input };
}

// copyable shows a text to copy. label says what it is.
export function copyable(text, label) {
  const said = t('copied');
  const words = el('span', {}, t('copy'));
  let timer = 0;
  const control = button(
    [icon('copy'), words],
    async () => {
      if (!(await copy(text, control))) return;
      words.textContent = said;
      announce(said);
      clearTimeout(timer);
      timer = setTimeout(() => {
        words.textContent = t('copy');
      }, 2000);
    },
    'small',
  );
  control.setAttribute('aria-label', t('copy.what', { what: label || text }));
  return el('div', { className: 'copyable' }, el('code', {}, text), control);
}

// copy reports whether it was done.
async function copy(text, control) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No permission, or no secure context: the older way, from a field.
    const area = el('textarea', { value: text, className: 'away', 'aria-hidden': 'true' });
    control.after(area); // inside a dialog nothing outside can be selected
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    control.focus();
    if (!done) toast(t('copy.failed'), 'bad');
    return done;
  }
  return true;
}

const takers = new WeakMap();

// fileDrop takes a file that is dropped or chosen.
export function fileDrop({ label, hint, accept }, onFile) {
  const id = newId('file');
  const input = el('input', {
    id,
    type: 'file',
    accept: accept || null,
    'aria-describedby': hint ? `${id}-hint` : null,
    onchange: () => {
      take(input.files[0]);
      input.value = '';
    },
  });
  const box = el(
    'div',
    { className: 'drop' },
    icon('file'),
    el('label', { htmlFor: id }, label),
    hint && el('p', { className: 'hint', id: `${id}-hint` }, hint),
    input,
  );
  const take = (file) => {
    if (file) busy(box, () => onFile(file));
  };
  takers.set(box, take);
  for (const event of ['dragenter', 'dragover']) {
    box.addEventListener(event, (moved) => {
      moved.preventDefault();
      box.classList.add('over');
    });
  }
  box.addEventListener('dragleave', (moved) => {
    if (!box.contains(moved.relatedTarget)) box.classList.remove('over');
  });
  box.addEventListener('drop', (dropped) => {
    dropped.preventDefault();
    box.classList.remove('over');
    take(dropped.dataTransfer.files[0]);
  });
  return box;
}

// A file dropped beside the place for it must not replace the page. Where there is one
// place only, that is what was meant.
window.addEventListener('dragover', (over) => over.preventDefault());
window.addEventListener('drop', (dropped) => {
  dropped.preventDefault();
  const [box, ...others] = document.querySelectorAll('.drop');
  if (box && !others.length && !box.contains(dropped.target)) takers.get(box)?.(dropped.dataTransfer.files[0]);
});

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

// waiting is shown while something is on its way.
export const waiting = (text = t('loading')) => el('p', { className: 'waiting', role: 'status' }, text);
