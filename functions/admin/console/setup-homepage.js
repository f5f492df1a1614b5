// Step 8 of the set-up: the app's homepage in WeCom's workbench, on a phone and on a
// computer. Nothing of it is saved by the service.

import { copyable, field } from './controls.js';
import { homepageLink } from './links.js';
import { picture } from './pictures.js';
import { frame, notYet, paragraph, todo } from './setup-layout.js';
import { steps } from './setup-state.js';
import { isPath } from './setup-validation.js';
import { t } from './texts.js';
import { el } from './ui.js';

const texts = { lead: 'setup.8.lead', path: 'setup.8.path', know: 'setup.8.know' };

export function homepage(state, show) {
  if (!state.saved) {
    const drawn = picture('homepage', { phone: '…', desktop: '…' });
    return frame(state, show, steps.homepage, { ...texts, picture: drawn }, notYet(show));
  }
  const usual = state.saved.workbenchRedirectPath;
  const drawn = el('div', {});
  const links = {};
  const places = { phone: el('div', {}), desktop: el('div', {}) };
  const draw = () => {
    for (const [device, title] of [
      ['phone', t('setup.8.link.phone')],
      ['desktop', t('setup.8.link.desktop')],
    ]) {
      const path = state.paths[device] || usual;
      if (isPath(path)) links[device] = homepageLink(state.address, state.saved, path);
      places[device].replaceChildren(copyable(links[device], title));
    }
    drawn.replaceChildren(picture('homepage', links));
  };
  const pathField = (device, label) => {
    const path = field({ name: device, label, value: state.paths[device] || usual, placeholder: usual });
    path.input.addEventListener('input', () => {
      const value = path.input.value.trim();
      if (value !== '' && !isPath(value)) return path.invalid(t('setup.wrong.path'));
      state.paths[device] = value;
      state.keep();
      return draw();
    });
    return path.node;
  };
  draw();
  return frame(state, show, steps.homepage, { ...texts, picture: drawn }, [
    el('p', {}, t(state.saved.autoLogin ? 'setup.8.automatic' : 'setup.8.byhand')),
    todo(
      paragraph('setup.8.open'),
      [paragraph('setup.8.paste.phone'), pathField('phone', t('setup.8.phone')), places.phone],
      [paragraph('setup.8.paste.desktop'), pathField('desktop', t('setup.8.desktop')), places.desktop],
      paragraph('setup.8.save'),
    ),
  ]);
}
