import { describe, expect, it } from 'vitest';
import type { Authorizer } from '../../access/identity.ts';
import { ociError } from '../../oci/oci-error.ts';
import { signInFirst } from '../../access/authorizer.ts';
import { trialApp, type TrialOptions } from '../testing/registry-app.ts';
import { ociApi } from './oci-api.ts';
import type { OciRoute } from './oci-route.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

/** Answers with what was understood of an address. */
function telling(at: string, methods: OciRoute['methods'] = ['GET', 'HEAD']): OciRoute {
  return {
    at,
    methods,
    needs: 'read',
    answer: async ({ reply, repository, part, query }) =>
      reply.send(JSON.stringify([at, repository, part('digest'), part('id'), query.getAll('n')])),
  };
}

const ROUTES = [
  telling('blobs/:digest'),
  telling('blobs/uploads', ['POST']),
  telling('blobs/uploads/:id', ['GET', 'PATCH']),
  telling('tags/list'),
];

const served = (options: Partial<TrialOptions> = {}, routes: readonly OciRoute[] = ROUTES) =>
  trialApp({ protocols: [ociApi([() => routes])], ...options });

describe('addresses below /v2', () => {
  it('name a repository of any depth, whatever its parts are called', async () => {
    await using trial = await served();
    const ask = async (url: string, method: 'GET' | 'POST' = 'GET') =>
      JSON.parse((await trial.app.inject({ url, method })).body);
    expect(await ask(`/v2/churn/blobs/${DIGEST}`)).toEqual(['blobs/:digest', 'churn', DIGEST, '', []]);
    expect(await ask(`/v2/a/b/c/blobs/${encodeURIComponent(DIGEST)}?n=1&n=2`)).toEqual([
      'blobs/:digest',
      'a/b/c',
      DIGEST,
      '',
      ['1', '2'],
    ]);
    expect(await ask('/v2/a/blobs/blobs/uploads/', 'POST')).toEqual(['blobs/uploads', 'a/blobs', '', '', []]);
    expect(await ask('/v2/tags/list/blobs/uploads/7')).toEqual(['blobs/uploads/:id', 'tags/list', '', '7', []]);
    expect(await ask('/v2/Team/Churn/tags/list')).toEqual(['tags/list', 'Team/Churn', '', '', []]);
  });

  it('that name none, or are no address, are refused in the words of the specification', async () => {
    await using trial = await served();
    const ask = async (url: string, method: 'GET' | 'PUT' = 'GET') => {
      const { statusCode, json, headers } = await trial.app.inject({ url, method });
      return [statusCode, json().errors[0].code, headers.allow];
    };
    for (const name of ['-x', 'a//b', 'A/B/C', 'a%2Fb', 'a%20b', `${'a'.repeat(256)}`])
      expect([name, ...(await ask(`/v2/${name}/tags/list`))]).toEqual([name, 400, 'NAME_INVALID', undefined]);
    expect(await ask('/v2/tags/list')).toEqual([404, 'UNSUPPORTED', undefined]);
    expect(await ask('/v2/churn/tags/list', 'PUT')).toEqual([405, 'UNSUPPORTED', 'GET, HEAD']);
    expect((await trial.app.inject('/v2/')).headers['docker-distribution-api-version']).toBe('registry/2.0');
  });

  it('answer errors with their code and detail', async () => {
    const failing: OciRoute = {
      ...telling('blobs/:digest'),
      answer: async () => {
        throw ociError('BLOB_UNKNOWN', 'it is not here', { detail: { digest: DIGEST } });
      },
    };
    await using trial = await served({}, [failing]);
    const { statusCode, json } = await trial.app.inject(`/v2/churn/blobs/${DIGEST}`);
    expect([statusCode, json()]).toEqual([
      404,
      { errors: [{ code: 'BLOB_UNKNOWN', message: 'it is not here', detail: { digest: DIGEST } }] },
    ]);
  });
});

describe('who may not', () => {
  const nobody: Authorizer = {
    may: () => false,
    check: () => {
      throw signInFirst();
    },
  };

  it('is told where and for what to get a token', async () => {
    await using trial = await served({ authorizer: nobody });
    const { statusCode, headers } = await trial.app.inject({ url: '/v2/a/b/tags/list', headers: { host: 'hub.test' } });
    expect(statusCode).toBe(401);
    expect(headers['www-authenticate']).toBe(
      'Bearer realm="http://hub.test/v2/token",service="hub.test",scope="repository:a/b:pull"',
    );
  });

  it('may with a token for something else is told to get another', async () => {
    const identity = { kind: 'token', name: 'ci', authenticated: true, limit: () => false } as const;
    await using trial = await served({ identity });
    const { statusCode, headers } = await trial.app.inject({
      url: '/v2/a/tags/list',
      headers: { authorization: 'Bearer x' },
    });
    expect(statusCode).toBe(401);
    expect(headers['www-authenticate']).toContain('error="insufficient_scope"');
  });
});
