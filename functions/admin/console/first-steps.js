// What a new service shows: connect WeCom, become an administrator, bring in the users.

import { accessKind, at, call } from './api.js';
import { button, field, form } from './controls.js';
import { dialog } from './dialogs.js';
import { showProblem } from './form.js';
import { t } from './texts.js';
import { el, toast } from './ui.js';
import { administrator } from './user-fields.js';

// withoutAdministrator reports whether nobody can sign in here but with the key. Of a
// long list it looks at those who came first.
export async function withoutAdministrator() {
  if (accessKind() !== 'key') return false;
  const page = await call('GET', '/users?limit=200');
  return !page.items.some((user) => user.enabled && user.roles.includes(administrator));
}

// firstSteps is what a new service shows.
export const firstSteps = (alone) => [
  el('h1', {}, t('first.title')),
  el('p', { className: 'lead' }, t('first.text')),
  el(
    'div',
    { className: 'card' },
    el(
      'ol',
      { className: 'steps' },
      el(
        'li',
        { className: 'numbered' },
        el(
          'div',
          { className: 'stack' },
          el('h2', {}, t('first.setup.title')),
          el('p', { className: 'soft' }, t('first.setup.text')),
          el('a', { className: 'button main', href: '#setup' }, t('first.setup.action')),
        ),
      ),
      alone &&
        el(
          'li',
          { className: 'numbered' },
          el(
            'div',
            { className: 'stack' },
            el('h2', {}, t('first.admin.title')),
            el('p', { className: 'soft' }, t('first.admin.text')),
            becomeButton(),
          ),
        ),
      el(
        'li',
        { className: 'numbered' },
        el(
          'div',
          { className: 'stack' },
          el('h2', {}, t('first.users.title')),
          el('p', { className: 'soft' }, t('first.users.text')),
          el('div', { className: 'actions' }, el('a', { className: 'button', href: '#import' }, t('import.title'))),
        ),
      ),
    ),
  ),
];

export const becomeButton = () => button(t('first.admin.action'), () => become());

// become makes the holder of the key a user with the role.
function become() {
  const phone = field({
    name: 'phone',
    label: t('user.phone'),
    hint: t('user.phone.hint'),
    type: 'tel',
    required: true,
    autocomplete: 'tel',
  });
  const name = field({ name: 'name', label: t('user.name'), hint: t('user.name.hint'), autocomplete: 'name' });
  const box = dialog(
    t('first.admin.title'),
    form(
      { className: 'stack' },
      async () => {
        try {
          await makeAdministrator(phone.input.value.trim(), name.input.value.trim());
        } catch (error) {
          return showProblem([phone, name], error);
        }
        box.isDirty = null;
        box.close();
        toast(t('first.admin.done'));
        return document.dispatchEvent(new CustomEvent('outdated'));
      },
      el('p', { className: 'soft' }, t('first.admin.how')),
      phone.node,
      name.node,
      el(
        'div',
        { className: 'actions end' },
        button(t('cancel'), () => box.dismiss()),
        el('button', { className: 'main' }, t('first.admin.action')),
      ),
    ),
  );
  box.isDirty = () => Boolean(phone.input.value || name.input.value);
}

async function makeAdministrator(phone, name) {
  try {
    await call('POST', '/users', { json: { phone, ...(name && { name }), roles: [administrator] } });
  } catch (error) {
    if (error.code !== 'phone_taken') throw error;
    const [user] = (await call('GET', `/users?phone=${encodeURIComponent(phone)}`)).items;
    if (!user) throw error;
    await call('PATCH', at('users', user.id), {
      json: { roles: [...user.roles, administrator], enabled: true },
      version: user.version,
    });
  }
}
