// Copying, closing the menu of languages, and light behind a logo that came. Without
// this script a link can be selected by hand, and the menu closes as it opens.
const said = document.getElementById('said');

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No permission, or an old web view: the older way, which copies a selection.
    const field = document.createElement('textarea');
    field.value = text;
    field.className = 'unseen';
    document.body.append(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    return done;
  }
}

for (const button of document.querySelectorAll('[data-copy]')) {
  button.hidden = false;
  const label = button.textContent;
  let timer;
  button.addEventListener('click', async () => {
    if (!(await copy(button.dataset.copy))) return;
    button.focus();
    button.textContent = said.textContent = button.dataset.done;
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = label;
      said.textContent = '';
    }, 2000);
  });
}

for (const field of document.querySelectorAll('input[readonly]')) {
  field.addEventListener('focus', () => field.select());
}

const menu = document.querySelector('.languages details');
if (menu) {
  document.addEventListener('click', (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener('keyup', (event) => {
    if (event.key !== 'Escape' || !menu.open) return;
    menu.open = false;
    menu.querySelector('summary').focus();
  });
}

const logo = document.querySelector('.mark img');
if (logo) {
  const came = () => {
    if (logo.naturalWidth > 0) logo.classList.add('came');
  };
  logo.addEventListener('load', came);
  came();
}
