// The departments of a company, as the WeCom app of an authenticator sees them: their
// names, and a dialog to choose some.

import { at, call } from './api.js';
import { button, searchField } from './controls.js';
import { dialog } from './dialogs.js';
import { t } from './texts.js';
import { el, newId, waiting } from './ui.js';

// departmentsOf reads what an authenticator's app sees, [{id, name, parentId}].
export const departmentsOf = async (authenticator) =>
  (await call('GET', at('authenticators', authenticator, 'departments'))).items;

export const nameOf = (department) => department.name || t('departments.unnamed', { id: department.id });

// Up to so many departments at the top, those below them are shown at once.
const fewRoots = 3;

// treeOf draws the departments with a mark for each. type is radio or checkbox.
function treeOf(all, type, chosen) {
  const known = new Set(all.map(({ id }) => id));
  const below = new Map();
  const roots = [];
  for (const department of all) {
    if (!known.has(department.parentId) || department.parentId === department.id) roots.push(department);
    else below.set(department.parentId, [...(below.get(department.parentId) || []), department]);
  }
  const name = newId('department');
  const entries = [];
  const list = (departments) => el('ul', { className: 'tree' }, departments.map(item));
  const item = (department) => {
    const children = below.get(department.id) || [];
    below.delete(department.id); // a circle must not be drawn for ever
    const mark = el('input', {
      type,
      name,
      value: String(department.id),
      checked: chosen.includes(department.id),
    });
    const nested = children.length > 0 && list(children);
    const fold =
      nested &&
      el(
        'button',
        {
          type: 'button',
          className: 'plain twig',
          'aria-label': t('departments.below', { name: nameOf(department) }),
          onclick: () => open(nested.hidden),
        },
        '›',
      );
    const open = (wanted) => {
      if (!nested) return;
      nested.hidden = !wanted;
      fold.setAttribute('aria-expanded', String(wanted));
    };
    const node = el(
      'li',
      {},
      el(
        'div',
        { className: 'branch' },
        fold || el('span', { className: 'twig' }),
        el(
          'label',
          {},
          mark,
          el('span', {}, nameOf(department), ' ', el('span', { className: 'soft' }, department.id)),
        ),
      ),
      nested,
    );
    const entry = { department, mark, node, open, words: `${department.name} ${department.id}`.toLowerCase() };
    entries.push(entry);
    return node;
  };
  const node = list(roots);
  const holds = (entry, fits) =>
    entries.some((other) => other !== entry && fits(other) && entry.node.contains(other.node));
  // unfold shows what is chosen, and as much more as is seen at a glance.
  const unfold = () => {
    for (const entry of entries) {
      entry.node.hidden = false;
      const top = roots.length <= fewRoots && roots.includes(entry.department);
      entry.open(top || holds(entry, ({ mark }) => mark.checked));
    }
  };
  const filter = (wanted) => {
    if (!wanted) return unfold();
    const fits = ({ words }) => words.includes(wanted);
    for (const entry of entries) {
      const inside = holds(entry, fits);
      entry.node.hidden = !inside && !fits(entry);
      entry.open(inside);
    }
  };
  unfold();
  return {
    node,
    filter,
    // What is chosen and not seen by the app stays chosen, where there may be several.
    chosen: () => [
      ...(type === 'checkbox' ? chosen.filter((id) => !known.has(id)) : []),
      ...entries.filter(({ mark }) => mark.checked).map(({ department }) => department.id),
    ],
  };
}

// chooseDepartments opens the dialog and calls done(ids, departments) with what was chosen.
// authenticators are those whose departments there are to choose from, [{name, title}]: the
// first one is shown, and the others can be.
export function chooseDepartments({ title, authenticators, type, chosen, done }) {
  const place = el('div', { className: 'stack' });
  const said = el('p', { className: 'soft', role: 'status' });
  let tree = null;
  let all = [];
  const show = async (authenticator) => {
    tree = null;
    place.replaceChildren(waiting());
    try {
      all = await departmentsOf(authenticator);
    } catch (error) {
      place.replaceChildren();
      throw error;
    }
    tree = treeOf(all, type, chosen);
    said.textContent = all.length ? '' : t('departments.none');
    place.replaceChildren(tree.node);
  };
  const search = searchField({
    label: t('departments.search'),
    oninput: () => tree?.filter(search.input.value.trim().toLowerCase()),
  });
  const company = el(
    'select',
    { 'aria-label': t('tab.authenticators'), onchange: () => load.click() },
    authenticators.map((a) => el('option', { value: a.name }, a.title)),
  );
  // Loading is the work of a button, so that what goes wrong is said in the dialog.
  const load = button(t('departments.again'), () => show(company.value), 'small');
  const box = dialog(title, [
    el('div', { className: 'tools' }, search.node, authenticators.length > 1 && company, load),
    said,
    place,
    el(
      'div',
      { className: 'actions end' },
      button(t('cancel'), () => box.close()),
      button(
        t('departments.take'),
        () => {
          if (tree) done(tree.chosen(), all);
          box.close();
        },
        'main',
      ),
    ),
  ]);
  load.click();
}
