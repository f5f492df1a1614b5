// Imported users are found in WeCom by their phones: tried first, looked at, then bound.

import { at, call } from './api.js';
import { address as authenticatorAddress } from './authenticators.js';
import { button, field } from './controls.js';
import { count, t } from './texts.js';
import { badge, el, icon, newId, notice, section, table, tableRow, waiting } from './ui.js';
import { address } from './user-fields.js';

const outcomes = {
  bound: ['lookup.bound', 'good'],
  found: ['lookup.found', 'info'],
  name_differs: ['lookup.differs', 'warn'],
  not_found: ['lookup.missing', ''],
  taken: ['lookup.taken', 'bad'],
};

// stopOf says why WeCom or the budget ended a lookup.
function stopOf({ stopped, misses, wecomCode }) {
  if (stopped === 'budget') return notice('warn', el('p', {}, t('lookup.stopped.budget', { misses: count(misses) })));
  if (stopped !== 'wecom') return null;
  const text =
    wecomCode === 45009
      ? t('lookup.stopped.closed')
      : wecomCode
        ? t('lookup.stopped.refused', { code: wecomCode })
        : t('lookup.stopped.silent');
  return notice('bad', el('p', {}, text));
}

const heads = () => [t('user.name'), t('user.phone'), t('lookup.member'), t('lookup.result')];

// rowOf shows what was found of one user, with a box where the name is another one.
function rowOf(item, ticks) {
  const [name, phone, member, result] = heads();
  const [words, kind] = outcomes[item.result];
  const tick =
    item.result === 'name_differs' &&
    field({ name: 'accept', label: t('lookup.accept'), type: 'checkbox', hint: item.wecomName });
  if (tick) ticks.push({ id: item.userId, input: tick.input });
  return tableRow([
    [name, el('a', { href: address({ id: item.userId }) }, item.name || t('user.noname'))],
    [phone, el('span', { className: 'unbroken' }, item.phone)],
    [member, ...(item.wecomUserId ? [item.wecomName, ' ', el('code', {}, item.wecomUserId)] : [null])],
    [result, badge(t(words), kind), tick?.node],
  ]);
}

// bindButton binds those whom the list has found and whose boxes are ticked, and nobody else:
// an administrator has seen them. After a try, which is dry, it also goes past those whom
// nobody accepted. bind(limit, accept, wanted) does it, wanted being how many are to be bound.
function bindButton({ items, dry, ticks, bind }) {
  const having = (...results) => items.filter(({ result }) => results.includes(result)).length;
  const accepted = () => ticks.filter(({ input }) => input.checked).map(({ id }) => id);
  const number = () => having('found') + accepted().length;
  const control = button(
    '',
    () => bind(dry ? having('found', 'name_differs', 'taken') : accepted().length, accepted(), number()),
    'main',
  );
  const tell = () => {
    control.textContent = number() ? t('lookup.bind', { number: count(number()) }) : t('lookup.skip');
    control.hidden = !number() && !(dry && having('name_differs', 'taken'));
  };
  for (const { input } of ticks) input.addEventListener('change', tell);
  tell();
  return control;
}

// closed disables controls that cannot bring anything, for the reason that a notice gives.
function closed(reason, ...controls) {
  reason.id = newId('stop');
  for (const control of controls) {
    control.disabled = true;
    control.setAttribute('aria-describedby', reason.id);
  }
}

// answerPart shows what the service answered. wanted is how many were to be bound, and again the
// button for another try.
function answerPart({ result, dry, wanted, bind, again }) {
  const { items } = result;
  const ticks = [];
  const rows = items.map((item) => rowOf(item, ticks));
  const bound = items.filter((item) => item.result === 'bound').length;
  const binding = bindButton({ items, dry, ticks, bind });
  const stop = stopOf(result);
  if (result.wecomCode === 45009) closed(stop, again, binding);
  // Those who were found can be bound all the same.
  if (result.stopped === 'budget') closed(stop, again);
  return section(
    t('lookup.answer'),
    stop,
    wanted > bound && notice('warn', el('p', {}, t('lookup.unbound', { number: count(wanted - bound) }))),
    rows.length > 0 && table(t('lookup.answer'), heads(), rows).node,
    !rows.length && !result.stopped && notice('good', el('p', {}, t('lookup.nobody'))),
    bound > 0 && notice('good', el('p', {}, t('lookup.done', { number: count(bound) }))),
    el('p', { className: 'hint' }, t('lookup.misses', { misses: count(result.misses) })),
    el('div', { className: 'actions' }, binding, again),
  );
}

export async function lookupView(name) {
  const path = at('authenticators', name);
  const a = await call('GET', path);
  const place = el('div', { className: 'stack' });
  const limit = field({
    name: 'limit',
    label: t('lookup.limit'),
    type: 'select',
    value: '50',
    options: ['10', '50', '200'].map((number) => [number, number]),
  });

  // ask shows what the service answers, and what was there before when it refuses.
  async function ask(body, wanted = 0) {
    const before = [...place.childNodes];
    const focused = document.activeElement;
    place.replaceChildren(waiting(t('check.running')));
    try {
      const result = await call('POST', `${path}/lookup`, { json: body });
      const part = answerPart({ result, dry: body.dryRun, wanted, bind, again: tryButton('') });
      place.replaceChildren(part);
      part.querySelector('h2').focus();
    } catch (error) {
      place.replaceChildren(...before);
      focused.focus();
      throw error;
    }
  }
  const bind = (most, accept, wanted) => ask({ limit: most, dryRun: false, accept }, wanted);
  const tryButton = (kind) =>
    button(t('lookup.try'), () => ask({ limit: Number(limit.input.value), dryRun: true }), kind);

  place.append(el('div', { className: 'actions' }, tryButton('main')));
  return [
    el('a', { className: 'back', href: authenticatorAddress(a) }, icon('back'), a.title),
    el('h1', { tabIndex: -1 }, t('lookup.title')),
    section(
      t('lookup.about'),
      el('p', {}, t('lookup.about.what', { title: a.title })),
      el('p', {}, t('lookup.about.names')),
      el('p', {}, t('lookup.about.misses')),
      notice('info', el('p', {}, t('lookup.about.unseen'))),
      a.linkByPhone ? limit.node : notice('warn', el('p', {}, t('lookup.off'))),
    ),
    a.linkByPhone && place,
  ];
}
