// Dialogs over the page, and the guard of what was typed: leaving a view or the page
// asks first when something would be lost.

import { button } from './controls.js';
import { t } from './texts.js';
import { clearToasts, el, icon, newId, openDialogs, toast, toastPlace } from './ui.js';

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
    toastPlace().append(...box.querySelectorAll('.toast')); // what was just said stays
    box.remove();
    focusAgain(opener);
  });
  document.body.append(box);
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
    (
      openDialogs().at(-1)?.querySelector('h2') ||
      document.querySelector('main h1') ||
      document.getElementById('main')
    )?.focus();
}

// closeDialogs is for leaving the view they belong to.
export function closeDialogs() {
  for (const box of openDialogs().reverse()) box.close();
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
// words {title, text} ask for something that is not typed. The guard stands until released.
export function guardUnsaved(isDirty, words) {
  const guard = { isDirty, words };
  guards.add(guard);
  return () => guards.delete(guard);
}

// unsaved reports whether something typed would be lost.
export const unsaved = () =>
  [...guards].some((guard) => guard.isDirty()) || openDialogs().some((box) => box.isDirty?.());

let leaving = null;

// askToLeave asks once, however often somebody tries to leave meanwhile.
function askToLeave() {
  const words = [...guards].find((guard) => guard.words && guard.isDirty())?.words;
  leaving ??= confirmThen({
    title: t('leave.title'),
    text: t('leave.text'),
    ...words,
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

let parting = [];

// sayThere says what toast takes in the next view.
export function sayThere(...said) {
  parting = said;
}

// go leaves for another view without asking: what was typed here is done with. said is said
// there.
export function go(hash, ...said) {
  releaseGuards();
  sayThere(...said);
  location.hash = hash;
}

// arrive takes away what was said in the view before, and says what came along.
export function arrive() {
  clearToasts();
  if (parting.length) toast(...parting);
  parting = [];
}

window.addEventListener('beforeunload', (event) => {
  if (!unsaved()) return;
  event.preventDefault();
  event.returnValue = true; // what older browsers ask for
});
