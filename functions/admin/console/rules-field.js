// The rules that give members roles by their departments and tags. It is used like a field
// of controls.js: input.value is JSON, a list of what is typed for each rule,
// {kind, number, role}.

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
const right = ({ kind, number, role }) =>
  (kind === 'leader' || /^[1-9]\d{0,9}$/.test(number)) && role !== 'admin' && /^[a-z0-9][a-z0-9_-]{0,63}$/.test(role);

// writeRules writes the rules of a record, and readRules reads what is written.
export const writeRules = (rules) =>
  JSON.stringify(
    rules.map((rule) => {
      const kind = rule.leader ? 'leader' : rule.tag ? 'tag' : 'department';
      return { kind, number: kind === 'leader' ? '' : String(rule[kind]), role: rule.role };
    }),
  );
export const readRules = (text) =>
  JSON.parse(text).map(({ kind, number, role }) => ({ [kind]: kind === 'leader' || Number(number), role }));

// sayRules tells the rules to somebody who reads the page.
export const sayRules = (text) =>
  JSON.parse(text)
    .map(({ kind, number, role }) => `${t(kinds[kind])} ${number} → ${role}`)
    .join('; ');

export const wrongRules = (text) => (JSON.parse(text).every(right) ? '' : t('rules.wrong'));

// isNumbered tells the fields that have numbers of departments or tags, which another company
// takes anew, and sayFormerNumbers says so.
export const isNumbered = (name) => ['roleRules', 'allow.departments', 'allow.tags'].includes(name);
export const sayFormerNumbers = () => t('rules.moved', { part: t('rules.part') });

export function rulesField({ name, label, hint, value, authenticators }) {
  const id = newId(name);
  const wrong = el('p', { className: 'wrong', id: `${id}-wrong`, role: 'status' });
  const none = el('p', { className: 'soft' }, t('rules.none'));
  const list = el('ol', { className: 'rules' });
  const add = button(t('rules.add'), () => added(), 'small');
  const input = el(
    'fieldset',
    { className: 'choices', 'aria-describedby': `${id}-hint ${id}-wrong` },
    el('legend', {}, label),
    el('p', { className: 'hint', id: `${id}-hint` }, hint),
    none,
    list,
    el('div', { className: 'part' }, add),
    wrong,
  );
  input.name = name;
  let rows = [];
  const changed = () => input.dispatchEvent(new Event('input', { bubbles: true }));
  const rowOf = (rule) => ruleRow({ name, rule, authenticators, removed });

  function added() {
    rows.push(rowOf({ kind: 'department', number: '', role: '' }));
    draw();
    rows.at(-1).focus();
    changed();
  }
  function removed(row) {
    const place = rows.indexOf(row);
    rows.splice(place, 1);
    draw();
    (rows[Math.min(place, rows.length - 1)]?.remove || add).focus();
    changed();
  }
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
    get: () => JSON.stringify(rows.map((row) => row.typed())),
    set: (text) => {
      rows = JSON.parse(text).map(rowOf);
      draw();
    },
  });
  input.value = value;
  input.focus = () => (rows[0] || add).focus();
  const invalid = (message) => {
    wrong.textContent = message;
  };
  return { node: el('div', { className: 'field' }, input), input, invalid };
}

// ruleRow is what one rule is typed into. removed(row) is told when somebody removes it.
function ruleRow({ name, rule, authenticators, removed }) {
  const kind = field({
    name: `${name}-kind`,
    label: t('rules.kind'),
    type: 'select',
    options: Object.entries(kinds).map(([key, text]) => [key, t(text)]),
    value: rule.kind,
  });
  const numberFor = (key) => (rule.kind === key ? rule.number : '');
  const number = {
    department: departmentNumbers({
      name: `${name}-department`,
      label: t('rules.department'),
      value: numberFor('department'),
      type: 'radio',
      authenticators,
    }),
    tag: field({ name: `${name}-tag`, label: t('rules.tag'), value: numberFor('tag') }),
  };
  const role = field({ name: `${name}-role`, label: t('rules.role'), value: rule.role });
  const fit = () => {
    for (const [key, { node }] of Object.entries(number)) node.hidden = kind.input.value !== key;
  };
  kind.input.addEventListener('input', fit);
  fit();
  const remove = button(t('rules.remove'), () => removed(row), 'small');
  const row = {
    remove,
    focus: () => kind.input.focus(),
    node: el('li', { className: 'rule' }, kind.node, number.department.node, number.tag.node, role.node, remove),
    typed: () => ({
      kind: kind.input.value,
      number: number[kind.input.value]?.input.value.trim() ?? '',
      role: role.input.value.trim(),
    }),
  };
  return row;
}
