// The rows of an import: the requests they are sent in, and the list of what became of
// them.

import { Problem, problemText } from './api.js';
import { button, searchField } from './controls.js';
import { rowText } from './csv.js';
import { count, t } from './texts.js';
import { badge, el, newId, table, tableRow } from './ui.js';

// One answer has to come within the gateway's 30 s, and a request may have 5,000 rows
// and 1 MB: parts are well below both, and show that it goes on.
const rowsOfPart = 1000;
const charactersOfPart = 300_000; // of at most three bytes each
const rowsShown = 200;

// partition makes requests of the rows. What cannot be sent, it answers itself: rows of
// the wrong shape, without any content, or with characters that could not be read, for
// which the service refuses a part as a whole; and numbers that an earlier part has
// already, because the service sees one part at a time.
export function partition(file) {
  const header = `${rowText(file.columns)}\n`;
  const parts = [];
  const results = [];
  const seen = new Map(); // where a number was first, by how it is most likely meant
  let part;
  const open = () => {
    part = { text: header, rows: new Map(), next: 2 };
    parts.push(part);
  };
  for (const row of file.rows) {
    const text = `${rowText(file.columns.map((column) => row.values[column]))}\n`;
    const fail = (code, field) => results.push({ ...row, phone: row.values.phone, result: 'failed', code, field });
    if (row.misshapen) {
      fail('invalid_request', 'cells');
      continue;
    }
    if (text.includes('\uFFFD')) {
      fail('invalid_request', 'encoding');
      continue;
    }
    if (!file.columns.some((column) => row.values[column])) {
      fail('phone_invalid', 'phone');
      continue;
    }
    if (text.length > charactersOfPart) {
      results.push({ ...row, phone: '', result: 'failed', code: 'payload_too_large' });
      continue;
    }
    if (!part || part.rows.size === rowsOfPart || part.text.length + text.length > charactersOfPart) open();
    const number = row.values.phone
      .normalize('NFKC')
      .replace(/\D/g, '')
      .replace(/^(00)?86(?=1\d{10}$)/, '');
    const first = seen.get(number);
    if (number && first && first.part !== part) {
      fail('duplicate_phone');
      continue;
    }
    if (!first) seen.set(number, { part });
    part.rows.set(part.next, row);
    part.text += text;
    part.next += text.split('\n').length - 1;
  }
  return { parts: parts.filter(({ rows }) => rows.size), results };
}

// reason says why a row failed.
export const reason = ({ code, field }) =>
  code === 'internal' ? t('import.row.internal') : problemText(new Problem(400, { code, field }));

// rowList shows the rows of an answer: those that failed first, if there are any.
export function rowList(results, failed) {
  const filterId = newId('filter');
  const heads = [t('import.line'), t('user.phone'), t('user.name'), t('import.result')];
  const outcomes = {
    failed: t('import.rowfailed'),
    created: t('import.created'),
    updated: t('import.updated'),
    unchanged: t('import.unchanged'),
  };
  const kinds = { created: 'good', updated: 'info', unchanged: '', failed: 'bad' };
  const list = table(t('import.rows'), heads, []);
  const none = el('p', { className: 'soft', role: 'status' });
  const more = el('div', { className: 'more' });
  const row = (one) =>
    tableRow(
      [
        [heads[0], count(one.line)],
        [heads[1], one.phone],
        [heads[2], one.values.name || null],
        [
          heads[3],
          badge(outcomes[one.result], kinds[one.result]),
          one.result === 'failed' && el('p', { className: 'part' }, reason(one)),
        ],
      ],
      { className: 'lined' },
    );
  function show() {
    const wanted = search.input.value.trim().toLowerCase();
    const found = results.filter(
      (one) =>
        (select.value === 'all' || one.result === select.value) &&
        (!wanted || [one.line, one.phone, one.values.phone, one.values.name].join(' ').toLowerCase().includes(wanted)),
    );
    const next = (from) => {
      list.body.append(...found.slice(from, from + rowsShown).map(row));
      more.replaceChildren(
        ...(found.length > from + rowsShown ? [button(t('more'), () => next(from + rowsShown))] : []),
      );
    };
    list.body.replaceChildren();
    list.node.hidden = !found.length;
    none.textContent = found.length ? '' : t('search.none');
    next(0);
  }
  const select = el(
    'select',
    { id: filterId, name: 'filter', autocomplete: 'off', onchange: show },
    [['all', t('import.all')], ...Object.entries(outcomes)].map(([value, title]) => el('option', { value }, title)),
  );
  select.value = failed ? 'failed' : 'all';
  const search = searchField({ label: t('import.search'), oninput: show });
  show();
  return el(
    'div',
    { className: 'stack' },
    el('div', { className: 'tools' }, search.node, el('label', { htmlFor: filterId }, t('import.filter')), select),
    none,
    list.node,
    more,
  );
}
