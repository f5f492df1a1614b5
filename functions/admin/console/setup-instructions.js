// Steps 1, 2 and 6 of the set-up: there is something to do in WeCom's console, and
// nothing to fill in here.

import { copyable } from './controls.js';
import { picture } from './pictures.js';
import { frame, localNotice, paragraph, rich, soft, todo } from './setup-layout.js';
import { steps } from './setup-state.js';
import { t } from './texts.js';
import { notice } from './ui.js';

// createApp is step 1: the self-built app.
export function createApp(state, show) {
  return frame(
    state,
    show,
    steps.app,
    {
      lead: 'setup.1.lead',
      path: 'setup.1.path',
      know: 'setup.1.know',
      picture: picture('app', { title: state.values.title }),
    },
    todo(
      paragraph('setup.1.open'),
      paragraph('setup.1.create'),
      paragraph('setup.1.range'),
      paragraph('setup.1.press'),
    ),
    notice('warn', rich('setup.1.note')),
  );
}

// callbackDomain is step 2: the domain that WeCom may send people back to.
export function callbackDomain(state, show) {
  return frame(
    state,
    show,
    steps.callbackDomain,
    {
      lead: 'setup.2.lead',
      path: 'setup.2.path',
      know: 'setup.2.know',
      picture: picture('callback', { domain: state.domain }),
    },
    [
      localNotice(state),
      todo(
        paragraph('setup.2.open'),
        [paragraph('setup.2.paste'), copyable(state.domain, t('setup.2.title'))],
        paragraph('setup.2.save'),
      ),
    ],
    notice('warn', rich('setup.2.note')),
  );
}

// phoneNumber is step 6: the app may read the members' phone numbers.
export function phoneNumber(state, show) {
  return frame(
    state,
    show,
    steps.phoneNumber,
    { lead: 'setup.6.lead', path: 'setup.6.path', know: 'setup.6.know', picture: picture('phone') },
    todo(paragraph('setup.6.open'), paragraph('setup.6.tick'), paragraph('setup.6.save')),
    soft('setup.6.wording'),
    soft('setup.6.again'),
    notice('warn', rich('setup.6.without')),
  );
}
