// Waits until somebody has confirmed the login on the page behind the QR code.
(() => {
  'use strict';
  const key = document.querySelector('script[data-key]').dataset.key;
  async function ask() {
    try {
      const answer = await fetch(`/wwlogin/sso/status?key=${encodeURIComponent(key)}`);
      const result = await answer.json();
      if (result.location) {
        window.location.replace(result.location);
        return;
      }
    } catch {
      // The simulator is restarting; ask again.
    }
    window.setTimeout(ask, 1500);
  }
  window.setTimeout(ask, 1500);
})();
