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

// entriesOf returns the departments from the top, each before those below it, and those at
// the top alone.
function entriesOf(all) {
  const known = new Set(all.map(({ id }) => id));
  const children = new Map(); // by the department above; null: at the top
  for (const department of all) {
    const { id, parentId } = department;
    const above = known.has(parentId) && parentId !== id ? parentId : null;
    children.set(above, [...(children.get(above) || []), department]);
  }
  const entries = [];
  const visit = (id, above) => {
    const departments = children.get(id) || [];
    children.delete(id); // a circle must not be walked for ever
    return departments.map((department) => {
      const entry = { department, above, words: `${department.name} ${department.id}`.toLowerCase() };
      entries.push(entry);
      entry.below = visit(department.id, entry);
      return entry;
    });
  };
  const roots = visit(null, null);
  return { entries, roots };
}

// branch draws an entry and those below it. markOf(department) makes its mark. The entry gets
// mark, node, and open(wanted), which shows or hides those below it.
function branch(entry, markOf) {
  const { department, below } = entry;
  const name = nameOf(department);
  entry.mark = markOf(department);
  entry.open = () => {};
  const label = el(
    'label',
    {},
    entry.mark,
    el('span', {}, name, ' ', el('span', { className: 'soft' }, department.id)),
  );
  if (!below.length) {
    entry.node = el('li', {}, el('div', { className: 'branch' }, el('span', { className: 'twig' }), label));
    return entry.node;
  }
  const nested = branches(below, markOf);
  const fold = el(
    'button',
    {
      type: 'button',
      className: 'plain twig',
      'aria-label': t('departments.below', { name }),
      onclick: () => entry.open(nested.hidden),
    },
    '›',
  );
  entry.open = (wanted) => {
    nested.hidden = !wanted;
    fold.setAttribute('aria-expanded', String(wanted));
  };
  entry.node = el('li', {}, el('div', { className: 'branch' }, fold, label), nested);
  return entry.node;
}

const branches = (entries, markOf) =>
  el(
    'ul',
    { className: 'tree' },
    entries.map((entry) => branch(entry, markOf)),
  );

// treeOf draws the departments with a mark for each. type is radio or checkbox.
function treeOf(all, type, chosen) {
  const { entries, roots } = entriesOf(all);
  const name = newId('department');
  const node = branches(roots, ({ id }) =>
    el('input', { type, name, value: String(id), checked: chosen.includes(id) }),
  );
  // leadingTo returns the departments above those that fit.
  const leadingTo = (fits) => {
    const found = new Set();
    for (const entry of entries.filter(fits)) {
      for (let up = entry.above; up && !found.has(up); up = up.above) found.add(up);
    }
    return found;
  };
  // unfold shows what is chosen, and as much more as is seen at a glance.
  const unfold = () => {
    const leading = leadingTo(({ mark }) => mark.checked);
    for (const entry of entries) {
      entry.node.hidden = false;
      entry.open(leading.has(entry) || (!entry.above && roots.length <= fewRoots));
    }
  };
  const filter = (wanted) => {
    if (!wanted) return unfold();
    const fits = ({ words }) => words.includes(wanted);
    const leading = leadingTo(fits);
    for (const entry of entries) {
      entry.node.hidden = !leading.has(entry) && !fits(entry);
      entry.open(leading.has(entry));
    }
  };
  unfold();
  return {
    node,
    filter,
    // What is chosen and not seen by the app stays chosen, where there may be several.
    chosen: () => {
      const seen = new Set(all.map(({ id }) => id));
      return [
        ...(type === 'checkbox' ? chosen.filter((id) => !seen.has(id)) : []),
        ...entries.filter(({ mark }) => mark.checked).map(({ department }) => department.id),
      ];
    },
  };
}

// chooseDepartments opens the dialog and calls done(ids, departments) with what was chosen.
// authenticators are those whose departments there are to choose from, [{name, title}]: the
// first one is shown, and the others can be.
export function chooseDepartments({ authenticators, type, chosen, done }) {
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
  const one = type === 'radio';
  const box = dialog(t(one ? 'departments.title.one' : 'departments.title'), [
    el('div', { className: 'tools' }, search.node, authenticators.length > 1 && company, load),
    said,
    place,
    el(
      'div',
      { className: 'actions end' },
      button(t('cancel'), () => box.close()),
      button(
        t(one ? 'departments.take.one' : 'departments.take'),
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
