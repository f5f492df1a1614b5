// Shows WeCom's own login panel in place of the way that leads to it. The way stays, for
// whom the panel does not help, and is as it was when the panel does not come.
const ways = document.querySelectorAll('[data-panel]');
let hidePanel = () => {};

function showPanel(way) {
  hidePanel();
  const label = way.querySelector('span');
  const text = label.textContent;
  const panel = document.createElement('figure');
  const caption = document.createElement('figcaption');
  const frame = document.createElement('iframe');
  const stop = new AbortController();
  const fail = () => {
    if (stop.signal.aborted) return;
    hidePanel();
    way.dataset.panel = '';
  };
  const late = setTimeout(fail, 5000);
  // An attempt to sign in ends after 15 minutes; a page that is left open begins another.
  const renew = setTimeout(() => showPanel(way), 14 * 60 * 1000);
  hidePanel = () => {
    stop.abort();
    clearTimeout(late);
    clearTimeout(renew);
    panel.remove();
    label.textContent = text;
    way.classList.remove('instead');
  };
  panel.className = 'panel';
  caption.textContent = frame.title = text;
  panel.append(caption, document.createElement('div'));
  // Quick login asks WeCom's client on this computer.
  frame.allow = 'local-network-access; loopback-network';
  frame.referrerPolicy = 'origin';
  frame.addEventListener('load', () => {
    clearTimeout(late);
    panel.classList.add('came');
  });
  way.before(panel);
  way.classList.add('instead');
  label.textContent = way.dataset.instead;
  fetch(way.dataset.panel, { signal: stop.signal })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer.status)))
    .then(({ url }) => {
      frame.src = url;
      panel.lastChild.append(frame);
    })
    .catch(fail);
}

for (const way of ways) {
  way.addEventListener('click', (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (!way.dataset.panel || way.classList.contains('instead')) return;
    event.preventDefault();
    showPanel(way);
  });
}
if (document.querySelector('.ways[data-open]')) showPanel(ways[0]);
