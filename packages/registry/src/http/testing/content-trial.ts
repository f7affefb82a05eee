import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openServerBlobStore, type ServerBlobs } from '@ingot/core/blob/server';
import { createServerContentStore } from '@ingot/core/content/server-contents';
import type { ContentStore } from '@ingot/core/content/content-store';
import { IngotError } from '@ingot/core/errors';
import { push, type PushResult } from '@ingot/core/push';
import { openHttpRegistry } from '@ingot/core/registry/http/http-registry';
import type { Registry, VersionDraft } from '@ingot/core/registry/registry';
import type { Authorizer, Identity, Permission } from '../../access/identity.ts';
import { contentRoutes } from '../contents/content-routes.ts';
import { nativeApi } from '../native/native-api.ts';
import { NATIVE_ROUTES } from '../native/native-routes.ts';
import { trialApp, type TrialApp, type TrialOptions } from './registry-app.ts';

/** Who may what: `read churn`, `push team/*`; `read` alone is for all models. */
export type Grants = Readonly<Record<string, readonly string[]>>;

/** Somebody who works with a trial's server. */
export interface TrialClient {
  readonly blobs: ServerBlobs;
  readonly contents: ContentStore;
  readonly registry: Registry;
  /** Pushes files as a package. */
  push(name: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<PushResult>;
  /** Uploads a package and gives the draft that would be published. */
  draft(name: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<VersionDraft>;
}

/** A server that takes contents from several people. */
export interface ContentTrial extends AsyncDisposable {
  readonly trial: TrialApp;
  readonly url: string;
  as(name: string): Promise<TrialClient>;
}

/** Starts a server over a store in memory where everybody has their own grants; whoever asks is named by their token. */
export async function contentTrial(
  grants: Grants,
  options: Pick<TrialOptions, 'contents' | 'now'> = {},
): Promise<ContentTrial> {
  const authorizer = authorizerOf(grants);
  const trial = await trialApp({
    ...options,
    contents: options.contents ?? {},
    protocols: [nativeApi(NATIVE_ROUTES), (app, services) => contentRoutes(services.contents)(app, services)],
    authorizer,
    identify: ({ headers }) => identityOf(headers.authorization?.slice('Bearer '.length) ?? 'nobody'),
  });
  const url = await trial.listen();
  const directory = await mkdtemp(join(tmpdir(), 'ingot-content-trial-'));
  let pushes = 0;
  const written = async (files: Readonly<Record<string, string | Uint8Array>>): Promise<string> => {
    const path = join(directory, String(pushes++));
    await mkdir(path);
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(path, name), bytes);
    return path;
  };
  const as = async (name: string): Promise<TrialClient> => {
    const authorization = `Bearer ${name}`;
    const blobs = await openServerBlobStore(url, { env: {}, authorization });
    const contents = createServerContentStore(blobs, { packBytes: 256 * 1024 });
    const registry = await openHttpRegistry(url, { env: {}, authorization, retry: { attempts: 1 } });
    return {
      blobs,
      contents,
      registry,
      push: async (model, files) => await push(await written(files), { registry, contents, name: model }),
      draft: async (model, files) => {
        const drafts: VersionDraft[] = [];
        const holding: Registry = {
          ...registry,
          publish: async (_name, draft) => {
            if (draft.recipe !== undefined) drafts.push(draft);
            throw new IngotError('interrupted', 'the trial goes on by hand');
          },
        };
        await push(await written(files), { registry: holding, contents, name: model }).catch(() => {});
        const [draft] = drafts;
        if (draft === undefined) throw new Error('nothing was drafted');
        return draft;
      },
    };
  };
  const end = async (): Promise<void> => {
    await trial[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  };
  return { trial, url, as, [Symbol.asyncDispose]: end };
}

function identityOf(name: string): Identity {
  return { kind: 'token', name, authenticated: true, subject: `account:${name}` };
}

function authorizerOf(grants: Grants): Authorizer {
  const may: Authorizer['may'] = ({ name }, permission, target) =>
    (grants[name] ?? []).some((grant) => {
      const [verb, pattern = '*'] = grant.split(' ');
      if (verb !== permission && !(verb === 'push' && permission === 'read')) return false;
      if (target.kind === 'server') return pattern === '*';
      return pattern === '*' || target.model === pattern || target.model.startsWith(pattern.replace(/\*$/, '/'));
    });
  return {
    may,
    check: (identity, permission: Permission, target) => {
      if (may(identity, permission, target)) return;
      if (target.kind === 'model' && !may(identity, 'read', target))
        throw new IngotError('model-not-found', `there is no model "${target.model}"`);
      throw new IngotError('forbidden', `${identity.name} may not ${permission}`);
    },
  };
}
