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

export async function lookupView(name) {
  const path = at('authenticators', name);
  const a = await call('GET', path);
  const place = el('div', { className: 'stack' });
  const ask = (body) => call('POST', `${path}/lookup`, { json: body });
  const limit = field({
    name: 'limit',
    label: t('lookup.limit'),
    type: 'select',
    value: '50',
    options: ['10', '50', '200'].map((number) => [number, number]),
  });

  // attempt shows what work brings, and stays as it was when that fails. wanted is how many
  // users it is to bind, absent in a try.
  async function attempt(work, wanted) {
    const before = [...place.childNodes];
    const focused = document.activeElement;
    place.replaceChildren(waiting(t('check.running')));
    try {
      show(await work(), wanted);
    } catch (error) {
      place.replaceChildren(...before);
      focused.focus();
      throw error;
    }
  }
  const again = (kind) =>
    button(t('lookup.try'), () => attempt(() => ask({ limit: Number(limit.input.value), dryRun: true })), kind);

  function show(result, wanted) {
    const dry = wanted === undefined;
    const ticks = [];
    const heads = [t('user.name'), t('user.phone'), t('lookup.member'), t('lookup.result')];
    const row = (item) => {
      const [words, kind] = outcomes[item.result];
      const tick =
        item.result === 'name_differs' &&
        field({ name: 'accept', label: t('lookup.accept'), type: 'checkbox', hint: item.wecomName });
      if (tick) ticks.push({ id: item.userId, input: tick.input });
      return tableRow([
        [heads[0], el('a', { href: address({ id: item.userId }) }, item.name || t('user.noname'))],
        [heads[1], el('span', { className: 'unbroken' }, item.phone)],
        [heads[2], ...(item.wecomUserId ? [item.wecomName, ' ', el('code', {}, item.wecomUserId)] : [null])],
        [heads[3], badge(t(words), kind), tick?.node],
      ]);
    };
    const rows = result.items.map(row);
    const having = (...results) => result.items.filter((item) => results.includes(item.result));
    const found = having('found');

    // bind looks up anew those whom the list has found, and nobody else: an administrator
    // has seen them. After a try, it also goes past those whom nobody accepted.
    const bind = button(
      '',
      () => {
        const accept = ticks.filter(({ input }) => input.checked).map(({ id }) => id);
        const most = dry ? having('found', 'name_differs', 'taken').length : accept.length;
        return attempt(() => ask({ limit: most, dryRun: false, accept }), found.length + accept.length);
      },
      'main',
    );
    const tell = () => {
      const number = found.length + ticks.filter(({ input }) => input.checked).length;
      bind.textContent = number ? t('lookup.bind', { number: count(number) }) : t('lookup.skip');
      bind.hidden = !number && !(dry && having('name_differs', 'taken').length);
    };
    for (const { input } of ticks) input.addEventListener('change', tell);
    tell();

    // What was found can be bound when the budget is spent, and nothing when WeCom has closed.
    const stop = stopOf(result);
    const retry = again('');
    const closed = result.wecomCode === 45009;
    if (stop) stop.id = newId('stop');
    for (const [control, off] of [
      [bind, closed],
      [retry, closed || result.stopped === 'budget'],
    ]) {
      control.disabled = off;
      if (off) control.setAttribute('aria-describedby', stop.id);
    }
    const unbound = dry ? 0 : wanted - having('bound').length;

    const part = section(
      t('lookup.answer'),
      stop,
      unbound > 0 && notice('warn', el('p', {}, t('lookup.unbound', { number: count(unbound) }))),
      rows.length > 0 && table(t('lookup.answer'), heads, rows).node,
      !rows.length && !result.stopped && notice('good', el('p', {}, t('lookup.nobody'))),
      having('bound').length > 0 &&
        notice('good', el('p', {}, t('lookup.done', { number: count(having('bound').length) }))),
      el('p', { className: 'hint' }, t('lookup.misses', { misses: count(result.misses) })),
      el('div', { className: 'actions' }, bind, retry),
    );
    place.replaceChildren(part);
    part.querySelector('h2').focus();
  }

  place.append(el('div', { className: 'actions' }, again('main')));
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
