// An application on Node with a stock client, for one member: PORT, ISSUER, CLIENT_ID and
// CLIENT_SECRET are its settings, and its argument is the file of openid-client.
import http from 'node:http';
import process from 'node:process';

const client = await import(process.argv[2]);
const { PORT, ISSUER, CLIENT_ID, CLIENT_SECRET } = process.env;
const home = `http://127.0.0.1:${PORT}`;
const config = await client.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET);

let begun;
let tokens;

const pages = {
  async '/'() {
    if (!tokens) {
      begun = { verifier: client.randomPKCECodeVerifier(), state: client.randomState(), nonce: client.randomNonce() };
      const parameters = {
        redirect_uri: `${home}/callback`,
        scope: 'openid profile email groups',
        state: begun.state,
        nonce: begun.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(begun.verifier),
        code_challenge_method: 'S256',
      };
      return client.buildAuthorizationUrl(config, parameters);
    }
    const { sub } = tokens.claims();
    const { email } = await client.fetchUserInfo(config, tokens.access_token, sub);
    return { email, access_token: tokens.access_token };
  },
  async '/callback'(address) {
    tokens = await client.authorizationCodeGrant(config, address, {
      pkceCodeVerifier: begun.verifier,
      expectedState: begun.state,
      expectedNonce: begun.nonce,
      idTokenExpected: true,
    });
    return new URL(home);
  },
  async '/refresh'() {
    tokens = await client.refreshTokenGrant(config, tokens.refresh_token);
    return new URL(home);
  },
  async '/signout'() {
    const { id_token, refresh_token, access_token } = tokens;
    await client.tokenRevocation(config, refresh_token);
    const { active } = await client.tokenIntrospection(config, access_token);
    if (active) throw new Error('revoked, and still active');
    tokens = undefined;
    return client.buildEndSessionUrl(config, { id_token_hint: id_token, post_logout_redirect_uri: `${home}/bye` });
  },
  async '/bye'() {
    return { bye: 'bye' };
  },
};

http
  .createServer(async (request, response) => {
    const address = new URL(request.url, home);
    try {
      const answer = await pages[address.pathname](address);
      if (answer instanceof URL) response.writeHead(302, { location: answer.href }).end();
      else response.end(JSON.stringify(answer));
    } catch (error) {
      response.writeHead(500).end(String(error.stack));
    }
  })
  .listen(PORT, '127.0.0.1');
