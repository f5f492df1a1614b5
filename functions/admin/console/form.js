// The form of a record that others may change at the same time. What was typed is
// never lost: not by a refusal, not by somebody else's change, not by leaving.

import { problemText } from './api.js';
import { button, field, form } from './controls.js';
import { guardUnsaved } from './dialogs.js';
import { firstWrong, reveal, watchFields } from './field-checks.js';
import { t } from './texts.js';
import { el, notice, toast } from './ui.js';

// recordForm edits a record. specs are its fields: those of field(), those of
// watchFields(), and
//   make(spec)    makes the field, instead of field()
//   from(record)  what the field shows of it; without it the member of its name
//   to(shown)     what is sent for what is shown
//   say(shown)    what is shown, in words
// read() reads the record anew; send(changes, version) changes it and returns it;
// saved(record) is told of it; explain(problem) may return content to show with a
// problem; arrange(nodeOf) returns the content of the form, where nodeOf(name) is the node
// of a field; without it they stand one below the other. The result has the node, typed(name)
// for what would be sent for a field, and rebase(record) for a record that was changed beside
// the form.
export function recordForm({ specs, record, read, send, saved, explain, arrange }) {
  let base = record;
  const said = el('div', { className: 'said' });
  const entries = specs.map((spec) => ({ spec, ...(spec.make || field)({ ...spec, value: shown(spec, base) }) }));

  const typed = ({ spec, input }) =>
    spec.type === 'checkbox' ? input.checked : spec.type === 'password' ? input.value : input.value.trim();
  const sent = (entry) => (entry.spec.to ? entry.spec.to(typed(entry)) : typed(entry));
  const put = ({ spec, input }, value) => {
    if (spec.type === 'checkbox') input.checked = value;
    else input.value = value;
  };
  const touched = () => entries.filter((entry) => typed(entry) !== shown(entry.spec, base));
  const isDirty = () => node.isConnected && touched().length > 0;

  // adopt takes another state of the record as what changes are compared with. Fields
  // that were not touched show it.
  function adopt(fresh) {
    for (const entry of entries) {
      if (typed(entry) === shown(entry.spec, base)) put(entry, shown(entry.spec, fresh));
    }
    base = fresh;
    advise();
  }

  async function submit() {
    said.replaceChildren();
    const wrong = firstWrong(entries);
    if (wrong) return reveal(wrong);
    const changed = touched();
    if (!changed.length) return toast(t('form.unchanged'), 'info');
    const changes = Object.fromEntries(changed.map((entry) => [entry.spec.name, sent(entry)]));
    let updated;
    try {
      updated = await send(changes, base.version);
    } catch (error) {
      return refused(error);
    }
    base = updated;
    for (const entry of entries) put(entry, shown(entry.spec, updated));
    advise();
    toast(t('saved'));
    return saved(updated);
  }

  async function refused(error) {
    if (error.code === 'version_mismatch') return conflict();
    const entry = entries.find(({ spec }) => spec.name === error.field);
    const more = await explain?.(error);
    if (entry && !more) {
      entry.invalid(problemText(error));
      return reveal(entry);
    }
    entry?.input.setAttribute('aria-invalid', 'true');
    said.replaceChildren(notice('bad', more || el('p', {}, problemText(error))));
    return said.scrollIntoView({ block: 'nearest' });
  }

  // conflict shows what somebody else has changed, and goes on from there.
  async function conflict() {
    const before = base;
    const fresh = await read();
    const theirs = specs.filter((spec) => shown(spec, fresh) !== shown(spec, before));
    const mine = new Set(touched().map(({ spec }) => spec.name));
    adopt(fresh);
    const title = el('p', { tabIndex: -1 }, el('strong', {}, t('conflict.title')));
    said.replaceChildren(
      notice(
        'warn',
        title,
        el('p', {}, t(theirs.length ? 'conflict.text' : 'conflict.elsewhere')),
        theirs.length > 0 &&
          el(
            'ul',
            { className: 'plainlist' },
            theirs.map((spec) => {
              const entry = entries.find((candidate) => candidate.spec === spec);
              return el(
                'li',
                {},
                t('conflict.field', {
                  field: spec.label,
                  now: readable(spec, shown(spec, fresh)),
                  before: readable(spec, shown(spec, before)),
                }),
                mine.has(spec.name) && [
                  ' ',
                  button(
                    t('conflict.take'),
                    (event) => {
                      put(entry, shown(spec, fresh));
                      event.currentTarget?.remove();
                      entry.input.focus();
                    },
                    'small',
                  ),
                ],
              );
            }),
          ),
      ),
    );
    title.focus();
  }

  const node = form(
    { className: 'recordform' },
    submit,
    arrange
      ? arrange((name) => entries.find(({ spec }) => spec.name === name)?.node)
      : entries.map((entry) => entry.node),
    said,
    el(
      'div',
      { className: 'savebar' },
      el('button', { className: 'main' }, t('save')),
      button(t('discard'), () => {
        for (const entry of entries) {
          put(entry, shown(entry.spec, base));
          entry.invalid('');
        }
        advise();
        said.replaceChildren();
      }),
    ),
  );
  guardUnsaved(isDirty);
  const advise = watchFields(node, entries);
  return { node, rebase: adopt, typed: (name) => sent(entries.find(({ spec }) => spec.name === name)) };
}

// showProblem says a problem at the one of some fields that it is about. A problem of
// no field is thrown on.
export function showProblem(entries, error) {
  const wrong = entries.find(({ input }) => input.name === error.field);
  if (!wrong) throw error;
  wrong.invalid(problemText(error));
  wrong.input.focus();
}

function shown(spec, record) {
  if (spec.from) return spec.from(record);
  return record[spec.name] ?? (spec.type === 'checkbox' ? false : '');
}

function readable(spec, value) {
  if (value === true) return t('yes');
  if (value === false) return t('no');
  return (spec.say ? spec.say(value) : value) || t('conflict.empty');
}
