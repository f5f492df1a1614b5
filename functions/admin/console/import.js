// Import of users from a CSV file: choose, look, send in parts, read the answer.

import { call, Problem, problemText } from './api.js';
import { decode, download, parse, rowText } from './csv.js';
import { count, t } from './texts.js';
import { badge, button, el, fileDrop, guardUnsaved, icon, newId, notice, searchField, table, tableRow } from './ui.js';

// One answer has to come within the gateway's 30 s, and a request may have 5,000 rows
// and 1 MB: parts are well below both, and show that it goes on.
const rowsOfPart = 1000;
const charactersOfPart = 300_000; // of at most three bytes each
const largestFile = 64 * 1024 * 1024;
const rowsShown = 200;
const columns = ['phone', 'name', 'roles'];

// What the columns may be called, in any case.
const names = {
  phone: ['phone', 'phone number', 'mobile', '手机', '手机号', '手机号码', '电话', '电话号码'],
  name: ['name', '姓名', '名字', '名称'],
  roles: ['roles', 'role', '角色'],
};

export async function importView() {
  const place = el('div', { className: 'importsteps' });
  const show = (...nodes) => {
    place.replaceChildren(...nodes.flat(Infinity).filter(Boolean));
    place.querySelector('h2')?.focus();
  };
  let sending = false;
  guardUnsaved(() => sending);
  const stage = (title, ...content) => el('section', { className: 'card' }, el('h2', { tabIndex: -1 }, title), content);

  function choose(problem) {
    show(
      stage(
        t('import.choose'),
        problem && notice('bad', el('p', {}, problem)),
        fileDrop({ label: t('import.drop'), hint: t('import.drop.hint'), accept: '.csv,text/csv,text/plain' }, read),
      ),
      stage(
        t('import.format'),
        el('p', {}, t('import.format.text')),
        el(
          'pre',
          {},
          [
            'phone,name,roles',
            `13800138000,${t('import.example.name')},admin`,
            `+44 20 7946 0958,${t('import.example.other')},`,
          ].join('\n'),
        ),
        el(
          'ul',
          { className: 'bullets' },
          ['import.format.phone', 'import.format.empty', 'import.format.roles', 'import.format.again'].map((key) =>
            el('li', {}, t(key)),
          ),
        ),
        button([icon('file'), t('import.example')], () =>
          download('users-example.csv', [
            columns,
            ['13800138000', t('import.example.name'), 'admin'],
            ['+44 20 7946 0958', t('import.example.other'), ''],
          ]),
        ),
      ),
    );
  }

  // read looks at a file without sending anything.
  async function read(file) {
    if (file.size > largestFile) return choose(t('import.toolarge'));
    const { text, encoding } = decode(await file.arrayBuffer());
    const { rows, broken } = parse(text);
    if (broken) return choose(t('import.broken', { line: count(broken) }));
    const header = rows.shift();
    const found = header
      ? header.cells.map((cell) => columns.find((column) => names[column].includes(cell.toLowerCase())))
      : [];
    if (!found.includes('phone') || new Set(found.filter(Boolean)).size !== found.filter(Boolean).length)
      return choose(t('import.noheader'));
    if (!rows.length) return choose(t('import.norows'));
    return preview(file.name, {
      encoding,
      ignored: header.cells.filter((cell, i) => !found[i] && cell),
      columns: columns.filter((column) => column !== 'roles' || found.includes('roles')),
      rows: rows.map(({ line, cells }) => ({
        line,
        misshapen:
          (cells.length > found.length && cells.slice(found.length).some(Boolean)) || cells.length < found.length,
        values: Object.fromEntries(columns.map((column) => [column, cells[found.indexOf(column)] ?? ''])),
      })),
    });
  }

  function preview(name, file) {
    const heads = [t('import.line'), ...file.columns.map((column) => t(`user.${column}`))];
    const first = table(
      t('import.preview'),
      heads,
      file.rows
        .slice(0, 5)
        .map(({ line, values }) =>
          tableRow(
            [[heads[0], count(line)], ...file.columns.map((column, i) => [heads[i + 1], values[column] || null])],
            { className: 'lined' },
          ),
        ),
    );
    show(
      stage(
        t('import.preview'),
        el('p', {}, t('import.preview.text', { file: name, rows: count(file.rows.length) })),
        file.encoding === 'gb18030' && notice('warn', el('p', {}, t('import.gb18030'))),
        file.ignored.length > 0 &&
          notice('info', el('p', {}, t('import.ignored', { columns: file.ignored.join(', ') }))),
        first.node,
        el(
          'div',
          { className: 'actions' },
          button(t('import.start', { rows: count(file.rows.length) }), () => begin(file), 'main'),
          button(t('import.other'), () => choose()),
        ),
      ),
    );
  }

  // begin sends the parts one after the other.
  async function begin(file) {
    const { parts, results } = partition(file);
    await send(file, parts, results);
  }

  async function send(file, parts, results) {
    const total = file.rows.length;
    const bar = el('progress', { max: total, value: results.length, 'aria-label': t('import.progress') });
    const text = el('p', { role: 'status' });
    let stopped = false;
    const stop = button(t('import.stop'), () => {
      stopped = true;
      stop.disabled = true;
      text.textContent = t('import.stopping');
    });
    const tell = () => {
      bar.value = results.length;
      text.textContent = t('import.progress.text', { done: count(results.length), total: count(total) });
    };
    tell();
    show(
      stage(
        t('import.progress'),
        el('p', { className: 'soft' }, t('import.progress.hint')),
        bar,
        text,
        el('div', { className: 'actions' }, stop),
      ),
    );
    sending = true;
    let problem = null;
    try {
      // A view that was left sends no more.
      while (parts.length && !stopped && place.isConnected) {
        const answer = await call('POST', '/users/import', { body: parts[0].text, type: 'text/csv' });
        const part = parts.shift();
        results.push(
          ...answer.rows.map((row) => ({
            ...part.rows.get(row.row),
            phone: row.phone,
            result: row.result,
            code: row.code,
            field: row.field,
          })),
        );
        if (!stopped) tell();
      }
    } catch (error) {
      problem = error;
    } finally {
      sending = false;
    }
    answered(file, parts, results, problem);
  }

  function answered(file, parts, results, problem) {
    results.sort((a, b) => a.line - b.line);
    const failed = results.filter((row) => row.result === 'failed');
    const left = file.rows.length - results.length;
    const kind = problem ? 'bad' : failed.length === file.rows.length ? 'bad' : failed.length || left ? 'warn' : 'good';
    const sentence = problem
      ? t('import.failed')
      : left
        ? t('import.stopped')
        : kind === 'bad'
          ? t('import.allfailed')
          : failed.length
            ? t('import.partly')
            : t('import.done');
    const sum = (result) => results.filter((row) => row.result === result).length;
    const sums = [
      [t('import.created'), sum('created')],
      [t('import.updated'), sum('updated')],
      [t('import.unchanged'), sum('unchanged')],
      [t('import.rowfailed'), failed.length],
      ...(left ? [[t('import.left'), left]] : []),
    ];
    show(
      stage(
        t('import.answer'),
        notice(kind, el('p', {}, el('strong', {}, sentence)), problem && el('p', {}, problemText(problem))),
        el(
          'dl',
          { className: 'sums' },
          sums.map(([title, number]) => el('div', {}, el('dt', {}, title), el('dd', {}, count(number)))),
        ),
        el(
          'div',
          { className: 'actions' },
          left > 0 && button(t('import.continue', { rows: count(left) }), () => send(file, parts, results), 'main'),
          failed.length > 0 &&
            button([icon('file'), t('import.download', { rows: count(failed.length) })], () =>
              download('users-failed.csv', [
                [...columns, 'line', 'reason'],
                ...failed.map((row) => [...columns.map((column) => row.values[column]), row.line, reason(row)]),
              ]),
            ),
          button(t('import.another'), () => choose()),
          el('a', { className: 'button', href: '#users' }, t('tab.users')),
        ),
      ),
      stage(t('import.rows'), rowList(results, failed.length > 0)),
    );
  }

  choose();
  // The title takes the focus first, as in every view.
  return [
    el('a', { className: 'back', href: '#users' }, icon('back'), t('tab.users')),
    el('h1', { tabIndex: -1 }, t('import.title')),
    place,
  ];
}

// partition makes requests of the rows. What cannot be sent, it answers itself: rows of
// the wrong shape, and numbers that an earlier part has already, because the service
// sees one part at a time.
function partition(file) {
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
    if (row.misshapen) {
      results.push({ ...row, phone: row.values.phone, result: 'failed', code: 'invalid_request', field: 'cells' });
      continue;
    }
    const text = `${rowText(file.columns.map((column) => row.values[column]))}\n`;
    if (text.length > charactersOfPart) {
      results.push({ ...row, phone: '', result: 'failed', code: 'payload_too_large' });
      continue;
    }
    if (!part || part.rows.size === rowsOfPart || part.text.length + text.length > charactersOfPart) open();
    const number = row.values.phone.replace(/\D/g, '').replace(/^(00)?86(?=1\d{10}$)/, '');
    const first = seen.get(number);
    if (number && first && first.part !== part) {
      results.push({ ...row, phone: row.values.phone, result: 'failed', code: 'duplicate_phone' });
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
const reason = ({ code, field }) =>
  code === 'internal' ? t('import.row.internal') : problemText(new Problem(400, { code, field }));

// rowList shows the rows of an answer: those that failed first, if there are any.
function rowList(results, failed) {
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
