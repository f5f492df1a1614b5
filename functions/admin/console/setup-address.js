// Step 4 of the set-up: the IP addresses that WeCom is to trust. The service knows from
// which addresses it calls WeCom, by its settings or because WeCom has told it.

import { call, problemText } from './api.js';
import { button, copyable } from './controls.js';
import { picture } from './pictures.js';
import { frame, paragraph, rich, soft, todo } from './setup-layout.js';
import { steps } from './setup-state.js';
import { isPrivate } from './setup-validation.js';
import { t } from './texts.js';
import { el, notice, waiting } from './ui.js';

const sources = { setting: 'setup.4.setting', wecom: 'setup.4.wecom' };

export function trustedAddress(state, show) {
  const paste = el('div', { 'aria-live': 'polite' });
  const about = el('div', { className: 'setup-words' });
  const drawn = el('div', {}, picture('address', { addresses: '…' }));

  const draw = () => {
    const { addresses, source } = state.found.egress;
    const joined = addresses.join(';');
    const known = source !== 'unknown' && joined !== '';
    const isPublicSix = (address) => address.includes(':') && !isPrivate(address);
    paste.replaceChildren(known ? copyable(joined, t('setup.4.title')) : soft('setup.4.nothing'));
    about.replaceChildren(
      ...[
        notice(source === 'setting' ? 'good' : 'warn', rich((known && sources[source]) || 'setup.4.unknown')),
        known && addresses.some(isPrivate) && notice('info', rich('setup.4.private')),
        known && addresses.some(isPublicSix) && notice('warn', rich('setup.4.six')),
        addresses.length > 1 && soft('setup.4.several'),
      ].filter(Boolean),
    );
    drawn.replaceChildren(picture('address', { addresses: known ? joined : '…' }));
  };
  const load = async () => {
    paste.replaceChildren(waiting(t('setup.4.asking')));
    try {
      state.found.egress = await call('GET', '/egress');
      draw();
    } catch (error) {
      paste.replaceChildren(notice('bad', problemText(error)), button(t('setup.retry'), load, 'small'));
    }
  };

  if (state.found.egress) draw();
  else load();
  return frame(
    state,
    show,
    steps.trustedAddress,
    { lead: 'setup.4.lead', path: 'setup.4.path', know: 'setup.4.know', picture: drawn },
    todo(paragraph('setup.4.open'), [paragraph('setup.4.paste'), paste], paragraph('setup.4.confirm')),
    about,
    notice('warn', rich('setup.4.without')),
  );
}
