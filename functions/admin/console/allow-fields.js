// Who is let in: departments, tags and roles. The fields are those of recordForm.

import { button, field } from './controls.js';
import { chooseDepartments, departmentsOf, nameOf } from './departments.js';
import { t } from './texts.js';
import { el } from './ui.js';
import { readRoles } from './user-fields.js';

const numbers = /^([1-9]\d{0,9}([\s,，、]+|$))*$/;
const readNumbers = (text) => readRoles(text).map(Number);

// departmentNumbers is a field of numbers, with a button to choose them from the tree and
// their names below. spec.authenticators() returns those whose departments there are. type
// is radio for one department, checkbox for several.
export function departmentNumbers({ authenticators, type = 'checkbox', ...spec }) {
  const made = field(spec);
  const names = el('p', { className: 'hint' });
  const known = new Map();
  const tell = () => {
    const chosen = readNumbers(made.input.value);
    names.textContent = chosen
      .filter((id) => known.has(id))
      .map((id) => `${known.get(id)} (${id})`)
      .join(', ');
  };
  const learn = (departments) => {
    for (const department of departments) known.set(department.id, nameOf(department));
    tell();
  };
  const choose = button(
    t('departments.choose'),
    () =>
      chooseDepartments({
        authenticators: authenticators(),
        type,
        chosen: readNumbers(made.input.value),
        done: (ids, departments) => {
          learn(departments);
          if (made.input.value.trim() === ids.join(' ')) return;
          made.input.value = ids.join(' ');
          made.input.dispatchEvent(new Event('input', { bubbles: true }));
        },
      }),
    'small',
  );
  choose.setAttribute('aria-label', `${t('departments.choose')}: ${spec.label}`);
  made.input.addEventListener('input', tell);
  made.input.after(el('div', { className: 'part' }, choose), names);
  // What is written there already has its names, if WeCom tells them.
  const seen = authenticators();
  if (made.input.value && new Set(seen.map(({ corpId }) => corpId)).size === 1)
    departmentsOf(seen[0].name).then(learn, () => {});
  return made;
}

const wrongNumbers = (text) => (numbers.test(text) ? '' : t('allow.numbers.wrong'));

// allowFields returns the three fields. label and hint are those of the roles, and
// says(allow) tells what follows from all three, which are lists.
export function allowFields({ authenticators, label, hint, says }) {
  return [
    {
      name: 'allow.roles',
      label,
      hint,
      from: (record) => record.allow.roles.join(' '),
      to: readRoles,
      advise: (roles, other) =>
        says({
          roles: readRoles(roles),
          departments: readRoles(other('allow.departments')),
          tags: readRoles(other('allow.tags')),
        }),
    },
    {
      name: 'allow.departments',
      label: t('allow.departments'),
      hint: t('allow.departments.hint'),
      make: departmentNumbers,
      authenticators,
      from: (record) => record.allow.departments.join(' '),
      to: readNumbers,
      check: wrongNumbers,
    },
    {
      name: 'allow.tags',
      label: t('allow.tags'),
      hint: t('allow.tags.hint'),
      from: (record) => record.allow.tags.join(' '),
      to: readNumbers,
      check: wrongNumbers,
    },
  ];
}
