#!/usr/bin/env node
// A sign-in by WeCom with OpenAuth (https://openauth.js.org) on its own DynamoDB storage, as a
// function in Lambda, to be measured beside ours. WeCom is a provider as those for OAuth 2.0
// are written, with what WeCom does otherwise: one access token for all, kept in memory.
import http from 'node:http';
import { issuer } from '@openauthjs/openauth';
import { DynamoStorage } from '@openauthjs/openauth/storage/dynamo';
import { createSubjects } from '@openauthjs/openauth/subject';
import { handle } from 'hono/aws-lambda';
import { object, string } from 'valibot';

const {
  AWS_LAMBDA_RUNTIME_API,
  DYNAMODB_ENDPOINT,
  OPENAUTH_TABLE,
  PUBLIC_URL,
  WECOM_API_URL,
  WECOM_OAUTH_URL,
  CORP_ID,
  AGENT_ID,
  APP_SECRET,
} = process.env;

async function askWeCom(path, query) {
  const answer = await (await fetch(`${WECOM_API_URL}${path}?${new URLSearchParams(query)}`)).json();
  if (answer.errcode) throw new Error(`WeCom: ${answer.errcode} ${answer.errmsg}`);
  return answer;
}

let kept = { until: 0 };
async function accessToken() {
  if (kept.until < Date.now()) {
    const { access_token, expires_in } = await askWeCom('/cgi-bin/gettoken', {
      corpid: CORP_ID,
      corpsecret: APP_SECRET,
    });
    kept = { access_token, until: Date.now() + (expires_in - 300) * 1000 };
  }
  return kept.access_token;
}

const weCom = {
  type: 'wecom',
  init(routes, ctx) {
    routes.get('/authorize', async (c) => {
      const state = crypto.randomUUID().replaceAll('-', ''); // WeCom allows letters and digits
      await ctx.set(c, 'provider', 600, { state });
      const query = {
        appid: CORP_ID,
        redirect_uri: `${PUBLIC_URL}/wecom/callback`,
        response_type: 'code',
        scope: 'snsapi_base',
        state,
        agentid: AGENT_ID,
      };
      return c.redirect(`${WECOM_OAUTH_URL}/connect/oauth2/authorize?${new URLSearchParams(query)}#wechat_redirect`);
    });
    routes.get('/callback', async (c) => {
      const provider = await ctx.get(c, 'provider');
      if (!provider || provider.state !== c.req.query('state')) return c.text('state', 400);
      const { userid } = await askWeCom('/cgi-bin/auth/getuserinfo', {
        access_token: await accessToken(),
        code: c.req.query('code'),
      });
      return ctx.success(c, { userid });
    });
  },
};

const respond = handle(
  issuer({
    subjects: createSubjects({ user: object({ userid: string() }) }),
    storage: DynamoStorage({ table: OPENAUTH_TABLE, endpoint: DYNAMODB_ENDPOINT }),
    providers: { wecom: weCom },
    success: (ctx, { userid }) => ctx.subject('user', { userid }),
  }),
);

// Lambda's own loop for Node is part of its image; this one does the same with less.
const agent = new http.Agent({ keepAlive: true });
function runtime(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      `http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/${path}`,
      { method, agent },
      (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ id: response.headers['lambda-runtime-aws-request-id'], text: Buffer.concat(chunks).toString() }),
        );
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}
for (;;) {
  const { id, text } = await runtime('GET', 'invocation/next');
  const event = JSON.parse(text);
  event.requestContext.domainName ||= new URL(PUBLIC_URL).host;
  await runtime('POST', `invocation/${id}/response`, JSON.stringify(await respond(event, {})));
}
