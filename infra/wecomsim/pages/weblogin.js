// The login page, alone or as a panel in another page: waits until somebody has
// confirmed the login behind the QR code, and leaves to the application in the
// way that the link asked for.
(() => {
  'use strict';
  const { key, location, redirectType } = document.querySelector('script[data-redirect-type]').dataset;
  const framed = window.parent !== window;

  // Messages as WeCom's own script for panels understands them, through the port
  // that it set, if it did: what is for one page alone, if the port is from there.
  let channel = null;
  function tell(message, origin) {
    const { type, ...content } = message;
    const text = JSON.stringify({ type: `ww-iframe-handle:${type}`, ...content });
    if (channel !== null && (origin === '*' || origin === channel.origin)) {
      channel.port.postMessage(text);
    } else if (framed) {
      window.parent.postMessage(text, origin);
    }
  }
  function call(name, payload, origin) {
    tell({ type: 'call', args: { type: 'call', name, payload } }, origin);
  }

  // The page around the panel asks again if it did not hear that the panel is
  // ready, and sets a port by a message that is no text.
  function hear({ source, origin, data }) {
    if (!framed || source !== window.parent) {
      return;
    }
    if (data === JSON.stringify({ type: 'ww-iframe-handle:init' })) {
      tell({ type: 'ready', supportChannel: true }, '*');
    } else if (data?.type === 'ww-iframe-handle:set-port' && data.port instanceof MessagePort) {
      channel = { port: data.port, origin };
    }
  }

  function leave(target) {
    if (redirectType === 'callback') {
      // The code without the state, and only for the page that it belongs to. A
      // refusal has no number of its own: the one of WeCom's SDKs for phones.
      const { origin, searchParams } = new URL(target);
      const code = searchParams.get('code');
      if (code === null) {
        call('onLoginFail', { errCode: 1, errMsg: 'denied' }, origin);
      } else {
        call('onLoginSuccess', { code }, origin);
      }
    } else if (redirectType === 'top') {
      window.top.location.replace(target);
    } else {
      window.location.replace(target);
    }
  }

  // A page that frames the panel without allowing it to reach this machine gets
  // no quick login, and no error.
  function reachesClient() {
    const policy = document.featurePolicy;
    const names = ['local-network-access', 'local-network', 'loopback-network'];
    const known = policy ? names.filter((name) => policy.features().includes(name)) : [];
    return !framed || known.length === 0 || known.some((name) => policy.allowsFeature(name));
  }

  async function ask() {
    try {
      const answer = await fetch(`/wwlogin/sso/status?key=${encodeURIComponent(key)}`);
      const result = await answer.json();
      if (result.location) {
        leave(result.location);
        return;
      }
    } catch {
      // The simulator is restarting; ask again.
    }
    window.setTimeout(ask, 1500);
  }

  if (location) {
    leave(location);
    return;
  }
  const quick = document.querySelector('.quick');
  const offered = quick !== null && reachesClient();
  if (quick) {
    quick.hidden = !offered;
  }
  window.addEventListener('message', hear);
  tell({ type: 'ready', supportChannel: true }, '*');
  call('onCheckWeComLogin', { isWeComLogin: offered }, '*');
  window.setTimeout(ask, 1500);
})();
