// Domain files: WeCom's proof that the domain is ours.

import { at, call, everything, problemText } from './api.js';
import { checkResult } from './check.js';
import { button, copyable, fileDrop, searchField, worthSearching } from './controls.js';
import { confirmThen } from './dialogs.js';
import { t } from './texts.js';
import { el, notice, section, time, toast, waiting } from './ui.js';

export async function filesView() {
  let files = await everything('/domain-files');
  const list = el('ul', { className: 'items' });
  const said = el('div', { role: 'status' });
  const problem = el('div', {});
  const search = searchField({ label: t('files.search'), oninput: () => show() });
  const tools = el('div', { className: 'tools' }, search.node);

  function show() {
    const wanted = search.input.value.trim().toLowerCase();
    const found = files.filter((file) => file.filename.toLowerCase().includes(wanted));
    list.replaceChildren(...found.map(item));
    tools.hidden = files.length < worthSearching && !wanted;
    said.replaceChildren(
      ...(found.length
        ? []
        : [
            files.length
              ? el('p', { className: 'soft' }, t('search.none'))
              : el(
                  'div',
                  { className: 'card empty stack' },
                  el('h2', {}, t('files.none.title')),
                  el('p', {}, t('files.none')),
                ),
          ]),
    );
  }

  function item(file) {
    const place = el('div', { className: 'wide-part', 'aria-live': 'polite' });
    const check = button(t('files.check'), async () => {
      place.replaceChildren(waiting(t('files.checking')));
      try {
        place.replaceChildren(...checkResult(await call('POST', at('domain-files', file.filename, 'check'))));
      } catch (error) {
        place.replaceChildren(notice('bad', el('p', {}, problemText(error))));
      }
    });
    check.setAttribute('aria-label', t('files.check.what', { file: file.filename }));
    check.dataset.focus = file.filename;
    const remove = button(
      t('delete'),
      () =>
        confirmThen(
          {
            title: t('files.delete.title', { file: file.filename }),
            text: t('files.delete.text'),
            action: t('delete'),
            danger: true,
          },
          async () => {
            await call('DELETE', at('domain-files', file.filename));
            await reload();
            toast(t('deleted'));
          },
        ),
      'danger',
    );
    remove.setAttribute('aria-label', t('files.delete.title', { file: file.filename }));
    return el(
      'li',
      { className: 'card item' },
      el('div', { className: 'title' }, el('h2', {}, file.filename)),
      el('div', { className: 'facts' }, el('span', {}, t('files.since'), ' ', time(file.createdAt))),
      el('div', { className: 'actions' }, check, remove),
      el('div', { className: 'wide-part part' }, copyable(file.url, t('files.address'))),
      place,
    );
  }

  async function reload() {
    files = await everything('/domain-files');
    show();
  }

  async function upload(file) {
    problem.replaceChildren();
    // Browsers number a file that was downloaded twice: "… (1).txt".
    const name = file.name.replace(/ ?\(\d+\)(?=\.txt$)/, '');
    try {
      await call('PUT', at('domain-files', name), { body: await file.text(), type: 'text/plain' });
    } catch (error) {
      problem.replaceChildren(notice('bad', el('p', {}, el('strong', {}, file.name)), el('p', {}, problemText(error))));
      return;
    }
    search.input.value = '';
    await reload();
    toast(t('files.saved'));
    list.querySelector(`[data-focus="${CSS.escape(name)}"]`)?.focus();
  }

  show();
  return [
    el('h1', {}, t('tab.files')),
    el('p', { className: 'lead' }, t('files.lead')),
    section(
      t('files.add'),
      fileDrop({ label: t('files.drop'), hint: t('files.drop.hint'), accept: '.txt,text/plain' }, upload),
      problem,
    ),
    tools,
    said,
    list,
  ];
}
