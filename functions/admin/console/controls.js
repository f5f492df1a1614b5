// What an administrator presses and fills in. A control does its work once at a time,
// shows that it is busy, and says what goes wrong.

import { problemText } from './api.js';
import { t } from './texts.js';
import { announce, el, icon, newId, notice, toast } from './ui.js';

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

// field is a labelled control. type may be checkbox, textarea, select or any type of input;
// options are those of a select, [value, label] each. invalid('') takes its message away
// again.
export function field({
  name,
  label,
  hint,
  type = 'text',
  value,
  required,
  placeholder,
  autocomplete = 'off',
  options,
}) {
  const id = newId(name);
  const tick = type === 'checkbox';
  const own = ['textarea', 'select'].includes(type);
  const input = el(own ? type : 'input', {
    id,
    name,
    type: own ? null : type,
    required: Boolean(required),
    placeholder: placeholder || null,
    autocomplete: tick ? null : autocomplete,
    spellcheck: false,
    autocapitalize: 'off',
    'aria-describedby': [hint && `${id}-hint`, `${id}-wrong`].filter(Boolean).join(' '),
  });
  if (options) input.append(...options.map(([choice, words]) => el('option', { value: choice }, words)));
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

// searchableList lists items, with a field to search in their words once there are many.
export function searchableList({ all, item, words, label }) {
  const list = el('ul', { className: 'items' });
  const none = el('p', { className: 'soft', role: 'status' });
  const filter = (wanted) => {
    const found = all.filter((a) => words(a).join(' ').toLowerCase().includes(wanted));
    list.replaceChildren(...found.map(item));
    none.textContent = found.length ? '' : t('search.none');
  };
  filter('');
  const search = searchField({ label, oninput: () => filter(search.input.value.trim().toLowerCase()) });
  return [all.length >= worthSearching && el('div', { className: 'tools' }, search.node), none, list];
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
