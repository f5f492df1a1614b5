// Automatic login for pages of an application. Put this into a page:
//
//   <script src="https://SERVICE/auto-login.js" defer></script>
//
// Inside WeCom, and without a session, the browser goes to sign in and comes back to
// the same page. It does nothing in another browser, nothing for a visitor who is
// signed in, and nothing when automatic login is off for this application.
(function () {
  'use strict';

  var service = new URL(document.currentScript.src).origin;
  if (!/wxwork/i.test(navigator.userAgent)) return;

  // A browser that loses the session would go round for ever: twice a minute is
  // enough. Where nothing can be remembered, nothing is tried.
  var KEY = 'wecom-sign-in:tries';
  var MINUTE = 60 * 1000;
  function mayTry() {
    try {
      var now = Date.now();
      var tries = JSON.parse(sessionStorage.getItem(KEY) || '[]').filter(function (time) {
        return now - time < MINUTE;
      });
      if (tries.length >= 2) return false;
      tries.push(now);
      sessionStorage.setItem(KEY, JSON.stringify(tries));
      return sessionStorage.getItem(KEY) !== null;
    } catch (error) {
      return false;
    }
  }

  fetch(service + '/api/session', { credentials: 'include', cache: 'no-store' })
    .then(function (answer) {
      if (answer.ok) {
        try {
          sessionStorage.removeItem(KEY);
        } catch (error) {
          /* nothing was kept */
        }
        return;
      }
      // The service says where to go, and only to a page whose application it is.
      var authorize = answer.status === 401 && answer.headers.get('Automatic-Login');
      if (!authorize || new URL(authorize).origin !== service || !mayTry()) return;
      location.replace(
        authorize + '?redirect=' + encodeURIComponent(location.pathname + location.search + location.hash),
      );
    })
    .catch(function () {
      // The service is not reachable, or does not know this page's origin.
    });
})();
