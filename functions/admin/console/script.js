'use strict';
(() => {
  const T = JSON.parse(document.getElementById('texts').textContent);
  const main = document.getElementById('main');
  const keyName = 'wecom-signin-admin-key';
  // What authorises the calls: the administrator's key or a short token of the session.
  let access = null;

  // el builds an element. Text goes in as text, never as markup.
  function el(tag, props, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props || {})) {
      if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
      else if (name in node && name !== 'list') node[name] = value;
      else if (value !== false && value != null) node.setAttribute(name, value === true ? '' : value);
    }
    node.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
    return node;
  }
  const show = (...nodes) => main.replaceChildren(...nodes.flat(Infinity).filter(Boolean));
  const fill = (text, ...values) => values.reduce((out, value) => out.replace('%', () => value), text);
  const time = (text) => text ? new Date(text).toLocaleString(document.documentElement.lang) : T.never;

  function toast(text, kind) {
    const note = el('p', { className: 'notice ' + (kind || 'good') }, text);
    document.getElementById('toasts').append(note);
    setTimeout(() => note.remove(), kind === 'bad' ? 9000 : 4000);
  }

  class Problem extends Error {
    constructor(status, body) {
      super(body.code || String(status));
      Object.assign(this, { status, code: body.code, detail: body.detail, field: body.field, requestId: body.requestId });
    }
    words() {
      const known = T.codes[this.code] || (this.status === 401 || this.status === 403 ? T.codes.forbidden : '');
      const parts = [known, this.code === 'internal' ? '' : this.detail];
      if (this.status >= 500 && this.requestId) parts.push(fill(T.request, this.requestId));
      return parts.filter(Boolean).join(' ') || fill(T.failed, this.status);
    }
  }
  const words = (error) => error instanceof Problem ? error.words() : T.offline;

  async function call(method, path, options) {
    const { body, type, version, retried } = options || {};
    const headers = { Authorization: 'Bearer ' + access.value };
    if (type) headers['Content-Type'] = type;
    if (version) headers['If-Match'] = '"' + version + '"';
    const response = await fetch('/api/admin' + path, { method, headers, body, cache: 'no-store', credentials: 'omit', redirect: 'error' });
    if ((response.status === 401 || response.status === 403) && access.kind === 'session' && !retried && await useSession()) {
      return call(method, path, { body, type, version, retried: true });
    }
    if (response.status === 204) return null;
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Problem(response.status, answer);
    return answer;
  }
  const json = (value, version) => ({ body: JSON.stringify(value), type: 'application/json', version });
  const at = (...parts) => '/' + parts.map(encodeURIComponent).join('/');

  async function useSession() {
    const response = await fetch('/api/token', { method: 'POST', cache: 'no-store', redirect: 'error' }).catch(() => null);
    if (!response || !response.ok) return false;
    const token = await response.json().catch(() => ({}));
    if (!token.access_token) return false;
    access = { kind: 'session', value: token.access_token };
    return true;
  }
  const useKey = (value) => { access = { kind: 'key', value }; };
  const permitted = () => call('GET', '/authenticators?limit=1').then(() => true);

  // Every button waits for its own work, and says what went wrong.
  function button(label, work, kind) {
    return el('button', { type: 'button', className: kind || '', onclick: (event) => busy(event.currentTarget, work) }, label);
  }
  async function busy(control, work) {
    control.disabled = true;
    try {
      await work();
    } catch (error) {
      toast(words(error), 'bad');
      if (error.code === 'version_mismatch' || error.code === 'not_found') render();
    } finally {
      control.disabled = false;
    }
  }

  function dialog(title, content) {
    const box = el('dialog', { 'aria-label': title, onclose: () => box.remove() }, el('h2', {}, title), content);
    document.body.append(box);
    box.showModal();
    return box;
  }
  function confirmThen(title, text, action, work) {
    const box = dialog(title, el('div', { className: 'stack' }, el('p', {}, text), el('div', { className: 'actions' },
      button(T.cancel, () => box.close()),
      button(action, async () => { box.close(); await work(); }, 'danger'))));
  }

  // form asks for fields and hands over what was changed.
  function form(title, fields, save) {
    const inputs = {};
    const notice = el('p', { className: 'notice bad', role: 'alert', hidden: true });
    const rows = fields.map((field) => {
      const tick = typeof field.value === 'boolean';
      const input = inputs[field.name] = el('input', {
        type: tick ? 'checkbox' : field.secret ? 'password' : 'text', name: field.name, autocomplete: field.secret ? 'new-password' : 'off',
        spellcheck: false, required: !!field.required, placeholder: field.placeholder || '',
      });
      if (tick) input.checked = field.value; else input.value = field.value || '';
      const label = T.fields[field.name] || field.name;
      const hint = T.hints[field.name];
      return tick
        ? el('label', { className: 'tick' }, input, el('span', {}, label, hint && el('span', { className: 'soft' }, ' ', hint)))
        : el('label', { className: 'field' }, label, input, hint && el('span', { className: 'soft' }, hint));
    });
    const submit = el('button', { className: 'main' }, T.save);
    const box = dialog(title, el('form', {
      onsubmit: async (event) => {
        event.preventDefault();
        const changes = {};
        for (const field of fields) {
          const value = typeof field.value === 'boolean' ? inputs[field.name].checked : inputs[field.name].value.trim();
          if (value !== (field.value ?? '')) changes[field.name] = field.read ? field.read(value) : value;
          inputs[field.name].removeAttribute('aria-invalid');
        }
        submit.disabled = true;
        try {
          await save(changes);
          box.close();
        } catch (error) {
          const wrong = Object.hasOwn(inputs, error.field || '') ? inputs[error.field] : null;
          notice.textContent = words(error);
          notice.hidden = false;
          // Beside the field, so that it is in view on a phone.
          (wrong ? wrong.closest('label') : rows.at(-1)).after(notice);
          if (wrong) { wrong.setAttribute('aria-invalid', 'true'); wrong.focus(); }
        } finally {
          submit.disabled = false;
        }
      },
    }, rows, notice, el('div', { className: 'actions' }, button(T.cancel, () => box.close()), submit)));
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = el('textarea', { value: text });
      document.body.append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
    }
    toast(T.copied);
  }
  const copyable = (text) => el('div', { className: 'copy' }, el('code', {}, text), button(T.copy, () => copy(text), 'small'));
  const pairs = (entries) => el('dl', { className: 'pairs' }, entries.map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
  const badge = (text, kind) => el('span', { className: 'badge ' + (kind || '') }, text);

  // listing shows a list page by page.
  async function listing(path, empty, card) {
    const cards = el('div', { className: 'cards' });
    const more = el('div', { className: 'more' });
    async function next(cursor) {
      const page = await call('GET', path + (cursor ? (path.includes('?') ? '&' : '?') + 'cursor=' + encodeURIComponent(cursor) : ''));
      cards.append(...page.items.map(card));
      more.replaceChildren(...(page.nextCursor ? [button(T.more, () => next(page.nextCursor))] : []));
    }
    await next('');
    return cards.childElementCount ? [cards, more] : [el('p', { className: 'card empty' }, empty)];
  }

  const views = {
    async authenticators() {
      const edit = (a) => form(a ? fill(T.editTitle, a.title) : T.newAuthenticator, [
        !a && { name: 'name', required: true },
        { name: 'title', value: a && a.title },
        { name: 'corpId', value: a && a.corpId, required: true },
        { name: 'agentId', value: a && a.agentId, required: true },
        { name: 'secret', secret: true, required: !a, placeholder: a ? T.unchanged : '' },
        { name: 'origin', value: a && a.origin, required: true, read: (text) => text.replace(/\/+$/, '') },
        { name: 'workbenchRedirectPath', value: a ? a.workbenchRedirectPath : '/' },
        { name: 'autoSignup', value: a ? a.autoSignup : true },
        { name: 'autoLogin', value: a ? a.autoLogin : false },
      ].filter(Boolean), async (changes) => {
        if (a) await call('PATCH', at('authenticators', a.name), json(changes, a.version));
        else await call('POST', '/authenticators', json(changes));
        toast(T.saved);
        await render();
      });
      const check = async (a) => {
        const result = await call('POST', at('authenticators', a.name, 'check'));
        const box = dialog(fill(T.checkTitle, a.title), el('div', { className: 'stack' },
          el('p', { className: 'notice ' + (result.ok ? 'good' : 'bad') }, result.ok ? T.checkGood : T.checkBad),
          el('ol', { className: 'steps' }, result.steps.map((step) => el('li', { className: step.ok ? '' : 'bad' },
            el('strong', {}, step.title), step.wecomCode ? el('span', { className: 'soft' }, ' ' + step.wecomCode) : null,
            step.fix && el('p', { className: 'soft' }, step.fix)))),
          el('div', { className: 'actions' }, button(T.close, () => box.close(), 'main'))));
      };
      const card = (a) => el('section', { className: 'card' },
        el('div', { className: 'title' }, el('h3', {}, a.title), a.autoLogin && badge(T.fields.autoLogin),
          a.enabled ? badge(T.enabled, 'good') : badge(T.disabled, 'bad')),
        pairs([
          [T.fields.name, el('code', {}, a.name)],
          [T.fields.corpId, el('code', {}, a.corpId + ' / ' + a.agentId)],
          [T.fields.origin, el('code', {}, a.origin)],
          [T.links.homepage, copyable(a.workbenchHomepageLink)],
          [T.links.domain, copyable(a.callbackDomain)],
          [T.links.callback, copyable(a.callbackUrl)],
        ]),
        el('div', { className: 'actions' },
          button(T.check, () => check(a)),
          button(T.edit, () => edit(a)),
          button(a.enabled ? T.disable : T.enable, async () => {
            const flip = async () => {
              await call('PATCH', at('authenticators', a.name), json({ enabled: !a.enabled }, a.version));
              await render();
            };
            if (a.enabled) confirmThen(T.disable, fill(T.disableAuthenticator, a.title), T.disable, flip); else await flip();
          }),
          button(T.remove, () => confirmThen(T.remove, fill(T.removeAuthenticator, a.title), T.remove, async () => {
            await call('DELETE', at('authenticators', a.name), { version: a.version });
            toast(T.removed);
            await render();
          }), 'danger')));
      return [
        el('div', { className: 'head' }, el('h2', {}, T.tabs.authenticators), button(T.add, () => edit(), 'main')),
        await listing('/authenticators', T.noAuthenticators, card),
      ];
    },

    async users() {
      const phone = wanted;
      const roles = (text) => text.split(/[\s,，]+/).filter(Boolean);
      const edit = (u) => form(u ? fill(T.editTitle, u.name || u.phone) : T.newUser, [
        { name: 'phone', value: u && u.phone, required: true },
        { name: 'name', value: u && u.name },
        { name: 'roles', value: u && u.roles.join(' '), read: roles },
      ], async (changes) => {
        if (u) await call('PATCH', at('users', u.id), json(changes, u.version));
        else await call('POST', '/users', json(changes));
        toast(T.saved);
        await render();
      });
      const card = (u) => el('section', { className: 'card' },
        el('div', { className: 'title' }, el('h3', {}, u.name || u.phone), u.roles.map((role) => badge(role)),
          u.enabled ? null : badge(T.disabled, 'bad')),
        pairs([
          [T.fields.phone, el('code', {}, u.phone)],
          [T.lastSignIn, time(u.lastSignInAt)],
          ...u.identities.map((identity) => [T.identity, el('div', { className: 'copy' },
            el('code', {}, identity.corpId + ' / ' + identity.wecomUserId),
            button(T.unbind, () => confirmThen(T.unbind, fill(T.unbindText, identity.wecomUserId, u.name || u.phone), T.unbind, async () => {
              await call('DELETE', at('users', u.id, 'identities', identity.corpId, identity.wecomUserId));
              await render();
            }), 'small'))]),
          ...u.phoneConflict ? [[T.phoneConflict, el('code', {}, u.phoneConflict.corpId + ' / ' + u.phoneConflict.wecomUserId)]] : [],
        ]),
        el('div', { className: 'actions' },
          button(T.edit, () => edit(u)),
          button(u.enabled ? T.disable : T.enable, async () => {
            await call('PATCH', at('users', u.id), json({ enabled: !u.enabled }, u.version));
            await render();
          }),
          button(T.endSessions, async () => {
            await call('DELETE', at('users', u.id, 'sessions'));
            toast(T.sessionsEnded);
            await render();
          }),
          button(T.remove, () => confirmThen(T.remove, fill(T.removeUser, u.name || u.phone), T.remove, async () => {
            await call('DELETE', at('users', u.id), { version: u.version });
            toast(T.removed);
            await render();
          }), 'danger')));
      const field = el('input', { type: 'search', name: 'phone', value: phone || '', placeholder: T.searchPhone, 'aria-label': T.searchPhone });
      const search = el('form', {
        className: 'search',
        onsubmit: (event) => { event.preventDefault(); wanted = field.value.trim(); render(); },
      }, field, el('button', {}, T.search));
      const upload = filePicker(T.importUsers, '.csv,text/csv', async (file) => {
        const result = await call('POST', '/users/import', { body: await file.arrayBuffer(), type: 'text/csv' });
        const failed = result.rows.filter((row) => row.result === 'failed');
        const box = dialog(T.importUsers, el('div', { className: 'stack' },
          el('p', { className: 'notice ' + (failed.length ? 'bad' : 'good') }, fill(T.imported, result.created, result.updated, result.unchanged, result.failed)),
          el('ol', { className: 'steps' }, failed.slice(0, 100).map((row) => el('li', { className: 'bad' },
            fill(T.row, row.row, row.phone) + ' ', el('span', { className: 'soft' }, T.codes[row.code] || row.detail || row.code)))),
          el('div', { className: 'actions' }, button(T.close, () => box.close(), 'main'))));
        await render();
      });
      return [
        el('div', { className: 'head' }, el('h2', {}, T.tabs.users), search, upload, button(T.add, () => edit(), 'main')),
        el('p', { className: 'soft' }, T.importHint),
        await found(phone, card),
      ];
    },

    async files() {
      const upload = filePicker(T.upload, '.txt,text/plain', async (file) => {
        // Browsers number a file that was downloaded twice: "… (1).txt".
        await call('PUT', at('domain-files', file.name.replace(/ ?\(\d+\)/, '')), { body: await file.text(), type: 'text/plain' });
        toast(T.saved);
        await render();
      });
      const card = (file) => el('section', { className: 'card' },
        el('div', { className: 'title' }, el('h3', {}, file.filename)),
        pairs([[T.address, copyable(file.url)], [T.since, time(file.createdAt)]]),
        el('div', { className: 'actions' }, button(T.remove, () => confirmThen(T.remove, fill(T.removeFile, file.filename), T.remove, async () => {
          await call('DELETE', at('domain-files', file.filename));
          await render();
        }), 'danger')));
      return [
        el('div', { className: 'head' }, el('h2', {}, T.tabs.files), upload),
        el('p', { className: 'soft' }, T.filesHint),
        await listing('/domain-files', T.noFiles, card),
      ];
    },
  };

  // What is no telephone number is nobody's: the search stays, to be tried again.
  async function found(phone, card) {
    if (!phone) return listing('/users', T.noUsers, card);
    try {
      return await listing('/users?phone=' + encodeURIComponent(phone), T.noSuchUser, card);
    } catch (error) {
      if (error.status !== 400) throw error;
      return el('p', { className: 'notice bad', role: 'alert' }, T.noSuchUser);
    }
  }

  function filePicker(label, accept, work) {
    const input = el('input', {
      type: 'file', accept,
      onchange: async () => {
        const file = input.files[0];
        if (file) await busy(input, () => work(file));
        input.value = '';
      },
    });
    return el('label', { className: 'file' }, label, input);
  }

  function where() {
    const name = location.hash.slice(1);
    return Object.hasOwn(views, name) ? name : 'authenticators';
  }
  // The number looked for is kept here and not in the address, which has a history.
  let wanted = '';

  let shown = 0;
  async function render() {
    if (!access) return;
    const turn = ++shown;
    const name = where();
    if (name !== 'users') wanted = '';
    document.getElementById('tabs').replaceChildren(...Object.keys(views).map((view) =>
      el('a', { href: '#' + view, 'aria-current': view === name ? 'page' : null }, T.tabs[view])));
    let nodes;
    try {
      nodes = await views[name]();
    } catch (error) {
      if (error.status === 401 || error.status === 403) return leave(words(error));
      nodes = [el('p', { className: 'notice bad', role: 'alert' }, words(error)), button(T.retry, render)];
    }
    if (turn === shown) show(nodes); // a slower, earlier view must not replace a later one
  }

  function enter() {
    document.getElementById('tabs').hidden = false;
    const who = document.getElementById('who');
    who.hidden = false;
    who.replaceChildren(access.kind === 'key' ? T.withKey : T.withSession,
      ...(access.kind === 'key' ? [button(T.forget, () => leave(''), 'small')] : []));
    return render();
  }

  function leave(message) {
    access = null;
    sessionStorage.removeItem(keyName);
    document.getElementById('tabs').hidden = true;
    document.getElementById('who').hidden = true;
    const key = el('input', { type: 'password', name: 'key', required: true, autocomplete: 'off', spellcheck: false });
    const notice = el('p', { className: 'notice bad', role: 'alert', hidden: !message }, message || '');
    const submit = el('button', { className: 'main' }, T.enter);
    show(el('form', {
      className: 'card narrow',
      onsubmit: async (event) => {
        event.preventDefault();
        submit.disabled = true;
        notice.hidden = true;
        useKey(key.value.trim());
        try {
          await permitted();
          sessionStorage.setItem(keyName, access.value);
          await enter();
        } catch (error) {
          access = null;
          notice.textContent = error.status === 401 || error.status === 403 ? T.wrongKey : words(error);
          notice.hidden = false;
        } finally {
          submit.disabled = false;
        }
      },
    }, el('h2', {}, T.enterTitle), el('p', { className: 'soft' }, T.enterText),
    el('label', { className: 'field' }, T.adminKey, key), notice,
    el('div', { className: 'actions' }, submit,
      button(T.useSession, async () => {
        if (!await useSession()) { notice.textContent = T.noSession; notice.hidden = false; return; }
        try {
          await permitted();
          await enter();
        } catch (error) {
          access = null;
          notice.textContent = error.status === 403 ? T.notAdmin : words(error);
          notice.hidden = false;
        }
      }))));
    key.focus();
  }

  async function start() {
    window.addEventListener('hashchange', render);
    const kept = sessionStorage.getItem(keyName);
    let message = '';
    if (kept) useKey(kept);
    if (kept || await useSession()) {
      try {
        await permitted();
        return await enter();
      } catch (error) {
        message = error.status === 403 && !kept ? T.notAdmin : words(error);
        if (kept && await useSession() && await permitted().catch(() => false)) return enter();
      }
    }
    leave(message);
  }
  start();
})();
