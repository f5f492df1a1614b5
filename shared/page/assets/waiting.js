// Asks whether the member has signed in inside WeCom, and goes on then. Without this script
// a button does.
const waiting = document.querySelector('.waiting');
const asked = waiting.querySelector('[data-asked]');
asked.textContent = asked.dataset.asked;
waiting.classList.add('asking');

const over = (error, request) => {
  const next = new URL(waiting.dataset.over);
  if (error) next.searchParams.set('error', error);
  if (error && request) next.searchParams.set('request', request);
  location.replace(next);
};

const ask = async () => {
  try {
    const answer = await fetch(waiting.action, { cache: 'no-store' });
    if (answer.status === 429) return over();
    const { state, error } = await answer.json();
    if (state === 'ready') return waiting.submit();
    // The gateway's id of this answer, with which the log says more.
    if (state === 'over') return over(error, answer.headers.get('apigw-requestid'));
  } catch {
    // No network, or no answer: the next one may come.
  }
  setTimeout(ask, 3000);
};
setTimeout(ask, 3000);
