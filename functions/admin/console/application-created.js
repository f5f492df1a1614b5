// What follows when an application was added: its secret, shown once, and what the
// software needs, ready to copy.

import { at, call, problemText, publicUrl } from './api.js';
import { address } from './application-fields.js';
import { newSecret } from './application-secrets.js';
import { snippetPicker, snippets, valuesOf } from './application-snippets.js';
import { button } from './controls.js';
import { go, mayLeave } from './dialogs.js';
import { t } from './texts.js';
import { el, section } from './ui.js';

// created puts it in the place of the form. snippet is that of the software chosen.
export async function created(place, application, snippet) {
  const proxied = application.kind === 'proxy';
  let secret;
  if (application.kind === 'web') {
    try {
      ({ secret } = await call('POST', at('applications', application.id, 'secrets')));
    } catch (error) {
      // The application is there, and its page can make a secret.
      return go(address(application), problemText(error), 'bad');
    }
  }
  const values = valuesOf(application, await publicUrl(), secret);
  const title = el('h1', { tabIndex: -1 }, t('application.created.title', { title: application.title }));
  const open = async () => {
    if (await mayLeave()) go(address(application));
  };
  const shown = secret && newSecret(secret, () => shown.node.remove());
  place.replaceChildren(
    title,
    el('p', { className: 'lead' }, t(proxied ? 'application.proxy.created' : 'application.created.lead')),
    shown ? shown.node : '',
    section(
      t(proxied ? 'application.proxy.title' : 'application.snippet.title'),
      el(
        'p',
        { className: 'hint' },
        t(
          proxied ? 'application.proxy.about' : secret ? 'application.snippet.withsecret' : 'application.snippet.about',
        ),
      ),
      snippetPicker(await snippets(), application, values, snippet.id),
    ),
    el('div', { className: 'actions' }, button(t('application.created.open'), open, 'main')),
  );
  window.scrollTo(0, 0);
  return title.focus();
}
