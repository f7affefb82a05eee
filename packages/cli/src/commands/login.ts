import { setTimeout as sleep } from 'node:timers/promises';
import { IngotError } from '@ingot/core/errors';
import type { JsonObject } from '@ingot/core/json';
import { askSecret } from '../ask-secret.ts';
import type { Context, Result } from '../context.ts';
import { keepCredential, serverOrigin } from '../credentials.ts';
import { openServerApi, type ServerApi } from '../server-api.ts';

const DAYS = 90;

/** `ingot login URL`: gets a token of a registry server and keeps it for this user. */
export async function run(context: Context): Promise<Result> {
  const given = context.arguments.argument(0);
  const url = given === '' ? (context.settings.text('registry') ?? '') : given;
  const origin = serverOrigin(url);
  const api = openServerApi(origin, context);
  const methods = await api.ask('/sessions/methods');
  if (methods.open === true) return openResult(origin, context);
  const made = await signIn(api, methods, context);
  const file = await keepCredential(origin, made, context.env);
  return {
    json: { url: origin, name: made.name, file },
    quiet: [origin],
    human: () => `signed in to ${context.terminal.out.colors.bold(origin)} as ${made.name}\n`,
    notes: [`the token lies in ${file}; \`ingot logout ${origin}\` ends it`],
  };
}

function openResult(origin: string, context: Context): Result {
  return {
    json: { url: origin, name: null },
    quiet: [origin],
    human: () =>
      `${context.terminal.out.colors.bold(origin)} lets in everybody on its machine; there is nothing to sign in to\n`,
    notes: ['ingot account add NAME   (the first account closes it to all others)'],
  };
}

async function signIn(api: ServerApi, methods: JsonObject, context: Context) {
  if (context.arguments.isOn('with-token')) return withToken(api, context);
  const name = context.arguments.text('name');
  if (name === undefined && methods.oidc === true) return withDevice(api, context);
  if (name === undefined)
    throw new IngotError('usage', 'say who signs in', {
      hint: `ingot login ${api.url} --name ana   (or --with-token)`,
    });
  const password = await askSecret(context, `password of ${name} at ${api.url}`);
  const authorization = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
  const body = { name: tokenName(context), expiresInDays: DAYS };
  return credentialOf(await api.ask('/tokens', { method: 'POST', body, authorization }));
}

async function withToken(api: ServerApi, context: Context) {
  const token = await askSecret(context, `token for ${api.url}`);
  const { name } = await api.ask('/sessions/current', { authorization: `Bearer ${token}` });
  return { token, id: token.split('_')[1] ?? '', name: typeof name === 'string' ? name : 'unknown' };
}

async function withDevice(api: ServerApi, context: Context) {
  const started = await api.ask('/sessions/device', { method: 'POST', body: {} });
  const { handle, userCode, verificationUri, verificationUriComplete, intervalSeconds, expiresInSeconds } = started;
  const { err } = context.terminal;
  err.write(`open ${String(verificationUriComplete ?? verificationUri)} in a browser and type ${String(userCode)}\n`);
  const endsAt = performance.now() + 1000 * Number(expiresInSeconds);
  while (performance.now() < endsAt) {
    await sleep(1000 * Number(intervalSeconds), undefined, { signal: context.signal });
    const body = { handle: String(handle), name: tokenName(context) };
    const answer = await api.ask('/sessions/device/token', { method: 'POST', body });
    if (answer.pending !== true) return credentialOf(answer);
  }
  throw new IngotError('unauthenticated', 'nobody typed the code in time', { hint: `ingot login ${api.url}` });
}

function credentialOf({ token, id, account, name }: JsonObject) {
  if (typeof token !== 'string' || typeof id !== 'string')
    throw new IngotError('unavailable', 'the server did not answer with a token');
  return { token, id, name: typeof account === 'string' ? account : String(name) };
}

/** Says in the list of tokens where it is used. */
function tokenName({ settings }: Context): string {
  const name = `login-${settings.text('actor') ?? 'unknown'}`.replace(/[^A-Za-z0-9._@+-]/g, '-').slice(0, 99);
  return name.replace(/[^A-Za-z0-9]+$/, '');
}
