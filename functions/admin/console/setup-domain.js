// Step 3 of the set-up: the trusted domain. WeCom gives out a file that proves whose
// domain it is; it is handed in here, served by the service, and fetched back to see
// whether it can be reached from outside.

import { at, call, everything, problemText } from './api.js';
import { button, copyable, field, fileDrop, form } from './controls.js';
import { picture } from './pictures.js';
import { frame, localNotice, paragraph, rich, soft, todo } from './setup-layout.js';
import { steps } from './setup-state.js';
import { t } from './texts.js';
import { el, notice, waiting } from './ui.js';

const exampleFile = 'WW_verify_….txt';
const largestFile = 1024;

// verifyCode takes WeCom's 16 characters out of a file's name, its address, or the
// characters alone.
const verifyCode = (text) => /(?:^|WW_verify_)([A-Za-z0-9]{16})(?:[^A-Za-z0-9].*)?$/.exec(text.trim())?.[1];
const fileName = (code) => `WW_verify_${code}.txt`;

export function trustedDomain(state, show) {
  const { found } = state;
  const list = el('ul', { className: 'setup-files', 'aria-live': 'polite' });
  const none = soft('setup.3.none');
  const problem = el('div', {});
  const drawn = el('div', {});

  const drawPicture = () => {
    const { domain, address } = state;
    drawn.replaceChildren(picture('domain', { domain, address, file: found.files?.[0] || exampleFile }));
  };
  const draw = () => {
    none.hidden = found.files.length > 0;
    list.replaceChildren(...found.files.map((name) => fileRow(state, name)));
    drawPicture();
  };
  const load = async () => {
    list.replaceChildren(el('li', {}, waiting()));
    try {
      const files = await everything('/domain-files');
      files.sort((a, b) => b.createdAt.localeCompare(a.createdAt));
      found.files = files.map((file) => file.filename);
      draw();
    } catch (error) {
      list.replaceChildren(el('li', {}, notice('bad', problemText(error)), button(t('setup.retry'), load, 'small')));
    }
  };

  // serve has the service serve the file, and fetches it back.
  const serve = async (code) => {
    problem.replaceChildren();
    const name = fileName(code);
    await call('PUT', at('domain-files', name));
    found.files = [name, ...(found.files || []).filter((other) => other !== name)];
    state.file = name;
    state.keep();
    delete found.fileResults[name];
    draw();
    await fetchBack(state, name, list.firstChild);
  };
  const refuse = (key) => problem.replaceChildren(notice('bad', t(key)));

  drawPicture();
  if (found.files) draw();
  else load();
  return frame(
    state,
    show,
    steps.trustedDomain,
    { lead: 'setup.3.lead', path: 'setup.3.path', know: 'setup.3.know', picture: drawn },
    [
      localNotice(state),
      todo(
        paragraph('setup.3.open'),
        [paragraph('setup.3.paste'), copyable(state.domain, t('setup.3.title'))],
        paragraph('setup.3.verify'),
        [
          paragraph('setup.3.bring'),
          dropPlace(serve, refuse),
          problem,
          typingPlace(serve),
          el('h3', {}, t('setup.3.served')),
          none,
          list,
        ],
        paragraph('setup.3.confirm'),
      ),
    ],
    notice('warn', rich('setup.3.icp')),
    soft('setup.3.stay'),
  );
}

// dropPlace takes the file itself, whatever it is called by now.
function dropPlace(serve, refuse) {
  return fileDrop({ label: t('setup.3.drop'), hint: t('setup.3.drop.hint'), accept: '.txt' }, async (file) => {
    const named = verifyCode(file.name);
    const content = file.size > largestFile ? '?' : (await file.text()).trim();
    if (named && (content === '' || content === named)) return serve(named);
    if (!named && /^[A-Za-z0-9]{16}$/.test(content)) return serve(content); // renamed on the way
    return refuse(named ? 'setup.3.wrong.content' : 'setup.3.wrong.name');
  });
}

// typingPlace takes the name of the file, its address, or its content.
function typingPlace(serve) {
  const typed = field({ name: 'filename', label: t('setup.3.typed'), placeholder: exampleFile });
  const submit = async () => {
    const code = verifyCode(typed.input.value);
    if (!code) {
      typed.invalid(t('setup.3.wrong.name'));
      return typed.input.focus();
    }
    await serve(code);
    typed.input.value = '';
  };
  return form({ className: 'setup-typed' }, submit, typed.node, el('button', {}, t('setup.3.serve')));
}

function fileRow(state, name) {
  const again = button(t('setup.3.fetch'), () => fetchBack(state, name, row), 'small');
  const row = el(
    'li',
    {},
    el('code', {}, name),
    el('div', { className: 'actions' }, again),
    el('div', {}, state.found.fileResults[name]),
  );
  return row;
}

// fetchBack has the service fetch a file over the network, as WeCom will.
async function fetchBack(state, name, row) {
  const place = row.lastChild;
  place.replaceChildren(waiting(t('setup.3.fetching')));
  let said;
  try {
    const answer = await call('POST', at('domain-files', name, 'check'));
    said = answer.ok ? reached(`${state.address}/${name}`) : failures(answer.steps);
  } catch (error) {
    said = notice('bad', problemText(error));
  }
  state.found.fileResults[name] = said;
  place.replaceChildren(...[said].flat());
}

function reached(address) {
  const link = el('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, address);
  return notice('good', paragraph('setup.3.found', { address: link }));
}

const failures = (checked) =>
  checked
    .filter((step) => !step.ok)
    .map((step) => notice('bad', el('p', {}, el('b', {}, step.title)), el('p', {}, step.fix)));
