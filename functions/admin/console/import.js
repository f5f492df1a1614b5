// Import of users from a CSV file: choose, look, send in parts, read the answer.

import { call, everything, problemText } from './api.js';
import { button, fileDrop } from './controls.js';
import { download } from './csv.js';
import { guardUnsaved } from './dialogs.js';
import { partition, reason, rowList } from './import-rows.js';
import { columns, readTable } from './import-table.js';
import { count, t } from './texts.js';
import { el, icon, notice, table, tableRow } from './ui.js';

const largestFile = 64 * 1024 * 1024;

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
    const found = readTable(await file.arrayBuffer());
    return found.problem ? choose(found.problem) : preview(file.name, found);
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
        file.notes.map(({ kind, text }) => notice(kind, el('p', {}, text))),
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

  // lookupPart leads to where users who were created are found in WeCom: through one of the
  // authenticators that let members become them.
  function lookupPart() {
    const ways = el('div', { className: 'actions' });
    const part = el('div', { className: 'stack', hidden: true }, el('p', {}, t('import.lookup')), ways);
    const show = (all) => {
      const open = all.filter((one) => one.enabled && one.linkByPhone);
      ways.append(
        ...open.map(({ name, title }) =>
          el(
            'a',
            { className: 'button', href: `#lookup/${encodeURIComponent(name)}` },
            open.length > 1 ? `${t('lookup.title')}: ${title}` : t('lookup.title'),
          ),
        ),
      );
      part.hidden = !open.length;
    };
    everything('/authenticators').then(show, () => {}); // the way by the authenticator's page stays
    return part;
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
        sum('created') > 0 && lookupPart(),
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
