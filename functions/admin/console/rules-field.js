// The rules that give members roles by their departments and tags. It is used like a field
// of controls.js: input.value is a line for each rule, such as "department 12: finance".

import { departmentNumbers } from './allow-fields.js';
import { button, field } from './controls.js';
import { t } from './texts.js';
import { el, newId } from './ui.js';

const most = 50;
const kinds = {
  department: 'rules.kind.department',
  tag: 'rules.kind.tag',
  leader: 'rules.kind.leader',
};
const right = /^(leader|(department|tag) [1-9]\d{0,9}): (?!admin$)[a-z0-9][a-z0-9_-]{0,63}$/;
const line = ({ kind, number, role }) => `${kind}${kind === 'leader' ? '' : ` ${number}`}: ${role}`;

const readLines = (text) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((written) => {
      const [, kind, number = '', role] = /^(\w+)(?: ([^:]*))?: (.*)$/.exec(written);
      return { kind, number, role };
    });

// writeRules writes the rules of a record, and readRules reads what is written.
export const writeRules = (rules) =>
  rules
    .map((rule) => {
      const kind = rule.leader ? 'leader' : rule.tag ? 'tag' : 'department';
      return line({ kind, number: rule[kind], role: rule.role });
    })
    .join('\n');
export const readRules = (text) =>
  readLines(text).map(({ kind, number, role }) => ({ [kind]: kind === 'leader' || Number(number), role }));

// sayRules tells the rules to somebody who reads the page.
export const sayRules = (text) =>
  readLines(text)
    .map(({ kind, number, role }) => `${t(kinds[kind])} ${number} → ${role}`)
    .join('; ');

export const wrongRules = (text) =>
  text.split('\n').every((written) => !written || right.test(written)) ? '' : t('rules.wrong');

// isNumbered tells the fields that have numbers of departments or tags, which another company
// takes anew, and sayFormerNumbers says so.
export const isNumbered = (name) => ['roleRules', 'allow.departments', 'allow.tags'].includes(name);
export const sayFormerNumbers = () => t('rules.moved', { part: t('rules.part') });

export function rulesField({ name, label, hint, value = '', authenticators }) {
  const id = newId(name);
  const wrong = el('p', { className: 'wrong', id: `${id}-wrong`, role: 'status' });
  const none = el('p', { className: 'soft' }, t('rules.none'));
  const list = el('ol', { className: 'rules' });
  const input = el(
    'fieldset',
    { className: 'choices', 'aria-describedby': `${id}-hint ${id}-wrong` },
    el('legend', {}, label),
    el('p', { className: 'hint', id: `${id}-hint` }, hint),
    none,
    list,
    wrong,
  );
  input.name = name;
  let rows = [];
  const changed = () => input.dispatchEvent(new Event('input', { bubbles: true }));

  function row(rule) {
    const kind = field({
      name: `${name}-kind`,
      label: t('rules.kind'),
      type: 'select',
      options: Object.entries(kinds).map(([key, text]) => [key, t(text)]),
      value: rule.kind,
    });
    const number = {
      department: departmentNumbers({
        name: `${name}-department`,
        label: t('rules.department'),
        value: rule.kind === 'department' ? rule.number : '',
        type: 'radio',
        authenticators,
      }),
      tag: field({ name: `${name}-tag`, label: t('rules.tag'), value: rule.kind === 'tag' ? rule.number : '' }),
    };
    const role = field({ name: `${name}-role`, label: t('rules.role'), value: rule.role });
    const remove = button(
      t('rules.remove'),
      () => {
        const place = rows.indexOf(made);
        rows.splice(place, 1);
        draw();
        (rows[Math.min(place, rows.length - 1)]?.remove || add).focus();
        changed();
      },
      'small',
    );
    const fit = () => {
      number.department.node.hidden = kind.input.value !== 'department';
      number.tag.node.hidden = kind.input.value !== 'tag';
    };
    kind.input.addEventListener('input', fit);
    fit();
    const made = {
      kind,
      remove,
      node: el('li', { className: 'rule' }, kind.node, number.department.node, number.tag.node, role.node, remove),
      line: () =>
        line({
          kind: kind.input.value,
          number: number[kind.input.value]?.input.value.trim() ?? '',
          role: role.input.value.trim(),
        }),
    };
    return made;
  }
  const add = button(
    t('rules.add'),
    () => {
      rows.push(row({ kind: 'department', number: '', role: '' }));
      draw();
      rows.at(-1).kind.input.focus();
      changed();
    },
    'small',
  );
  wrong.before(el('div', { className: 'part' }, add));

  function draw() {
    list.replaceChildren(...rows.map(({ node }) => node));
    rows.forEach(({ node, remove }, i) => {
      node.setAttribute('aria-label', t('rules.one', { n: i + 1 }));
      remove.setAttribute('aria-label', t('rules.remove.one', { n: i + 1 }));
    });
    none.hidden = rows.length > 0;
    add.hidden = rows.length >= most;
  }
  Object.defineProperty(input, 'value', {
    get: () => rows.map((made) => made.line()).join('\n'),
    set: (text) => {
      rows = readLines(text).map(row);
      draw();
    },
  });
  input.value = value;
  input.focus = () => (rows[0]?.kind.input || add).focus();
  const invalid = (message) => {
    wrong.textContent = message;
  };
  return { node: el('div', { className: 'field' }, input), input, invalid };
}
