// Fields that say while somebody types what is wrong and what follows from it.

import { el } from './ui.js';

// watchFields looks at fields while they change. Each of entries is {spec, node, input,
// invalid}; of its spec
//   check(shown, other)   says what is wrong, or ''; with late, not before the field is left
//   advise(shown, other)  says what follows from it, or ''; with warns, what one is warned of
// other(name) is what another field shows. The result says everything anew.
export function watchFields(root, entries) {
  const other = (name) => entries.find(({ spec }) => spec.name === name)?.input.value.trim() ?? '';
  const notes = new Map();
  for (const entry of entries) {
    if (!entry.spec.advise) continue;
    const note = el('p', { className: entry.spec.warns ? 'note warn' : 'note', role: 'status' });
    entry.node.append(note);
    notes.set(entry, note);
  }
  const advise = () => {
    for (const [{ spec, input }, note] of notes) {
      const said = spec.advise(input.value.trim(), other);
      if (note.textContent !== said) note.textContent = said;
    }
  };
  const entryOf = (event) => entries.find(({ node }) => node.contains(event.target));
  const check = (entry) => {
    if (entry?.spec.check) entry.invalid(entry.spec.check(entry.input.value.trim(), other));
  };
  root.addEventListener('input', (event) => {
    const entry = entryOf(event);
    // What was wrong may be right now because of another field.
    const wrong = entries.filter(({ node, spec }) => spec.check && node.querySelector('.wrong:not(:empty)'));
    for (const one of new Set([...wrong, ...(entry?.spec.late ? [] : [entry])])) check(one);
    advise();
  });
  root.addEventListener('focusout', (event) => {
    const entry = entryOf(event);
    const to = event.relatedTarget; // a dialog in which the field is filled in has not left it
    if (entry?.spec.late && to && !entry.node.contains(to) && !to.closest('dialog')) check(entry);
  });
  advise();
  return advise;
}

// firstWrong says at each field what is wrong with it, and returns the first of them.
export function firstWrong(entries) {
  const other = (name) => entries.find(({ spec }) => spec.name === name)?.input.value.trim() ?? '';
  let first = null;
  for (const entry of entries) {
    const said = entry.spec.check?.(entry.input.value.trim(), other) || '';
    entry.invalid(said);
    if (said) first ??= entry;
  }
  return first;
}

// reveal opens what a field is folded into, and puts the focus on it.
export function reveal(entry) {
  for (let part = entry.node.closest('details'); part; part = part.parentElement.closest('details')) part.open = true;
  entry.input.focus();
}
