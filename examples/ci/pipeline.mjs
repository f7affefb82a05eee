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
