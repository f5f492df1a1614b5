// Disabling, deleting, and copying an application.

import { call } from './api.js';
import { button, copyable, field, form } from './controls.js';
import { confirmThen, dialog, go } from './dialogs.js';
import { t } from './texts.js';
import { el, toast } from './ui.js';

// What a request that makes the same application again does not have.
const readOnly = ['secrets', 'createdAt', 'updatedAt', 'lastUsedAt', 'version'];

// switches are the parts. changeTo is told of an application that was changed.
export function switches(a, path, changeTo) {
  const set = async (enabled) => {
    changeTo(await call('PATCH', path, { json: { enabled } }));
    toast(t(enabled ? 'application.enabled' : 'application.disabled'));
  };
  const toggle = button(t(a.enabled ? 'disable' : 'enable'), () =>
    a.enabled
      ? confirmThen(
          {
            title: t('application.disable.title', { title: a.title }),
            text: t('application.disable.text'),
            action: t('disable'),
            danger: true,
          },
          () => set(false),
        )
      : set(true),
  );
  toggle.dataset.focus = 'toggle';
  const json = JSON.stringify(
    Object.fromEntries(Object.entries(a).filter(([name]) => !readOnly.includes(name))),
    null,
    2,
  );
  const copy = copyable(json, t('application.json'));
  copy.classList.add('block');
  return [
    el(
      'div',
      { className: 'choice' },
      el('p', { className: 'hint' }, t(a.enabled ? 'application.disable.text' : 'application.enable.text')),
      toggle,
    ),
    el(
      'div',
      { className: 'choice' },
      el('p', { className: 'hint' }, t('application.delete.hint')),
      button(t('delete'), () => remove(a, path), 'danger'),
    ),
    el(
      'details',
      { className: 'fold' },
      el('summary', {}, t('application.json')),
      el('p', { className: 'hint' }, t('application.json.hint')),
      copy,
    ),
  ];
}

// remove asks for the name: what is deleted by mistake has to be set up anew on both sides.
function remove(a, path) {
  const name = field({ name: 'confirm', label: t('application.delete.confirm', { title: a.title }), required: true });
  const box = dialog(
    t('application.delete.title', { title: a.title }),
    form(
      { className: 'stack' },
      async () => {
        if (![a.title, a.id].includes(name.input.value.trim())) {
          name.invalid(t('application.delete.other'));
          return name.input.focus();
        }
        await call('DELETE', path, { version: a.version });
        box.close();
        return go('#applications', t('deleted'));
      },
      el('p', {}, t('application.delete.text')),
      el('p', {}, t('application.delete.instead')),
      name.node,
      el(
        'div',
        { className: 'actions end' },
        button(t('cancel'), () => box.close()),
        el('button', { className: 'danger main' }, t('delete')),
      ),
    ),
  );
}
