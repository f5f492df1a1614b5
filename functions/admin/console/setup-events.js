// Step 9 of the set-up: WeCom tells the service when a member leaves.

import { receiverPart } from './events.js';
import { picture } from './pictures.js';
import { frame, localNotice, notYet, paragraph, rich, soft, todo } from './setup-layout.js';
import { steps } from './setup-state.js';
import { notice } from './ui.js';

export function events(state, show) {
  const url = state.saved ? state.saved.events.url : '…';
  const texts = {
    lead: 'setup.9.lead',
    path: 'setup.9.path',
    know: 'setup.9.know',
    picture: picture('events', { url }),
  };
  if (!state.saved) return frame(state, show, steps.events, texts, notYet(show));
  return frame(
    state,
    show,
    steps.events,
    texts,
    [
      localNotice(state),
      todo(
        paragraph('setup.9.open'),
        [paragraph('setup.9.paste'), receiverPart(state.saved, (updated) => state.rebase(updated))],
        paragraph('setup.9.save'),
      ),
    ],
    notice('info', rich('setup.9.address')),
    soft('setup.9.directory'),
  );
}
