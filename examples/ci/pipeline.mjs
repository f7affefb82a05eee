/** Takes a pipeline's file apart, and runs the scripts of its jobs as GitHub and GitLab do. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { parse } from 'yaml';

/** The scripts of a GitHub workflow, by the job and the name of the step. */
export function githubScripts(text) {
  const { jobs } = parse(text);
  return Object.fromEntries(
    Object.entries(jobs).map(([name, { steps }]) => [
      name,
      Object.fromEntries(steps.flatMap(({ name: step, run }) => (run === undefined ? [] : [[step, run]]))),
    ]),
  );
}

/** The scripts of GitLab's jobs, by the job. */
export function gitlabScripts(text) {
  const jobs = Object.entries(parse(text)).filter(([, job]) => job?.script !== undefined);
  return Object.fromEntries(jobs.map(([name, { script }]) => [name, script.join('\n')]));
}

/** Runs a script as both do: it ends where a command fails. */
export function runScript(script, { cwd, env }) {
  const child = spawn('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const hear = (data) => {
    said += data;
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, said })));
}

/** An issuer of statements, as GitHub's and GitLab's are; the token of a request is `request-token`. */
export async function startIssuer(claims) {
  const keys = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
  let issuer = '';
  const statement = (audience) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject('job')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(keys.privateKey);
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', issuer);
    response.setHeader('content-type', 'application/json');
    if (url.pathname === '/keys') return response.end(JSON.stringify({ keys: [jwk] }));
    if (url.pathname !== '/statement') return response.end(JSON.stringify({ issuer, jwks_uri: `${issuer}/keys` }));
    if (request.headers.authorization !== 'bearer request-token') return response.writeHead(401).end('{}');
    response.end(JSON.stringify({ value: await statement(url.searchParams.get('audience')) }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${server.address().port}`;
  return { issuer, statement, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(resolve)) };
}

/**
 * What of GitHub's and GitLab's interfaces the comments of pull and merge requests go through: `items` are the comments,
 * `asked` the methods and paths. Only the token `comment-token` is let in, and its comments are ours.
 */
export async function startComments(items) {
  const asked = [];
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
    let text = '';
    for await (const piece of request) text += piece;
    asked.push(`${request.method} ${pathname}`);
    const say = (status, value) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    const { authorization, 'private-token': own } = request.headers;
    if (authorization !== 'Bearer comment-token' && own !== 'comment-token') return say(401, {});
    if (pathname === '/user') return say(200, { id: 7 });
    const body = text === '' ? undefined : JSON.parse(text).body;
    if (body?.length > 65_536) return say(422, { message: 'body is too long' });
    if (request.method === 'GET') {
      const page = Number(searchParams.get('page') ?? 1);
      const size = Number(searchParams.get('per_page') ?? 30);
      return say(200, items.slice((page - 1) * size, page * size));
    }
    const ours = { user: { login: 'github-actions[bot]' }, author: { id: 7 } };
    const id = Number(/\/(\d+)$/.exec(pathname)?.[1]);
    const known = items.find((item) => item.id === id);
    if (request.method === 'POST') items.push({ id: items.length + 1000, ...ours, body });
    else if (known === undefined) return say(404, {});
    else known.body = body;
    say(200, {});
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, items, asked, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(resolve)) };
}
